/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/service.h"

#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

/* clone3(2) had no room: soon enough for a person, seldom enough for a machine short of memory. */
#define ROOM_WAIT_NS 100000000ull

_Static_assert(SERVICE_EVENT_COUNT == 16, "a new event is a new parameter of ROW");

/*
 * One row of the table. A cell that is missing is an argument too few, a row that is missing an
 * enumerator that the switch in service_next() does not handle: neither compiles.
 */
#define ROW(row, start, go, ready, stop, leftovers, done, down, retry, failed, no_room, timeout, \
	    schedule, scheduled, sick, ending, cleanup)                                          \
	static const struct service_step row[SERVICE_EVENT_COUNT] = {                            \
		[SERVICE_START] = start,                                                         \
		[SERVICE_GO] = go,                                                               \
		[SERVICE_READY] = ready,                                                         \
		[SERVICE_STOP] = stop,                                                           \
		[SERVICE_LEFTOVERS] = leftovers,                                                 \
		[SERVICE_ENDED_DONE] = done,                                                     \
		[SERVICE_ENDED_DOWN] = down,                                                     \
		[SERVICE_ENDED_RETRY] = retry,                                                   \
		[SERVICE_ENDED_FAILED] = failed,                                                 \
		[SERVICE_NO_ROOM] = no_room,                                                     \
		[SERVICE_TIMEOUT] = timeout,                                                     \
		[SERVICE_SCHEDULE] = schedule,                                                   \
		[SERVICE_ENDED_SCHEDULED] = scheduled,                                           \
		[SERVICE_SICK] = sick,                                                           \
		[SERVICE_ENDING] = ending,                                                       \
		[SERVICE_CLEANUP] = cleanup,                                                     \
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
#define RESTING (SERVICE_ACT_RESET | SERVICE_ACT_RELEASE | SERVICE_ACT_TIMER_NEXT)
#define POST (SERVICE_ACT_POST | SERVICE_ACT_TIMER_STOP)
#define FORCE (SERVICE_ACT_KILL | SERVICE_ACT_TIMER_STOP)

/* clang-format off */
ROW(when_down,
	/* START     */ TO(WAITING, 0),
	/* GO        */ STAY(DOWN),
	/* READY     */ STAY(DOWN),
	/* STOP      */ STAY(DOWN),
	/* LEFT      */ STAY(DOWN),
	/* DONE      */ STAY(DOWN),
	/* DOWN      */ STAY(DOWN),
	/* RETRY     */ STAY(DOWN),
	/* FAILED    */ STAY(DOWN),
	/* NO_ROOM   */ STAY(DOWN),
	/* TIMEOUT   */ TO(DOWN, OFF),
	/* SCHEDULE  */ TO(SCHEDULED, SERVICE_ACT_TIMER_FIRST),
	/* SCHEDULED */ STAY(DOWN),
	/* SICK      */ STAY(DOWN),
	/* ENDING    */ STAY(DOWN),
	/* CLEANUP   */ STAY(DOWN));

ROW(when_waiting,
	/* START     */ STAY(WAITING),
	/* GO        */ TO(STARTING, SERVICE_ACT_SPAWN | SERVICE_ACT_TIMER_START),
	/* READY     */ STAY(WAITING),
	/* STOP      */ TO(DOWN, OFF),
	/* LEFT      */ STAY(WAITING),
	/* DONE      */ STAY(WAITING),
	/* DOWN      */ STAY(WAITING),
	/* RETRY     */ STAY(WAITING),
	/* FAILED    */ STAY(WAITING),
	/* NO_ROOM   */ STAY(WAITING),
	/* TIMEOUT   */ TO(WAITING, OFF),
	/* SCHEDULE  */ STAY(WAITING),
	/* SCHEDULED */ STAY(WAITING),
	/* SICK      */ STAY(WAITING),
	/* ENDING    */ STAY(WAITING),
	/* CLEANUP   */ STAY(WAITING));

ROW(when_starting,
	/* START     */ STAY(STARTING),
	/* GO        */ STAY(STARTING),
	/* READY     */ TO(UP, SERVICE_ACT_TIMER_STABLE),
	/* STOP      */ TO(STOPPING, ASK),
	/* LEFT      */ TO(STOPPING, FORCE),
	/* DONE      */ TO(DONE, SERVICE_ACT_RESET | GONE),
	/* DOWN      */ TO(DOWN, GONE),
	/* RETRY     */ TO(BACKOFF, AGAIN),
	/* FAILED    */ TO(FAILED, GONE),
	/* NO_ROOM   */ TO(BACKOFF, SERVICE_ACT_RELEASE | SERVICE_ACT_TIMER_ROOM),
	/* TIMEOUT   */ TO(STOPPING, SERVICE_ACT_BLAME | ASK),
	/* SCHEDULE  */ STAY(STARTING),
	/* SCHEDULED */ TO(SCHEDULED, RESTING),
	/* SICK      */ STAY(STARTING),
	/* ENDING    */ TO(STOPPING, SERVICE_ACT_TIMER_STOP),
	/* CLEANUP   */ TO(STOPPING, POST));

ROW(when_up,
	/* START     */ STAY(UP),
	/* GO        */ STAY(UP),
	/* READY     */ STAY(UP),
	/* STOP      */ TO(STOPPING, ASK),
	/* LEFT      */ TO(STOPPING, FORCE),
	/* DONE      */ TO(DONE, SERVICE_ACT_RESET | GONE),
	/* DOWN      */ TO(DOWN, GONE),
	/* RETRY     */ TO(BACKOFF, AGAIN),
	/* FAILED    */ TO(FAILED, GONE),
	/* NO_ROOM   */ STAY(UP),
	/* TIMEOUT   */ TO(UP, SERVICE_ACT_RESET | OFF),
	/* SCHEDULE  */ STAY(UP),
	/* SCHEDULED */ TO(SCHEDULED, RESTING),
	/* SICK      */ TO(STOPPING, SERVICE_ACT_BLAME | ASK),
	/* ENDING    */ TO(STOPPING, SERVICE_ACT_TIMER_STOP),
	/* CLEANUP   */ TO(STOPPING, POST));

ROW(when_stopping,
	/* START     */ STAY(STOPPING),
	/* GO        */ STAY(STOPPING),
	/* READY     */ STAY(STOPPING),
	/* STOP      */ STAY(STOPPING),
	/* LEFT      */ TO(STOPPING, FORCE),
	/* DONE      */ TO(DONE, SERVICE_ACT_RESET | GONE),
	/* DOWN      */ TO(DOWN, GONE),
	/* RETRY     */ TO(BACKOFF, AGAIN),
	/* FAILED    */ TO(FAILED, GONE),
	/* NO_ROOM   */ STAY(STOPPING),
	/* TIMEOUT   */ TO(STOPPING, FORCE),
	/* SCHEDULE  */ STAY(STOPPING),
	/* SCHEDULED */ TO(SCHEDULED, RESTING),
	/* SICK      */ STAY(STOPPING),
	/* ENDING    */ STAY(STOPPING),
	/* CLEANUP   */ TO(STOPPING, POST));

ROW(when_backoff,
	/* START     */ TO(WAITING, OFF),
	/* GO        */ STAY(BACKOFF),
	/* READY     */ STAY(BACKOFF),
	/* STOP      */ TO(DOWN, OFF),
	/* LEFT      */ STAY(BACKOFF),
	/* DONE      */ STAY(BACKOFF),
	/* DOWN      */ STAY(BACKOFF),
	/* RETRY     */ STAY(BACKOFF),
	/* FAILED    */ STAY(BACKOFF),
	/* NO_ROOM   */ STAY(BACKOFF),
	/* TIMEOUT   */ TO(WAITING, OFF),
	/* SCHEDULE  */ STAY(BACKOFF),
	/* SCHEDULED */ STAY(BACKOFF),
	/* SICK      */ STAY(BACKOFF),
	/* ENDING    */ STAY(BACKOFF),
	/* CLEANUP   */ STAY(BACKOFF));

ROW(when_failed,
	/* START     */ TO(WAITING, SERVICE_ACT_RESET),
	/* GO        */ STAY(FAILED),
	/* READY     */ STAY(FAILED),
	/* STOP      */ TO(DOWN, SERVICE_ACT_RESET),
	/* LEFT      */ STAY(FAILED),
	/* DONE      */ STAY(FAILED),
	/* DOWN      */ STAY(FAILED),
	/* RETRY     */ STAY(FAILED),
	/* FAILED    */ STAY(FAILED),
	/* NO_ROOM   */ STAY(FAILED),
	/* TIMEOUT   */ TO(FAILED, OFF),
	/* SCHEDULE  */ TO(SCHEDULED, SERVICE_ACT_RESET | SERVICE_ACT_TIMER_FIRST),
	/* SCHEDULED */ STAY(FAILED),
	/* SICK      */ STAY(FAILED),
	/* ENDING    */ STAY(FAILED),
	/* CLEANUP   */ STAY(FAILED));

ROW(when_done,
	/* START     */ STAY(DONE),
	/* GO        */ STAY(DONE),
	/* READY     */ STAY(DONE),
	/* STOP      */ TO(DOWN, 0),
	/* LEFT      */ STAY(DONE),
	/* DONE      */ STAY(DONE),
	/* DOWN      */ STAY(DONE),
	/* RETRY     */ STAY(DONE),
	/* FAILED    */ STAY(DONE),
	/* NO_ROOM   */ STAY(DONE),
	/* TIMEOUT   */ TO(DONE, OFF),
	/* SCHEDULE  */ STAY(DONE),
	/* SCHEDULED */ STAY(DONE),
	/* SICK      */ STAY(DONE),
	/* ENDING    */ STAY(DONE),
	/* CLEANUP   */ STAY(DONE));

ROW(when_scheduled,
	/* START     */ TO(WAITING, OFF),
	/* GO        */ STAY(SCHEDULED),
	/* READY     */ STAY(SCHEDULED),
	/* STOP      */ TO(DOWN, OFF),
	/* LEFT      */ STAY(SCHEDULED),
	/* DONE      */ STAY(SCHEDULED),
	/* DOWN      */ STAY(SCHEDULED),
	/* RETRY     */ STAY(SCHEDULED),
	/* FAILED    */ STAY(SCHEDULED),
	/* NO_ROOM   */ STAY(SCHEDULED),
	/* TIMEOUT   */ TO(WAITING, OFF),
	/* SCHEDULE  */ STAY(SCHEDULED),
	/* SCHEDULED */ STAY(SCHEDULED),
	/* SICK      */ STAY(SCHEDULED),
	/* ENDING    */ STAY(SCHEDULED),
	/* CLEANUP   */ STAY(SCHEDULED));
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
	case SERVICE_SCHEDULED: return when_scheduled[event];
	case SERVICE_STATE_COUNT: break;
	}
	return (struct service_step)STAY(FAILED); /* a number that is no state */
}

