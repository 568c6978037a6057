/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confinement in a child of the test: every step that can fail fails once and is named, a filter
 * comes where it belongs, and descriptors get their numbers whatever numbers they had. What the
 * steps do when they succeed is seen from outside: tests/ns/confine.test.py.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rootfs-spec/confine_calls.h"
#include "svc/confine.h"

#define NOBODY 65534
#define HIGHEST 300 /* descriptors that are looked at */

/* A plan that nobody verified: it holds what verification refuses. */
static struct {
	char strings[256];
	struct plan_policy policy;
	struct plan_limit limit;
	struct plan_sandbox sandbox[2];
	struct plan_landlock landlock;
	uint32_t refs[2];
	struct plan_filter filters[1];
	_Alignas(8) uint64_t cpus[16];
	struct sock_filter filter[32];
} area;
static struct plan plan;
static struct plan_service service;
static char *argv[HIGHEST + 2];
static size_t strings_used;

static plan_str text(const char *string)
{
	plan_str at = (plan_str)strings_used;

	assert_true(strings_used + strlen(string) + 1 <= sizeof(area.strings));
	strcpy(area.strings + strings_used, string);
	strings_used += strlen(string) + 1;
	return at;
}

static void place(enum plan_section section, const void *record)
{
	plan.span[section].offset = (uint32_t)((const uint8_t *)record - (const uint8_t *)&area);
}

static int setup(void **state)
{
	static char program[] = "/bin/true";

	(void)state;
	memset(&area, 0, sizeof(area));
	memset(argv, 0, sizeof(argv));
	strings_used = 1;
	plan.base = (const uint8_t *)&area;
	place(PLAN_STRINGS, area.strings);
	place(PLAN_POLICIES, &area.policy);
	place(PLAN_LIMITS, &area.limit);
	place(PLAN_SANDBOX, area.sandbox);
	place(PLAN_LANDLOCK, &area.landlock);
	place(PLAN_REFS, area.refs);
	place(PLAN_FILTERS, area.filters);
	place(PLAN_BYTES, &area);
	argv[0] = program;
	service = (struct plan_service){.policy = PLAN_NONE, .directory = text("/"), .umask = 022};
	return 0;
}

static uint64_t bounding_of_the_test(void)
{
	uint64_t bounding = 0;

	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			bounding |= 1ull << cap;
	return bounding;
}

/* ---- what can be wrong ---- */

static void change_ids(void)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
	    prctl(PR_SET_DUMPABLE, 1) < 0)
		_exit(99);
}

static void lose(unsigned capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		_exit(99);
	data[capability / 32].permitted &= ~(1u << capability % 32);
	data[capability / 32].effective &= ~(1u << capability % 32);
	if (syscall(SYS_capset, &header, data) < 0)
		_exit(99);
}

static void lose_setpcap(void)
{
	lose(CAP_SETPCAP);
}

/* As a container's PID 1 may be: fewer capabilities in its bounding set, and no right to drop more. */
static void be_bounded(void)
{
	if (prctl(PR_CAPBSET_DROP, CAP_CHOWN) < 0)
		_exit(99);
	lose(CAP_SETPCAP);
}

static void lose_chown(void)
{
	lose(CAP_CHOWN);
}

static void lead_a_group(void)
{
	setpgid(0, 0);
}

static struct plan_policy *with_policy(uint32_t flags)
{
	service.policy = 0;
	area.policy = (struct plan_policy){.flags = flags,
					   .mode = PLAN_MODE_ENFORCE,
					   .proc = PLAN_PROC_ALL,
					   .cap_bounding = UINT64_MAX};
	return &area.policy;
}

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

static void with_filter(uint32_t flags, unsigned length)
{
	area.filters[0] = (struct plan_filter){
		.audit_arch = OWN_ARCH,
		.program = {.offset = offsetof(__typeof__(area), filter),
			    .size_bytes = length * (uint32_t)sizeof(struct sock_filter)},
	};
	with_policy(flags)->filters = (struct plan_list){0, 1};
}

/* A filter that is not for this machine: better no service than one without its filter. */
static void foreign_filter(struct confine_child *child)
{
	(void)child;
	with_filter(0, 1);
	area.filters[0].audit_arch = AUDIT_ARCH_S390X;
}

/* A filter that answers EPERM to one system call. */
static void deny(uint32_t flags, long number)
{
	const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	memcpy(area.filter, filter, sizeof(filter));
	with_filter(flags, 4);
}

static void bad_oom(struct confine_child *child)
{
	(void)child;
	service.oom_score_adj = 2000;
}

