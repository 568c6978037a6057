/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel records of a filtered call, what is counted of it, and whose it is. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rootfs-spec/plan_write.h"
#include "svc/audit.h"
#include "svc/calls.h"
#include "svc/owner.h"
#include "tests/unit/small_world.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEAD "audit(1795982409.407:2): auid=4294967295 uid=0 gid=0 ses=4294967295 "
#define TAIL " sig=0 arch=c000003e syscall=83 compat=0 ip=0x43b0f9 code=0x50000"

/* The first ones are the kernel's own, as Debian's 6.1 wrote them. */
static const struct {
	const char *text;
	bool good;
	uint64_t serial;
	int32_t pid;
	uint32_t arch, syscall, action;
	const char *comm;
} cases[] = {
	{HEAD "subj=unconfined pid=80 comm=\"init\" exe=\"/init\"" TAIL, true, 2, 80,
	 AUDIT_ARCH_X86_64, 83, SECCOMP_RET_ERRNO, "init"},
	{"audit(1795982410.971:4): auid=4294967295 uid=0 gid=0 ses=4294967295 subj=unconfined "
	 "pid=82 "
	 "comm=\"init\" exe=\"/init\" sig=31 arch=c000003e syscall=83 compat=0 ip=0x43b0f9 "
	 "code=0x80000000",
	 true, 4, 82, AUDIT_ARCH_X86_64, 83, SECCOMP_RET_KILL_PROCESS, "init"},
	{HEAD "pid=7 comm=\"sh\" exe=\"/bin/sh\" sig=0 arch=40000003 syscall=88 compat=1 ip=0xf7 "
	      "code=0x7ffc0000",
	 true, 2, 7, AUDIT_ARCH_I386, 88, SECCOMP_RET_LOG, "sh"},
	{HEAD "pid=7 comm=\"sh\" exe=\"/bin/sh\" sig=0 arch=c000003e syscall=1073741993 compat=0 "
	      "ip=0xf7 code=0x50001",
	 true, 2, 7, AUDIT_ARCH_X86_64, 0x400000a9, SECCOMP_RET_ERRNO, "sh"},
	{HEAD "pid=7 comm=\"sh\" exe=\"/bin/sh\" sig=0 arch=c000003e syscall=-1 compat=0 ip=0xf7 "
	      "code=0x50001",
	 true, 2, 7, AUDIT_ARCH_X86_64, UINT32_MAX, SECCOMP_RET_ERRNO, "sh"},
	/* Names that a process chose: never a key of their own. */
	{HEAD "pid=9 comm=6120706964 exe=\"/bin/sh\"" TAIL, true, 2, 9, AUDIT_ARCH_X86_64, 83,
	 SECCOMP_RET_ERRNO, "a pid"},
	{HEAD "pid=9 comm=\"a pid=1\" exe=\"/x\"" TAIL, true, 2, 9, AUDIT_ARCH_X86_64, 83,
	 SECCOMP_RET_ERRNO, "a pid=1"},
	{HEAD "pid=9 comm=0A1B exe=(null)" TAIL, true, 2, 9, AUDIT_ARCH_X86_64, 83,
	 SECCOMP_RET_ERRNO, "??"},
	{HEAD "pid=9 comm=\"0123456789abcdefgh\" exe=\"/x\"" TAIL, true, 2, 9, AUDIT_ARCH_X86_64,
	 83, SECCOMP_RET_ERRNO, "0123456789abcde"},
	{HEAD "pid=9 comm=\"\" exe=\"/x\"" TAIL, true, 2, 9, AUDIT_ARCH_X86_64, 83,
	 SECCOMP_RET_ERRNO, ""},
	/* None, or something is missing, twice there, or no number. */
	{.text = ""},
	{.text = "audit("},
	{.text = "audit()"},
	{.text = "audit(1:):"},
	{.text = "pid=9 comm=\"x\"" TAIL},
	{.text = HEAD "comm=\"x\" exe=\"/x\"" TAIL},
	{.text = HEAD "pid=9 exe=\"/x\"" TAIL},
	{.text = HEAD "pid=9 comm=\"x\" exe=\"/x\" sig=0 syscall=83 code=0x50000"},
	{.text = HEAD "pid=9 comm=\"x\" exe=\"/x\" sig=0 arch=c000003e syscall=83"},
	{.text = HEAD "pid=9 pid=1 comm=\"x\" exe=\"/x\"" TAIL},
	{.text = HEAD "pid=99999999999 comm=\"x\" exe=\"/x\"" TAIL},
	{.text = HEAD "pid=-9 comm=\"x\" exe=\"/x\"" TAIL},
	{.text = HEAD "pid= comm=\"x\" exe=\"/x\"" TAIL},
	{.text = HEAD "pid=9 comm=\"x exe=/x" TAIL},
	{.text = HEAD "pid=9 comm=abc exe=\"/x\"" TAIL},
	{.text = HEAD "pid=9 comm=zz exe=\"/x\"" TAIL},
	{.text = HEAD "pid=9 comm=\"x\" exe=\"/x\" sig=0 arch=c000003e1 syscall=83 code=0x50000"},
	{.text = HEAD "pid=9 comm=\"x\" exe=\"/x\" sig=0 arch=c000003e syscall=83 code=50000"},
	{.text = HEAD "pid=9 comm=\"x\" exe=\"/x\" sig=0 arch=c000003e syscall=83 code=0x"},
};