/* A timer's wait: the jitter spreads the runs of a fleet. */
static uint64_t timer_wait(const struct plan_service *service, uint64_t wait_ns, uint32_t random)
{
	return clock_after_ns(wait_ns, service->timer_jitter_ns / 1024 * (random & 1023));
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
	if (actions & SERVICE_ACT_TIMER_FIRST)
		return clock_after_ns(now_ns, timer_wait(service, service->timer_first_ns, random));
	if (actions & SERVICE_ACT_TIMER_NEXT)
		return clock_after_ns(now_ns, timer_wait(service, service->timer_every_ns, random));
	if (actions & SERVICE_ACT_TIMER_ROOM)
		return now_ns + ROOM_WAIT_NS;
	if (actions & SERVICE_ACT_TIMER_OFF)
		return 0;
	return state->deadline_ns;
}

/* A service begins a life: nothing that was said of the last one holds. */
static void begin(const struct plan_service *service, struct world_service *state)
{
	state->flags &= ~(SERVICE_MARK_BLAMED | SERVICE_MARK_READY | SERVICE_MARK_SKIPPED |
			  SERVICE_MARK_CLEANED | SERVICE_MARK_NOW);
	state->probes_met = 0;
	state->status[0] = '\0';
	state->notify_errno = 0;
	state->reloading_us = 0;
	state->reason = WORLD_REASON_NONE;
	state->stage = service->pre.count != 0 ? WORLD_STAGE_PRE : WORLD_STAGE_MAIN;
	state->hook = 0;
}