static void bad_nice(struct confine_child *child)
{
	(void)child;
	service.nice = -20;
}

static void bad_scheduler(struct confine_child *child)
{
	(void)child;
	service.scheduler = SCHED_FIFO; /* of priority 0 */
}

static void bad_affinity(struct confine_child *child)
{
	(void)child;
	area.cpus[15] = 1ull << 63; /* number 1023 */
	service.affinity = (struct plan_blob){.offset = offsetof(__typeof__(area), cpus),
					      .size_bytes = sizeof(area.cpus)};
}

static void bad_io_priority(struct confine_child *child)
{
	(void)child;
	service.io_priority = 7 << 13;
}

static void bad_first_path(struct confine_child *child)
{
	(void)child;
	area.sandbox[0].kind = PLAN_SANDBOX_HIDDEN;
	area.sandbox[0].path = text("/no/such/path");
	service.sandbox = (struct plan_list){0, 1};
}

static void bad_second_path(struct confine_child *child)
{
	(void)child;
	area.sandbox[0].kind = PLAN_SANDBOX_TMP;
	area.sandbox[0].path = text("/tmp");
	area.sandbox[1].kind = PLAN_SANDBOX_BIND;
	area.sandbox[1].path = text("/tmp");
	area.sandbox[1].source = text("/no/such/source");
	service.sandbox = (struct plan_list){0, 2};
}

static void hidden_root(struct confine_child *child)
{
	(void)child;
	area.sandbox[0].kind = PLAN_SANDBOX_HIDDEN;
	area.sandbox[0].path = text("/");
	service.sandbox = (struct plan_list){0, 1};
}

static void bad_descriptor(struct confine_child *child)
{
	child->null_fd = -1;
}

static void bad_output(struct confine_child *child)
{
	child->output_fd = HIGHEST + 1;
}

static void bad_terminal(struct confine_child *child)
{
	child->tty = "/no/such/terminal";
}

static void bad_ready_number(struct confine_child *child)
{
	static int passed[2];

	passed[0] = passed[1] = child->null_fd;
	child->passed = passed;
	child->passed_count = 2;
	child->ready_fd = child->null_fd;
	child->ready_number = 4;
}

static void bad_limit(struct confine_child *child)
{
	(void)child;
	area.limit = (struct plan_limit){.resource = RLIMIT_CORE, .soft = 2, .hard = 1};
	service.limits = (struct plan_list){0, 1};
}

static void bad_directory(struct confine_child *child)
{
	(void)child;
	service.directory = text("/no/such/directory");
}

static void bad_securebits(struct confine_child *child)
{
	(void)child;
	with_policy(0)->securebits = 1u << 30; /* with or without masks */
}

/* Of a policy that says nothing of capabilities. */
static void bad_securebits_alone(struct confine_child *child)
{
	(void)child;
	with_policy(0)->securebits = 1u << 30;
}

static void bad_bounding(struct confine_child *child)
{
	(void)child;
	with_policy(PLAN_POLICY_CAPS)->cap_bounding = 0;
}

static void bounding_as_it_is(struct confine_child *child)
{
	child->bounding = bounding_of_the_test() & ~(1ull << CAP_CHOWN);
	with_policy(PLAN_POLICY_CAPS)->cap_bounding = UINT64_MAX & ~(1ull << CAP_CHOWN);
}

static void bad_filter(struct confine_child *child)
{
	(void)child;
	with_filter(0, 1); /* its only instruction is no return */
}

static void bad_last_filter(struct confine_child *child)
{
	(void)child;
	with_filter(PLAN_POLICY_NO_NEW_PRIVS, 1);
}

static void bad_capabilities(struct confine_child *child)
{
	(void)child;
	with_policy(PLAN_POLICY_CAPS)->cap_permitted = 1 << CAP_CHOWN;
}

static void bad_ambient(struct confine_child *child)
{
	(void)child;
	with_policy(PLAN_POLICY_CAPS)->cap_ambient = 1 << CAP_CHOWN; /* not inheritable */
}

static void bad_program(struct confine_child *child)
{
	static char program[] = "/etc/passwd";

	(void)child;
	argv[0] = program;
}

static void filter_before_ids(struct confine_child *child)
{
	(void)child;
	deny(0, SYS_setresuid);
}

static void filter_after_all(struct confine_child *child)
{
	(void)child;
	deny(PLAN_POLICY_NO_NEW_PRIVS, SYS_setresuid);
}

static void filter_after_no_new_privs(struct confine_child *child)
{
	(void)child;
	deny(PLAN_POLICY_NO_NEW_PRIVS, SYS_prctl);
}

