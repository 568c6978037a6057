/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/learn_start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "svc/bpf_load.h"
#include "svc/btf.h"
#include "svc/cgroup.h"
#include "svc/fd.h"
#include "svc/learn.h"
#include "svc/learn_kept.h"
#include "svc/learn_program.h"
#include "svc/owner.h"

#define TYPES "/sys/kernel/btf/vmlinux"
#define TYPES_MAX (64u << 20)
#define GROUPS "/sys/fs/cgroup"
#define GROUPS_MAX 4096u /* that live at a time, of services */
#define LOG_BYTES (1u << 18)

static int failed(const char *object, const char *step, int error)
{
	fprintf(stderr, "keelson-learn: %s: %s: %s\n", object, step, strerror(-error));
	return error;
}

/* ---- the kernel's types ---- */

static int read_types(struct btf *types)
{
	owned_fd int fd = open(TYPES, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t got = 1;
	char *bytes = fd < 0 ? NULL : malloc(TYPES_MAX); /* as long as the program lives */

	if (!bytes)
		return failed(TYPES, "open", -errno);
	while (got > 0 && size < TYPES_MAX) {
		got = read(fd, bytes + size, TYPES_MAX - size);
		size += got > 0 ? (size_t)got : 0;
	}
	if (got < 0)
		return failed(TYPES, "read", -errno);
	int error = btf_open(types, bytes, size);

	return error ? failed(TYPES, "look", error) : 0;
}

static int find_offsets(const struct btf *types, struct learn_offsets *offsets)
{
	uint32_t status = 0;
	const struct {
		const char *structure, *member;
		uint32_t *offset;
	} wanted[] = {
		{"task_struct", "thread_info", &offsets->task_status},
		{"thread_info", "status", &status},
		{"task_struct", "real_parent", &offsets->task_parent},
		{"task_struct", "tgid", &offsets->task_tgid},
		{"task_struct", "mm", &offsets->task_mm},
		{"mm_struct", "exe_file", &offsets->mm_file},
		{"user_namespace", "level", &offsets->user_level},
		{"cgroup", "kn", &offsets->cgroup_node},
		{"kernfs_node", "id", &offsets->node_number},
	};

	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		int error = btf_member(types, wanted[i].structure, wanted[i].member,
				       wanted[i].offset);

		if (error)
			return failed(wanted[i].structure, wanted[i].member, error);
	}
	offsets->task_status += status;
	return 0;
}

/* ---- tables ---- */

static int make_table(const char *name, enum bpf_map_type type, uint32_t key_bytes,
		      uint32_t value_bytes, uint32_t entries, int *table)
{
	*table = bpf_table_make(type, key_bytes, value_bytes, entries);
	return *table < 0 ? failed(name, "make its table", *table) : 0;
}

static int keep(const char *name, int fd)
{
	char path[LEARN_KEPT_BYTES];
	int error = bpf_keep(fd, learn_path(name, path));

	return error ? failed(path, "make", error) : 0;
}

/* One that keelctl reads. */
static int make_kept(const char *name, uint32_t value_bytes, uint32_t entries, int *table)
{
	int error = make_table(name, BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), value_bytes, entries,
			       table);

	return error ? error : keep(name, *table);
}

static int set_fact(const struct learn_tables *tables, enum learn_fact fact, uint64_t value)
{
	const uint32_t key = fact;

	return bpf_table_set(tables->facts, &key, &value);
}

static int name_services(const struct plan *plan, int table)
{
	int error = 0;

	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES) && !error; i++) {
		char name[LEARN_NAME_BYTES] = "";

		strncpy(name, plan_string(plan, plan_service(plan, i)->name), sizeof name - 1);
		error = bpf_table_set(table, &i, name);
	}
	return error;
}

