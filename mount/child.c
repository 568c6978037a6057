/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/child.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "mount/sys.h"

#define KILL_GRACE_NS 1000000000ull /* for a killed child to go, if it can */
#define WAITING_NS 1000000000ull    /* between two calls of child_waiting() */
#define LOOK_NS 100000000ull        /* between two of child_hurries() */
#define SIGNALS 64

#define P_PIDFD_ID 3 /* P_PIDFD of waitid(2): Linux 5.4, missing in older libc headers */

struct kernel_sigaction { /* what rt_sigaction(2) takes; all zero: default, no flags */
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

void (*child_waiting)(void);
bool (*child_hurries)(void);
uint64_t child_hurry_ns;
int child_keeps = -1;

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * In the child: nothing of PID 1's signal handling may stay, above all not a crash handler that
 * would re-execute PID 1. Raw calls: libc's wrappers take locks.
 */
static void reset_signals(void)
{
	static const struct kernel_sigaction default_action;
	static const uint64_t none;

	for (int i = 1; i <= SIGNALS; i++)
		syscall(SYS_rt_sigaction, i, &default_action, NULL, sizeof(default_action.mask));
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
}

static void close_range_raw(unsigned int first, unsigned int last)
{
	if (first <= last)
		syscall(SYS_close_range, first, last, 0);
}

/* In the child. `keep` and child_keeps are -1 or above the standard descriptors. */
static void close_others(int keep)
{
	unsigned int a = (unsigned int)(keep > 2 ? keep : 2);
	unsigned int b = (unsigned int)(child_keeps > 2 ? child_keeps : 2);
	unsigned int low = a < b ? a : b, high = a < b ? b : a;

	if (child_keeps < 0)
		return;
	close_range_raw(3, low - 1);
	close_range_raw(low + 1, high - 1);
	close_range_raw(high + 1, ~0u);
}

/* fork(2) that returns a pidfd: the child's pid, 0 in the child, or negative errno. */
static pid_t fork_pidfd(int *pidfd)
{
	struct clone_args arguments = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = (pid_t)sys_result(syscall(SYS_clone3, &arguments, sizeof(arguments)));

	if (pid == 0)
		reset_signals();
	return pid;
}

/* Many short waits are a long one: the time since the last call counts over all of them. */
static void tell_waiting(void)
{
	static uint64_t told_ns;
	uint64_t now_ns = monotonic_ns();

	if (!child_waiting || now_ns - told_ns < WAITING_NS)
		return;
	told_ns = now_ns;
	child_waiting();
}

bool child_hurried(void)
{
	if (child_hurry_ns == 0 && child_hurries && child_hurries())
		child_hurry_ns = monotonic_ns();
	return child_hurry_ns != 0;
}

/* What is left of a wait that began at `start_ns`, counted from there. */
static uint64_t hurried_ns(uint64_t timeout_ns, uint64_t start_ns)
{
	uint64_t before_ns = child_hurry_ns > start_ns ? child_hurry_ns - start_ns : 0;

	return before_ns + CHILD_HURRIED_NS < timeout_ns ? before_ns + CHILD_HURRIED_NS
							 : timeout_ns;
}

/* Wait until the child behind `pidfd` ended or the time passed; true: it ended. */
static int wait_ended(int pidfd, uint64_t timeout_ns)
{
	uint64_t start_ns = monotonic_ns();

	for (;;) {
		tell_waiting();
		if (timeout_ns > CHILD_HURRIED_NS && child_hurried())
			timeout_ns = hurried_ns(timeout_ns, start_ns);

		struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
		uint64_t passed_ns = monotonic_ns() - start_ns;
		uint64_t left_ns = passed_ns < timeout_ns ? timeout_ns - passed_ns : 0;
		uint64_t most_ns = child_hurries ? LOOK_NS : WAITING_NS;
		uint64_t turn_ns = left_ns < most_ns ? left_ns : most_ns;
		struct timespec timeout = {
			.tv_sec = (time_t)(turn_ns / 1000000000u),
			.tv_nsec = (long)(turn_ns % 1000000000u),
		};

		if (ppoll(&poll_fd, 1, &timeout, NULL) > 0)
			return 1;
		if (left_ns == 0)
			return 0;
	}
}

/* Reap the child: its exit status, or -ECHILD when a signal ended it. */
static int reap(int pidfd)
{
	siginfo_t info = {0};

	while (waitid((idtype_t)P_PIDFD_ID, (id_t)pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return -errno;
	return info.si_code == CLD_EXITED ? info.si_status : -ECHILD;
}

/* Exit status, -ECHILD, or -ETIMEDOUT. Whoever cannot even be killed is left behind. */
static int supervise(int pidfd, uint64_t timeout_ns)
{
	if (wait_ended(pidfd, timeout_ns))
		return reap(pidfd);
	sys_pidfd_send_signal(pidfd, SIGKILL);
	if (wait_ended(pidfd, KILL_GRACE_NS))
		reap(pidfd);
	return -ETIMEDOUT;
}

pid_t child_start(int (*work)(void *argument), void *argument, int *pidfd)
{
	return child_start_keeping(work, argument, -1, pidfd);
}

pid_t child_start_keeping(int (*work)(void *argument), void *argument, int keep, int *pidfd)
{
	pid_t pid = fork_pidfd(pidfd);

	if (pid == 0) {
		int result;

		close_others(keep);
		result = work(argument);

		_exit(result < -255 || result > 0 ? 255 : -result);
	}
	return pid;
}

int child_finish(int pidfd, uint64_t timeout_ns)
{
	int status = supervise(pidfd, timeout_ns);

	return status > 0 ? -status : status;
}

int run_timed(int (*work)(void *argument), void *argument, uint64_t timeout_ns)
{
	cleanup_fd pidfd = -1;
	pid_t pid = child_start(work, argument, &pidfd);

	return pid < 0 ? pid : child_finish(pidfd, timeout_ns);
}

/* A copy of `fd` that is none of the three standard descriptors, which PID 1 may not have open. */
static int above_standard(int fd)
{
	return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* In the child: never returns. What goes wrong is written to `failure` as an errno. */
static void execute(const char *const argv[], int output, int failure)
{
	static const char *const environment[] = {NULL};
	int null = above_standard(open("/dev/null", O_RDWR | O_CLOEXEC));
	int error;

	output = above_standard(output);
	failure = above_standard(failure);
	setsid();
	if (null >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 &&
	    dup2(output >= 0 ? output : null, 2) >= 0) {
		/* An execve that hangs on a disk is left behind: without what PID 1 has open. */
		close_range_raw(3, (unsigned int)failure - 1);
		close_range_raw((unsigned int)failure + 1, ~0u);
		execve(argv[0], (char *const *)(uintptr_t)argv,
		       (char *const *)(uintptr_t)environment);
	}
	error = errno;
	while (write(failure, &error, sizeof(error)) < 0 && errno == EINTR)
		;
	_exit(127);
}

int run_program(const char *const argv[], int output, uint64_t timeout_ns)
{
	int ends[2];
	int error = 0;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;

	cleanup_fd failure_read = ends[0];
	cleanup_fd failure_write = ends[1];
	cleanup_fd pidfd = -1;
	pid_t pid = fork_pidfd(&pidfd);

	if (pid < 0)
		return pid;
	if (pid == 0)
		execute(argv, output, failure_write);
	error = supervise(pidfd, timeout_ns);
	if (error >= 0) {
		int failed = 0;

		if (read(failure_read, &failed, sizeof(failed)) == sizeof(failed))
			return -failed;
	}
	return error;
}