/* ---- what a policy has for itself ---- */

static void own_keyring(struct confine_child *child)
{
	(void)child;
	with_policy(PLAN_POLICY_KEYRING);
}

static void own_namespaces(struct confine_child *child)
{
	(void)child;
	with_policy(0)->namespaces = CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;
}

/* Of something that is no process. */
static void gone_namespaces(struct confine_child *child)
{
	own_namespaces(child);
	child->join_fd = child->null_fd;
}

static void bad_policy_path(struct confine_child *child)
{
	bad_first_path(child);
	service.sandbox.count = 0;
	with_policy(0)->sandbox = (struct plan_list){0, 1};
}

static void bad_path_of_both(struct confine_child *child)
{
	bad_first_path(child);
	area.sandbox[1] = area.sandbox[0];
	with_policy(0)->sandbox = (struct plan_list){1, 1};
}

static void own_proc(struct confine_child *child)
{
	(void)child;
	with_policy(0)->proc = PLAN_PROC_OWN;
}

static void own_dev(struct confine_child *child)
{
	(void)child;
	with_policy(PLAN_POLICY_PRIVATE_DEV);
}

static void linked_device(struct confine_child *child)
{
	own_dev(child);
	area.refs[0] = text("/dev/stdin");
	area.policy.devices = (struct plan_list){0, 1};
}

static void landlocked(struct confine_child *child)
{
	(void)child;
	with_policy(PLAN_POLICY_LANDLOCK | PLAN_POLICY_NO_NEW_PRIVS)->landlock_fs = 0x1fff;
}

static void landlocked_without_privileges(struct confine_child *child)
{
	landlocked(child);
	area.policy.flags = PLAN_POLICY_LANDLOCK;
}

static void landlock_path(struct confine_child *child, const char *path, uint32_t flags)
{
	landlocked(child);
	area.landlock = (struct plan_landlock){
		.kind = PLAN_LANDLOCK_PATH, .flags = flags, .access = 5, .path = text(path)};
	area.policy.landlock = (struct plan_list){0, 1};
}

static void bad_landlock_path(struct confine_child *child)
{
	landlock_path(child, "/no/such/path", 0);
}

static void linked_landlock_path(struct confine_child *child)
{
	landlock_path(child, "/proc/self/root/usr", 0);
}

static void missing_landlock_path(struct confine_child *child)
{
	landlock_path(child, "/no/such/path", PLAN_LANDLOCK_OPTIONAL);
}

static void without_landlock(struct confine_child *child)
{
	landlocked(child);
	child->landlock_abi = -ENOSYS;
}

static void with_older_landlock(struct confine_child *child)
{
	landlocked(child);
	area.policy.landlock_fs |= 1 << 14; /* truncate: ABI 3 */
	child->landlock_abi = 2;
}

static void without_landlock_if_supported(struct confine_child *child)
{
	without_landlock(child);
	area.policy.flags |= PLAN_POLICY_LANDLOCK_IF_SUPPORTED;
}

static void landlock_that_learns(struct confine_child *child)
{
	without_landlock(child);
	area.policy.mode = PLAN_MODE_AUDIT;
}

static void bounding_that_learns(struct confine_child *child)
{
	child->permitted = bounding_of_the_test() & ~(1ull << CAP_SETPCAP);
	with_policy(PLAN_POLICY_CAPS)->cap_bounding = 0;
	area.policy.mode = PLAN_MODE_AUDIT;
}

static void lose_sys_admin(void)
{
	lose(CAP_SYS_ADMIN);
}

/* A kernel that has no such call, or refuses it: a filter in front of it. */
static void refuse_call(long number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = 4, .filter = code};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		_exit(99);
}

static void deny_keyctl(void)
{
	refuse_call(SYS_keyctl);
}

static void deny_fsopen(void)
{
	refuse_call(SYS_fsopen);
}

static void deny_landlock(void)
{
	refuse_call(SYS_landlock_create_ruleset);
}

static void nothing_wrong(struct confine_child *child)
{
	(void)child;
}

/* ---- the child ---- */

