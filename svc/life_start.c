/* SPDX-License-Identifier: Apache-2.0 */
/* How a service's life begins: its conditions, its hooks, its process, and the waits for room. */
#include <errno.h>
#include <sys/wait.h>

#include "svc/log.h"
#include "svc/spawn.h"
#include "svc/supervisor_state.h"

/* Waits for room: soon at first, then seldom enough for a machine that is short of memory. */
#define ROOM_FIRST_NS 20000000ull
#define ROOM_DOUBLINGS 7u

/* ---- the stages ---- */

/* Nothing was spawned, by `step`: the service ended before it began. */
static void start_failed(struct supervisor *supervisor, uint32_t index, enum confine_step step,
			 int error, enum world_reason reason)
{
	struct world_service *state = state_of(supervisor, index);

	if (reason == WORLD_REASON_SPAWN)
		state->starts++;
	if (step == CONFINE_CGROUP ||
	    step == CONFINE_DEVICES) /* nothing can run beside it, and nothing ran */
		state->flags |= SERVICE_MARK_CLEANED;
	state->last_death = (struct world_death){
		.at_ns = clock_boottime_ns(), .error = error, .step = step, .reason = reason};
	life_finish(supervisor, index);
}

static uint64_t room_wait_ns(uint32_t tries)
{
	return ROOM_FIRST_NS << (tries < ROOM_DOUBLINGS ? tries : ROOM_DOUBLINGS);
}

/*
 * The kernel had no room for a process. Where nothing of this life has run yet, it begins anew
 * later; a life that has begun waits where it is. Said once for a row of attempts: room may be short
 * for long.
 */
static void no_room(struct supervisor *supervisor, uint32_t index, int error)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];
	bool begun = state->stage == WORLD_STAGE_POST || state->hook != 0 ||
		     (state->stage == WORLD_STAGE_MAIN &&
		      plan_of(supervisor, index)->pre.count != 0);

	if (life->room_waits == 0)
		log_warning("service: %s: no room for a process, waiting for it: %s", state->name,
			    log_errno(error));
	uint64_t wait_ns = room_wait_ns(life->room_waits++);

	if (begun) {
		life->retry_ns = clock_boottime_ns() + wait_ns;
	} else {
		life_deliver(supervisor, index, SERVICE_NO_ROOM);
		if (state->state == SERVICE_BACKOFF)
			state->deadline_ns = state->state_since_ns + wait_ns;
	}
	life_touch(supervisor, index);
}

static void go_on_with_hooks(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);
	struct plan_list hooks = state->stage == WORLD_STAGE_PRE ? plan_of(supervisor, index)->pre
								 : plan_of(supervisor, index)->post;
	int started = 0;

	while (started == 0 && state->hook < hooks.count) {
		started = life_start_hook(supervisor, index);
		if (started == 0)
			state->hook++;
	}
	if (started < 0 && spawn_is_transient(started))
		no_room(supervisor, index, started);
	else if (started < 0)
		start_failed(supervisor, index, CONFINE_CLONE, started, WORLD_REASON_PRE);
	else if (started == 0 && state->stage == WORLD_STAGE_POST)
		life_finish(supervisor, index);
}

void life_go_on(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];

	if (state->stage != WORLD_STAGE_MAIN)
		go_on_with_hooks(supervisor, index);
	if (state->state != SERVICE_STARTING || life->retry_ns != 0 ||
	    task_running(supervisor, task_of_service(index)))
		return;
	state->stage = WORLD_STAGE_MAIN;
	state->hook = 0;
	int error = life_spawn_main(supervisor, index);

	if (error != 0 && spawn_is_transient(error))
		no_room(supervisor, index, error);
	else if (error != 0)
		start_failed(supervisor, index, CONFINE_CLONE, error, WORLD_REASON_SPAWN);
	else
		life->room_waits = 0;
}

/* ---- the conditions ---- */

static void begin(struct supervisor *supervisor, uint32_t index)
{
	enum confine_step step;
	int error = life_make_group(supervisor, index, &step);

	if (error == 0)
		life_go_on(supervisor, index);
	else if (spawn_is_transient(error))
		no_room(supervisor, index, error);
	else
		start_failed(supervisor, index, step, error, WORLD_REASON_SPAWN);
}

/* There is nothing to do on this machine. */
static void skip(struct supervisor *supervisor, uint32_t index, uint32_t number)
{
	struct world_service *state = state_of(supervisor, index);

	state->flags |= SERVICE_MARK_SKIPPED;
	state->hook = number;
	life_deliver(supervisor, index, service_verdict(plan_of(supervisor, index), state));
}

/* The world's words for a life that begins, when those for a condition are no longer needed. */
static void set_first_stage(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);

	state->stage = plan_of(supervisor, index)->pre.count != 0 ? WORLD_STAGE_PRE
								  : WORLD_STAGE_MAIN;
	state->hook = 0;
}

/* The rest of the conditions, from `number` on; then the life begins. */
static void judge(struct supervisor *supervisor, uint32_t index, uint32_t number)
{
	const struct plan *plan = supervisor->plan;
	const struct plan_service *service = plan_of(supervisor, index);
	struct world_service *state = state_of(supervisor, index);
	int holds = conditions_hold(plan, service->conditions, &supervisor->facts,
				    condition_path_exists, &number);

	set_first_stage(supervisor, index);
	if (holds >= 0) {
		if (holds)
			begin(supervisor, index);
		else
			skip(supervisor, index, number);
		return;
	}
	/* A path that PID 1 cannot look up without waiting: while a child does, the stage says so. */
	const struct plan_condition *asked = plan_condition(plan,
							    service->conditions.first + number);
	int error = task_ask(supervisor, task_of_service(index), condition_path_exists_slowly,
			     plan_string(plan, asked->value), service->start_timeout_ns);

	if (error != 0) {
		no_room(supervisor, index, error);
		return;
	}
	state->stage = WORLD_STAGE_MAIN;
	state->hook = number;
}

bool life_is_judging(const struct supervisor *supervisor, uint32_t index)
{
	const struct world_service *state = &supervisor->world->services[index];

	return state->stage == WORLD_STAGE_MAIN && state->pid == 0 &&
	       task_running(supervisor, task_of_service(index));
}

void life_condition_answered(struct supervisor *supervisor, uint32_t index,
			     const struct world_death *death)
{
	const struct plan_service *service = plan_of(supervisor, index);
	uint32_t number = state_of(supervisor, index)->hook;
	bool exists = death->error == 0 && death->code == CLD_EXITED && death->status == 1;
	bool not = plan_condition(supervisor->plan, service->conditions.first + number)->flags &
		   PLAN_CONDITION_NOT;

	if (exists == not )
		skip(supervisor, index, number);
	else
		judge(supervisor, index, number + 1);
}

void life_start(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];

	life->generation = (life->generation + 1) & SUPERVISOR_GENERATION_MASK;
	life->report = (struct confine_report){.step = CONFINE_NONE, .item = PLAN_NONE};
	life->executed = false;
	life->retry_ns = 0;
	judge(supervisor, index, 0);
}
