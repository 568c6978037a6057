/* SPDX-License-Identifier: Apache-2.0 */
/* What happens in a service's life, and what follows from it. */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "svc/cgroup.h"
#include "svc/death.h"
#include "svc/fault_point.h"
#include "svc/fd.h"
#include "svc/log.h"
#include "svc/process.h"
#include "svc/supervisor_state.h"

void life_init(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->world->service_count; i++) {
		supervisor->lives[i] = (struct life){.cgroup_fd = -1, .events_fd = -1};
		supervisor->due_ns[i] = UINT64_MAX;
	}
}

uint32_t life_of_pid(const struct supervisor *supervisor, int pid)
{
	uint32_t owner = pids_find(&supervisor->pids, pid);

	return owner == PIDS_NONE || owner & PIDS_TASK ? PLAN_NONE : owner;
}

/* ---- the end ---- */

bool life_is_empty(struct supervisor *supervisor, uint32_t index)
{
	return supervisor->world->services[index].pid == 0 &&
	       !task_running(supervisor, task_of_service(index)) &&
	       !life_is_populated(supervisor, index);
}

/* Nothing of it runs any more: `post`, then the verdict. */
static void ended(struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *service = plan_of(supervisor, index);
	struct world_service *state = state_of(supervisor, index);

	if (service_needs_cleanup(service, state))
		life_deliver(supervisor, index, SERVICE_CLEANUP);
	else
		life_deliver(supervisor, index, service_verdict(service, state));
}

void life_finish(struct supervisor *supervisor, uint32_t index)
{
	supervisor->lives[index].retry_ns = 0;
	if (life_is_populated(supervisor, index))
		life_deliver(supervisor, index, SERVICE_LEFTOVERS);
	else
		ended(supervisor, index);
}

void life_look(struct supervisor *supervisor, uint32_t index)
{
	if (service_is_active(state_of(supervisor, index)->state) &&
	    supervisor->lives[index].retry_ns == 0 && life_is_empty(supervisor, index))
		ended(supervisor, index);
}

void life_group_changed(struct supervisor *supervisor, uint32_t index, uint32_t generation)
{
	struct life *life = &supervisor->lives[index];
	const struct world_service *state = state_of(supervisor, index);

	if (life->events_fd < 0 || life->generation != generation)
		return;
	int populated = cgroup_populated(life->events_fd); /* reading also rearms epoll */

	if (populated < 0) {
		/* Somebody removed the group, so it was empty: it would be told for ever. */
		log_error("service: %s: cgroup.events: %s", state->name, log_errno(populated));
		life_unwatch(supervisor, &life->events_fd);
	}
	if (populated != 1)
		life_look(supervisor, index);
}

/* ---- the main process ---- */

/* The path or port that failed, "" if it was none. */
static const char *failed_item(const struct plan *plan, const struct confine_report *report)
{
	if (report->step == CONFINE_SANDBOX && report->item < plan_count(plan, PLAN_SANDBOX))
		return plan_string(plan, plan_sandbox(plan, report->item)->path);
	if (report->step == CONFINE_LANDLOCK && report->item < plan_count(plan, PLAN_LANDLOCK))
		return plan_string(plan, plan_landlock(plan, report->item)->path);
	return "";
}

void life_tell_path(const struct supervisor *supervisor, uint32_t index,
		    const struct confine_report *report)
{
	const char *item = failed_item(supervisor->plan, report);

	if (*item)
		log_error("service: %s: %s: %s: %s", supervisor->world->services[index].name,
			  confine_step_name(report->step), item, log_errno(report->error));
}

/* Take what the report pipe holds. True: it is closed, the child executed, failed or was killed. */
static bool take_report(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];
	ssize_t size = read(state->report_fd, &life->report, sizeof life->report);

	if (size < 0 && errno == EAGAIN)
		return false;
	if (size != sizeof life->report)
		life->report = (struct confine_report){.step = CONFINE_NONE, .item = PLAN_NONE};
	life_unwatch(supervisor, &state->report_fd);
	if (life->report.step != CONFINE_NONE)
		life_tell_path(supervisor, index, &life->report);
	/* A child that is killed before its execve closes the pipe just as silently. */
	life->executed = life->report.step == CONFINE_NONE &&
			 process_has_executed(state->spawned_pid ? state->spawned_pid : state->pid);
	return true;
}

void life_report(struct supervisor *supervisor, uint32_t index, uint32_t generation)
{
	struct life *life = &supervisor->lives[index];
	const struct world_service *state = state_of(supervisor, index);

	if (state->report_fd < 0 || life->generation != generation ||
	    !take_report(supervisor, index) || !life->executed)
		return;
	if (plan_of(supervisor, index)->kind != PLAN_SERVICE_DAEMON ||
	    state->state != SERVICE_STARTING)
		return;
	ready_met(&supervisor->probes, index, PLAN_PROBE_EXEC, clock_boottime_ns());
	life_check_ready(supervisor, index);
}