static const struct {
	const char *name;
	void (*spoil)(struct confine_child *child);
	void (*weaken)(void); /* in the child; NULL: as it is */
	uint32_t step;
	int error;
	uint32_t item;
} cases[] = {
	{"nothing", nothing_wrong, NULL, CONFINE_NONE, 0, PLAN_NONE},
	{"session", nothing_wrong, lead_a_group, CONFINE_SESSION, -EPERM, PLAN_NONE},
	{"oom", bad_oom, NULL, CONFINE_OOM, -EINVAL, PLAN_NONE},
	{"nice", bad_nice, change_ids, CONFINE_NICE, -EACCES, PLAN_NONE},
	{"scheduler", bad_scheduler, NULL, CONFINE_SCHEDULER, -EINVAL, PLAN_NONE},
	{"affinity", bad_affinity, NULL, CONFINE_AFFINITY, -EINVAL, PLAN_NONE},
	{"io_priority", bad_io_priority, NULL, CONFINE_IO_PRIORITY, -EINVAL, PLAN_NONE},
	{"sandbox: path", bad_first_path, NULL, CONFINE_SANDBOX, -ENOENT, 0},
	{"sandbox: source", bad_second_path, NULL, CONFINE_SANDBOX, -ENOENT, 1},
	{"sandbox: root", hidden_root, NULL, CONFINE_SANDBOX, -EINVAL, 0},
	{"namespaces: of mounts", hidden_root, change_ids, CONFINE_NAMESPACES, -EPERM, PLAN_NONE},
	{"keyring", own_keyring, deny_keyctl, CONFINE_KEYRING, -EPERM, PLAN_NONE},
	{"namespaces: made", own_namespaces, change_ids, CONFINE_NAMESPACES, -EPERM, PLAN_NONE},
	{"namespaces: entered", gone_namespaces, NULL, CONFINE_NAMESPACES, -EINVAL, PLAN_NONE},
	{"sandbox: of the policy", bad_policy_path, NULL, CONFINE_SANDBOX, -ENOENT, 0},
	{"sandbox: the policy's comes first", bad_path_of_both, NULL, CONFINE_SANDBOX, -ENOENT, 1},
	{"proc", own_proc, deny_fsopen, CONFINE_PROC, -EPERM, PLAN_NONE},
	{"dev", own_dev, deny_fsopen, CONFINE_DEV, -EPERM, PLAN_NONE},
	{"dev: a link", linked_device, NULL, CONFINE_DEV, -ELOOP, PLAN_NONE},
	{"landlock: no path", bad_landlock_path, NULL, CONFINE_LANDLOCK, -ENOENT, 0},
	{"landlock: a link", linked_landlock_path, NULL, CONFINE_LANDLOCK, -ELOOP, 0},
	{"landlock: a path that may be missing", missing_landlock_path, NULL, CONFINE_EXEC, -EACCES,
	 PLAN_NONE},
	{"landlock: none in the kernel", without_landlock, NULL, CONFINE_LANDLOCK, -EOPNOTSUPP,
	 PLAN_NONE},
	{"landlock: an older one", with_older_landlock, NULL, CONFINE_LANDLOCK, -EOPNOTSUPP,
	 PLAN_NONE},
	{"landlock: none, if supported", without_landlock_if_supported, NULL, CONFINE_NONE, 0,
	 PLAN_NONE},
	{"landlock: refused by the kernel", landlocked, deny_landlock, CONFINE_LANDLOCK, -EPERM,
	 PLAN_NONE},
	{"landlock: takes no_new_privs or CAP_SYS_ADMIN", landlocked_without_privileges,
	 lose_sys_admin, CONFINE_LANDLOCK, -EPERM, PLAN_NONE},
	{"landlock: a policy that learns has none", landlock_that_learns, NULL, CONFINE_NONE, 0,
	 PLAN_NONE},
	{"bounding: a policy that learns drops nothing", bounding_that_learns, lose_setpcap,
	 CONFINE_NONE, 0, PLAN_NONE},
	{"descriptors: input", bad_descriptor, NULL, CONFINE_DESCRIPTORS, -EBADF, PLAN_NONE},
	{"descriptors: output", bad_output, NULL, CONFINE_DESCRIPTORS, -EBADF, PLAN_NONE},
	{"descriptors: terminal", bad_terminal, NULL, CONFINE_DESCRIPTORS, -ENOENT, PLAN_NONE},
	{"descriptors: clash", bad_ready_number, NULL, CONFINE_DESCRIPTORS, -EEXIST, PLAN_NONE},
	{"limits", bad_limit, NULL, CONFINE_LIMITS, -EINVAL, PLAN_NONE},
	{"directory", bad_directory, NULL, CONFINE_DIRECTORY, -ENOENT, PLAN_NONE},
	{"securebits", bad_securebits, NULL, CONFINE_SECUREBITS, -EPERM, PLAN_NONE},
	{"securebits: nothing else", bad_securebits_alone, NULL, CONFINE_SECUREBITS, -EPERM,
	 PLAN_NONE},
	{"bounding", bad_bounding, lose_setpcap, CONFINE_BOUNDING, -EPERM, PLAN_NONE},
	{"bounding: what is gone already", bounding_as_it_is, be_bounded, CONFINE_NONE, 0,
	 PLAN_NONE},
	{"seccomp: of another machine", foreign_filter, NULL, CONFINE_SECCOMP, -ENOEXEC, PLAN_NONE},
	{"seccomp: first", bad_filter, NULL, CONFINE_SECCOMP, -EINVAL, PLAN_NONE},
	{"seccomp: last", bad_last_filter, NULL, CONFINE_SECCOMP, -EINVAL, PLAN_NONE},
	{"ids", nothing_wrong, change_ids, CONFINE_IDS, -EPERM, PLAN_NONE},
	{"capabilities", bad_capabilities, lose_chown, CONFINE_CAPABILITIES, -EPERM, PLAN_NONE},
	{"ambient", bad_ambient, NULL, CONFINE_AMBIENT, -EPERM, PLAN_NONE},
	{"exec", bad_program, NULL, CONFINE_EXEC, -EACCES, PLAN_NONE},
	{"a filter comes before ids", filter_before_ids, NULL, CONFINE_IDS, -EPERM, PLAN_NONE},
	{"... after them with no_new_privs", filter_after_all, NULL, CONFINE_NONE, 0, PLAN_NONE},
	{"... and after that", filter_after_no_new_privs, NULL, CONFINE_NONE, 0, PLAN_NONE},
};

