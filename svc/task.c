/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "svc/fault_point.h"
#include "svc/fd.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/process.h"
#include "svc/raw.h"
#include "svc/supervisor_state.h"

static struct world_task *state_of_task(const struct supervisor *supervisor, uint32_t task)
{
	return world_task(supervisor->world, task);
}

/* The tasks of one service: its own, then those of its probes, then those of its liveness. */
static uint32_t task_count(const struct supervisor *supervisor, uint32_t service)
{
	const struct plan_service *plan = plan_of(supervisor, service);

	return 1 + plan->probes.count + plan->liveness.count;
}

static uint32_t nth_task(const struct supervisor *supervisor, uint32_t service, uint32_t n)
{
	const struct plan_service *plan = plan_of(supervisor, service);

	if (n == 0)
		return task_of_service(service);
	n--;
	return task_of_probe(supervisor->world,
			     n < plan->probes.count
				     ? plan->probes.first + n
				     : plan->liveness.first + n - plan->probes.count);
}

void task_init(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->world->service_count; i++)
		for (uint32_t n = 0; n < task_count(supervisor, i); n++)
			supervisor->tasks[nth_task(supervisor, i, n)] =
				(struct task_life){.service = i, .report_fd = -1};
}

bool task_running(const struct supervisor *supervisor, uint32_t task)
{
	return state_of_task(supervisor, task)->pid != 0;
}

static void forget(struct supervisor *supervisor, uint32_t task)
{
	struct world_task *state = state_of_task(supervisor, task);

	pids_remove(&supervisor->pids, state->pid, PIDS_TASK | task);
	fd_close(&state->pidfd);
	fd_close(&supervisor->tasks[task].report_fd);
	*state = (struct world_task){.pidfd = -1};
}

int task_start(struct supervisor *supervisor, uint32_t task, uint32_t command)
{
	const struct plan_command *plan = plan_command(supervisor->plan, command);
	struct task_life *life = &supervisor->tasks[task];
	struct world_task *state = state_of_task(supervisor, task);
	const struct world_service *service = state_of(supervisor, life->service);
	struct spawn_request request;
	struct spawned spawned;
	char main_pid[32];

	if (state->pid != 0)
		return -EBUSY;
	/* One that was to be made anew, and had no room yet, is made by life_spawn(). */
	if (!supervisor->lives[life->service].has_group &&
	    !supervisor->lives[life->service].group_killed)
		return -ENOTCONN;
	life_request(supervisor, life->service, &request);
	request.argv = plan->argv;
	request.pid = &state->pid;
	/* Where the service runs it runs: a probe asks the service's network, not one of its own. */
	request.join_fd = service->pidfd;
	format_text(main_pid, sizeof main_pid, "MAINPID=%d", (int)service->pid);
	if (service->pid != 0)
		life_request_extra(&request, main_pid);
	state->deadline_ns = clock_after_ns(clock_boottime_ns(), plan->timeout_ns);
	int error = life_spawn(supervisor, life->service, &request, true, &spawned);

	if (error != 0) {
		*state = (struct world_task){.pidfd = -1};
		return error;
	}
	fault_point("task: cloned");
	state->pid = spawned.pid;
	state->pidfd = spawned.pidfd;
	state->start_ticks = spawned.start_ticks;
	life->report_fd = spawned.report_fd;
	pids_set(&supervisor->pids, state->pid, PIDS_TASK | task);
	life_touch(supervisor, life->service);
	return 0;
}

/* Should it hang in the kernel, no client waits for a socket that PID 1 has closed. */
static _Noreturn void answer_and_exit(int (*answer)(const char *text), const char *text)
{
	raw_syscall3(__NR_close_range, 0, ~0u, 0);

	long status = answer(text);

	for (;;)
		raw_syscall1(__NR_exit_group, status);
}

int task_ask(struct supervisor *supervisor, uint32_t task, int (*answer)(const char *text),
	     const char *text, uint64_t timeout_ns)
{
	struct world_task *state = state_of_task(supervisor, task);
	int pidfd = -1;
	struct clone_args arguments = {
		.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.parent_tid = (uint64_t)(uintptr_t)&state->pid,
		.exit_signal = SIGCHLD,
	};

	if (state->pid != 0)
		return -EBUSY;
	state->deadline_ns = clock_after_ns(clock_boottime_ns(), timeout_ns);
	uint64_t before_ns = clock_boottime_ns();
	long pid = raw_syscall2(__NR_clone3, (long)&arguments, sizeof arguments);

	if (pid == 0)
		answer_and_exit(answer, text);
	if (pid < 0) {
		*state = (struct world_task){.pidfd = -1};
		return (int)pid;
	}
	state->pidfd = pidfd;
	state->start_ticks = process_started(state->pid, before_ns);
	pids_set(&supervisor->pids, state->pid, PIDS_TASK | task);
	life_touch(supervisor, supervisor->tasks[task].service);
	return 0;
}