static int make_tables(const struct plan *plan, struct learn_tables *tables)
{
	const uint32_t services = plan_count(plan, PLAN_SERVICES), slots = learn_slot(services, 0);
	int names = -1;
	int error = make_table("groups", BPF_MAP_TYPE_HASH, sizeof(uint64_t), sizeof(uint32_t),
			       GROUPS_MAX, &tables->groups);

	if (!error)
		error = make_table("names", BPF_MAP_TYPE_HASH, LEARN_PATH_BYTES, sizeof(uint32_t),
				   services + 2, &tables->names);
	if (!error)
		error = make_kept("calls", sizeof(uint64_t), learn_call(slots, 0, 0),
				  &tables->calls);
	if (!error)
		error = make_kept("filtered", sizeof(uint64_t), learn_call(slots, 0, 0),
				  &tables->filtered);
	if (!error)
		error = make_kept("capabilities", sizeof(uint64_t), learn_capability(slots, 0, 0),
				  &tables->capabilities);
	if (!error)
		error = make_kept("facts", sizeof(uint64_t), LEARN_FACTS, &tables->facts);
	if (!error)
		error = make_kept("services", LEARN_NAME_BYTES, services, &names);
	if (!error)
		error = name_services(plan, names);
	fd_close(&names);
	return error;
}

/* ---- whose groups ---- */

/* "a/b" -> 2. */
static uint32_t level_of(const char *path)
{
	uint32_t level = 1;

	for (; *path; path++)
		level += *path == '/';
	return level;
}

static int name_group(struct learn_tables *tables, const char *path, uint32_t slot)
{
	char name[LEARN_PATH_BYTES] = "/";

	if (strlen(path) + 2 > sizeof name || level_of(path) > LEARN_LEVELS)
		return failed(path, "take its group", -ENAMETOOLONG);
	snprintf(name, sizeof name, "/%s", path);
	tables->levels |= 1u << level_of(path);
	int error = bpf_table_set(tables->names, name, &slot);

	return error ? failed(path, "take its group", error) : 0;
}

/* One that is there already: its number is that of its directory (cgroup-v2.rst, kernfs). */
static int take_group(const struct learn_tables *tables, const char *path, uint32_t slot)
{
	char directory[CGROUP_PATH_BYTES + sizeof GROUPS];
	struct stat status;

	snprintf(directory, sizeof directory, GROUPS "/%s", path);
	if (stat(directory, &status) < 0)
		return errno == ENOENT ? 0 : failed(directory, "look", -errno);
	const uint64_t number = status.st_ino;
	int error = bpf_table_set(tables->groups, &number, &slot);

	return error ? failed(directory, "take its group", error) : 0;
}

/* Every group that means something: first by name, and those that are there by number. */
static int each_group(const struct plan *plan, struct learn_tables *tables,
		      int (*take)(const struct plan *plan, struct learn_tables *tables,
				  const char *path, uint32_t slot))
{
	const char *pods = plan_string(plan, plan->system->pods_cgroup);
	int error = take(plan, tables, CGROUP_INIT_LEAF, LEARN_NOBODY);

	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES) && !error; i++)
		error = take(plan, tables, plan_string(plan, plan_service(plan, i)->cgroup),
			     learn_slot(i, 0));
	if (!error && *pods && tables->elsewhere != LEARN_NOBODY)
		error = take(plan, tables, pods, tables->elsewhere);
	return error;
}

static int by_name(const struct plan *plan, struct learn_tables *tables, const char *path,
		   uint32_t slot)
{
	(void)plan;
	return name_group(tables, path, slot);
}

static int by_number(const struct plan *plan, struct learn_tables *tables, const char *path,
		     uint32_t slot)
{
	(void)plan;
	return take_group(tables, path, slot);
}

/* ---- programs ---- */

static const char *const tracepoints[LEARN_PROGRAMS] = {"cgroup_mkdir", "cgroup_rmdir", "sys_enter",
							NULL, NULL};

/* What the verifier said last, if it said something. */
static void tell_log(char *log)
{
	size_t length = strlen(log);

	if (length > 2000)
		log += length - 2000;
	if (*log)
		fprintf(stderr, "%s\n", log);
}

