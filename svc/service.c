/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/service.h"

#include <stddef.h>
#include <sys/wait.h>

/* clone3(2) had no room: soon enough for a person, seldom enough for a machine short of memory. */
#define ROOM_WAIT_NS 100000000ull

_Static_assert(SERVICE_EVENT_COUNT == 11, "a new event is a new parameter of ROW");

/*
 * One row of the table. A cell that is missing is an argument too few, a row that is missing an
 * enumerator that the switch in service_next() does not handle: neither compiles.
 */
#define ROW(row, start, go, ready, stop, leftovers, done, down, retry, failed, no_room, timeout) \
	static const struct service_step row[SERVICE_EVENT_COUNT] = {                            \
		[SERVICE_START] = start,         [SERVICE_GO] = go,                              \
		[SERVICE_READY] = ready,         [SERVICE_STOP] = stop,                          \
		[SERVICE_LEFTOVERS] = leftovers, [SERVICE_ENDED_DONE] = done,                    \
		[SERVICE_ENDED_DOWN] = down,     [SERVICE_ENDED_RETRY] = retry,                  \
		[SERVICE_ENDED_FAILED] = failed, [SERVICE_NO_ROOM] = no_room,                    \
		[SERVICE_TIMEOUT] = timeout,                                                     \
	}

#define TO(to, act)                                     \
	{                                               \
		.state = SERVICE_##to, .actions = (act) \
	}
#define STAY(in) TO(in, 0)

#define OFF SERVICE_ACT_TIMER_OFF
#define GONE (SERVICE_ACT_RELEASE | SERVICE_ACT_TIMER_OFF)
#define AGAIN (SERVICE_ACT_COUNT | SERVICE_ACT_RELEASE | SERVICE_ACT_TIMER_BACKOFF)
#define ASK (SERVICE_ACT_SIGNAL | SERVICE_ACT_TIMER_STOP)
#define FORCE (SERVICE_ACT_KILL | SERVICE_ACT_TIMER_STOP)

/* clang-format off */
ROW(when_down,
	/* START   */ TO(WAITING, 0),
	/* GO      */ STAY(DOWN),
	/* READY   */ STAY(DOWN),
	/* STOP    */ STAY(DOWN),
	/* LEFT    */ STAY(DOWN),
	/* DONE    */ STAY(DOWN),
	/* DOWN    */ STAY(DOWN),
	/* RETRY   */ STAY(DOWN),
	/* FAILED  */ STAY(DOWN),
	/* NO_ROOM */ STAY(DOWN),
	/* TIMEOUT */ STAY(DOWN));

ROW(when_waiting,
	/* START   */ STAY(WAITING),
	/* GO      */ TO(STARTING, SERVICE_ACT_SPAWN | SERVICE_ACT_TIMER_START),
	/* READY   */ STAY(WAITING),
	/* STOP    */ TO(DOWN, OFF),
	/* LEFT    */ STAY(WAITING),
	/* DONE    */ STAY(WAITING),
	/* DOWN    */ STAY(WAITING),
	/* RETRY   */ STAY(WAITING),
	/* FAILED  */ STAY(WAITING),
	/* NO_ROOM */ STAY(WAITING),
	/* TIMEOUT */ STAY(WAITING));

ROW(when_starting,
	/* START   */ STAY(STARTING),
	/* GO      */ STAY(STARTING),
	/* READY   */ TO(UP, SERVICE_ACT_TIMER_STABLE),
	/* STOP    */ TO(STOPPING, ASK),
	/* LEFT    */ TO(STOPPING, FORCE),
	/* DONE    */ TO(DONE, SERVICE_ACT_RESET | GONE),
	/* DOWN    */ TO(DOWN, GONE),
	/* RETRY   */ TO(BACKOFF, AGAIN),
	/* FAILED  */ TO(FAILED, GONE),
	/* NO_ROOM */ TO(BACKOFF, SERVICE_ACT_RELEASE | SERVICE_ACT_TIMER_ROOM),
	/* TIMEOUT */ TO(STOPPING, SERVICE_ACT_BLAME | ASK));

ROW(when_up,
	/* START   */ STAY(UP),
	/* GO      */ STAY(UP),
	/* READY   */ STAY(UP),
	/* STOP    */ TO(STOPPING, ASK),
	/* LEFT    */ TO(STOPPING, FORCE),
	/* DONE    */ TO(DONE, SERVICE_ACT_RESET | GONE),
	/* DOWN    */ TO(DOWN, GONE),
	/* RETRY   */ TO(BACKOFF, AGAIN),
	/* FAILED  */ TO(FAILED, GONE),
	/* NO_ROOM */ STAY(UP),
	/* TIMEOUT */ TO(UP, SERVICE_ACT_RESET | OFF));

ROW(when_stopping,
	/* START   */ STAY(STOPPING),
	/* GO      */ STAY(STOPPING),
	/* READY   */ STAY(STOPPING),
	/* STOP    */ STAY(STOPPING),
	/* LEFT    */ TO(STOPPING, FORCE),
	/* DONE    */ TO(DONE, SERVICE_ACT_RESET | GONE),
	/* DOWN    */ TO(DOWN, GONE),
	/* RETRY   */ TO(BACKOFF, AGAIN),
	/* FAILED  */ TO(FAILED, GONE),
	/* NO_ROOM */ STAY(STOPPING),
	/* TIMEOUT */ TO(STOPPING, FORCE));

