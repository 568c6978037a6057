/* SPDX-License-Identifier: Apache-2.0 */
/* What a service says about itself (sd_notify(3)): hear.c has judged that it was the service. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "svc/cgroup.h"
#include "svc/fd.h"
#include "svc/liveness.h"
#include "svc/log.h"
#include "svc/process.h"
#include "svc/supervisor_state.h"

/* PID 1 itself was late by that much: the machine slept, or was too busy to feed anything. */
#define WATCHDOG_EXCUSE_NS 1000000000ull

/* What a service can say as often as it likes is told no more often than that. */
#define TELL_INTERVAL_NS 100000000ull

/* ---- another main process ---- */

/*
 * Only a process of the service's own group may become its main process. It is looked at when the
 * pidfd is open, so that the number cannot have gone to somebody else in between.
 */
static int open_member(const struct supervisor *supervisor, uint32_t index, int pid)
{
	const char *group = plan_string(supervisor->plan, plan_of(supervisor, index)->cgroup);
	char path[CGROUP_PATH_BYTES];
	owned_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return -errno;
	int error = cgroup_of_process(pid, path);

	if (error != 0)
		return error;
	if (!cgroup_contains(group, path))
		return -EPERM;
	/* It is still there, so `path` was its own. */
	if (syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) < 0)
		return -errno;
	return fd_take(&fd);
}

void life_main_pid(struct supervisor *supervisor, uint32_t index, int pid)
{
	struct world_service *state = state_of(supervisor, index);
	uint64_t ticks;

	if (pid == state->pid || state->pid == 0 || !service_is_active(state->state))
		return;
	uint32_t owner = pids_find(&supervisor->pids, pid);
	/* pids.h has room for another one of those that are given the socket. */
	bool may = pid > 1 && life_is_heard(supervisor->plan, plan_of(supervisor, index)) &&
		   (owner == PIDS_NONE || owner == index); /* no command beside it */
	int fd = may ? open_member(supervisor, index, pid) : -EINVAL;

	if (fd < 0) {
		if (!supervisor->lives[index].main_pid_said)
			log_warning("service: %s: MAINPID=%d: %s", state->name, pid, log_errno(fd));
		supervisor->lives[index].main_pid_said = true;
		return;
	}
	/* The child that PID 1 spawned stays known: it is not an orphan. */
	if (state->spawned_pid == 0)
		state->spawned_pid = state->pid;
	else
		pids_remove(&supervisor->pids, state->pid, index);
	life_unwatch(supervisor, &state->pidfd);
	state->pid = pid;
	state->pidfd = fd;
	state->pid_start_ticks = process_start_ticks(pid, &ticks) == 0 ? ticks : 0;
	if (state->spawned_pid == pid)
		state->spawned_pid = 0;
	pids_set(&supervisor->pids, pid, index);
	int error = life_watch(supervisor, index, fd, SOURCE_MAIN, EPOLLIN);

	if (error != 0)
		log_error("service: %s: MAINPID=%d: watch: %s", state->name, pid, log_errno(error));
}

/* ---- time ---- */

void life_extend(struct supervisor *supervisor, uint32_t index, uint64_t usec)
{
	struct world_service *state = state_of(supervisor, index);
	uint64_t wait_ns = usec > UINT64_MAX / 1000 ? UINT64_MAX : usec * 1000;
	uint64_t deadline_ns = clock_after_ns(clock_boottime_ns(), wait_ns);
	bool timed = state->state == SERVICE_STARTING || state->state == SERVICE_STOPPING;

	if (!timed || state->stage != WORLD_STAGE_MAIN)
		return;
	/* Never less than the plan gives: what was extended before may be cut short again. */
	uint64_t least_ns = clock_after_ns(state->state_since_ns,
					   state->state == SERVICE_STARTING
						   ? plan_of(supervisor, index)->start_timeout_ns
						   : plan_of(supervisor, index)->stop_timeout_ns);

	state->deadline_ns = deadline_ns > least_ns ? deadline_ns : least_ns;
	life_touch(supervisor, index);
}

