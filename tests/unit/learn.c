/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node learns of its services: the programs of svc/learn_program.c run here over memory that is
 * laid out as a kernel's, and are shown to the verifier of this machine's kernel. Then the kernel's
 * own types, where their offsets come from.
 */
#include <errno.h>
#include <linux/btf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svc/bpf_load.h"
#include "svc/btf.h"
#include "svc/fd.h"
#include "svc/learn_program.h"
#include "tests/unit/ebpf.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define X32 0x40000000u
#define TS_COMPAT 2u
#define SLOTS 8u
#define GROUPS 4u

/* ---- a kernel's memory ---- */

struct mm {
	uint64_t other[3];
	const void *file;
};

struct task {
	uint32_t flags, status;
	const struct mm *mm;
	const struct task *parent;
	uint32_t pid, tgid;
};

struct user {
	uint64_t other;
	uint32_t level;
};

struct node {
	uint32_t other[6];
	uint64_t number;
};

struct group {
	uint64_t other;
	const struct node *node;
};

static const struct learn_offsets offsets = {
	.task_status = offsetof(struct task, status),
	.task_parent = offsetof(struct task, parent),
	.task_tgid = offsetof(struct task, tgid),
	.task_mm = offsetof(struct task, mm),
	.mm_file = offsetof(struct mm, file),
	.user_level = offsetof(struct user, level),
	.cgroup_node = offsetof(struct group, node),
	.node_number = offsetof(struct node, number),
};

static const int file_init, file_web;
static const struct mm mm_init = {.file = &file_init}, mm_child = {.file = &file_init},
		       mm_web = {.file = &file_web};
static struct task init = {.mm = &mm_init, .pid = 1, .tgid = 1};
static struct task web = {.mm = &mm_web, .parent = &init, .pid = 50, .tgid = 50};

enum { T_GROUPS = 3, T_NAMES, T_CALLS, T_FILTERED, T_CAPABILITIES, T_FACTS };
enum { N_INIT = 11, N_WEB, N_DEEP, N_PODS, N_SHIMS, N_FULL };

static struct kernel {
	struct task *task;
	uint64_t ancestors[LEARN_LEVELS + 1]; /* of the running process, by level */
	uint64_t group[GROUPS];
	uint32_t slot[GROUPS];
	uint64_t calls[SLOTS * LEARN_CALLS];
	uint64_t filtered[SLOTS * LEARN_CALLS];
	uint64_t capabilities[SLOTS * LEARN_CAPABILITIES * LEARN_ANSWERS];
	uint64_t facts[LEARN_FACTS];
} kernel;

static struct learn_tables tables;

static uint32_t *group_slot(uint64_t number)
{
	for (unsigned i = 0; i < GROUPS; i++)
		if (number != 0 && kernel.group[i] == number)
			return &kernel.slot[i];
	return NULL;
}

static void *look_up(uint64_t table, const void *key)
{
	static uint32_t named[2];
	uint32_t index;
	uint64_t number;

	if (table == T_GROUPS) {
		memcpy(&number, key, sizeof(number));
		return group_slot(number);
	}
	if (table == T_NAMES) {
		static const char web_name[LEARN_PATH_BYTES] = "/web",
				  init_name[LEARN_PATH_BYTES] = "/init";

		named[0] = learn_slot(1, 0);
		named[1] = LEARN_NOBODY;
		return memcmp(key, web_name, sizeof(web_name)) == 0     ? &named[0]
		       : memcmp(key, init_name, sizeof(init_name)) == 0 ? &named[1]
									: NULL;
	}
	memcpy(&index, key, sizeof(index));
	switch (table) {
	case T_CALLS: return index < COUNT(kernel.calls) ? &kernel.calls[index] : NULL;
	case T_FILTERED: return index < COUNT(kernel.filtered) ? &kernel.filtered[index] : NULL;
	case T_CAPABILITIES:
		return index < COUNT(kernel.capabilities) ? &kernel.capabilities[index] : NULL;
	case T_FACTS: return index < COUNT(kernel.facts) ? &kernel.facts[index] : NULL;
	default: abort();
	}
}

static uint64_t update(const void *key, const void *value)
{
	uint64_t number;
	uint32_t *slot;

	memcpy(&number, key, sizeof(number));
	slot = group_slot(number);
	for (unsigned i = 0; i < GROUPS && !slot; i++) {
		if (kernel.group[i] != 0)
			continue;
		kernel.group[i] = number;
		slot = &kernel.slot[i];
	}
	if (!slot)
		return (uint64_t)-E2BIG;
	memcpy(slot, value, sizeof(*slot));
	return 0;
}

