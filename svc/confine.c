/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/confine.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "svc/format.h"
#include "svc/raw.h"

#define LAST_SIGNAL 64
#define SIGNAL_SET_BYTES 8

/* Each step returns 0 or a negative errno. */

static long step_session(struct confine_child *child)
{
	long error = raw_syscall0(__NR_setsid);

	(void)child;
	return error < 0 ? error : 0;
}

/* clone3(2) reset the handlers (CLONE_CLEAR_SIGHAND); what PID 1 ignores is still ignored. */
static long step_signals(struct confine_child *child)
{
	static const uint64_t default_action[4]; /* struct kernel_sigaction, all zero: SIG_DFL */
	static const uint64_t nothing;

	(void)child;
	for (long signal = 1; signal <= LAST_SIGNAL; signal++) {
		if (signal == SIGKILL || signal == SIGSTOP)
			continue;
		long error = raw_syscall4(__NR_rt_sigaction, signal, (long)default_action, 0,
					  SIGNAL_SET_BYTES);

		if (error < 0)
			return error;
	}
	return raw_syscall4(__NR_rt_sigprocmask, SIG_SETMASK, (long)&nothing, 0, SIGNAL_SET_BYTES);
}

static long step_oom(struct confine_child *child)
{
	char text[16];
	size_t length = format_text(text, sizeof text, "%d", (int)child->service->oom_score_adj);
	long fd = raw_syscall4(__NR_openat, AT_FDCWD, (long)"/proc/self/oom_score_adj",
			       O_WRONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	long written = raw_syscall3(__NR_write, fd, (long)text, (long)length);

	raw_syscall1(__NR_close, fd);
	return written < 0 ? written : 0;
}

static long step_nice(struct confine_child *child)
{
	return raw_syscall3(__NR_setpriority, PRIO_PROCESS, 0, child->service->nice);
}

static long limit_descriptors(uint64_t soft)
{
	uint64_t values[2]; /* struct rlimit64: soft, hard */
	long error = raw_syscall4(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, (long)values);

	if (error < 0)
		return error;
	if (soft < values[1])
		values[0] = soft;
	return raw_syscall4(__NR_prlimit64, 0, RLIMIT_NOFILE, (long)values, 0);
}

static long step_limits(struct confine_child *child)
{
	const struct plan_list *limits = &child->service->limits;
	long error = limit_descriptors(child->descriptors);

	for (uint32_t i = 0; error >= 0 && i < limits->count; i++) {
		const struct plan_limit *limit = plan_limit(child->plan, limits->first + i);
		/* struct rlimit64 */
		uint64_t values[2] = {limit->soft, limit->hard};

		error = raw_syscall4(__NR_prlimit64, 0, limit->resource, (long)values, 0);
	}
	return error;
}

/* The terminal is opened without waiting for a carrier and without becoming the controlling one. */
static long open_tty(const char *path)
{
	long fd = raw_syscall4(__NR_openat, AT_FDCWD, (long)path,
			       O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	long error = raw_syscall3(__NR_fcntl, fd, F_SETFL, O_RDWR);

	if (error >= 0)
		error = raw_syscall3(__NR_ioctl, fd, TIOCSCTTY, 1);
	return error < 0 ? error : fd;
}

/* A copy of `fd` at `lowest` or above, out of the way of the numbers that are to be filled. */
static long lift(long fd, long lowest)
{
	return raw_syscall3(__NR_fcntl, fd, F_DUPFD_CLOEXEC, lowest);
}

static long place(long fd, long number)
{
	return raw_syscall3(__NR_dup3, fd, number, 0);
}

/*
 * Sources may have numbers that are targets: lift all of them above the highest target, then place
 * each. The copies are closed by close_rest(), the report pipe by the execve.
 */
static long step_descriptors(struct confine_child *child)
{
	long lowest = 3 + (long)child->passed_count;
	long input = child->tty ? open_tty(child->tty) : child->null_fd;
	long output = child->output_fd >= 0 ? child->output_fd : input;
	long report = lift(child->report_fd, lowest);
	long error = report;

	if (report >= 0) {
		child->report_fd = (int)report;
		error = input;
	}
	if (error >= 0)
		error = input = lift(input, lowest);
	if (error >= 0)
		error = output = lift(output, lowest);
	for (uint32_t i = 0; error >= 0 && i < child->passed_count; i++) {
		error = lift(child->passed[i], lowest);
		child->passed[i] = (int)error;
	}
	if (error >= 0)
		error = place(input, 0);
	if (error >= 0)
		error = place(output, 1);
	if (error >= 0)
		error = place(output, 2);
	for (uint32_t i = 0; error >= 0 && i < child->passed_count; i++)
		error = place(child->passed[i], 3 + (long)i);
	return error < 0 ? error : 0;
}

static long close_rest(struct confine_child *child)
{
	long first = 3 + (long)child->passed_count;
	long report = child->report_fd;

	long error = 0;

	if (report > first)
		error = raw_syscall3(__NR_close_range, first, report - 1, 0);
	return error < 0 ? error : raw_syscall3(__NR_close_range, report + 1, ~0u, 0);
}

static long step_directory(struct confine_child *child)
{
	raw_syscall1(__NR_umask, child->service->umask);
	return raw_syscall1(__NR_chdir, (long)plan_string(child->plan, child->service->directory));
}

static const struct plan_policy *policy_of(struct confine_child *child)
{
	return child->service->policy == PLAN_NONE
		       ? NULL
		       : plan_policy(child->plan, child->service->policy);
}

static bool has_capabilities(const struct plan_policy *policy)
{
	return policy && (policy->flags & PLAN_POLICY_CAPS);
}

static bool has_no_new_privs(const struct plan_policy *policy)
{
	return policy && (policy->flags & PLAN_POLICY_NO_NEW_PRIVS);
}

static long step_securebits(struct confine_child *child)
{
	const struct plan_policy *policy = policy_of(child);

	if (!has_capabilities(policy) || policy->securebits == 0)
		return 0;
	return raw_syscall5(__NR_prctl, PR_SET_SECUREBITS, policy->securebits, 0, 0, 0);
}

static long step_bounding(struct confine_child *child)
{
	const struct plan_policy *policy = policy_of(child);

	if (!has_capabilities(policy))
		return 0;
	for (uint32_t cap = 0; cap <= child->last_capability; cap++) {
		if (policy->cap_bounding >> cap & 1)
			continue;
		/* One that PID 1 itself lacks needs no dropping, and needs no right to drop. */
		if (raw_syscall5(__NR_prctl, PR_CAPBSET_READ, cap, 0, 0, 0) == 0)
			continue;
		long error = raw_syscall5(__NR_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);

		if (error < 0)
			return error;
	}
	return 0;
}

static long install_filter(struct confine_child *child)
{
	const struct plan_policy *policy = policy_of(child);
	struct sock_fprog program = {
		.len = (unsigned short)(policy->seccomp.size_bytes / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(uintptr_t)plan_bytes(child->plan, policy->seccomp),
	};

	return raw_syscall3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program);
}

static bool has_filter(const struct plan_policy *policy)
{
	return policy && policy->seccomp.size_bytes != 0;
}

static long step_seccomp_privileged(struct confine_child *child)
{
	const struct plan_policy *policy = policy_of(child);

	return has_filter(policy) && !has_no_new_privs(policy) ? install_filter(child) : 0;
}

static long step_seccomp_last(struct confine_child *child)
{
	const struct plan_policy *policy = policy_of(child);

	return has_filter(policy) && has_no_new_privs(policy) ? install_filter(child) : 0;
}

/*
 * Unless the securebits keep capabilities across a change of ids by themselves: they may also have
 * locked that bit, and then the prctl is EPERM (capabilities(7), "The securebits flags").
 */
static bool needs_keepcaps(const struct plan_policy *policy)
{
	return has_capabilities(policy) &&
	       !(policy->securebits & (SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP));
}

static long step_ids(struct confine_child *child)
{
	const struct plan_service *service = child->service;
	uint32_t groups[PLAN_MAX_GROUPS];
	uint32_t count = service->groups.count < PLAN_MAX_GROUPS ? service->groups.count
								 : PLAN_MAX_GROUPS;
	long error = 0;

	for (uint32_t i = 0; i < count; i++)
		groups[i] = *plan_ref(child->plan, service->groups.first + i);
	error = raw_syscall2(__NR_setgroups, count, (long)groups);
	if (error >= 0)
		error = raw_syscall3(__NR_setresgid, service->gid, service->gid, service->gid);
	/* The capabilities step decides what is kept; the bit ends with the execve. */
	if (error >= 0 && service->uid != 0 && needs_keepcaps(policy_of(child)))
		error = raw_syscall5(__NR_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (error >= 0)
		error = raw_syscall3(__NR_setresuid, service->uid, service->uid, service->uid);
	return error;
}

static long step_capabilities(struct confine_child *child)
{
	const struct plan_policy *policy = policy_of(child);
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (!has_capabilities(policy))
		return 0;
	for (unsigned half = 0; half < 2; half++) {
		data[half].permitted = (uint32_t)(policy->cap_permitted >> 32 * half);
		data[half].effective = (uint32_t)(policy->cap_permitted >> 32 * half);
		data[half].inheritable = (uint32_t)(policy->cap_inheritable >> 32 * half);
	}
	return raw_syscall2(__NR_capset, (long)&header, (long)data);
}

static long step_ambient(struct confine_child *child)
{
	const struct plan_policy *policy = policy_of(child);

	if (!has_capabilities(policy))
		return 0;
	for (uint32_t cap = 0; cap <= child->last_capability; cap++) {
		if (!(policy->cap_ambient >> cap & 1))
			continue;
		long error = raw_syscall5(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0,
					  0);

		if (error < 0)
			return error;
	}
	return 0;
}

static long step_no_new_privs(struct confine_child *child)
{
	if (!has_no_new_privs(policy_of(child)))
		return 0;
	return raw_syscall5(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static long step_exec(struct confine_child *child)
{
	return raw_syscall3(__NR_execve, (long)child->argv[0], (long)child->argv,
			    (long)child->environment);
}

static const struct {
	uint32_t step;
	long (*take)(struct confine_child *child);
} steps[] = {
	{CONFINE_SESSION, step_session},
	{CONFINE_SIGNALS, step_signals},
	{CONFINE_OOM, step_oom},
	{CONFINE_NICE, step_nice},
	{CONFINE_DESCRIPTORS, step_descriptors},
	{CONFINE_DESCRIPTORS, close_rest},
	{CONFINE_LIMITS, step_limits},
	{CONFINE_DIRECTORY, step_directory},
	{CONFINE_SECUREBITS, step_securebits},
	{CONFINE_BOUNDING, step_bounding},
	{CONFINE_SECCOMP, step_seccomp_privileged},
	{CONFINE_IDS, step_ids},
	{CONFINE_CAPABILITIES, step_capabilities},
	{CONFINE_AMBIENT, step_ambient},
	{CONFINE_NO_NEW_PRIVS, step_no_new_privs},
	{CONFINE_SECCOMP, step_seccomp_last},
	{CONFINE_EXEC, step_exec},
};

struct confine_report confine_and_exec(struct confine_child *child)
{
	for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		long error = steps[i].take(child);

		if (error < 0)
			return (struct confine_report){.step = steps[i].step,
						       .error = (int32_t)error};
	}
	return (struct confine_report){.step = CONFINE_EXEC, .error = -ENOEXEC};
}

const char *confine_step_name(uint32_t step)
{
	static const char names[][16] = {
		[CONFINE_NONE] = "none",
		[CONFINE_CGROUP] = "cgroup",
		[CONFINE_CLONE] = "clone",
		[CONFINE_SESSION] = "session",
		[CONFINE_SIGNALS] = "signals",
		[CONFINE_OOM] = "oom",
		[CONFINE_NICE] = "nice",
		[CONFINE_LIMITS] = "limits",
		[CONFINE_DESCRIPTORS] = "descriptors",
		[CONFINE_DIRECTORY] = "directory",
		[CONFINE_SECUREBITS] = "securebits",
		[CONFINE_BOUNDING] = "bounding",
		[CONFINE_IDS] = "ids",
		[CONFINE_CAPABILITIES] = "capabilities",
		[CONFINE_AMBIENT] = "ambient",
		[CONFINE_NO_NEW_PRIVS] = "no_new_privs",
		[CONFINE_SECCOMP] = "seccomp",
		[CONFINE_EXEC] = "exec",
	};
	_Static_assert(sizeof names / sizeof names[0] == CONFINE_STEP_COUNT, "a name a step");

	return step < CONFINE_STEP_COUNT ? names[step] : "?";
}