static void enter(const struct plan_service *service, struct world_service *state,
		  enum service_state next, uint64_t now_ns)
{
	state->state = next;
	state->state_since_ns = now_ns;
	state->flags &= ~(SERVICE_MARK_AGAIN | SERVICE_MARK_RELOADING);
	if (next == SERVICE_UP || next == SERVICE_DONE) {
		state->flags |= SERVICE_MARK_READY;
		state->ready_ns = now_ns;
	}
	if (next == SERVICE_STARTING)
		begin(service, state);
	if (!service_is_active(next)) {
		state->stage = WORLD_STAGE_MAIN;
		/* Which condition did not hold is told on; no command is under way. */
		if (!(state->flags & SERVICE_MARK_SKIPPED))
			state->hook = 0;
	}
	if (next == SERVICE_DOWN)
		state->flags &= ~SERVICE_MARK_STOP;
	if (next == SERVICE_SCHEDULED)
		state->flags &= ~SERVICE_MARK_NOW;
}

/* Being killed for being slow says more than who asked it to stop, but less than what it did. */
static bool is_plain_stop(uint32_t reason)
{
	return reason == WORLD_REASON_NONE || reason == WORLD_REASON_ITSELF ||
	       reason == WORLD_REASON_REQUEST || reason == WORLD_REASON_REQUIREMENT ||
	       reason == WORLD_REASON_CONFLICT || reason == WORLD_REASON_SHUTDOWN;
}

