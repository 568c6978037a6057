/* SPDX-License-Identifier: Apache-2.0 */
/* A life that went on while PID 1 executed itself anew. */
#include <errno.h>
#include <sys/epoll.h>

#include "svc/fd.h"
#include "svc/log.h"
#include "svc/process.h"
#include "svc/supervisor_state.h"

static void watch_again(struct supervisor *supervisor, uint32_t index, int fd,
			enum supervisor_source source)
{
	int error = fd < 0 ? 0 : life_watch(supervisor, index, fd, source, EPOLLIN);

	if (error != 0)
		log_error("service: %s: watch again: %s", state_of(supervisor, index)->name,
			  log_errno(error));
}

/* It begins and ends with `up`, a moment after the state changed: a crash may have come between. */
static void adopt_watchdog(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);

	if (state->state != SERVICE_UP)
		state->watchdog_deadline_ns = 0;
	else if (state->watchdog_deadline_ns == 0)
		life_watchdog_start(supervisor, index);
}

void life_adopt(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];

	life->report = (struct confine_report){.step = CONFINE_NONE, .item = PLAN_NONE};
	adopt_watchdog(supervisor, index);
	life_touch(supervisor, index);
	if (!service_is_active(state->state))
		return;
	/* Whether it was killed is not known: nothing is lost when an empty group is made anew. */
	life->group_killed = state->state == SERVICE_STOPPING;
	int error = life_open_group(supervisor, index);

	if (state->pid == 0) /* what ended meanwhile is to be heard */
		(void)life_is_populated(supervisor, index);

	if (error != 0)
		log_error("service: %s: cgroup: %s", state->name, log_errno(error));
	/* With the pipe gone it had executed, or its death says otherwise. */
	life->executed = state->report_fd < 0 && state->pid != 0 &&
			 process_has_executed(state->pid);
	if (state->pid != 0)
		pids_set(&supervisor->pids, state->pid, index);
	if (state->spawned_pid != 0)
		pids_set(&supervisor->pids, state->spawned_pid, index);
	fd_close(&life->cgroup_fd);
	watch_again(supervisor, index, state->report_fd, SOURCE_REPORT);
	watch_again(supervisor, index, state->ready_fd, SOURCE_READY);
	/* It may be somebody else's child, whose death PID 1 hears of in no other way. */
	watch_again(supervisor, index, state->pidfd, SOURCE_MAIN);
}

void life_lost(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);

	state->last_death = (struct world_death){
		.at_ns = clock_boottime_ns(),
		.reason = WORLD_REASON_LOST,
	};
	life_forget_main(supervisor, index);
	task_drop_all(supervisor, index);
	life_finish(supervisor, index);
}

void life_resume(struct supervisor *supervisor, uint32_t index)
{
	const struct world_service *state = state_of(supervisor, index);

	if (!service_is_active(state->state) || state->pid != 0 ||
	    task_running(supervisor, task_of_service(index)))
		return;
	/* A hook whose end nobody saw is run again: once too often rather than never. */
	if (state->state == SERVICE_STARTING || state->stage == WORLD_STAGE_POST)
		life_go_on(supervisor, index);
	else if (state->state == SERVICE_STOPPING)
		life_finish(supervisor, index);
	else
		life_lost(supervisor, index);
}