static uint64_t forget(const void *key)
{
	uint64_t number;

	memcpy(&number, key, sizeof(number));
	for (unsigned i = 0; i < GROUPS; i++)
		if (kernel.group[i] == number)
			kernel.group[i] = 0;
	return 0;
}

/* What is no address of ours, the kernel would not let it read either. */
static uint64_t read_kernel(void *to, uint64_t size, uint64_t from)
{
	memset(to, 0, size);
	if (from < 4096)
		return (uint64_t)-EFAULT;
	memcpy(to, (const void *)(uintptr_t)from, size);
	return 0;
}

/* No program may give a helper no place. */
static void *place(uint64_t address)
{
	if (address == 0)
		abort();
	return (void *)(uintptr_t)address;
}

static uint64_t helper(void *context, int32_t which, const uint64_t arguments[static 5])
{
	const uint64_t *given = arguments;

	(void)context;
	switch (which) {
	case BPF_FUNC_map_lookup_elem: return (uintptr_t)look_up(given[0], place(given[1]));
	case BPF_FUNC_map_update_elem: return update(place(given[1]), place(given[2]));
	case BPF_FUNC_map_delete_elem: return forget(place(given[1]));
	case BPF_FUNC_get_current_task: return (uintptr_t)kernel.task;
	case BPF_FUNC_get_current_ancestor_cgroup_id:
		return given[0] < COUNT(kernel.ancestors) ? kernel.ancestors[given[0]] : 0;
	case BPF_FUNC_probe_read_kernel: return read_kernel(place(given[0]), given[1], given[2]);
	case BPF_FUNC_probe_read_kernel_str:
		snprintf(place(given[0]), given[1], "%s", (const char *)place(given[2]));
		return 1;
	default: abort();
	}
}

static void run(enum learn_which which, uint64_t *arguments)
{
	static struct learn_program program;

	assert_int_equal(learn_program_make(which, &tables, &program), 0);
	assert_int_equal(ebpf_run(program.steps, program.count, arguments, helper, NULL), 0);
}

/* Services 0 (a pod's runtime) and 1 (web, at /web), 2 (at /a/deep); a fresh kernel. */
static void begin(void)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.task = &web;
	kernel.group[0] = N_INIT;
	kernel.slot[0] = LEARN_NOBODY;
	kernel.group[1] = N_WEB;
	kernel.slot[1] = learn_slot(1, 0);
	kernel.group[2] = N_DEEP;
	kernel.slot[2] = learn_slot(2, 0);
	kernel.group[3] = N_PODS;
	kernel.slot[3] = learn_slot(0, 1);
	web.status = 0;
	web.mm = &mm_web;
	web.parent = &init;
	tables = (struct learn_tables){
		.groups = T_GROUPS,
		.names = T_NAMES,
		.calls = T_CALLS,
		.filtered = T_FILTERED,
		.capabilities = T_CAPABILITIES,
		.facts = T_FACTS,
		.levels = 1u << 1 | 1u << 2,
		.elsewhere = learn_slot(0, 1),
		.offsets = offsets,
	};
}

/* The one entry that is not 0; UINT32_MAX: none. */
static uint32_t only(const uint64_t *entries, size_t count)
{
	uint32_t found = UINT32_MAX;

	for (size_t i = 0; i < count; i++) {
		if (entries[i] == 0)
			continue;
		assert_int_equal(found, UINT32_MAX);
		found = (uint32_t)i;
	}
	return found;
}

static uint32_t called(uint64_t level1, uint64_t level2, uint64_t number)
{
	uint64_t arguments[2] = {0, number};

	memset(kernel.calls, 0, sizeof(kernel.calls));
	kernel.ancestors[0] = 1;
	kernel.ancestors[1] = level1;
	kernel.ancestors[2] = level2;
	run(LEARN_ENTER, arguments);
	return only(kernel.calls, COUNT(kernel.calls));
}

/* ---- calls ---- */

