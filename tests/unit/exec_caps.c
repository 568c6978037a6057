/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities through execve(2): cases of capabilities(7) by hand, and random policies, users and
 * files whose program then really runs, confined as services are, and tells what it became.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "svc/confine.h"
#include "svc/exec_caps.h"
#include "svc/process.h"

#define NOBODY 65534
#define OTHER 1000
#define A (1ull << CAP_CHOWN)
#define B (1ull << CAP_NET_ADMIN)
#define C (1ull << CAP_BPF)

/* ---- by hand ---- */

static const struct {
	const char *name;
	struct exec_process before;
	struct exec_file file;
	int error;
	struct exec_sets after;
} cases[] = {
	/* sets: inheritable, permitted, effective, bounding, ambient */
	{"root gets what is bounding",
	 {.sets = {0, A, A, A | B, 0}},
	 {0},
	 0,
	 {0, A | B, A | B, A | B, 0}},
	{"... and what is inheritable", {.sets = {C, A, A, A, 0}}, {0}, 0, {C, A | C, A | C, A, 0}},
	{"... not with noroot",
	 {.sets = {0, A, A, A, 0}, .securebits = SECBIT_NOROOT},
	 {0},
	 0,
	 {0, 0, 0, A, 0}},
	{"... nothing more with no_new_privs",
	 {.sets = {0, A, A, A | B, 0}, .no_new_privs = true},
	 {0},
	 0,
	 {0, A, A, A | B, 0}},
	{"a user loses everything",
	 {.sets = {A, A, A, A, 0}, .uid = NOBODY},
	 {0},
	 0,
	 {A, 0, 0, A, 0}},
	{"... but what is ambient",
	 {.sets = {A, A | B, 0, A, A}, .uid = NOBODY},
	 {0},
	 0,
	 {A, A, A, A, A}},
	{"a file's own are bounded",
	 {.sets = {0, 0, 0, A, 0}, .uid = NOBODY},
	 {.has_caps = true, .cap_permitted = A | B},
	 0,
	 {0, A, 0, A, 0}},
	{"... and refused when it is not prepared for that",
	 {.sets = {0, 0, 0, A, 0}, .uid = NOBODY},
	 {.has_caps = true, .cap_effective = true, .cap_permitted = A | B},
	 -EPERM,
	 {0}},
	{"... and take the ambient ones away",
	 {.sets = {A, A, 0, A, A}, .uid = NOBODY},
	 {.has_caps = true},
	 0,
	 {A, 0, 0, A, 0}},
	{"an inheritable one needs the file's",
	 {.sets = {A | B, 0, 0, A, 0}, .uid = NOBODY},
	 {.has_caps = true, .cap_effective = true, .cap_inheritable = B},
	 0,
	 {A | B, B, B, A, 0}},
	{"set-user-ID root",
	 {.sets = {0, 0, 0, A, 0}, .uid = NOBODY},
	 {.is_setuid = true, .uid = 0},
	 0,
	 {0, A, A, A, 0}},
	{"... is nothing with no_new_privs",
	 {.sets = {0, 0, 0, A, 0}, .uid = NOBODY, .no_new_privs = true},
	 {.is_setuid = true},
	 0,
	 {0, 0, 0, A, 0}},
	{"... of a file with capabilities gets these",
	 {.sets = {0, 0, 0, A | B, 0}, .uid = NOBODY},
	 {.is_setuid = true, .has_caps = true, .cap_effective = true, .cap_permitted = A},
	 0,
	 {0, A, A, A | B, 0}},
	{"another group takes the ambient ones",
	 {.sets = {A, A, 0, A, A}, .uid = NOBODY, .gid = NOBODY},
	 {.is_setgid = true, .gid = OTHER},
	 0,
	 {A, 0, 0, A, 0}},
};

static bool same(const struct exec_sets *a, const struct exec_sets *b)
{
	return a->inheritable == b->inheritable && a->permitted == b->permitted &&
	       a->effective == b->effective && a->bounding == b->bounding &&
	       a->ambient == b->ambient;
}

static void each_rule_of_the_manual_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exec_process after;
		int error = exec_caps_predict(&cases[i].before, &cases[i].file, &after);

		if (error != cases[i].error || (error == 0 && !same(&after.sets, &cases[i].after)))
			fail_msg("%s: %d", cases[i].name, error);
	}
}