ROW(when_backoff,
	/* START   */ TO(WAITING, OFF),
	/* GO      */ STAY(BACKOFF),
	/* READY   */ STAY(BACKOFF),
	/* STOP    */ TO(DOWN, OFF),
	/* LEFT    */ STAY(BACKOFF),
	/* DONE    */ STAY(BACKOFF),
	/* DOWN    */ STAY(BACKOFF),
	/* RETRY   */ STAY(BACKOFF),
	/* FAILED  */ STAY(BACKOFF),
	/* NO_ROOM */ STAY(BACKOFF),
	/* TIMEOUT */ TO(WAITING, OFF));

ROW(when_failed,
	/* START   */ TO(WAITING, SERVICE_ACT_RESET),
	/* GO      */ STAY(FAILED),
	/* READY   */ STAY(FAILED),
	/* STOP    */ TO(DOWN, SERVICE_ACT_RESET),
	/* LEFT    */ STAY(FAILED),
	/* DONE    */ STAY(FAILED),
	/* DOWN    */ STAY(FAILED),
	/* RETRY   */ STAY(FAILED),
	/* FAILED  */ STAY(FAILED),
	/* NO_ROOM */ STAY(FAILED),
	/* TIMEOUT */ STAY(FAILED));

ROW(when_done,
	/* START   */ STAY(DONE),
	/* GO      */ STAY(DONE),
	/* READY   */ STAY(DONE),
	/* STOP    */ TO(DOWN, 0),
	/* LEFT    */ STAY(DONE),
	/* DONE    */ STAY(DONE),
	/* DOWN    */ STAY(DONE),
	/* RETRY   */ STAY(DONE),
	/* FAILED  */ STAY(DONE),
	/* NO_ROOM */ STAY(DONE),
	/* TIMEOUT */ STAY(DONE));
/* clang-format on */

struct service_step service_next(enum service_state state, enum service_event event)
{
	switch (state) {
	case SERVICE_DOWN: return when_down[event];
	case SERVICE_WAITING: return when_waiting[event];
	case SERVICE_STARTING: return when_starting[event];
	case SERVICE_UP: return when_up[event];
	case SERVICE_STOPPING: return when_stopping[event];
	case SERVICE_BACKOFF: return when_backoff[event];
	case SERVICE_FAILED: return when_failed[event];
	case SERVICE_DONE: return when_done[event];
	case SERVICE_STATE_COUNT: break;
	}
	return (struct service_step)STAY(FAILED); /* a number that is no state */
}

/* The absolute time of the timer that `actions` arm; `current` when they touch none. */
static uint64_t timer_deadline(const struct plan_service *service,
			       const struct world_service *state, uint32_t actions, uint64_t now_ns,
			       uint32_t random)
{
	if (actions & SERVICE_ACT_TIMER_START)
		return clock_after_ns(now_ns, service->start_timeout_ns);
	if (actions & SERVICE_ACT_TIMER_STABLE)
		return clock_after_ns(now_ns, service->stable_ns);
	if (actions & SERVICE_ACT_TIMER_STOP)
		return clock_after_ns(now_ns, service->stop_timeout_ns);
	if (actions & SERVICE_ACT_TIMER_BACKOFF)
		return clock_after_ns(now_ns, service_backoff_jitter(state->backoff_ns, random));
	if (actions & SERVICE_ACT_TIMER_ROOM)
		return now_ns + ROOM_WAIT_NS;
	if (actions & SERVICE_ACT_TIMER_OFF)
		return 0;
	return state->deadline_ns;
}

static void enter(struct world_service *state, enum service_state next, uint64_t now_ns)
{
	state->state = next;
	state->state_since_ns = now_ns;
	if (next == SERVICE_UP || next == SERVICE_DONE) {
		state->flags |= SERVICE_MARK_READY;
		state->ready_ns = now_ns;
	}
	if (next == SERVICE_STARTING) {
		state->flags &= ~(SERVICE_MARK_BLAMED | SERVICE_MARK_READY);
		state->probes_met = 0;
		state->status[0] = '\0';
	}
	if (next == SERVICE_DOWN)
		state->flags &= ~SERVICE_MARK_STOP;
	state->flags &= ~SERVICE_MARK_AGAIN;
}

uint32_t service_apply(const struct plan_service *service, struct world_service *state,
		       enum service_event event, uint64_t now_ns, uint32_t random)
{
	struct service_step step = service_next((enum service_state)state->state, event);