void life_says_stopping(struct supervisor *supervisor, uint32_t index)
{
	uint32_t state = state_of(supervisor, index)->state;

	if (state == SERVICE_STARTING || state == SERVICE_UP)
		life_deliver(supervisor, index, SERVICE_ENDING);
}

/* ---- health ---- */

void life_sick(struct supervisor *supervisor, uint32_t index, enum world_reason reason)
{
	struct world_service *state = state_of(supervisor, index);

	if (state->state != SERVICE_UP)
		return;
	state->reason = reason;
	life_deliver(supervisor, index, SERVICE_SICK);
}

void life_watchdog_start(struct supervisor *supervisor, uint32_t index)
{
	life_fed(supervisor, index);
}

void life_fed(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);

	if (state->state != SERVICE_UP || state->watchdog_ns == 0)
		return;
	state->watchdog_deadline_ns = clock_after_ns(clock_boottime_ns(), state->watchdog_ns);
	life_touch(supervisor, index);
}

void life_watchdog_period(struct supervisor *supervisor, uint32_t index, uint64_t usec)
{
	struct world_service *state = state_of(supervisor, index);

	/* None, or one that never comes. Before it is up this is what it begins with. */
	state->watchdog_ns = usec > UINT64_MAX / 1000 ? 0 : usec * 1000;
	state->watchdog_deadline_ns = 0;
	life_touch(supervisor, index);
	life_fed(supervisor, index);
}

/*
 * What it said before the period was over, but PID 1 has not read yet, counts. While it reads its
 * configuration again it need not say anything.
 */
void life_watchdog_late(struct supervisor *supervisor, uint32_t index, uint64_t now_ns)
{
	struct world_service *state = state_of(supervisor, index);
	uint64_t due_ns = state->watchdog_deadline_ns;

	if (now_ns - due_ns > WATCHDOG_EXCUSE_NS || liveness_pauses(state)) {
		life_fed(supervisor, index);
		return;
	}
	hear_before_reaping(supervisor);
	if (state->state == SERVICE_UP && state->watchdog_deadline_ns == due_ns)
		life_sick(supervisor, index, WORLD_REASON_WATCHDOG);
}

/* ---- reload ---- */

/*
 * It has as long as a start has. With MONOTONIC_USEC= from before the request it speaks of another
 * reload (systemd.service(5), "Type=notify-reload"): the one that was asked for is still to come.
 */
void life_reloading(struct supervisor *supervisor, uint32_t index, uint64_t monotonic_us)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];
	bool asked = state->reload_deadline_ns != 0;

	if (state->state != SERVICE_UP)
		return;
	state->flags |= SERVICE_MARK_RELOADING;
	state->reloading_us = monotonic_us;
	if (asked && monotonic_us != 0 && monotonic_us < life->reload_us)
		return;
	life->reload_heard = true;
	state->reload_deadline_ns = clock_after_ns(clock_boottime_ns(),
						   plan_of(supervisor, index)->start_timeout_ns);
	life_touch(supervisor, index);
}

void life_reloaded(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];
	const struct world_event noted = {
		.at_ns = clock_boottime_ns(),
		.service = index,
		.pid = state->pid,
		.kind = WORLD_EVENT_READY_AGAIN,
		.from = (uint8_t)state->state,
		.to = (uint8_t)state->state,
		.event = SERVICE_READY,
	};

	if (!(state->flags & SERVICE_MARK_RELOADING))
		return;
	state->flags &= ~SERVICE_MARK_RELOADING;
	if (noted.at_ns - life->ready_again_ns >= TELL_INTERVAL_NS) {
		life->ready_again_ns = noted.at_ns;
		world_note(supervisor->world, &noted);
		log_info("service: %s: ready again", state->name);
	}
	/* A command that told it has to end well, too. */
	if (state->reload_deadline_ns == 0 || task_running(supervisor, task_of_service(index)))
		return;
	if (supervisor->lives[index].reload_heard)
		life_reload_over(supervisor, index, 0);
	else
		life_reload_listen(supervisor, index);
}