static void a_call_is_counted_for_the_service_in_whose_group_it_is_made(void **state)
{
	(void)state;
	begin();
	assert_int_equal(called(N_WEB, 0, 83), learn_call(learn_slot(1, 0), LEARN_X86_64, 83));
	assert_int_equal(called(N_WEB, 99, 83), learn_call(learn_slot(1, 0), LEARN_X86_64, 83));
	assert_int_equal(called(98, N_DEEP, 0), learn_call(learn_slot(2, 0), LEARN_X86_64, 0));
	/* The inner one of two. */
	assert_int_equal(called(N_WEB, N_DEEP, 1), learn_call(learn_slot(2, 0), LEARN_X86_64, 1));
	assert_int_equal(called(N_PODS, 99, 2), learn_call(learn_slot(0, 1), LEARN_X86_64, 2));
	/* Shims: in a group that is nobody's. */
	assert_int_equal(called(N_SHIMS, 0, 3), learn_call(learn_slot(0, 1), LEARN_X86_64, 3));
	/* PID 1 and what it left in its own group, and the root. */
	assert_int_equal(called(N_INIT, 0, 83), UINT32_MAX);
	assert_int_equal(called(0, 0, 83), UINT32_MAX);
	tables.elsewhere = LEARN_NOBODY;
	assert_int_equal(called(N_SHIMS, 0, 3), UINT32_MAX);
	assert_int_equal(called(N_WEB, 0, 83), learn_call(learn_slot(1, 0), LEARN_X86_64, 83));
}

static void each_kind_of_program_has_numbers_of_its_own(void **state)
{
	(void)state;
	begin();
	assert_int_equal(called(N_WEB, 0, X32 | 528), learn_call(learn_slot(1, 0), LEARN_X32, 528));
	web.status = TS_COMPAT | 1;
	assert_int_equal(called(N_WEB, 0, 83), learn_call(learn_slot(1, 0), LEARN_I386, 83));
	web.status = 0;
	assert_int_equal(called(N_WEB, 0, LEARN_NUMBERS - 1),
			 learn_call(learn_slot(1, 0), LEARN_X86_64, LEARN_NUMBERS - 1));
	assert_int_equal(kernel.facts[LEARN_FACT_BEYOND], 0);
	for (uint64_t i = 0; i < 3; i++) {
		const uint64_t beyond[] = {LEARN_NUMBERS, UINT64_MAX, X32 | LEARN_NUMBERS};

		assert_int_equal(called(N_WEB, 0, beyond[i]), UINT32_MAX);
		assert_int_equal(kernel.facts[LEARN_FACT_BEYOND], i + 1);
	}
}

static void what_runs_before_the_program_begins_is_not_its_own(void **state)
{
	static const struct task other = {.mm = &mm_web, .pid = 60, .tgid = 60};
	const uint32_t entry = learn_call(learn_slot(1, 0), LEARN_X86_64, 126);
	uint64_t arguments[2] = {0, 126};

	(void)state;
	begin();
	web.mm = &mm_child; /* cloned, still PID 1's program */
	assert_int_equal(called(N_WEB, 0, 126), UINT32_MAX);
	web.mm = &mm_web;
	assert_int_equal(called(N_WEB, 0, 126), entry);
	/* A fork of the service, of the same program, with it or with PID 1 as its parent. */
	web.parent = &other;
	assert_int_equal(called(N_WEB, 0, 126), entry);
	/* Once it is known that the service makes it, nobody is asked again. */
	web.parent = &init;
	web.mm = &mm_child;
	run(LEARN_ENTER, arguments);
	assert_int_equal(kernel.calls[entry], 2);
	/* A kernel's thread has no memory of its own. */
	web.mm = NULL;
	assert_int_equal(called(N_WEB, 0, 126), entry);
	web.parent = NULL;
	assert_int_equal(called(N_WEB, 0, 126), entry);
}

static void what_a_filter_did_not_just_allow_is_counted_apart(void **state)
{
	uint64_t arguments[3] = {169, 0, 0x50000};

	(void)state;
	begin();
	kernel.ancestors[1] = N_PODS;
	run(LEARN_FILTERED, arguments);
	assert_int_equal(only(kernel.filtered, COUNT(kernel.filtered)),
			 learn_call(learn_slot(0, 1), LEARN_X86_64, 169));
	assert_int_equal(only(kernel.calls, COUNT(kernel.calls)), UINT32_MAX);
}

/* ---- capabilities ---- */

#define HALF 0xdeadbeef00000000ull /* the upper half of a register that holds an int is anything */

static uint32_t checked(uint64_t capability, uint64_t options, uint64_t answer, uint32_t level)
{
	const struct user user = {.level = level};
	uint64_t arguments[5] = {0, (uintptr_t)&user, capability, options, answer};

	memset(kernel.capabilities, 0, sizeof(kernel.capabilities));
	kernel.ancestors[1] = N_WEB;
	run(LEARN_CAPABLE, arguments);
	return only(kernel.capabilities, COUNT(kernel.capabilities));
}