	if (event == SERVICE_ENDED_DOWN && service_is_active(state->state) &&
	    !(state->flags & (SERVICE_MARK_STOP | SERVICE_MARK_AGAIN)))
		state->wanted = 0;
	if (event == SERVICE_START && state->state == SERVICE_STOPPING)
		state->flags |= SERVICE_MARK_AGAIN;
	if (step.actions & SERVICE_ACT_RESET) {
		state->burst = 0;
		state->backoff_ns = 0;
	}
	if (step.actions & SERVICE_ACT_BLAME)
		state->flags |= SERVICE_MARK_BLAMED;
	if (step.actions & SERVICE_ACT_COUNT) {
		state->burst++;
		state->backoff_ns = service_backoff_next(service, state->backoff_ns);
	}
	state->deadline_ns = timer_deadline(service, state, step.actions, now_ns, random);
	if (step.state != state->state)
		enter(state, (enum service_state)step.state, now_ns);
	return step.actions &
	       (SERVICE_ACT_SPAWN | SERVICE_ACT_SIGNAL | SERVICE_ACT_KILL | SERVICE_ACT_RELEASE);
}

bool service_death_is_clean(const struct plan_service *service, const struct world_death *death)
{
	if (death->error != 0)
		return false;
	if (death->code == CLD_EXITED)
		return death->status == 0;
	return death->code == CLD_KILLED && (uint32_t)death->status == service->stop_signal;
}

static enum service_event retry_or_fail(const struct plan_service *service,
					const struct world_service *state)
{
	if (service->restart == PLAN_RESTART_NEVER)
		return SERVICE_ENDED_FAILED;
	if (service->burst != 0 && state->burst >= service->burst)
		return SERVICE_ENDED_FAILED;
	return SERVICE_ENDED_RETRY;
}

enum service_event service_verdict(const struct plan_service *service,
				   const struct world_service *state)
{
	const struct world_death *death = &state->last_death;
	bool in_time = !(state->flags & SERVICE_MARK_BLAMED);

	if (state->flags & SERVICE_MARK_STOP)
		return SERVICE_ENDED_DOWN;
	if (service->kind == PLAN_SERVICE_ONESHOT) {
		bool did_its_work = death->error == 0 && death->code == CLD_EXITED &&
				    death->status == 0 && in_time;

		if (did_its_work)
			return SERVICE_ENDED_DONE;
	}
	if (state->flags & SERVICE_MARK_AGAIN)
		return SERVICE_ENDED_DOWN;
	if (service->kind == PLAN_SERVICE_ONESHOT)
		return retry_or_fail(service, state);
	/* A daemon that ends before it is ready has failed, however politely it ends. */
	bool well = service_death_is_clean(service, death) && in_time &&
		    (state->flags & SERVICE_MARK_READY);
	if (well && service->restart != PLAN_RESTART_ALWAYS)
		return SERVICE_ENDED_DOWN;
	return retry_or_fail(service, state);
}

uint64_t service_backoff_next(const struct plan_service *service, uint64_t last_ns)
{
	uint64_t next = last_ns == 0 ? service->backoff_min_ns
				     : (last_ns > UINT64_MAX / 2 ? UINT64_MAX : last_ns * 2);

	if (next < service->backoff_min_ns)
		next = service->backoff_min_ns;
	return next > service->backoff_max_ns ? service->backoff_max_ns : next;
}

uint64_t service_backoff_jitter(uint64_t wait_ns, uint32_t random)
{
	/* In steps of 1/8192 of the wait, so that nothing overflows. */
	return wait_ns - wait_ns / 8192 * (random & 1023);
}

bool service_probes_complete(const struct plan_service *service, uint32_t probes_met)
{
	uint32_t all = service->probes.count >= 32 ? UINT32_MAX : (1u << service->probes.count) - 1;

	return (probes_met & all) == all;
}

const char *service_state_name(uint32_t state)
{
	static const char names[][12] = {
		[SERVICE_DOWN] = "down",         [SERVICE_WAITING] = "waiting",
		[SERVICE_STARTING] = "starting", [SERVICE_UP] = "up",
		[SERVICE_STOPPING] = "stopping", [SERVICE_BACKOFF] = "backoff",
		[SERVICE_FAILED] = "failed",     [SERVICE_DONE] = "done",
	};
	_Static_assert(sizeof names / sizeof names[0] == SERVICE_STATE_COUNT, "a name a state");

	return state < SERVICE_STATE_COUNT ? names[state] : "?";
}

const char *service_event_name(uint32_t event)
{
	static const char names[][14] = {
		[SERVICE_START] = "START",
		[SERVICE_GO] = "GO",
		[SERVICE_READY] = "READY",
		[SERVICE_STOP] = "STOP",
		[SERVICE_LEFTOVERS] = "LEFTOVERS",
		[SERVICE_ENDED_DONE] = "ENDED_DONE",
		[SERVICE_ENDED_DOWN] = "ENDED_DOWN",
		[SERVICE_ENDED_RETRY] = "ENDED_RETRY",
		[SERVICE_ENDED_FAILED] = "ENDED_FAILED",
		[SERVICE_NO_ROOM] = "NO_ROOM",
		[SERVICE_TIMEOUT] = "TIMEOUT",
	};
	_Static_assert(sizeof names / sizeof names[0] == SERVICE_EVENT_COUNT, "a name an event");

	return event < SERVICE_EVENT_COUNT ? names[event] : "?";
}
