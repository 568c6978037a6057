/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "svc/confine.h"
#include "svc/fd.h"
#include "svc/process.h"
#include "svc/raw.h"

/* One spawn at a time, no allocation: the vectors of the next child. */
static char *argv[PLAN_MAX_ARGUMENTS + 1];
static char *environment[PLAN_MAX_ENVIRONMENT + 2];

static char *plain(const char *text)
{
	return (char *)(uintptr_t)text; /* execve(2) does not write to them */
}

static void fill_vectors(const struct spawn_request *request)
{
	const struct plan_service *service = request->service;
	uint32_t n = 0;

	for (; n < service->argv.count && n < PLAN_MAX_ARGUMENTS; n++)
		argv[n] = plain(plan_list_string(request->plan, service->argv, n));
	argv[n] = NULL;
	for (n = 0; n < service->environment.count && n < PLAN_MAX_ENVIRONMENT; n++)
		environment[n] = plain(plan_list_string(request->plan, service->environment, n));
	if (request->extra_environment)
		environment[n++] = plain(request->extra_environment);
	environment[n] = NULL;
}

static _Noreturn void be_child(struct confine_child *child)
{
	struct confine_report report = confine_and_exec(child);

	raw_syscall3(__NR_write, child->report_fd, (long)&report, sizeof report);
	for (;;)
		raw_syscall1(__NR_exit_group, 127);
}

/* pid, or negative errno; 0 is never returned: the child does not come back. */
static long clone_child(struct confine_child *child, int cgroup_fd, int *pidfd)
{
	struct clone_args arguments = {
		.flags = CLONE_PIDFD | CLONE_INTO_CGROUP | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint32_t)cgroup_fd,
	};
	long pid = raw_syscall2(__NR_clone3, (long)&arguments, sizeof arguments);

	if (pid == 0)
		be_child(child);
	return pid;
}

int spawn(const struct spawn_request *request, struct spawned *spawned)
{
	int report[2], pidfd = -1;
	sigset_t all, before;

	if (pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	owned_fd int report_read = report[0];
	owned_fd int report_write = report[1];
	struct confine_child child = {
		.plan = request->plan,
		.service = request->service,
		.argv = argv,
		.environment = environment,
		.null_fd = request->null_fd,
		.output_fd = request->output_fd,
		.tty = request->tty,
		.passed = request->passed,
		.passed_count = request->passed_count,
		.descriptors = request->descriptors,
		.report_fd = report_write,
		.last_capability = request->last_capability,
	};

	fill_vectors(request);
	/* No handler of PID 1 may run in the child; it unblocks when its own are default. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	long pid = clone_child(&child, request->cgroup_fd, &pidfd);

	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return (int)pid;
	*spawned = (struct spawned){
		.pid = (int)pid, .pidfd = pidfd, .report_fd = fd_take(&report_read)};
	if (process_start_ticks(spawned->pid, &spawned->start_ticks) != 0)
		spawned->start_ticks = 0;
	return 0;
}