static void a_check_is_counted_by_capability_answer_and_meaning(void **state)
{
	const uint32_t slot = learn_slot(1, 0);

	(void)state;
	begin();
	assert_int_equal(checked(10, 0, 0, 0), learn_capability(slot, 10, 0));
	assert_int_equal(checked(HALF | 10, HALF, HALF, 0), learn_capability(slot, 10, 0));
	assert_int_equal(checked(21, 4, 0, 0), learn_capability(slot, 21, 0));
	assert_int_equal(checked(21, 0, HALF | (uint32_t)-EPERM, 0),
			 learn_capability(slot, 21, LEARN_REFUSED));
	assert_int_equal(checked(21, 2, 0, 0), learn_capability(slot, 21, LEARN_HINT));
	assert_int_equal(checked(21, 6, (uint64_t)-EPERM, 0),
			 learn_capability(slot, 21, LEARN_HINT | LEARN_REFUSED));
	assert_int_equal(checked(64, 0, 0, 0), UINT32_MAX);
	assert_int_equal(checked(UINT64_MAX, 0, 0, 0), UINT32_MAX);
	assert_int_equal(checked(21, 0, 0, 1), UINT32_MAX); /* in a user namespace of its own */
	web.mm = &mm_child;
	assert_int_equal(checked(6, 0, 0, 0), UINT32_MAX);
}

/* ---- groups ---- */

static void who_a_group_belongs_to_follows_its_making_and_its_end(void **state)
{
	const struct node node = {.number = N_FULL};
	const struct group group = {.node = &node};
	char path[LEARN_PATH_BYTES * 2] = "/web";
	uint64_t arguments[2] = {(uintptr_t)&group, (uintptr_t)path};

	(void)state;
	begin();
	run(LEARN_MKDIR, arguments);
	assert_null(group_slot(N_FULL));
	assert_int_equal(kernel.facts[LEARN_FACT_NO_ROOM], 1);
	kernel.group[2] = 0;
	run(LEARN_MKDIR, arguments);
	assert_int_equal(*group_slot(N_FULL), learn_slot(1, 0));
	assert_int_equal(called(N_FULL, 0, 5), learn_call(learn_slot(1, 0), LEARN_X86_64, 5));
	run(LEARN_RMDIR, arguments);
	assert_null(group_slot(N_FULL));
	strcpy(path, "/init");
	run(LEARN_MKDIR, arguments);
	assert_int_equal(*group_slot(N_FULL), LEARN_NOBODY);
	run(LEARN_RMDIR, arguments);
	/* What only begins like a service's, is below it, or is longer than any. */
	for (unsigned i = 0; i < 3; i++) {
		static const char *const others[] = {"/web2", "/web/a", "/we"};

		snprintf(path, sizeof(path), "%s", others[i]);
		run(LEARN_MKDIR, arguments);
		assert_null(group_slot(N_FULL));
	}
	memset(path, 'a', sizeof(path) - 1);
	run(LEARN_MKDIR, arguments);
	assert_null(group_slot(N_FULL));
	assert_int_equal(kernel.facts[LEARN_FACT_NO_ROOM], 1);
}

/* ---- the kernel of this machine ---- */

static void the_verifier_of_this_kernel_accepts_the_programs(void **state)
{
	static struct learn_program program;
	static char log[1 << 18];

	(void)state;
	begin();
	owned_fd int groups = bpf_table_make(BPF_MAP_TYPE_HASH, 8, 4, 16);
	owned_fd int names = bpf_table_make(BPF_MAP_TYPE_HASH, LEARN_PATH_BYTES, 4, 16);
	owned_fd int calls = bpf_table_make(BPF_MAP_TYPE_ARRAY, 4, 8, 2 * LEARN_CALLS);
	owned_fd int facts = bpf_table_make(BPF_MAP_TYPE_ARRAY, 4, 8, LEARN_FACTS);

	if (groups == -EPERM || groups == -ENOSYS)
		skip(); /* not as root, or in a container */
	tables.groups = groups;
	tables.names = names;
	tables.calls = tables.filtered = tables.capabilities = calls;
	tables.facts = facts;
	for (unsigned which = 0; which < LEARN_PROGRAMS; which++) {
		/* What it reads of its input is there in any program of this type. */
		struct bpf_load load = {.type = BPF_PROG_TYPE_RAW_TRACEPOINT,
					.steps = program.steps};

		assert_int_equal(learn_program_make(which, &tables, &program), 0);
		load.count = program.count;
		owned_fd int fd = bpf_load_program(&load, log, sizeof(log));

		if (fd < 0)
			fail_msg("program %u: %s: %s", which, strerror(-fd), log);
	}
}

/* ---- types ---- */