static struct confine_report run(struct confine_child *child, void (*weaken)(void))
{
	static char *nothing[] = {NULL};
	struct confine_report report = {.step = CONFINE_NONE, .item = PLAN_NONE};
	int ends[2], status;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child->plan = &plan;
	child->service = &service;
	child->argv = argv;
	child->environment = nothing;
	child->descriptors = 1024;
	child->last_capability = CAP_LAST_CAP;
	if (child->bounding == 0)
		child->bounding = bounding_of_the_test();
	if (child->permitted == 0)
		child->permitted = bounding_of_the_test();
	if (child->join_fd == 0)
		child->join_fd = -1;
	if (child->landlock_abi == 0)
		child->landlock_abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	if (child->report_fd == 0)
		child->report_fd = ends[1];
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (child->report_fd != ends[1])
			dup3(ends[1], child->report_fd, O_CLOEXEC);
		if (weaken)
			weaken();
		report = confine_and_exec(child);
		_exit(write(child->report_fd, &report, sizeof(report)) == sizeof(report) ? 127
											 : 98);
	}
	close(ends[1]);
	ssize_t length = read(ends[0], &report, sizeof(report));

	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), length == 0 ? 0 : 127);
	return report;
}

static void every_step_that_fails_is_named(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct confine_child child = {.null_fd = null, .output_fd = -1};

		setup(state);
		cases[i].spoil(&child);
		struct confine_report report = run(&child, cases[i].weaken);

		if (report.step != cases[i].step || report.error != cases[i].error ||
		    report.item != cases[i].item)
			fail_msg("%s: failed at step %s with %d, entry %u", cases[i].name,
				 confine_step_name(report.step), report.error, report.item);
	}
	close(null);
}

/* Numbers of the calls that rootfs-spec/confine_calls.h names. */
static uint32_t number_of(const char *call)
{
	static const struct {
		const char *name;
		uint32_t number;
	} known[] = {
		{"setgroups", SYS_setgroups}, {"setresgid", SYS_setresgid},
		{"setresuid", SYS_setresuid}, {"prctl", SYS_prctl},
		{"capset", SYS_capset},       {"execve", SYS_execve},
		{"write", SYS_write},         {"exit_group", SYS_exit_group},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, call) == 0)
			return known[i].number;
	fail_msg("no number of %s", call);
	return 0;
}

/* A filter that lets through the calls that the compiler holds every filter to, and nothing else. */
static void allow_the_steps(uint32_t flags)
{
	unsigned n = 0;

	area.filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	for (size_t i = 0; i < CONFINE_CALLS; i++) {
		if (flags & PLAN_POLICY_NO_NEW_PRIVS && confine_calls[i].before_no_new_privs)
			continue;
		area.filter[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, number_of(confine_calls[i].name), 0, 1);
		area.filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	area.filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
							SECCOMP_RET_ERRNO | ENOTUNIQ);
	assert_true(n <= sizeof(area.filter) / sizeof(area.filter[0]));
	with_filter(flags, n);
}

/*
 * All steps behind the filter are taken, up to an execve that fails for another reason, and that is
 * reported: so the list holds all that they call.
 */