/* ---- really ---- */

static struct {
	char strings[8];
	struct plan_policy policy;
} area = {.strings = "\0/"};
static struct plan plan;
static uint64_t random_state = 0x9e3779b97f4a7c15ull; /* the same sets in every run */

static uint64_t random_bits(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static bool chance(unsigned of)
{
	return (random_bits() >> 33) % of == 0;
}

static uint64_t subset(uint64_t of)
{
	switch ((random_bits() >> 40) % 4) {
	case 0: return of;
	case 1: return of & random_bits() & random_bits();
	default: return of & random_bits();
	}
}

static uint64_t own_bounding(void)
{
	uint64_t bounding = 0;

	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			bounding |= 1ull << cap;
	return bounding;
}

/* Bits that confine.h can do its steps under. */
static uint32_t some_securebits(void)
{
	static const uint32_t bits[] = {
		0,
		SECBIT_NOROOT,
		SECBIT_NOROOT | SECBIT_NOROOT_LOCKED,
		SECBIT_NO_SETUID_FIXUP,
		SECBIT_KEEP_CAPS,
		SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED,
		SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED,
	};

	return bits[(random_bits() >> 30) % (sizeof(bits) / sizeof(bits[0]))];
}

/* A policy that the kernel grants: ambient ones are permitted and inheritable. */
static void some_policy(uint64_t own)
{
	struct plan_policy *policy = &area.policy;

	*policy = (struct plan_policy){.securebits = some_securebits(),
				       .proc = PLAN_PROC_ALL,
				       .mode = chance(5) ? PLAN_MODE_AUDIT : PLAN_MODE_ENFORCE};
	if (chance(3))
		policy->flags |= PLAN_POLICY_NO_NEW_PRIVS;
	if (chance(8))
		return;
	policy->flags |= PLAN_POLICY_CAPS;
	policy->cap_bounding = subset(own);
	policy->cap_permitted = subset(own);
	policy->cap_inheritable = subset(policy->cap_permitted & policy->cap_bounding);
	policy->cap_ambient = subset(policy->cap_inheritable);
}

static char program[64];

/* Copies of cat(1) are on a file system that keeps security.capability; false: there is none. */
static bool some_file(uint64_t own, struct exec_file *file)
{
	struct vfs_cap_data caps = {.magic_etc = VFS_CAP_REVISION_2};

	*file = (struct exec_file){0};
	(void)removexattr(program, "security.capability");
	if (chown(program, 0, 0) < 0 || chmod(program, 0755) < 0)
		return false;
	if (chance(2))
		return true;
	if (chance(3)) {
		file->is_setuid = true;
		file->uid = chance(2) ? 0 : OTHER;
	}
	if (chance(4)) {
		file->is_setgid = true;
		file->gid = OTHER;
	}
	if (chown(program, file->uid, file->gid) < 0 ||
	    chmod(program,
		  0755 | (file->is_setuid ? S_ISUID : 0) | (file->is_setgid ? S_ISGID : 0)) < 0)
		return false;
	if (chance(2))
		return true;
	file->has_caps = true;
	file->cap_permitted = subset(own);
	file->cap_inheritable = subset(own);
	file->cap_effective = chance(3);
	if (file->cap_effective)
		caps.magic_etc |= VFS_CAP_FLAGS_EFFECTIVE;
	for (unsigned half = 0; half < 2; half++) {
		caps.data[half].permitted = (uint32_t)(file->cap_permitted >> 32 * half);
		caps.data[half].inheritable = (uint32_t)(file->cap_inheritable >> 32 * half);
	}
	return setxattr(program, "security.capability", &caps, sizeof(caps), 0) == 0;
}

/* Run it confined: what it read of itself, or the report. */
static struct confine_report run(const struct plan_service *service, struct process_status *status)
{
	static char told[8192], self[] = "/proc/self/status";
	static char *nothing[] = {NULL};
	char *arguments[] = {program, self, NULL};
	struct confine_report report = {.step = CONFINE_NONE, .item = PLAN_NONE};
	int ends[2], output[2], ended;
	size_t length = 0;
	ssize_t n;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct confine_child child = {.plan = &plan,
					      .service = service,
					      .argv = arguments,
					      .environment = nothing,
					      .null_fd = null,
					      .output_fd = output[1],
					      .report_fd = ends[1],
					      .descriptors = 1024,
					      .last_capability = CAP_LAST_CAP,
					      .bounding = own_bounding(),
					      .permitted = own_bounding(),
					      .join_fd = -1};

		report = confine_and_exec(&child);
		_exit(write(child.report_fd, &report, sizeof(report)) == sizeof(report) ? 127 : 98);
	}
	close(ends[1]);
	close(output[1]);
	close(null);
	(void)!read(ends[0], &report, sizeof(report));
	while (length < sizeof(told) - 1 &&
	       (n = read(output[0], told + length, sizeof(told) - 1 - length)) > 0)
		length += (size_t)n;
	told[length] = '\0';
	close(ends[0]);
	close(output[0]);
	assert_int_equal(waitpid(pid, &ended, 0), pid);
	process_parse_status(told, status);
	return report;
}