/* Nothing but its end can happen to the main process any more: say why it ended, if nobody did. */
static void explain_death(struct world_service *state)
{
	struct world_death *death = &state->last_death;
	bool told = state->state == SERVICE_STOPPING && state->reason != WORLD_REASON_NONE;
	bool killed = death->code == CLD_KILLED && death->status == SIGKILL;

	if (state->flags & SERVICE_MARK_SKIPPED)
		return;
	if (death->reason == WORLD_REASON_NONE && death->error != 0)
		death->reason = WORLD_REASON_SPAWN;
	else if (death->reason == WORLD_REASON_NONE && told)
		death->reason = state->reason;
	else if (death->reason == WORLD_REASON_NONE)
		death->reason = killed && death->oom_kills != 0 ? WORLD_REASON_OOM
								: WORLD_REASON_ITSELF;
	if (state->state != SERVICE_STOPPING && !(state->flags & SERVICE_MARK_STOP))
		state->reason = death->reason;
}

static void give_reasons(struct world_service *state, enum service_event event)
{
	if (!service_is_active(state->state))
		return;
	switch (event) {
	case SERVICE_TIMEOUT:
		if (state->state == SERVICE_STARTING)
			state->reason = WORLD_REASON_START_TIMEOUT;
		else if (state->state == SERVICE_STOPPING && state->stage != WORLD_STAGE_POST &&
			 is_plain_stop(state->reason))
			state->reason = WORLD_REASON_STOP_TIMEOUT;
		break;
	case SERVICE_ENDING:
		if (state->state != SERVICE_STOPPING)
			state->reason = WORLD_REASON_ITSELF;
		break;
	case SERVICE_LEFTOVERS:
	case SERVICE_CLEANUP:
	case SERVICE_ENDED_DONE:
	case SERVICE_ENDED_DOWN:
	case SERVICE_ENDED_RETRY:
	case SERVICE_ENDED_FAILED:
	case SERVICE_ENDED_SCHEDULED: explain_death(state); break;
	default: break;
	}
}

static void mark(struct world_service *state, enum service_event event)
{
	if (event == SERVICE_ENDED_DOWN && service_is_active(state->state) &&
	    !(state->flags & (SERVICE_MARK_STOP | SERVICE_MARK_AGAIN)))
		state->wanted = 0;
	if (event == SERVICE_START && state->state == SERVICE_STOPPING)
		state->flags |= SERVICE_MARK_AGAIN;
	if (event == SERVICE_CLEANUP && service_is_active(state->state)) {
		state->flags |= SERVICE_MARK_CLEANED;
		state->stage = WORLD_STAGE_POST;
		state->hook = 0;
	}
}

uint32_t service_apply(const struct plan_service *service, struct world_service *state,
		       enum service_event event, uint64_t now_ns, uint32_t random)
{
	struct service_step step = service_next((enum service_state)state->state, event);

	give_reasons(state, event);
	mark(state, event);
	if (step.actions & SERVICE_ACT_RESET) {
		state->burst = 0;
		state->backoff_ns = 0;
	}
	if (step.actions & SERVICE_ACT_BLAME)
		state->flags |= SERVICE_MARK_BLAMED;
	if (step.actions & SERVICE_ACT_COUNT) {
		state->restarts++;
		state->burst++;
		state->backoff_ns = service_backoff_next(service, state->backoff_ns);
	}
	state->deadline_ns = timer_deadline(service, state, step.actions, now_ns, random);
	if (step.state != state->state)
		enter(service, state, (enum service_state)step.state, now_ns);
	return step.actions & (SERVICE_ACT_SPAWN | SERVICE_ACT_SIGNAL | SERVICE_ACT_KILL |
			       SERVICE_ACT_RELEASE | SERVICE_ACT_POST);
}

const char *service_state_name(uint32_t state)
{
	static const char names[][12] = {
		[SERVICE_DOWN] = "down",           [SERVICE_WAITING] = "waiting",
		[SERVICE_STARTING] = "starting",   [SERVICE_UP] = "up",
		[SERVICE_STOPPING] = "stopping",   [SERVICE_BACKOFF] = "backoff",
		[SERVICE_FAILED] = "failed",       [SERVICE_DONE] = "done",
		[SERVICE_SCHEDULED] = "scheduled",
	};
	_Static_assert(sizeof names / sizeof names[0] == SERVICE_STATE_COUNT, "a name a state");

	return state < SERVICE_STATE_COUNT ? names[state] : "?";
}

const char *service_event_name(uint32_t event)
{
	static const char names[][16] = {
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
		[SERVICE_SCHEDULE] = "SCHEDULE",
		[SERVICE_ENDED_SCHEDULED] = "ENDED_SCHEDULED",
		[SERVICE_SICK] = "SICK",
		[SERVICE_ENDING] = "ENDING",
		[SERVICE_CLEANUP] = "CLEANUP",
	};
	_Static_assert(sizeof names / sizeof names[0] == SERVICE_EVENT_COUNT, "a name an event");

	return event < SERVICE_EVENT_COUNT ? names[event] : "?";
}