static void a_record_is_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t size = strlen(cases[i].text);
		char *text = malloc(size + 1); /* of just that size: a byte beyond is found */
		struct audit_record record;

		assert_non_null(text);
		memcpy(text, cases[i].text, size);
		int error = audit_parse_seccomp(text, size, &record);

		free(text);
		if (error != (cases[i].good ? 0 : -EBADMSG))
			fail_msg("%s: %d", cases[i].text, error);
		if (error != 0)
			continue;
		assert_int_equal(record.serial, cases[i].serial);
		assert_int_equal(record.pid, cases[i].pid);
		assert_int_equal(record.arch, cases[i].arch);
		assert_int_equal(record.syscall, cases[i].syscall);
		assert_int_equal(record.action, cases[i].action);
		assert_string_equal(record.comm, cases[i].comm);
	}
}

static void a_record_that_is_cut_is_refused(void **state)
{
	const char *whole = cases[0].text;

	(void)state;
	/* The last value may be cut within: then it is another number, but the kernel cuts nothing. */
	for (size_t size = 0; size < strlen(whole) - strlen("0x50000"); size++) {
		char *text = malloc(size + 1);
		struct audit_record record;

		assert_non_null(text);
		memcpy(text, whole, size);
		assert_int_equal(audit_parse_seccomp(text, size, &record), -EBADMSG);
		free(text);
	}
}

/* ---- counting ---- */

static struct world *world;

static int setup(void **state)
{
	(void)state;
	world = calloc(1, sizeof(*world));
	assert_non_null(world);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(world);
	return 0;
}

static struct audit_record call(uint32_t number)
{
	return (struct audit_record){.pid = 5,
				     .arch = AUDIT_ARCH_X86_64,
				     .syscall = number,
				     .action = SECCOMP_RET_ERRNO,
				     .comm = "x"};
}