static void compare(unsigned round, const struct plan_service *service,
		    const struct exec_file *file, const struct exec_process *parent)
{
	struct exec_process child, after;
	struct process_status status;

	exec_caps_confined(parent, service->policy == PLAN_NONE ? NULL : &area.policy, service->uid,
			   service->gid, &child);
	int error = exec_caps_predict(&child, file, &after);
	struct confine_report report = run(service, &status);

	if (report.step != (error ? CONFINE_EXEC : CONFINE_NONE) || report.error != error)
		fail_msg("round %u: step %s, error %d, foretold %d", round,
			 confine_step_name(report.step), report.error, error);
	if (error)
		return;
	const struct exec_sets seen = {status.cap_inheritable, status.cap_permitted,
				       status.cap_effective, status.cap_bounding,
				       status.cap_ambient};

	if (!same(&seen, &after.sets) || status.uid != after.uid ||
	    status.no_new_privs != (uint32_t)after.no_new_privs)
		fail_msg("round %u: uid %u, policy flags %u securebits %x, file %d%d%d:"
			 " I %llx %llx, P %llx %llx, E %llx %llx, B %llx %llx, A %llx %llx",
			 round, service->uid, area.policy.flags, area.policy.securebits,
			 file->has_caps, file->is_setuid, file->is_setgid,
			 (unsigned long long)seen.inheritable,
			 (unsigned long long)after.sets.inheritable,
			 (unsigned long long)seen.permitted,
			 (unsigned long long)after.sets.permitted,
			 (unsigned long long)seen.effective,
			 (unsigned long long)after.sets.effective,
			 (unsigned long long)seen.bounding, (unsigned long long)after.sets.bounding,
			 (unsigned long long)seen.ambient, (unsigned long long)after.sets.ambient);
}

static bool make_program(const char *directory)
{
	char command[160];

	snprintf(program, sizeof(program), "%s/keelson-caps-XXXXXX", directory);
	int fd = mkstemp(program);

	if (fd < 0)
		return false;
	close(fd);
	snprintf(command, sizeof(command), "cat /bin/cat >%s && chmod 755 %s", program, program);
	return system(command) == 0; /* NOLINT(cert-env33-c): a fixed command */
}

static void random_policies_end_as_foretold(void **state)
{
	uint64_t own = own_bounding();
	struct exec_process parent = {
		.sets = {.permitted = own, .effective = own, .bounding = own}};
	const unsigned rounds = 400;

	(void)state;
	if (geteuid() != 0 || (!make_program("/dev/shm") && !make_program("/tmp")))
		skip();
	plan.base = (const uint8_t *)&area;
	plan.span[PLAN_POLICIES].offset = offsetof(__typeof__(area), policy);
	for (unsigned round = 0; round < rounds; round++) {
		struct plan_service service = {
			.directory = 1,
			.umask = 022,
			.policy = chance(10) ? PLAN_NONE : 0,
			.uid = chance(2) ? 0 : NOBODY,
		};
		struct exec_file file;

		service.gid = service.uid;
		some_policy(own);
		if (!some_file(own, &file)) {
			unlink(program);
			skip(); /* a file system without capabilities */
		}
		compare(round, &service, &file, &parent);
	}
	unlink(program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_of_the_manual_holds),
		cmocka_unit_test(random_policies_end_as_foretold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
