/* SPDX-License-Identifier: Apache-2.0 */
/* Commands around a service's life: `pre` before it, `post` after it, its reload while it is up. */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "svc/cgroup.h"
#include "svc/death.h"
#include "svc/group_signal.h"
#include "svc/log.h"
#include "svc/supervisor_state.h"

/*
 * How long after its reload signal a service may take to say RELOADING=1. One that says nothing is
 * taken at its silence: most daemons do not know the message.
 */
#define RELOAD_SILENCE_NS 500000000ull

static const char *stage_name(uint32_t stage)
{
	return stage == WORLD_STAGE_PRE ? "pre" : "post";
}

static uint32_t hook_command(const struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *service = plan_of(supervisor, index);
	const struct world_service *state = &supervisor->world->services[index];

	return (state->stage == WORLD_STAGE_PRE ? service->pre.first : service->post.first) +
	       state->hook;
}

/* Whether the life goes on after the hook that the world names has failed: `post` always does. */
static bool may_fail(const struct supervisor *supervisor, uint32_t index)
{
	return supervisor->world->services[index].stage == WORLD_STAGE_POST ||
	       plan_command(supervisor->plan, hook_command(supervisor, index))->flags &
		       PLAN_COMMAND_OPTIONAL;
}

static void tell_failure(const struct supervisor *supervisor, uint32_t index,
			 const struct world_death *death)
{
	const struct world_service *state = &supervisor->world->services[index];
	char text[128];

	death_text(death, text, sizeof text);
	log_warning("service: %s: %s: command %u: %s", state->name, stage_name(state->stage),
		    state->hook + 1, text);
}

int life_start_hook(struct supervisor *supervisor, uint32_t index)
{
	int error = task_start(supervisor, task_of_service(index), hook_command(supervisor, index));

	if (error == 0) {
		supervisor->lives[index].room_waits = 0;
		return 1;
	}
	if (spawn_is_transient(error) || !may_fail(supervisor, index))
		return error;
	tell_failure(supervisor, index,
		     &(struct world_death){.error = error, .step = CONFINE_CLONE});
	return 0;
}

/*
 * What a hook left running is not the service, which is still to come or is already gone. One by
 * one: into a group that was killed as a whole nobody can be born.
 */
static void clear_leftovers(struct supervisor *supervisor, uint32_t index)
{
	if (life_is_populated(supervisor, index))
		(void)group_signal(
			life_group(supervisor, index),
			plan_string(supervisor->plan, plan_of(supervisor, index)->cgroup), SIGKILL);
}

static void hook_ended(struct supervisor *supervisor, uint32_t index,
		       const struct world_death *death)
{
	struct world_service *state = state_of(supervisor, index);
	bool interrupted = state->stage == WORLD_STAGE_PRE && state->state != SERVICE_STARTING;

	if (!task_succeeded(death) && !interrupted)
		tell_failure(supervisor, index, death);
	if (interrupted || (!task_succeeded(death) && !may_fail(supervisor, index))) {
		state->last_death = *death;
		state->last_death.reason = interrupted ? WORLD_REASON_NONE : WORLD_REASON_PRE;
		life_finish(supervisor, index);
		return;
	}
	clear_leftovers(supervisor, index);
	state->hook++;
	life_go_on(supervisor, index);
}

static void reload_command_ended(struct supervisor *supervisor, uint32_t index,
				 const struct world_death *death)
{
	const struct world_service *state = state_of(supervisor, index);
	char text[128];

	supervisor->lives[index].reload_heard = false;
	if (task_succeeded(death)) {
		/* It may have been told only now, and say so itself. */
		if (!(state->flags & SERVICE_MARK_RELOADING))
			life_reload_over(supervisor, index, 0);
		return;
	}
	death_text(death, text, sizeof text);
	log_warning("service: %s: reload: %s", state->name, text);
	life_reload_over(supervisor, index, death->error == -ETIMEDOUT ? -ETIMEDOUT : -EIO);
}