/* "a" holds two ints and, without a name, a union of "c" and a structure with "d"; a function "f". */
static const char strings[] = "\0a\0b\0c\0d\0f\0bits\0";
enum { S_A = 1, S_B = 3, S_C = 5, S_D = 7, S_F = 9, S_BITS = 11 };

#define INFO(kind, flag, count) ((uint32_t)(flag) << 31 | (uint32_t)(kind) << 24 | (count))

static const uint32_t types[] = {
	/* 1 int */ S_BITS,
	INFO(BTF_KIND_INT, 0, 0),
	4,
	32,
	/* 2 struct */ 0,
	INFO(BTF_KIND_STRUCT, 0, 1),
	12,
	S_D,
	1,
	64,
	/* 3 union */ 0,
	INFO(BTF_KIND_UNION, 0, 2),
	12,
	S_C,
	1,
	0,
	0,
	2,
	0,
	/* 4 fwd of the same name */ S_A,
	INFO(BTF_KIND_FWD, 0, 0),
	0,
	/* 5 struct a; with sizes of bit fields */ S_A,
	INFO(BTF_KIND_STRUCT, 1, 4),
	24,
	S_B,
	1,
	32,
	S_BITS,
	1,
	3u << 24 | 67,
	0,
	3,
	96,
	S_F,
	1,
	5u << 24 | 192,
	/* 6 function */ S_F,
	INFO(BTF_KIND_FUNC, 0, 0),
	1};

static size_t make_types(uint8_t *bytes)
{
	const struct btf_header header = {
		.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(header),
		.type_len = sizeof(types),
		.str_off = sizeof(types),
		.str_len = sizeof(strings),
	};

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), types, sizeof(types));
	memcpy(bytes + sizeof(header) + sizeof(types), strings, sizeof(strings));
	return sizeof(header) + sizeof(types) + sizeof(strings);
}

static void members_and_functions_are_found_in_types(void **state)
{
	_Alignas(8) uint8_t bytes[1024];
	struct btf btf;
	uint32_t at = 0;

	(void)state;
	assert_int_equal(btf_open(&btf, bytes, make_types(bytes)), 0);
	assert_int_equal(btf_member(&btf, "a", "b", &at), 0);
	assert_int_equal(at, 4);
	assert_int_equal(btf_member(&btf, "a", "c", &at), 0);
	assert_int_equal(at, 12);
	assert_int_equal(btf_member(&btf, "a", "d", &at), 0);
	assert_int_equal(at, 20);
	assert_int_equal(btf_member(&btf, "a", "f", &at), 0);
	assert_int_equal(at, 24);
	assert_int_equal(btf_member(&btf, "a", "bits", &at), -ENOENT);
	assert_int_equal(btf_member(&btf, "a", "nothing", &at), -ENOENT);
	assert_int_equal(btf_member(&btf, "b", "a", &at), -ENOENT);
	assert_int_equal(btf_function(&btf, "f", &at), 0);
	assert_int_equal(at, 6);
	assert_int_equal(btf_function(&btf, "a", &at), -ENOENT);
}

static void types_that_are_damaged_or_cut_are_refused_or_not_followed(void **state)
{
	_Alignas(8) uint8_t bytes[1024];
	const size_t size = make_types(bytes);
	uint32_t at;

	(void)state;
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *copy = malloc(cut ? cut
					   : 1); /* so that the sanitizer sees what is beyond */
		struct btf btf;

		memcpy(copy, bytes, cut);
		assert_int_equal(btf_open(&btf, copy, cut), -EBADMSG);
		free(copy);
	}
	for (size_t i = 0; i < size; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			uint8_t *copy = malloc(size);
			struct btf btf;

			memcpy(copy, bytes, size);
			copy[i] ^= (uint8_t)(1u << bit);
			if (btf_open(&btf, copy, size) == 0) {
				(void)btf_member(&btf, "a", "d", &at);
				(void)btf_function(&btf, "f", &at);
			}
			free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_counted_for_the_service_in_whose_group_it_is_made),
		cmocka_unit_test(each_kind_of_program_has_numbers_of_its_own),
		cmocka_unit_test(what_runs_before_the_program_begins_is_not_its_own),
		cmocka_unit_test(what_a_filter_did_not_just_allow_is_counted_apart),
		cmocka_unit_test(a_check_is_counted_by_capability_answer_and_meaning),
		cmocka_unit_test(who_a_group_belongs_to_follows_its_making_and_its_end),
		cmocka_unit_test(the_verifier_of_this_kernel_accepts_the_programs),
		cmocka_unit_test(members_and_functions_are_found_in_types),
		cmocka_unit_test(types_that_are_damaged_or_cut_are_refused_or_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