static void the_steps_behind_a_filter_call_what_the_compiler_thinks(void **state)
{
	static const uint32_t flags[] = {0, PLAN_POLICY_NO_NEW_PRIVS};
	static char missing[] = "/no/such/program";
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (geteuid() != 0)
		skip();
#ifdef __SANITIZE_ADDRESS__
	skip(); /* the sanitizer makes calls of its own in the child */
#endif
	for (size_t i = 0; i < 2; i++) {
		struct confine_child child = {.null_fd = null, .output_fd = -1};

		setup(state);
		allow_the_steps(flags[i] | PLAN_POLICY_CAPS);
		area.policy.cap_permitted = area.policy.cap_inheritable = 1ull << CAP_CHOWN;
		area.policy.cap_ambient = 1ull << CAP_CHOWN;
		area.policy.cap_bounding = 1ull << CAP_CHOWN | 1ull << CAP_KILL;
		service.uid = service.gid = NOBODY;
		argv[0] = missing;
		struct confine_report report = run(&child, NULL);
		if (report.step != CONFINE_EXEC || report.error != -ENOENT)
			fail_msg("failed at step %s with %d", confine_step_name(report.step),
				 report.error);
	}
	close(null);
}

static void a_failure_is_told_whatever_number_the_report_has(void **state)
{
	static const int numbers[] = {1, 3, 4, 5, 100};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int passed[] = {null, null};
		struct confine_child child = {.null_fd = null,
					      .output_fd = -1,
					      .passed = passed,
					      .passed_count = 2,
					      .ready_fd = null,
					      .ready_number = 5,
					      .report_fd = numbers[i]};

		setup(state);
		bad_program(&child);
		struct confine_report report = run(&child, NULL);

		assert_int_equal(report.step, CONFINE_EXEC);
		assert_int_equal(report.error, -EACCES);
	}
	close(null);
}

/* ---- descriptors ---- */

#define NO -1
#define REPORT 'R'

/* Each name stands for a file; where it lies before, and where it is to be found after. */
static const struct {
	const char *name;
	struct {
		int number;
		char file;
	} before[8];
	int null, output;
	int passed[4];
	uint32_t passed_count;
	int ready;
	uint32_t ready_number;
	const char *after; /* file of 0, 1, 2, ...; '-' is closed; then everything is */
	uint32_t distance; /* so many closed ones before the last */
} layouts[] = {
	{"in order", {{10, 'n'}, {11, 'o'}}, 10, 11, {0}, 0, 0, 0, "noo", 0},
	{"no output", {{10, 'n'}, {11, 'o'}}, 10, NO, {0}, 0, 0, 0, "nnn", 0},
	{"strangers below and above the report",
	 {{4, 'n'}, {5, 'o'}, {3, 'x'}, {8, 'y'}, {290, 'z'}},
	 4,
	 5,
	 {0},
	 0,
	 0,
	 0,
	 "noo",
	 0},
	{"each in the other's place", {{0, 'o'}, {1, 'n'}}, 1, 0, {0}, 0, 0, 0, "noo", 0},
	{"passed ones swapped",
	 {{3, 'b'}, {4, 'a'}, {5, 'n'}, {6, 'o'}},
	 5,
	 6,
	 {4, 3},
	 2,
	 0,
	 0,
	 "nooab",
	 0},
	{"the report where one is to be",
	 {{4, 'a'}, {3, REPORT}, {5, 'n'}, {6, 'o'}},
	 5,
	 6,
	 {4},
	 1,
	 0,
	 0,
	 "nooa",
	 0},
	{"readiness far up, strangers between",
	 {{3, 'r'}, {4, 'n'}, {5, 'o'}, {7, 'x'}, {200, 'y'}, {256, 'z'}},
	 4,
	 5,
	 {0},
	 0,
	 3,
	 255,
	 "noor",
	 252},
	{"readiness right behind those that are passed",
	 {{4, 'r'}, {5, 'a'}, {3, 'b'}, {0, 'n'}, {1, 'o'}},
	 0,
	 1,
	 {5, 3},
	 2,
	 4,
	 5,
	 "nooabr",
	 0},
	{"everything where the report and readiness go",
	 {{9, 'r'}, {8, 'a'}, {7, 'o'}, {6, 'n'}, {10, REPORT}},
	 6,
	 7,
	 {8},
	 1,
	 9,
	 9,
	 "nooar",
	 5},
	{"one file for all", {{3, 'n'}}, 3, 3, {3, 3}, 2, 3, 6, "nnnnnn", 1},
};