/* ESRCH: it ended and will be reaped in a moment. */
void task_signal(struct supervisor *supervisor, uint32_t task, int number)
{
	const struct world_task *state = state_of_task(supervisor, task);

	if (state->pidfd >= 0 &&
	    syscall(SYS_pidfd_send_signal, state->pidfd, number, NULL, 0) < 0 && errno != ESRCH)
		log_error("service: %s: command: signal %d: %s",
			  state_of(supervisor, supervisor->tasks[task].service)->name, number,
			  log_errno(errno));
}

void task_drop(struct supervisor *supervisor, uint32_t task)
{
	if (!task_running(supervisor, task))
		return;
	task_signal(supervisor, task, SIGKILL);
	forget(supervisor, task);
}

void task_drop_all(struct supervisor *supervisor, uint32_t service)
{
	for (uint32_t n = 0; n < task_count(supervisor, service); n++)
		task_drop(supervisor, nth_task(supervisor, service, n));
}

int task_adopt(struct supervisor *supervisor, uint32_t task)
{
	struct world_task *state = state_of_task(supervisor, task);
	uint64_t ticks;
	int fd = (int)syscall(SYS_pidfd_open, state->pid, 0);

	if (fd >= 0 && state->start_ticks != 0 &&
	    (process_start_ticks(state->pid, &ticks) != 0 || ticks != state->start_ticks)) {
		close(fd);
		fd = -1;
	}
	supervisor->tasks[task].report_fd = -1;
	if (fd < 0) {
		*state = (struct world_task){.pidfd = -1};
		return -ESRCH;
	}
	state->pidfd = fd;
	pids_set(&supervisor->pids, state->pid, PIDS_TASK | task);
	life_touch(supervisor, supervisor->tasks[task].service);
	return 0;
}

/* What the report pipe holds: the step that failed, if one did. */
static struct confine_report take_report(int fd)
{
	struct confine_report report;

	if (fd < 0 || read(fd, &report, sizeof report) != sizeof report)
		return (struct confine_report){.step = CONFINE_NONE, .item = PLAN_NONE};
	return report;
}

void task_ended(struct supervisor *supervisor, uint32_t task, const siginfo_t *info)
{
	struct world_task *state = state_of_task(supervisor, task);
	const struct confine_report report = take_report(supervisor->tasks[task].report_fd);
	struct world_death death = {
		.at_ns = clock_boottime_ns(),
		.code = info->si_code,
		.status = info->si_status,
		.error = report.step != CONFINE_NONE ? report.error : 0,
		.step = report.step,
	};
	siginfo_t reaped;

	if (report.step != CONFINE_NONE)
		life_tell_path(supervisor, supervisor->tasks[task].service, &report);
	if (death.error == 0 && state->killed)
		death.error = -ETIMEDOUT;
	fault_point("task: recorded");
	waitid(P_PID, (id_t)state->pid, &reaped, WEXITED | WNOHANG);
	fault_point("task: reaped");
	forget(supervisor, task);
	life_touch(supervisor, supervisor->tasks[task].service);
	if (task < supervisor->world->service_count)
		life_task_ended(supervisor, task, &death);
	else
		probe_command_ended(supervisor, task - supervisor->world->service_count, &death);
}

void task_tick(struct supervisor *supervisor, uint32_t service, uint64_t now_ns)
{
	for (uint32_t n = 0; n < task_count(supervisor, service); n++) {
		uint32_t task = nth_task(supervisor, service, n);
		struct world_task *state = state_of_task(supervisor, task);

		if (state->pid == 0 || state->killed || state->deadline_ns > now_ns)
			continue;
		state->killed = 1;
		task_signal(supervisor, task, SIGKILL);
	}
}

uint64_t task_deadline_ns(const struct supervisor *supervisor, uint32_t service)
{
	uint64_t deadline = UINT64_MAX;

	for (uint32_t n = 0; n < task_count(supervisor, service); n++) {
		const struct world_task *state = state_of_task(supervisor,
							       nth_task(supervisor, service, n));

		if (state->pid != 0 && !state->killed && state->deadline_ns < deadline)
			deadline = state->deadline_ns;
	}
	return deadline;
}

bool task_succeeded(const struct world_death *death)
{
	return death->error == 0 && death->code == CLD_EXITED && death->status == 0;
}
