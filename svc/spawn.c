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
#include "svc/timeline.h"

/* One spawn at a time, no allocation: the vectors of the next child. */
static char *argv[PLAN_MAX_ARGUMENTS + 1];
static char *environment[PLAN_MAX_ENVIRONMENT + SPAWN_EXTRA + 1];

static char *plain(const char *text)
{
	return (char *)(uintptr_t)text; /* execve(2) does not write to them */
}

static void fill_vectors(const struct spawn_request *request)
{
	const struct plan_service *service = request->service;
	uint32_t n = 0;

	for (; n < request->argv.count && n < PLAN_MAX_ARGUMENTS; n++)
		argv[n] = plain(plan_list_string(request->plan, request->argv, n));
	argv[n] = NULL;
	for (n = 0; n < service->environment.count && n < PLAN_MAX_ENVIRONMENT; n++)
		environment[n] = plain(plan_list_string(request->plan, service->environment, n));
	for (uint32_t i = 0; i < SPAWN_EXTRA && request->extra[i]; i++)
		environment[n++] = plain(request->extra[i]);
	environment[n] = NULL;
}

static _Noreturn void be_child(struct confine_child *child)
{
	struct confine_report report = confine_and_exec(child);

	raw_syscall3(__NR_write, child->report_fd, (long)&report, sizeof report);
	for (;;)
		raw_syscall1(__NR_exit_group, 127);
}

/*
 * pid, or negative errno; 0 is never returned: the child does not come back. No handler of PID 1 ever
 * runs in the child: it is born without (CLONE_CLEAR_SIGHAND).
 */
static long clone_child(struct confine_child *child, const struct spawn_request *request,
			int *pidfd)
{
	int32_t nowhere;
	struct clone_args arguments = {
		.flags = CLONE_PIDFD | CLONE_INTO_CGROUP | CLONE_CLEAR_SIGHAND |
			 CLONE_PARENT_SETTID | request->clone_flags,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.parent_tid = (uint64_t)(uintptr_t)(request->pid ? request->pid : &nowhere),
		.exit_signal = SIGCHLD,
		.cgroup = (uint32_t)request->cgroup_fd,
	};
	long pid = raw_syscall2(__NR_clone3, (long)&arguments, sizeof arguments);

	if (pid == 0)
		be_child(child);
	return pid;
}

static int open_pipe(int flags, int *read_end, int *write_end)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | flags) < 0)
		return -errno;
	*read_end = ends[0];
	*write_end = ends[1];
	return 0;
}

/* Its write end blocks, as programs expect of what they are given; PID 1 does not. */
static int open_ready_pipe(int *read_end, int *write_end)
{
	int error = open_pipe(0, read_end, write_end);

	if (error != 0)
		return error;
	return fcntl(*read_end, F_SETFL, O_RDONLY | O_NONBLOCK) < 0 ? -errno : 0;
}

int spawn(const struct spawn_request *request, struct spawned *spawned)
{
	owned_fd int report_read = -1, report_write = -1, ready_read = -1, ready_write = -1;
	int pidfd = -1;
	int error = open_pipe(O_NONBLOCK, &report_read, &report_write);

	if (error == 0 && request->ready_number != 0)
		error = open_ready_pipe(&ready_read, &ready_write);
	if (error != 0)
		return error;
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
		.ready_fd = ready_write,
		.ready_number = request->ready_number,
		.last_capability = request->last_capability,
		.bounding = request->bounding,
		.permitted = request->permitted,
		.landlock_abi = request->landlock_abi,
		.join_fd = request->join_fd,
		.ignored_signals = request->ignored_signals,
	};

	fill_vectors(request);

	uint64_t before_ns = clock_boottime_ns();
	long pid = clone_child(&child, request, &pidfd);

	if (pid < 0)
		return (int)pid;
	*spawned = (struct spawned){
		.pid = (int)pid,
		.pidfd = pidfd,
		.report_fd = fd_take(&report_read),
		.ready_fd = fd_take(&ready_read),
	};
	spawned->start_ticks = process_started(spawned->pid, before_ns);
	return 0;
}