static int file_named(char name)
{
	const char text[2] = {name, '\0'};
	int fd = memfd_create(text, MFD_CLOEXEC);
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 2 * HIGHEST);

	assert_true(high >= 0);
	close(fd);
	return high;
}

/* In the child, before it confines itself. */
static size_t layout;

static void lay_out(void)
{
	for (int fd = 0; fd < HIGHEST; fd++) {
		bool used = false;

		for (size_t i = 0; i < 8; i++)
			used |= layouts[layout].before[i].file == REPORT &&
				layouts[layout].before[i].number == fd;
		if (!used)
			close(fd);
	}
	for (size_t i = 0; i < 8 && layouts[layout].before[i].file; i++) {
		int fd;

		if (layouts[layout].before[i].file == REPORT)
			continue;
		fd = file_named(layouts[layout].before[i].file);
		/* What nobody names is also closed if somebody forgot to say CLOEXEC. */
		dup3(fd, layouts[layout].before[i].number,
		     strchr("xyz", layouts[layout].before[i].file) ? 0 : O_CLOEXEC);
	}
}

/* The program writes what its descriptors are to a descriptor that was not there before. */
static char found[HIGHEST + 1];

static void look(int directory)
{
	memset(found, 0, sizeof(found));
	for (int fd = 0; fd < HIGHEST; fd++) {
		char path[32], link[64];

		snprintf(path, sizeof(path), "%d", fd);
		ssize_t length = readlinkat(directory, path, link, sizeof(link) - 1);

		found[fd] = '-';
		if (length > 7 && memcmp(link, "/memfd:", 7) == 0)
			found[fd] = link[7];
		else if (length >= 0)
			found[fd] = '?';
	}
	for (int fd = HIGHEST - 1; fd >= 0 && found[fd] == '-'; fd--)
		found[fd] = '\0';
}

/* Its loader is through with the files that it opens itself: proc(5), "syscall". */
static void wait_until_it_sleeps(pid_t pid)
{
	for (int tries = 0; tries < 10000; tries++) {
		char path[64], content[256] = "";

		snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		(void)!read(fd, content, sizeof(content) - 1);
		close(fd);
		if (atoi(content) == SYS_clock_nanosleep || atoi(content) == SYS_nanosleep)
			return;
		usleep(1000);
	}
	fail_msg("it does not sleep");
}

static void descriptors_get_their_numbers(void **state)
{
	static char program[] = "/bin/sleep", forever[] = "1000";
	static char *nothing[] = {NULL};
	struct rlimit limit;

	if (geteuid() != 0)
		skip();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (layout = 0; layout < sizeof(layouts) / sizeof(layouts[0]); layout++) {
		char wanted[HIGHEST + 1] = "", path[64];
		size_t length = strlen(layouts[layout].after);
		int passed[4], ends[2], status;
		struct confine_child child = {
			.plan = &plan,
			.service = &service,
			.argv = argv,
			.environment = nothing,
			.null_fd = layouts[layout].null,
			.output_fd = layouts[layout].output,
			.passed = passed,
			.passed_count = layouts[layout].passed_count,
			.ready_fd = layouts[layout].ready,
			.ready_number = layouts[layout].ready_number,
			.descriptors = 1024,
			.last_capability = CAP_LAST_CAP,
			.join_fd = -1,
		};

		setup(state);
		argv[0] = program;
		argv[1] = forever;
		memcpy(passed, layouts[layout].passed, sizeof(passed));
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			int report = fcntl(ends[1], F_DUPFD_CLOEXEC, HIGHEST);

			child.report_fd = report;
			for (size_t i = 0; i < 8; i++)
				if (layouts[layout].before[i].file == REPORT)
					child.report_fd = dup3(report,
							       layouts[layout].before[i].number,
							       O_CLOEXEC);
			lay_out();
			confine_and_exec(&child);
			_exit(1);
		}
		close(ends[1]);
		assert_int_equal(read(ends[0], path, 1), 0); /* executed */
		close(ends[0]);
		wait_until_it_sleeps(pid);
		snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
		int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		look(directory);
		close(directory);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		memset(wanted, '-', length + layouts[layout].distance - 1);
		memcpy(wanted, layouts[layout].after, length - 1);
		wanted[length + layouts[layout].distance - 1] = layouts[layout].after[length - 1];
		if (strcmp(found, wanted) != 0)
			fail_msg("%s: %s, want %s", layouts[layout].name, found, wanted);
	}
}