static void the_same_call_of_a_service_is_one_entry(void **state)
{
	struct audit_record one = call(1), other = call(1);

	(void)state;
	calls_note(world, &one, 3, 0, 10);
	one.pid = 6;
	strcpy(one.comm, "y");
	calls_note(world, &one, 3, 0, 20);
	assert_int_equal(world->calls.count, 1);
	const struct world_call *entry = &world->calls.entries[0];

	assert_int_equal(entry->count, 2);
	assert_int_equal(entry->first_ns, 10);
	assert_int_equal(entry->last_ns, 20);
	assert_int_equal(entry->pid, 6);
	assert_string_equal(entry->comm, "y");
	/* ... and each of these another one. */
	calls_note(world, &one, 4, 0, 30);
	calls_note(world, &one, 3, WORLD_CALL_POD, 30);
	other.arch = AUDIT_ARCH_I386;
	calls_note(world, &other, 3, 0, 30);
	other = call(1);
	other.action = SECCOMP_RET_LOG;
	calls_note(world, &other, 3, 0, 30);
	calls_note(world, &one, PLAN_NONE, 0, 30);
	assert_int_equal(world->calls.count, 6);
	assert_int_equal(entry->count, 2);
}

static void what_finds_no_room_is_counted(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WORLD_CALLS + 7; i++) {
		struct audit_record record = call(i);

		calls_note(world, &record, 0, 0, i);
	}
	assert_int_equal(world->calls.count, WORLD_CALLS);
	assert_int_equal(world->calls.no_room, 7);
	struct audit_record known = call(5);

	calls_note(world, &known, 0, 0, 1);
	assert_int_equal(world->calls.no_room, 7);
	assert_int_equal(world->calls.entries[5].count, 2);
}

static void losses_are_the_gap_in_the_numbers(void **state)
{
	struct world_calls *calls = &world->calls;

	(void)state;
	assert_int_equal(calls_lost(calls), 0);
	calls_heard(calls, 12); /* of two CPUs, so not in order */
	calls_heard(calls, 10);
	calls_heard(calls, 11);
	assert_int_equal(calls_lost(calls), 0);
	calls_heard(calls, 20);
	assert_int_equal(calls_lost(calls),
			 0); /* numbers that were never written: nobody lost them */
	calls_overrun(calls);
	assert_int_equal(calls_lost(calls), 7);
	for (uint64_t i = 13; i < 20; i++)
		calls_heard(calls, i);
	assert_int_equal(calls_lost(calls), 1); /* no gap yet, but the kernel had no room */
}

/* ---- whose ---- */

static void add(struct plan_writer *writer, const char *name, const char *group,
		enum plan_kill kill, uint32_t policy)
{
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_service service = plan_write_service_defaults(writer, name, argv);

	service.cgroup = plan_write_string(writer, group);
	service.kill = kill;
	service.policy = policy;
	plan_write_service(writer, &service);
}