static int load(enum learn_which which, const struct learn_tables *tables, uint32_t function)
{
	static struct learn_program program;
	static char log[LOG_BYTES];
	int error = learn_program_make(which, tables, &program);
	const struct bpf_load how = {
		.type = function ? BPF_PROG_TYPE_TRACING : BPF_PROG_TYPE_RAW_TRACEPOINT,
		.attach = !function                ? 0
			  : which == LEARN_CAPABLE ? BPF_TRACE_FEXIT
						   : BPF_TRACE_FENTRY,
		.function = function,
		.steps = program.steps,
		.count = program.count,
	};

	if (error)
		return failed(learn_links[which], "make its program", error);
	int fd = bpf_load_program(&how, log, sizeof log);

	if (fd < 0) {
		failed(learn_links[which], "load its program", fd);
		tell_log(log);
	}
	return fd;
}

/* `function`: 0 for one on a tracepoint. */
static int attach(enum learn_which which, const struct learn_tables *tables, uint32_t function)
{
	owned_fd int program = load(which, tables, function);

	if (program < 0)
		return program;
	owned_fd int link = bpf_attach_program(program, tracepoints[which]);

	if (link < 0)
		return failed(learn_links[which], "attach", link);
	return keep(learn_links[which], link);
}

/* What kernels differ in; without it the calls are learned all the same. */
static int attach_function(enum learn_which which, const char *name, enum learn_fact fact,
			   const struct btf *types, const struct learn_tables *tables)
{
	uint32_t function = 0;
	int error = btf_function(types, name, &function);

	if (error)
		failed(name, "find", error);
	else
		error = attach(which, tables, function);
	if (!error)
		return set_fact(tables, fact, 1);
	fprintf(stderr,
		"keelson-learn: without that, but the calls that services make are learned\n");
	return 0;
}

static int attach_all(const struct plan *plan, const struct btf *types, struct learn_tables *tables)
{
	int error = each_group(plan, tables, by_name);

	/* First who is made from now on, then who is there: nobody comes between. */
	if (!error)
		error = attach(LEARN_MKDIR, tables, 0);
	if (!error)
		error = each_group(plan, tables, by_number);
	if (!error)
		error = attach(LEARN_RMDIR, tables, 0);
	if (!error)
		error = attach_function(LEARN_FILTERED, "audit_seccomp", LEARN_FACT_FILTERED, types,
					tables);
	if (!error)
		error = attach_function(LEARN_CAPABLE, "cap_capable", LEARN_FACT_CAPABILITIES,
					types, tables);
	/* All else is there when this one is: a start that was cut short did not begin. */
	if (!error)
		error = attach(LEARN_ENTER, tables, 0);
	return error;
}

/* ---- begin and end ---- */