/* The number after `key` in a small file of /proc, or after `fields` blanks. */
static long proc_number(pid_t pid, const char *file, const char *key, int fields, int base)
{
	char path[64], content[2048] = "";

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, content, sizeof(content) - 1) > 0);
	close(fd);
	char *at = strstr(content, key);

	assert_non_null(at);
	at += strlen(key);
	while (fields-- > 0)
		at = strchr(at, ' ') + 1;
	return strtol(at, NULL, base);
}

static void a_terminal_becomes_the_controlling_one(void **state)
{
	static char program[] = "/bin/sleep", forever[] = "1000";
	static char *nothing[] = {NULL};
	char report[1], name[64];
	int ends[2], status, terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (geteuid() != 0 || terminal < 0)
		skip();
	assert_int_equal(grantpt(terminal), 0);
	assert_int_equal(unlockpt(terminal), 0);
	snprintf(name, sizeof(name), "%s", ptsname(terminal));
	setup(state);
	argv[0] = program;
	argv[1] = forever;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct confine_child child = {.plan = &plan,
					      .service = &service,
					      .argv = argv,
					      .environment = nothing,
					      .null_fd = -1,
					      .output_fd = -1,
					      .tty = name,
					      .report_fd = ends[1],
					      .descriptors = 1024,
					      .last_capability = CAP_LAST_CAP,
					      .join_fd = -1};

		confine_and_exec(&child);
		_exit(1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], report, 1), 0); /* executed */
	close(ends[0]);
	/* proc(5), stat: tty_nr is the fifth field after the name. */
	assert_int_not_equal(proc_number(pid, "stat", ") ", 4, 10), 0);
	for (int fd = 0; fd < 3; fd++) {
		char file[32];

		snprintf(file, sizeof(file), "fdinfo/%d", fd);
		assert_int_equal(proc_number(pid, file, "flags:\t", 0, 8) & O_NONBLOCK, 0);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(terminal);
}

/* SigIgn of /proc/PID/status: bit N - 1 is signal N. */
static uint64_t ignored_by_the_program(uint64_t told)
{
	static char program[] = "/bin/sleep", forever[] = "1000";
	static char *nothing[] = {NULL};
	char report[1];
	int ends[2], status, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	argv[0] = program;
	argv[1] = forever;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct confine_child child = {.plan = &plan,
					      .service = &service,
					      .argv = argv,
					      .environment = nothing,
					      .null_fd = null,
					      .output_fd = -1,
					      .report_fd = ends[1],
					      .descriptors = 1024,
					      .ignored_signals = told,
					      .last_capability = CAP_LAST_CAP,
					      .join_fd = -1};

		confine_and_exec(&child);
		_exit(1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], report, 1), 0); /* executed */
	close(ends[0]);
	close(null);
	uint64_t ignored = (uint64_t)proc_number(pid, "status", "SigIgn:\t", 0, 16);

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return ignored;
}

static void what_pid_1_ignores_its_services_do_not(void **state)
{
	const int numbers[] = {SIGHUP, SIGPIPE, SIGRTMAX - 1};
	uint64_t mine = 0;

	if (geteuid() != 0)
		skip();
	setup(state);
	for (unsigned i = 0; i < 3; i++) {
		signal(numbers[i], SIG_IGN);
		mine |= 1ull << (numbers[i] - 1);
	}
	uint64_t ignored = confine_ignored_signals();

	assert_int_equal(ignored & mine, mine);
	assert_int_equal(ignored_by_the_program(0) & mine, mine);
	assert_int_equal(ignored_by_the_program(ignored), 0);
	for (unsigned i = 0; i < 3; i++)
		signal(numbers[i], SIG_DFL);
	assert_int_equal(confine_ignored_signals() & mine, 0);
}

static void every_step_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CONFINE_STEP_COUNT; i++) {
		assert_true(strlen(confine_step_name(i)) > 1);
		for (uint32_t j = 0; j < i; j++)
			assert_string_not_equal(confine_step_name(i), confine_step_name(j));
	}
	assert_string_equal(confine_step_name(CONFINE_STEP_COUNT), "?");
	assert_string_equal(confine_step_name(CONFINE_SANDBOX), "sandbox");
	assert_string_equal(confine_step_name(CONFINE_EXEC), "exec");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_that_fails_is_named),
		cmocka_unit_test(the_steps_behind_a_filter_call_what_the_compiler_thinks),
		cmocka_unit_test(a_failure_is_told_whatever_number_the_report_has),
		cmocka_unit_test(descriptors_get_their_numbers),
		cmocka_unit_test(a_terminal_becomes_the_controlling_one),
		cmocka_unit_test(what_pid_1_ignores_its_services_do_not),
		cmocka_unit_test(every_step_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