void life_ready_written(struct supervisor *supervisor, uint32_t index, uint32_t generation)
{
	const struct world_service *state = state_of(supervisor, index);

	if (state->ready_fd < 0 || supervisor->lives[index].generation != generation)
		return;
	if (ready_fd_readable(&supervisor->probes, index, clock_boottime_ns()))
		life_check_ready(supervisor, index);
}

void life_check_ready(struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *service = plan_of(supervisor, index);
	const struct world_service *state = state_of(supervisor, index);

	if (state->state == SERVICE_STARTING && service->kind == PLAN_SERVICE_DAEMON &&
	    state->pid != 0 && state->report_fd < 0 && supervisor->lives[index].executed &&
	    service_probes_complete(service, state->probes_met))
		life_deliver(supervisor, index, SERVICE_READY);
	else
		life_touch(supervisor, index); /* other probes may have begun */
}

/* Processes of this life that the kernel killed for want of memory. */
static uint32_t oom_kills(struct supervisor *supervisor, uint32_t index)
{
	const struct world_service *state = &supervisor->world->services[index];
	uint64_t count;

	if (cgroup_oom_kills(life_group(supervisor, index), &count) != 0 ||
	    count < state->oom_kills_before)
		return 0;
	count -= state->oom_kills_before;
	return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

void life_main_ended(struct supervisor *supervisor, uint32_t index, const siginfo_t *info)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];
	siginfo_t reaped;

	if (state->report_fd >= 0)
		take_report(supervisor, index);
	bool told = state->state == SERVICE_STOPPING || state->flags & SERVICE_MARK_STOP;

	state->last_death = (struct world_death){
		.at_ns = clock_boottime_ns(),
		.code = info->si_code,
		.status = info->si_status,
		.error = life->report.step != CONFINE_NONE ? life->report.error : 0,
		.step = life->report.step,
		.reason = life->executed || told ? WORLD_REASON_NONE : WORLD_REASON_SPAWN,
		.oom_kills = oom_kills(supervisor, index),
	};
	fault_point("death: recorded");
	/*
	 * Only now may its pid be used again. Of a process that is not ours this is ECHILD, and its
	 * number may be that of a child already which is.
	 */
	if (state->pidfd >= 0)
		waitid((idtype_t)PROCESS_P_PIDFD, (id_t)state->pidfd, &reaped, WEXITED | WNOHANG);
	else
		waitid(P_PID, (id_t)state->pid, &reaped, WEXITED | WNOHANG);
	fault_point("death: reaped");
	life_forget_main(supervisor, index);
	task_drop_all(supervisor, index);
	life_finish(supervisor, index);
}

static bool has_ended(int pidfd)
{
	struct pollfd told = {.fd = pidfd, .events = POLLIN};

	return pidfd >= 0 && poll(&told, 1, 0) > 0;
}

/*
 * The pidfd of a main process that MAINPID= named: its parent may reap it instead of PID 1. Another
 * one may have been named since epoll told, or may be by what is still to be read.
 */
void life_main_gone(struct supervisor *supervisor, uint32_t index, uint32_t generation)
{
	const struct world_service *state = state_of(supervisor, index);
	siginfo_t info = {0};

	if (supervisor->lives[index].generation != generation || !has_ended(state->pidfd))
		return;
	hear_before_reaping(supervisor);
	if (!has_ended(state->pidfd))
		return;
	if (waitid((idtype_t)PROCESS_P_PIDFD, (id_t)state->pidfd, &info,
		   WEXITED | WNOHANG | WNOWAIT) < 0)
		info = (siginfo_t){0};
	life_main_ended(supervisor, index, &info);
}

/* ---- events ---- */

static unsigned long long ms(uint64_t ns)
{
	return ns / 1000000;
}

static void tell(const struct supervisor *supervisor, uint32_t index, uint32_t before,
		 enum service_event event)
{
	const struct plan_service *service = plan_of(supervisor, index);
	const struct world_service *state = &supervisor->world->services[index];
	char death[128], missing[PROBE_TEXT_BYTES];