static void a_process_is_of_the_service_whose_group_it_is_in(void **state)
{
	static const struct {
		const char *group;
		uint32_t owner;
		bool is_pod;
		enum owner_kind kind;
	} groups[] = {
		{"runtime", 0, false, OWNER_CONFINED},
		{"runtime/shim", 0, false, OWNER_CONFINED},
		{"runtimes", PLAN_NONE, false, OWNER_FREE},
		{"a/b", 1, false, OWNER_FREE},
		{"a/b/control", 1, false, OWNER_FREE},
		{"a/bc", 2, false, OWNER_ALLOWED},
		{"a/bc/d", 2, false, OWNER_ALLOWED},
		{"a", PLAN_NONE, false, OWNER_FREE},
		{"", PLAN_NONE, false, OWNER_FREE},
		{"init", PLAN_NONE, false, OWNER_FREE},
		{"../x", PLAN_NONE, false, OWNER_FREE},
		{"pods", 0, true, OWNER_POD},
		{"pods/burstable/pod1/x", 0, true, OWNER_POD},
		{"podsy", PLAN_NONE, false, OWNER_FREE},
	};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	struct plan plan;
	void *bytes;

	(void)state;
	plan_str pods = plan_write_string(writer, "pods");

	plan_write_system(writer)->pods_cgroup = pods;
	struct plan_policy policy = {.name = plan_write_string(writer, "p"),
				     .mode = PLAN_MODE_ENFORCE,
				     .proc = PLAN_PROC_ALL};
	uint32_t index = plan_write_policy(writer, &policy);

	add(writer, "runtime", "runtime", PLAN_KILL_MAIN, index);
	add(writer, "other", "a/b", PLAN_KILL_CGROUP, PLAN_NONE);
	policy.flags = PLAN_POLICY_CONTROL;
	index = plan_write_policy(writer, &policy);
	add(writer, "beside", "a/bc", PLAN_KILL_CGROUP, index);
	free(small_world(writer, &plan, &bytes));
	for (size_t i = 0; i < COUNT(groups); i++) {
		bool is_pod;
		uint32_t owner = owner_of_group(&plan, groups[i].group, &is_pod);

		if (owner != groups[i].owner || is_pod != groups[i].is_pod ||
		    owner_kind_of_group(&plan, groups[i].group) != groups[i].kind)
			fail_msg("%s: %u %d", groups[i].group, owner, is_pod);
	}
	for (size_t i = 0; i < COUNT(groups); i++) {
		bool elsewhere, away = strcmp(groups[i].group, "") != 0 &&
				       strcmp(groups[i].group, "init") != 0 &&
				       groups[i].owner == PLAN_NONE;
		uint32_t owner = owner_of_filter(&plan, groups[i].group, &elsewhere);

		/* What is in nobody's group the runtime put there. */
		if (owner != (away ? 0 : groups[i].owner) ||
		    elsewhere != (away || groups[i].is_pod))
			fail_msg("%s: %u %d", groups[i].group, owner, elsewhere);
	}
	free(bytes);
}

static void only_a_plan_with_pods_has_a_runtime_and_one_with_a_policy_comes_first(void **state)
{
	static const struct {
		const char *pods;
		uint32_t policy_of_a, policy_of_b; /* both say `kill: main` */
		uint32_t runtime, filter; /* filter: whose is a process in nobody's group */
	} plans[] = {
		{"", 0, 0, PLAN_NONE, PLAN_NONE},
		{"pods", PLAN_NONE, PLAN_NONE, 0, PLAN_NONE},
		{"pods", PLAN_NONE, 0, 1, 1},
		{"pods", 0, PLAN_NONE, 0, 0},
		{"pods", 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(plans); i++) {
		struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
		struct plan plan;
		void *bytes;
		bool elsewhere, is_pod;
		plan_str pods = plan_write_string(writer, plans[i].pods);

		plan_write_system(writer)->pods_cgroup = pods;
		struct plan_policy policy = {.name = plan_write_string(writer, "p"),
					     .mode = PLAN_MODE_ENFORCE,
					     .proc = PLAN_PROC_ALL};

		assert_int_equal(plan_write_policy(writer, &policy), 0);
		add(writer, "a", "a", PLAN_KILL_MAIN, plans[i].policy_of_a);
		add(writer, "b", "b", PLAN_KILL_MAIN, plans[i].policy_of_b);
		free(small_world(writer, &plan, &bytes));
		assert_int_equal(owner_runtime(&plan), plans[i].runtime);
		assert_int_equal(owner_of_filter(&plan, "shims", &elsewhere), plans[i].filter);
		assert_int_equal(elsewhere, plans[i].filter != PLAN_NONE);
		assert_int_equal(owner_of_group(&plan, "pods/x", &is_pod), plans[i].filter);
		assert_int_equal(is_pod, *plans[i].pods != '\0');
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_read_or_refused),
		cmocka_unit_test(a_record_that_is_cut_is_refused),
		cmocka_unit_test_setup_teardown(the_same_call_of_a_service_is_one_entry, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_finds_no_room_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(losses_are_the_gap_in_the_numbers, setup, teardown),
		cmocka_unit_test(a_process_is_of_the_service_whose_group_it_is_in),
		cmocka_unit_test(
			only_a_plan_with_pods_has_a_runtime_and_one_with_a_policy_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