static int set_facts(const struct plan *plan, uint32_t runtime, const struct learn_tables *tables)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	int error = set_fact(tables, LEARN_FACT_SERVICES, plan_count(plan, PLAN_SERVICES));

	if (!error && runtime != PLAN_NONE)
		error = set_fact(tables, LEARN_FACT_RUNTIME, (uint64_t)runtime + 1);
	if (!error) /* until a stop writes it */
		error = set_fact(tables, LEARN_FACT_MISSED, LEARN_MISSED_UNKNOWN);
	if (!error)
		error = set_fact(tables, LEARN_FACT_STARTED_NS,
				 (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	return error ? failed("facts", "write", error) : 0;
}

static int begin(const struct plan *plan)
{
	const uint32_t runtime = owner_runtime(plan);
	struct learn_tables tables = {.elsewhere = runtime == PLAN_NONE ? LEARN_NOBODY
									: learn_slot(runtime, 1)};
	struct btf types;
	int error = read_types(&types);

	if (!error)
		error = find_offsets(&types, &tables.offsets);
	if (!error)
		error = make_tables(plan, &tables);
	if (!error)
		error = set_facts(plan, runtime, &tables);
	if (!error)
		error = attach_all(plan, &types, &tables);
	return error;
}

/* 1: it is gone now, 0: it was not there; what else happened is told. */
static int take_away(const char *name)
{
	char path[LEARN_KEPT_BYTES];

	if (unlink(learn_path(name, path)) == 0)
		return 1;
	return errno == ENOENT ? 0 : failed(path, "remove", -errno);
}

/* All that is attached, also what a start that was cut short left. 1: something was, 0; a negative errno. */
static int detach(void)
{
	static const enum learn_which order[LEARN_PROGRAMS] = {
		LEARN_ENTER, LEARN_CAPABLE, LEARN_FILTERED, LEARN_RMDIR, LEARN_MKDIR};
	int result = 0;

	for (size_t i = 0; i < LEARN_PROGRAMS; i++) {
		int gone = take_away(learn_links[order[i]]);

		if (gone != 0 && result >= 0)
			result = gone;
	}
	return result;
}

/* The directory stays: it is what a start and a stop lock. */
static int forget(void)
{
	static const char *const tables[] = {"calls", "filtered", "capabilities", "facts",
					     "services"};
	int error = detach();

	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		int gone = take_away(tables[i]);

		if (gone < 0 && error >= 0)
			error = gone;
	}
	return error < 0 ? error : 0;
}

/* A lock that ends with the descriptor. -EBUSY: another start or stop is at work. */
static int lock_directory(int *lock)
{
	*lock = open(LEARN_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0)
		return -errno;
	if (flock(*lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

/* 1: it learns, 0; a negative errno is told. */
static int is_learning(void)
{
	char path[LEARN_KEPT_BYTES];

	if (access(learn_path(learn_links[LEARN_ENTER], path), F_OK) == 0)
		return 1;
	return errno == ENOENT ? 0 : failed(path, "look", -errno);
}

int learn_start(const struct plan *plan)
{
#ifndef __x86_64__
	/* How a program of 32 bits is told from one of 64 is known of this machine only. */
	return failed("learn", "start", -ENOSYS);
#endif
	owned_fd int lock = -1;

	if (mkdir(LEARN_DIRECTORY, 0700) < 0 && errno != EEXIST)
		return failed(LEARN_DIRECTORY, "make", -errno);
	int error = lock_directory(&lock);

	if (error)
		return failed(LEARN_DIRECTORY, "lock, for one start or stop at a time", error);
	int learns = is_learning();

	if (learns != 0)
		return learns < 0 ? learns : failed(LEARN_DIRECTORY, "start", -EALREADY);
	error = forget();
	if (error)
		return error;
	error = begin(plan);
	if (error)
		(void)forget();
	return error;
}

/* The programs know it, and go. */
static void keep_missed(void)
{
	const uint32_t key = LEARN_FACT_MISSED;
	owned_fd int facts = learn_open("facts");
	uint64_t all = 0;
	int error = learn_missed(&all);

	if (error) {
		failed(LEARN_DIRECTORY, "ask how much was missed", error);
		all = LEARN_MISSED_UNKNOWN;
	}
	error = facts < 0 ? facts : bpf_table_set(facts, &key, &all);
	if (error)
		failed("facts", "write how much was missed", error);
}

static int nothing_to_stop(void)
{
	fputs("keelson-learn: stop: nothing is learned here\n", stderr);
	return -ESRCH;
}

int learn_stop(void)
{
	owned_fd int lock = -1;
	int error = lock_directory(&lock);

	if (error == -ENOENT)
		return nothing_to_stop();
	if (error)
		return failed(LEARN_DIRECTORY, "lock, for one start or stop at a time", error);
	int learns = is_learning();

	if (learns > 0)
		keep_missed();
	int gone = detach();

	if (gone == 0)
		return nothing_to_stop();
	return gone < 0 ? gone : 0;
}
