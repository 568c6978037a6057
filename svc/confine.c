/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/confine.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "svc/confine_steps.h"
#include "svc/format.h"
#include "svc/raw.h"

#define LAST_SIGNAL 64
#define IOPRIO_WHO_THIS_PROCESS 1 /* IOPRIO_WHO_PROCESS of linux/ioprio.h, an enum in older ones */
#define SIGNAL_SET_BYTES 8

/* Each step returns 0 or a negative errno. */

static long step_session(struct confine_child *child)
{
	long error = raw_syscall0(__NR_setsid);

	(void)child;
	return error < 0 ? error : 0;
}

uint64_t confine_ignored_signals(void)
{
	uint64_t action[4] = {0}; /* struct kernel_sigaction: the handler first */
	uint64_t ignored = 0;

	for (long signal = 1; signal <= LAST_SIGNAL; signal++)
		if (raw_syscall4(__NR_rt_sigaction, signal, 0, (long)action, SIGNAL_SET_BYTES) ==
			    0 &&
		    action[0] == (uint64_t)(uintptr_t)SIG_IGN)
			ignored |= 1ull << (signal - 1);
	return ignored;
}

/* clone3(2) reset the handlers (CLONE_CLEAR_SIGHAND); what PID 1 ignores is still ignored. */
static long step_signals(struct confine_child *child)
{
	static const uint64_t default_action[4]; /* struct kernel_sigaction, all zero: SIG_DFL */
	static const uint64_t nothing;

	for (long signal = 1; signal <= LAST_SIGNAL; signal++) {
		if (!(child->ignored_signals >> (signal - 1) & 1))
			continue;
		long error = raw_syscall4(__NR_rt_sigaction, signal, (long)default_action, 0,
					  SIGNAL_SET_BYTES);

		if (error < 0)
			return error;
	}
	return raw_syscall4(__NR_rt_sigprocmask, SIG_SETMASK, (long)&nothing, 0, SIGNAL_SET_BYTES);
}

/*
 * 0 is what a plan says that asks for nothing: then a nested PID 1 that was started nicer, or with
 * more of a score, than it may change leaves it to its services.
 */
static long unless_default(long error, int32_t wanted)
{
	return wanted == 0 && (error == -EACCES || error == -EPERM) ? 0 : error;
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
	return written < 0 ? unless_default(written, child->service->oom_score_adj) : 0;
}

static long step_nice(struct confine_child *child)
{
	int32_t nice = child->service->nice;

	return unless_default(raw_syscall3(__NR_setpriority, PRIO_PROCESS, 0, nice), nice);
}

/* What a service does not ask for it gets as PID 1 has it: the kernel's default. */
static long step_scheduler(struct confine_child *child)
{
	const int priority = (int)child->service->scheduler_priority; /* struct sched_param */

	if (child->service->scheduler == 0)
		return 0;
	return raw_syscall3(__NR_sched_setscheduler, 0, child->service->scheduler, (long)&priority);
}

static long step_affinity(struct confine_child *child)
{
	struct plan_blob cpus = child->service->affinity;

	if (cpus.size_bytes == 0)
		return 0;
	return raw_syscall3(__NR_sched_setaffinity, 0, cpus.size_bytes,
			    (long)plan_bytes(child->plan, cpus));
}

static long step_io_priority(struct confine_child *child)
{
	if (child->service->io_priority == 0)
		return 0;
	return raw_syscall3(__NR_ioprio_set, IOPRIO_WHO_THIS_PROCESS, 0,
			    child->service->io_priority);
}

static long limit_descriptors(uint64_t soft)
{
	uint64_t values[2] = {0}; /* struct rlimit64: soft, hard */
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

static long step_directory(struct confine_child *child)
{
	raw_syscall1(__NR_umask, child->service->umask);
	return raw_syscall1(__NR_chdir, (long)plan_string(child->plan, child->service->directory));
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
	{CONFINE_SCHEDULER, step_scheduler},
	{CONFINE_AFFINITY, step_affinity},
	{CONFINE_IO_PRIORITY, step_io_priority},
	{CONFINE_KEYRING, confine_keyring},
	{CONFINE_NAMESPACES, confine_namespaces},
	{CONFINE_SANDBOX, confine_sources},
	{CONFINE_PROC, confine_proc},
	{CONFINE_DEV, confine_dev},
	{CONFINE_SANDBOX, confine_sandbox},
	{CONFINE_DESCRIPTORS, confine_descriptors},
	{CONFINE_DESCRIPTORS, confine_close_rest},
	{CONFINE_LIMITS, step_limits},
	{CONFINE_DIRECTORY, step_directory},
	{CONFINE_SECUREBITS, confine_securebits},
	{CONFINE_BOUNDING, confine_bounding},
	{CONFINE_LANDLOCK, confine_landlock},
	{CONFINE_SECCOMP, confine_seccomp_privileged},
	{CONFINE_IDS, confine_ids},
	{CONFINE_CAPABILITIES, confine_capabilities},
	{CONFINE_AMBIENT, confine_ambient},
	{CONFINE_NO_NEW_PRIVS, confine_no_new_privs},
	{CONFINE_LANDLOCK, confine_landlock_last},
	{CONFINE_SECCOMP, confine_seccomp_last},
	{CONFINE_EXEC, step_exec},
};

struct confine_report confine_and_exec(struct confine_child *child)
{
	struct confine_report report = {.step = CONFINE_EXEC, .error = -ENOEXEC, .item = PLAN_NONE};

	for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		long error = steps[i].take(child);

		if (error >= 0)
			continue;
		report.step = steps[i].step;
		report.error = (int32_t)error;
		if (report.step == CONFINE_SANDBOX || report.step == CONFINE_LANDLOCK)
			report.item = child->item;
		break;
	}
	return report;
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
		[CONFINE_SCHEDULER] = "scheduler",
		[CONFINE_AFFINITY] = "affinity",
		[CONFINE_IO_PRIORITY] = "io_priority",
		[CONFINE_SANDBOX] = "sandbox",
		[CONFINE_DEVICES] = "devices",
		[CONFINE_KEYRING] = "keyring",
		[CONFINE_NAMESPACES] = "namespaces",
		[CONFINE_PROC] = "proc",
		[CONFINE_DEV] = "dev",
		[CONFINE_LANDLOCK] = "landlock",
	};
	_Static_assert(sizeof names / sizeof names[0] == CONFINE_STEP_COUNT, "a name a step");

	return step < CONFINE_STEP_COUNT ? names[step] : "?";
}