	if (event == SERVICE_TIMEOUT && before == SERVICE_STARTING) {
		ready_missing(supervisor->plan, service, state->probes_met, missing,
			      sizeof missing);
		log_warning("service: %s: not ready within %llu ms, stopping it%s%s", state->name,
			    ms(service->start_timeout_ns), missing[0] ? ": not met: " : "",
			    missing);
	}
	if (event == SERVICE_TIMEOUT && before == SERVICE_STOPPING)
		log_warning("service: %s: not stopped within %llu ms, killing it", state->name,
			    ms(service->stop_timeout_ns));
	if (event == SERVICE_SICK && before == SERVICE_UP)
		log_warning("service: %s: %s failed, restarting it", state->name,
			    world_reason_name(state->reason));
	if (before == state->state)
		return;
	death_text(&state->last_death, death, sizeof death);
	switch (state->state) {
	case SERVICE_UP:
	case SERVICE_DONE:
		if (state->flags & SERVICE_MARK_SKIPPED)
			log_info("service: %s: nothing to do here: condition %u does not hold",
				 state->name, state->hook + 1);
		else
			log_info("service: %s: %s after %llu ms", state->name,
				 service_state_name(state->state),
				 ms(state->ready_ns - state->started_ns));
		break;
	case SERVICE_BACKOFF:
		if (event != SERVICE_NO_ROOM)
			log_warning("service: %s: %s, next try in %llu ms", state->name, death,
				    ms(state->deadline_ns - state->state_since_ns));
		break;
	case SERVICE_FAILED: log_error("service: %s: failed: %s", state->name, death); break;
	case SERVICE_DOWN:
		if (service_is_active(before))
			log_info("service: %s: down: %s", state->name, death);
		break;
	default: log_debug("service: %s: %s", state->name, service_state_name(state->state));
	}
}

/* For those who listen: every transition, and the kills that are none. */
static void note(struct supervisor *supervisor, uint32_t index, uint32_t before,
		 enum service_event event, uint64_t now_ns)
{
	const struct world_service *state = state_of(supervisor, index);
	bool died = event == SERVICE_LEFTOVERS || event == SERVICE_CLEANUP ||
		    (service_is_active(before) && !service_is_active(state->state));
	struct world_event noted = {
		.at_ns = now_ns,
		.service = index,
		.pid = state->pid,
		.kind = WORLD_EVENT_SERVICE,
		.from = (uint8_t)before,
		.to = (uint8_t)state->state,
		.event = (uint8_t)event,
		.reason = died ? state->last_death.reason : state->reason,
	};

	if (state->state == before && event != SERVICE_TIMEOUT)
		return;
	if (died) {
		noted.code = state->last_death.code;
		noted.status = state->last_death.status;
		noted.error = state->last_death.error;
		noted.step = state->last_death.step;
	}
	world_note(supervisor->world, &noted);
	if (state->state != before)
		timeline_point(&supervisor->world->timeline, TIMELINE_SERVICE, state->name,
			       (uint16_t)state->state, now_ns);
}

/* xorshift32: jitter, not secrets. */
static uint32_t next_random(struct supervisor *supervisor)
{
	uint32_t x = supervisor->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return supervisor->random = x;
}

/* What begins and ends with a state, "up" most of all. */
static void cross_up(struct supervisor *supervisor, uint32_t index, uint32_t before,
		     uint64_t now_ns)
{
	struct world_service *state = state_of(supervisor, index);

	if (before == SERVICE_UP && state->state != SERVICE_UP) {
		state->watchdog_deadline_ns = 0;
		life_reload_over(supervisor, index, -ECANCELED);
		task_drop_all(supervisor, index);
	}
	if (before != SERVICE_UP && state->state == SERVICE_UP)
		life_watchdog_start(supervisor, index);
	/* At rest: the next attempt that finds no room is worth a line again. */
	if (!service_is_active(state->state) && state->state != SERVICE_BACKOFF &&
	    state->state != SERVICE_WAITING)
		supervisor->lives[index].room_waits = 0;
	if (before != state->state)
		probes_changed(&supervisor->probes, index, before, now_ns);
}

void life_deliver(void *context, uint32_t index, enum service_event event)
{
	struct supervisor *supervisor = context;
	struct world_service *state = state_of(supervisor, index);
	uint32_t before = state->state;
	uint64_t now = clock_boottime_ns();
	uint32_t actions = service_apply(plan_of(supervisor, index), state, event, now,
					 next_random(supervisor));

	fault_point("life: applied");
	supervisor->dirty = true;
	note(supervisor, index, before, event, now);
	tell(supervisor, index, before, event);
	cross_up(supervisor, index, before, now);
	life_touch(supervisor, index);
	/*
	 * Each may find that nothing runs any more and deliver the end from here: at most one of
	 * them does, and it is the last thing that happens.
	 */
	if (actions & SERVICE_ACT_RELEASE)
		life_release(supervisor, index);
	if (actions & SERVICE_ACT_POST) {
		/* By whom it ended nobody knows: a group that was killed takes no `post` either. */
		supervisor->lives[index].group_killed |= plan_of(supervisor, index)->kill ==
							 PLAN_KILL_CGROUP;
		life_go_on(supervisor, index);
	}
	if (actions & SERVICE_ACT_SIGNAL)
		life_ask_to_stop(supervisor, index);
	if (actions & SERVICE_ACT_KILL)
		life_kill(supervisor, index);
	if (actions & SERVICE_ACT_SPAWN)
		life_start(supervisor, index);
}