void life_task_ended(struct supervisor *supervisor, uint32_t index, const struct world_death *death)
{
	const struct world_service *state = state_of(supervisor, index);

	if (!service_is_active(state->state))
		return;
	if (state->stage == WORLD_STAGE_MAIN && state->pid == 0)
		life_condition_answered(supervisor, index, death);
	else if (state->stage == WORLD_STAGE_MAIN)
		reload_command_ended(supervisor, index, death);
	else
		hook_ended(supervisor, index, death);
}

/* ---- reload ---- */

static int reload_by_command(struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *service = plan_of(supervisor, index);
	struct world_service *state = state_of(supervisor, index);
	int error = task_start(supervisor, task_of_service(index), service->reload_command);

	if (error != 0)
		return error;
	/* The task has its own deadline: this one is for a RELOADING=1 that no READY=1 follows. */
	state->reload_deadline_ns = clock_after_ns(
		clock_boottime_ns(),
		clock_after_ns(plan_command(supervisor->plan, service->reload_command)->timeout_ns,
			       service->start_timeout_ns));
	supervisor->lives[index].reload_heard = true;
	return -EINPROGRESS;
}

static bool speaks(const struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *service = plan_of(supervisor, index);

	for (uint32_t i = 0; i < service->probes.count; i++)
		if (plan_probe(supervisor->plan, service->probes.first + i)->kind ==
		    PLAN_PROBE_NOTIFY)
			return true;
	return false;
}

/* What a service says in MONOTONIC_USEC=. */
static uint64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int life_reload(struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *service = plan_of(supervisor, index);
	struct world_service *state = state_of(supervisor, index);
	int result = 0;

	if (service->reload_signal == 0 && service->reload_command == PLAN_NONE)
		return -ENOTSUP;
	if (state->state != SERVICE_UP)
		return -EHOSTDOWN;
	/* It has read the configuration of before perhaps: that is not what is asked for now. */
	if (task_running(supervisor, task_of_service(index)))
		return -EALREADY;
	supervisor->lives[index].reload_us = monotonic_us();
	if (service->reload_command != PLAN_NONE) {
		result = reload_by_command(supervisor, index);
	} else {
		life_signal(supervisor, index, (int)service->reload_signal);
		if (speaks(supervisor, index)) {
			life_reload_listen(supervisor, index);
			result = -EINPROGRESS;
		}
	}
	life_touch(supervisor, index);
	return result;
}

void life_reload_listen(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];

	life->reload_heard = life->reload_queued = false;
	state_of(supervisor, index)->reload_deadline_ns = clock_boottime_ns() + RELOAD_SILENCE_NS;
	life_touch(supervisor, index);
}

void life_reload_over(struct supervisor *supervisor, uint32_t index, int error)
{
	struct world_service *state = state_of(supervisor, index);

	if (state->reload_deadline_ns == 0)
		return;
	state->reload_deadline_ns = 0;
	supervisor->lives[index].reload_heard = false;
	life_touch(supervisor, index);
	control_server_reloaded(&supervisor->control, index, error, clock_boottime_ns());
}

void life_reload_late(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];
	bool busy = state->flags & SERVICE_MARK_RELOADING;
	bool failed = life->reload_heard || busy;

	/* Still at a reload of before the request: the one that was asked for comes after it. */
	if (busy && !life->reload_heard && !life->reload_queued) {
		life->reload_queued = true;
		state->reload_deadline_ns = clock_after_ns(
			clock_boottime_ns(), plan_of(supervisor, index)->start_timeout_ns);
		life_touch(supervisor, index);
		return;
	}
	if (failed) {
		log_warning("service: %s: reload: not done in time", state->name);
		state->flags &= ~SERVICE_MARK_RELOADING;
		task_drop(supervisor, task_of_service(index));
	}
	life_reload_over(supervisor, index, failed ? -ETIMEDOUT : 0);
}
