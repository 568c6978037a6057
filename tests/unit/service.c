/* SPDX-License-Identifier: Apache-2.0 */
/* The service's state machine: every cell of the table, and the judgements around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "svc/service.h"

#define MS 1000000ull
#define S (1000 * MS)

/*
 * The whole table once more, as a reader would draw it: a row a state, a column an event, in the
 * order of enum service_event. The letter is the next state, what follows are the actions.
 *
 *   d down  w waiting  s starting  u up  o stopping  b backoff  f failed  n done  t scheduled
 *   + spawn  ! signal  x kill  - release  & post  0 reset  c count  ^ blame
 *   timers: S start  T stable  P stop  B backoff  R room  F first  N next  . off
 */
/* clang-format off */
static const char *const table[SERVICE_STATE_COUNT][SERVICE_EVENT_COUNT] = {
	[SERVICE_DOWN] =
		/* START  GO     READY  STOP   LEFT   DONE    DOWN   RETRY   FAILED NO_ROOM TIMEOUT */
		{"w",     "d",   "d",   "d",   "d",   "d",    "d",   "d",    "d",   "d",    "d.",
		/* SCHEDULE ..D SICK    ENDING CLEANUP */
		 "tF",    "d",  "d",    "d",   "d"},
	[SERVICE_WAITING] =
		{"w",     "s+S", "w",   "d.",  "w",   "w",    "w",   "w",    "w",   "w",    "w.",
		 "w",     "w",  "w",    "w",   "w"},
	[SERVICE_STARTING] =
		{"s",     "s",   "uT",  "o!P", "oxP", "n0-.", "d-.", "bc-B", "f-.", "b-R",  "o^!P",
		 "s",     "t0-N", "s",  "oP",  "o&P"},
	[SERVICE_UP] =
		{"u",     "u",   "u",   "o!P", "oxP", "n0-.", "d-.", "bc-B", "f-.", "u",    "u0.",
		 "u",     "t0-N", "o^!P", "oP", "o&P"},
	[SERVICE_STOPPING] =
		{"o",     "o",   "o",   "o",   "oxP", "n0-.", "d-.", "bc-B", "f-.", "o",    "oxP",
		 "o",     "t0-N", "o",  "o",   "o&P"},
	[SERVICE_BACKOFF] =
		{"w.",    "b",   "b",   "d.",  "b",   "b",    "b",   "b",    "b",   "b",    "w.",
		 "b",     "b",  "b",    "b",   "b"},
	[SERVICE_FAILED] =
		{"w0",    "f",   "f",   "d0",  "f",   "f",    "f",   "f",    "f",   "f",    "f.",
		 "t0F",   "f",  "f",    "f",   "f"},
	[SERVICE_DONE] =
		{"n",     "n",   "n",   "d",   "n",   "n",    "n",   "n",    "n",   "n",    "n.",
		 "n",     "n",  "n",    "n",   "n"},
	[SERVICE_SCHEDULED] =
		{"w.",    "t",   "t",   "d.",  "t",   "t",    "t",   "t",    "t",   "t",    "w.",
		 "t",     "t",  "t",    "t",   "t"},
};
/* clang-format on */

static uint32_t action_of(char letter)
{
	static const struct {
		char letter;
		uint32_t action;
	} letters[] = {
		{'+', SERVICE_ACT_SPAWN},         {'!', SERVICE_ACT_SIGNAL},
		{'x', SERVICE_ACT_KILL},          {'-', SERVICE_ACT_RELEASE},
		{'0', SERVICE_ACT_RESET},         {'c', SERVICE_ACT_COUNT},
		{'^', SERVICE_ACT_BLAME},         {'S', SERVICE_ACT_TIMER_START},
		{'T', SERVICE_ACT_TIMER_STABLE},  {'P', SERVICE_ACT_TIMER_STOP},
		{'B', SERVICE_ACT_TIMER_BACKOFF}, {'R', SERVICE_ACT_TIMER_ROOM},
		{'.', SERVICE_ACT_TIMER_OFF},     {'F', SERVICE_ACT_TIMER_FIRST},
		{'N', SERVICE_ACT_TIMER_NEXT},    {'&', SERVICE_ACT_POST},
	};

	for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
		if (letters[i].letter == letter)
			return letters[i].action;
	fail_msg("no action is written %c", letter);
	return 0;
}

static void every_cell_is_as_drawn(void **state)
{
	static const char states[] = "dwsuobfnt";

	(void)state;
	for (uint32_t from = 0; from < SERVICE_STATE_COUNT; from++) {
		for (uint32_t event = 0; event < SERVICE_EVENT_COUNT; event++) {
			const char *cell = table[from][event];
			struct service_step step = service_next((enum service_state)from,
								(enum service_event)event);
			uint32_t actions = 0;

			assert_non_null(cell);
			for (const char *at = cell + 1; *at; at++)
				actions |= action_of(*at);
			if (step.state != (uint32_t)(strchr(states, cell[0]) - states) ||
			    step.actions != actions)
				fail_msg("%s on %s: to %s with actions %#x, drawn as %s",
					 service_state_name(from), service_event_name(event),
					 service_state_name(step.state), step.actions, cell);
		}
	}
}

/* Whatever happens in whatever order: rules that no sequence may break. */
static void no_step_breaks_a_rule(void **state)
{
	(void)state;
	for (uint32_t from = 0; from < SERVICE_STATE_COUNT; from++) {
		for (uint32_t event = 0; event < SERVICE_EVENT_COUNT; event++) {
			struct service_step step = service_next((enum service_state)from,
								(enum service_event)event);
			bool was = service_is_active(from), is = service_is_active(step.state);
			bool spawns = step.actions & SERVICE_ACT_SPAWN;
			bool releases = step.actions & SERVICE_ACT_RELEASE;

			assert_true(step.state < SERVICE_STATE_COUNT);
			/* A process exists exactly between a spawn and a release. */
			assert_int_equal(spawns, !was && is);
			assert_int_equal(releases, was && !is);
			/* Nothing is signalled or killed where nothing runs. */
			if (step.actions & (SERVICE_ACT_SIGNAL | SERVICE_ACT_KILL))
				assert_true(was && is);
			/* Whoever waits for time has a timer. */
			if (step.state != from && (is || step.state == SERVICE_BACKOFF ||
						   step.state == SERVICE_SCHEDULED))
				assert_true(step.actions &
					    (SERVICE_ACT_TIMER_START | SERVICE_ACT_TIMER_STABLE |
					     SERVICE_ACT_TIMER_STOP | SERVICE_ACT_TIMER_BACKOFF |
					     SERVICE_ACT_TIMER_ROOM | SERVICE_ACT_TIMER_FIRST |
					     SERVICE_ACT_TIMER_NEXT));
			/* Whoever leaves for where nothing is waited for has none. */
			if (step.state != from && !is && step.state != SERVICE_BACKOFF &&
			    step.state != SERVICE_SCHEDULED &&
			    (was || from == SERVICE_BACKOFF || from == SERVICE_SCHEDULED))
				assert_true(step.actions & SERVICE_ACT_TIMER_OFF);
		}
	}
}

static struct plan_service plan_for(uint32_t kind, uint32_t restart, uint32_t burst)
{
	return (struct plan_service){
		.kind = kind,
		.restart = restart,
		.burst = burst,
		.stop_signal = 15,
		.start_timeout_ns = 30 * S,
		.stop_timeout_ns = 10 * S,
		.backoff_min_ns = 100 * MS,
		.backoff_max_ns = 1 * S,
		.stable_ns = 5 * S,
	};
}

static void the_end_is_judged_by_kind_policy_and_circumstances(void **state)
{
	enum { D = PLAN_SERVICE_DAEMON, O = PLAN_SERVICE_ONESHOT, T = PLAN_SERVICE_TIMER };
	enum { N = PLAN_RESTART_NEVER, F = PLAN_RESTART_FAILURE, A = PLAN_RESTART_ALWAYS };
	enum { R = SERVICE_MARK_READY, M = SERVICE_MARK_STOP, B = SERVICE_MARK_BLAMED };
	enum { AG = SERVICE_MARK_AGAIN, SK = SERVICE_MARK_SKIPPED };
	static const struct {
		const char *what;
		uint32_t kind, restart, limit, burst, flags;
		int code, status, error;
		enum service_event verdict;
	} cases[] = {
		{"told to stop", D, A, 0, 0, R | M, CLD_KILLED, 15, 0, SERVICE_ENDED_DOWN},
		{"told to stop, died badly", D, A, 0, 0, R | M, CLD_DUMPED, 11, 0,
		 SERVICE_ENDED_DOWN},
		{"always, ended well", D, A, 0, 0, R, CLD_EXITED, 0, 0, SERVICE_ENDED_RETRY},
		{"always, ended badly", D, A, 0, 0, R, CLD_EXITED, 1, 0, SERVICE_ENDED_RETRY},
		{"failure, ended well", D, F, 0, 0, R, CLD_EXITED, 0, 0, SERVICE_ENDED_DOWN},
		{"failure, the stop signal by hand", D, F, 0, 0, R, CLD_KILLED, 15, 0,
		 SERVICE_ENDED_DOWN},
		{"failure, another signal", D, F, 0, 0, R, CLD_KILLED, 9, 0, SERVICE_ENDED_RETRY},
		{"failure, well but never ready", D, F, 0, 0, 0, CLD_EXITED, 0, 0,
		 SERVICE_ENDED_RETRY},
		{"failure, well but too slow", D, F, 0, 0, B, CLD_KILLED, 15, 0,
		 SERVICE_ENDED_RETRY},
		{"never, ended well", D, N, 0, 0, R, CLD_EXITED, 0, 0, SERVICE_ENDED_DOWN},
		{"never, ended badly", D, N, 0, 0, R, CLD_EXITED, 2, 0, SERVICE_ENDED_FAILED},
		{"never, did not start", D, N, 0, 0, 0, 0, 0, -2, SERVICE_ENDED_FAILED},
		{"always, did not start", D, A, 0, 0, 0, 0, 0, -2, SERVICE_ENDED_RETRY},
		{"not started, and killed by the stop signal", D, F, 0, 0, R, CLD_KILLED, 15, -2,
		 SERVICE_ENDED_RETRY},
		{"below the burst", D, A, 3, 2, R, CLD_EXITED, 1, 0, SERVICE_ENDED_RETRY},
		{"burst spent", D, A, 3, 3, R, CLD_EXITED, 1, 0, SERVICE_ENDED_FAILED},
		{"burst spent, told to stop", D, A, 3, 3, M, CLD_EXITED, 1, 0, SERVICE_ENDED_DOWN},
		{"no limit", D, A, 0, 1000, R, CLD_EXITED, 1, 0, SERVICE_ENDED_RETRY},
		{"oneshot, done", O, N, 0, 0, 0, CLD_EXITED, 0, 0, SERVICE_ENDED_DONE},
		{"oneshot, always, done", O, A, 0, 0, 0, CLD_EXITED, 0, 0, SERVICE_ENDED_DONE},
		{"oneshot, never, bad", O, N, 0, 0, 0, CLD_EXITED, 1, 0, SERVICE_ENDED_FAILED},
		{"oneshot, failure, bad", O, F, 0, 0, 0, CLD_KILLED, 15, 0, SERVICE_ENDED_RETRY},
		{"oneshot, too slow", O, N, 0, 0, B, CLD_EXITED, 0, 0, SERVICE_ENDED_FAILED},
		{"oneshot, exec failed", O, N, 0, 0, 0, CLD_EXITED, 0, -8, SERVICE_ENDED_FAILED},
		{"oneshot, done, asked for again", O, N, 0, 0, AG, CLD_EXITED, 0, 0,
		 SERVICE_ENDED_DONE},
		{"oneshot, bad, asked for again", O, N, 0, 0, AG, CLD_EXITED, 1, 0,
		 SERVICE_ENDED_DOWN},
		{"oneshot, how is not known", O, F, 0, 0, 0, 0, 0, 0, SERVICE_ENDED_RETRY},
		{"never, bad, asked for again", D, N, 0, 0, R | AG, CLD_EXITED, 1, 0,
		 SERVICE_ENDED_DOWN},
		{"a clean status", D, F, 0, 0, R, CLD_EXITED, 143, 0, SERVICE_ENDED_DOWN},
		{"a clean status below the others", D, F, 0, 0, R, CLD_EXITED, 3, 0,
		 SERVICE_ENDED_DOWN},
		{"a clean status that is a signal", D, F, 0, 0, R, CLD_KILLED, 3, 0,
		 SERVICE_ENDED_RETRY},
		{"a clean status, always", D, A, 0, 0, R, CLD_EXITED, 143, 0, SERVICE_ENDED_RETRY},
		{"a clean status, sick", D, F, 0, 0, R | B, CLD_EXITED, 143, 0,
		 SERVICE_ENDED_RETRY},
		{"oneshot, a clean status", O, N, 0, 0, 0, CLD_EXITED, 143, 0, SERVICE_ENDED_DONE},
		{"a final status", D, A, 0, 0, R, CLD_EXITED, 78, 0, SERVICE_ENDED_FAILED},
		{"a final status before it is ready", D, F, 0, 0, 0, CLD_EXITED, 78, 0,
		 SERVICE_ENDED_FAILED},
		{"a final status that is a signal", D, A, 0, 0, R, CLD_KILLED, 78, 0,
		 SERVICE_ENDED_RETRY},
		{"a final status, asked for again", D, A, 0, 0, R | AG, CLD_EXITED, 78, 0,
		 SERVICE_ENDED_DOWN},
		{"a clean and final status, always", D, A, 0, 0, R, CLD_EXITED, 255, 0,
		 SERVICE_ENDED_DOWN},
		{"a clean and final status, not ready", D, A, 0, 0, 0, CLD_EXITED, 255, 0,
		 SERVICE_ENDED_FAILED},
		{"oneshot, a final status", O, F, 0, 0, 0, CLD_EXITED, 78, 0, SERVICE_ENDED_FAILED},
		{"oneshot, a clean and final status", O, F, 0, 0, 0, CLD_EXITED, 255, 0,
		 SERVICE_ENDED_DONE},
		{"nothing to do", D, A, 0, 0, SK, CLD_EXITED, 1, 0, SERVICE_ENDED_DONE},
		{"nothing to do, told to stop", D, A, 0, 0, SK | M, CLD_EXITED, 1, 0,
		 SERVICE_ENDED_DOWN},
		{"timer, nothing to do", T, N, 0, 0, SK, CLD_EXITED, 1, 0, SERVICE_ENDED_SCHEDULED},
		{"timer, well", T, N, 0, 0, 0, CLD_EXITED, 0, 0, SERVICE_ENDED_SCHEDULED},
		{"timer, bad", T, N, 0, 0, 0, CLD_EXITED, 1, 0, SERVICE_ENDED_SCHEDULED},
		{"timer, exec failed", T, F, 1, 1, 0, 0, 0, -2, SERVICE_ENDED_SCHEDULED},
		{"timer, too slow", T, F, 1, 1, B, CLD_KILLED, 15, 0, SERVICE_ENDED_SCHEDULED},
		{"timer, told to stop", T, F, 0, 0, M, CLD_KILLED, 15, 0, SERVICE_ENDED_DOWN},
		{"timer, asked for again", T, F, 0, 0, AG, CLD_EXITED, 0, 0, SERVICE_ENDED_DOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct plan_service plan = plan_for(cases[i].kind, cases[i].restart,
						    cases[i].limit);

		plan.timer_every_ns = cases[i].kind == T ? 60 * S : 0;
		plan.exits_clean[0] = UINT64_C(1) << 3;
		plan.exits_clean[143 / 64] = UINT64_C(1) << 143 % 64;
		plan.exits_final[78 / 64] = UINT64_C(1) << 78 % 64;
		plan.exits_clean[3] = plan.exits_final[3] = UINT64_C(1) << 63;
		struct world_service service = {
			.burst = cases[i].burst,
			.flags = cases[i].flags,
			.last_death = {.code = cases[i].code,
				       .status = cases[i].status,
				       .error = cases[i].error},
		};
		enum service_event verdict = service_verdict(&plan, &service);

		if (verdict != cases[i].verdict)
			fail_msg("%s: %s", cases[i].what, service_event_name(verdict));
	}
}

static void a_failed_pre_is_never_work_done(void **state)
{
	struct plan_service plan = plan_for(PLAN_SERVICE_ONESHOT, PLAN_RESTART_FAILURE, 0);
	struct world_service service = {
		.flags = SERVICE_MARK_READY,
		.last_death = {.code = CLD_EXITED, .reason = WORLD_REASON_PRE},
	};

	(void)state;
	assert_int_equal(service_verdict(&plan, &service), SERVICE_ENDED_RETRY);
	plan.kind = PLAN_SERVICE_DAEMON;
	assert_int_equal(service_verdict(&plan, &service), SERVICE_ENDED_RETRY);
	/* What a status says is said of the main process. */
	plan.exits_final[0] = 1u << 1;
	service.last_death.status = 1;
	assert_int_equal(service_verdict(&plan, &service), SERVICE_ENDED_RETRY);
}

static void a_timer_without_a_next_run_is_a_oneshot(void **state)
{
	struct plan_service plan = plan_for(PLAN_SERVICE_TIMER, PLAN_RESTART_FAILURE, 2);
	struct world_service service = {.last_death = {.code = CLD_EXITED}};

	(void)state;
	assert_int_equal(service_verdict(&plan, &service), SERVICE_ENDED_DONE);
	service.last_death.status = 1;
	assert_int_equal(service_verdict(&plan, &service), SERVICE_ENDED_RETRY);
	service.burst = 2;
	assert_int_equal(service_verdict(&plan, &service), SERVICE_ENDED_FAILED);
}

static void a_timer_keeps_its_times(void **state)
{
	struct plan_service plan = plan_for(PLAN_SERVICE_TIMER, PLAN_RESTART_NEVER, 0);
	struct world_service service = {.state = SERVICE_DOWN, .wanted = 1};

	(void)state;
	plan.timer_first_ns = 10 * S;
	plan.timer_every_ns = 100 * S;
	service_apply(&plan, &service, SERVICE_SCHEDULE, 1 * S, 1023);
	assert_int_equal(service.state, SERVICE_SCHEDULED);
	assert_int_equal(service.deadline_ns, 11 * S);
	service_apply(&plan, &service, SERVICE_TIMEOUT, 11 * S, 0);
	assert_int_equal(service.state, SERVICE_WAITING);
	assert_int_equal(service.deadline_ns, 0);
	assert_int_equal(service_apply(&plan, &service, SERVICE_GO, 12 * S, 0), SERVICE_ACT_SPAWN);
	assert_int_equal(service_apply(&plan, &service, SERVICE_ENDED_SCHEDULED, 20 * S, 0),
			 SERVICE_ACT_RELEASE);
	assert_int_equal(service.deadline_ns, 120 * S);
	/* The jitter is added, and is at most what the plan says. */
	plan.timer_jitter_ns = 8 * S;
	service.state = SERVICE_DOWN;
	service_apply(&plan, &service, SERVICE_SCHEDULE, 1 * S, 0);
	assert_int_equal(service.deadline_ns, 11 * S);
	service.state = SERVICE_DOWN;
	service_apply(&plan, &service, SERVICE_SCHEDULE, 1 * S, UINT32_MAX);
	assert_in_range(service.deadline_ns, 11 * S + 7 * S, 11 * S + 8 * S);
	service.state = SERVICE_STOPPING;
	service_apply(&plan, &service, SERVICE_ENDED_SCHEDULED, 1 * S, 512);
	assert_in_range(service.deadline_ns, 101 * S + 3 * S, 101 * S + 5 * S);
}

static void a_reason_is_given_for_every_end(void **state)
{
	enum { U = SERVICE_UP, G = SERVICE_STARTING, P = SERVICE_STOPPING };
	enum { STOP = SERVICE_MARK_STOP };
	static const struct {
		const char *what;
		uint32_t in, flags, reason;
		struct world_death death;
		int first; /* an event before it ends; -1: none */
		uint32_t expected;
	} cases[] = {
		{"crash", U, 0, 0, {.code = CLD_DUMPED, .status = 11}, -1, WORLD_REASON_ITSELF},
		{"crash while it waits to be told",
		 U,
		 STOP,
		 WORLD_REASON_REQUIREMENT,
		 {.code = CLD_DUMPED, .status = 11},
		 -1,
		 WORLD_REASON_ITSELF},
		{"leftovers, then told",
		 U,
		 0,
		 0,
		 {.code = CLD_EXITED},
		 SERVICE_LEFTOVERS,
		 WORLD_REASON_ITSELF},
		{"told by name",
		 P,
		 STOP,
		 WORLD_REASON_REQUEST,
		 {.code = CLD_KILLED, .status = 15},
		 -1,
		 WORLD_REASON_REQUEST},
		{"told, and killed when it did not",
		 P,
		 STOP,
		 WORLD_REASON_SHUTDOWN,
		 {.code = CLD_KILLED, .status = 9},
		 SERVICE_TIMEOUT,
		 WORLD_REASON_STOP_TIMEOUT},
		{"not ready in time",
		 G,
		 0,
		 0,
		 {.code = CLD_KILLED, .status = 15},
		 SERVICE_TIMEOUT,
		 WORLD_REASON_START_TIMEOUT},
		{"not ready in time, and killed when it did not end",
		 P,
		 0,
		 WORLD_REASON_START_TIMEOUT,
		 {.code = CLD_KILLED, .status = 9},
		 SERVICE_TIMEOUT,
		 WORLD_REASON_START_TIMEOUT},
		{"sick",
		 U,
		 0,
		 WORLD_REASON_LIVENESS,
		 {.code = CLD_EXITED},
		 SERVICE_SICK,
		 WORLD_REASON_LIVENESS},
		{"its dog barked",
		 U,
		 0,
		 WORLD_REASON_WATCHDOG,
		 {.code = CLD_DUMPED, .status = 6},
		 SERVICE_SICK,
		 WORLD_REASON_WATCHDOG},
		{"it said so", U, 0, 0, {.code = CLD_EXITED}, SERVICE_ENDING, WORLD_REASON_ITSELF},
		{"no memory",
		 U,
		 0,
		 0,
		 {.code = CLD_KILLED, .status = 9, .oom_kills = 1},
		 -1,
		 WORLD_REASON_OOM},
		{"a child had no memory, it went on",
		 U,
		 0,
		 0,
		 {.code = CLD_EXITED, .status = 1, .oom_kills = 1},
		 -1,
		 WORLD_REASON_ITSELF},
		{"killed by somebody",
		 U,
		 0,
		 0,
		 {.code = CLD_KILLED, .status = 9},
		 -1,
		 WORLD_REASON_ITSELF},
		{"not executed", G, 0, 0, {.error = -2}, -1, WORLD_REASON_SPAWN},
		{"whoever recorded it knew",
		 G,
		 0,
		 0,
		 {.code = CLD_EXITED, .status = 1, .reason = WORLD_REASON_PRE},
		 -1,
		 WORLD_REASON_PRE},
		{"nobody knows", U, 0, 0, {.reason = WORLD_REASON_LOST}, -1, WORLD_REASON_LOST},
	};
	struct plan_service plan = plan_for(PLAN_SERVICE_DAEMON, PLAN_RESTART_ALWAYS, 0);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct world_service service = {
			.state = cases[i].in,
			.wanted = 1,
			.flags = cases[i].flags,
			.reason = cases[i].reason,
		};

		if (cases[i].first == SERVICE_LEFTOVERS)
			service.last_death = cases[i].death;
		if (cases[i].first >= 0)
			service_apply(&plan, &service, (enum service_event)cases[i].first, 1, 0);
		if (cases[i].first != SERVICE_LEFTOVERS)
			service.last_death = cases[i].death;
		service_apply(&plan, &service, service_verdict(&plan, &service), 2, 0);
		if (service.last_death.reason != cases[i].expected)
			fail_msg("%s: %u", cases[i].what, service.last_death.reason);
		/* Who was to be stopped has that reason, too, until its next life. */
		if (service.reason != (cases[i].flags & STOP && cases[i].first < 0
					       ? cases[i].reason
					       : cases[i].expected))
			fail_msg("%s: of the stop: %u", cases[i].what, service.reason);
	}
}

static void an_end_that_comes_too_late_says_nothing(void **state)
{
	struct plan_service plan = plan_for(PLAN_SERVICE_DAEMON, PLAN_RESTART_ALWAYS, 0);
	struct world_service service = {.state = SERVICE_BACKOFF, .wanted = 1, .deadline_ns = 5};

	(void)state;
	assert_int_equal(service_apply(&plan, &service, SERVICE_ENDED_RETRY, 1 * S, 0), 0);
	assert_int_equal(service.last_death.reason, WORLD_REASON_NONE);
	assert_int_equal(service_apply(&plan, &service, SERVICE_ENDED_DOWN, 1 * S, 0), 0);
	assert_int_equal(service.wanted, 1);
	assert_int_equal(service.deadline_ns, 5);
	assert_int_equal(service.restarts, 0);
}

static void post_comes_between_the_end_and_its_verdict(void **state)
{
	struct plan_service plan = plan_for(PLAN_SERVICE_DAEMON, PLAN_RESTART_ALWAYS, 0);
	struct world_service service = {.state = SERVICE_WAITING, .wanted = 1};

	(void)state;
	plan.pre.count = plan.post.count = 2;
	service.hook = 7;
	service.probes_met = 3;
	service_apply(&plan, &service, SERVICE_GO, 1 * S, 0);
	assert_int_equal(service.probes_met, 0);
	assert_int_equal(service.stage, WORLD_STAGE_PRE);
	assert_int_equal(service.hook, 0);
	service.stage = WORLD_STAGE_MAIN;
	service_apply(&plan, &service, SERVICE_READY, 2 * S, 0);
	assert_true(service_needs_cleanup(&plan, &service));
	service.last_death = (struct world_death){.code = CLD_EXITED, .status = 1};
	service.hook = 1;
	assert_int_equal(service_apply(&plan, &service, SERVICE_CLEANUP, 3 * S, 0),
			 SERVICE_ACT_POST);
	assert_int_equal(service.state, SERVICE_STOPPING);
	assert_int_equal(service.stage, WORLD_STAGE_POST);
	assert_int_equal(service.hook, 0);
	assert_int_equal(service.deadline_ns, 13 * S);
	assert_false(service_needs_cleanup(&plan, &service));
	/* A command of `post` that takes too long says nothing about why the service ended. */
	assert_int_equal(service_apply(&plan, &service, SERVICE_TIMEOUT, 13 * S, 0),
			 SERVICE_ACT_KILL);
	assert_int_equal(service_verdict(&plan, &service), SERVICE_ENDED_RETRY);
	service_apply(&plan, &service, SERVICE_ENDED_RETRY, 14 * S, 0);
	assert_int_equal(service.last_death.reason, WORLD_REASON_ITSELF);
	assert_int_equal(service.reason, WORLD_REASON_ITSELF);
	assert_int_equal(service.stage, WORLD_STAGE_MAIN);
	assert_int_equal(service.restarts, 1);
	/* Each life has its own. */
	service_apply(&plan, &service, SERVICE_TIMEOUT, 15 * S, 0);
	service_apply(&plan, &service, SERVICE_GO, 15 * S, 0);
	assert_true(service_needs_cleanup(&plan, &service));
	assert_int_equal(service.reason, WORLD_REASON_NONE);
	/* There is nothing to clean up after what was not begun, or does not run. */
	service.flags |= SERVICE_MARK_SKIPPED;
	assert_false(service_needs_cleanup(&plan, &service));
	service.flags = 0;
	service.state = SERVICE_BACKOFF;
	assert_false(service_needs_cleanup(&plan, &service));
	service.state = SERVICE_UP;
	plan.post.count = 0;
	assert_false(service_needs_cleanup(&plan, &service));
}

static void who_has_nothing_to_do_keeps_its_last_death(void **state)
{
	struct plan_service plan = plan_for(PLAN_SERVICE_DAEMON, PLAN_RESTART_ALWAYS, 0);
	struct world_service service = {
		.state = SERVICE_WAITING,
		.wanted = 1,
		.last_death = {.code = CLD_EXITED, .status = 4},
	};

	(void)state;
	service_apply(&plan, &service, SERVICE_GO, 1 * S, 0);
	service.flags |= SERVICE_MARK_SKIPPED;
	service_apply(&plan, &service, service_verdict(&plan, &service), 2 * S, 0);
	assert_int_equal(service.state, SERVICE_DONE);
	assert_true(service.flags & SERVICE_MARK_SKIPPED);
	assert_int_equal(service.last_death.reason, WORLD_REASON_NONE);
	assert_int_equal(service.wanted, 1);
	/* Looked at again in the next life. */
	service.state = SERVICE_WAITING;
	service_apply(&plan, &service, SERVICE_GO, 3 * S, 0);
	assert_false(service.flags & SERVICE_MARK_SKIPPED);
}

static void a_reload_ends_with_the_life(void **state)
{
	struct plan_service plan = plan_for(PLAN_SERVICE_DAEMON, PLAN_RESTART_ALWAYS, 0);
	struct world_service service = {.state = SERVICE_UP, .flags = SERVICE_MARK_RELOADING};

	(void)state;
	service_apply(&plan, &service, SERVICE_TIMEOUT, 1 * S, 0);
	assert_true(service.flags & SERVICE_MARK_RELOADING);
	service_apply(&plan, &service, SERVICE_STOP, 2 * S, 0);
	assert_false(service.flags & SERVICE_MARK_RELOADING);
}

static void the_wait_doubles_up_to_its_limit(void **state)
{
	static const struct {
		uint64_t last, next;
	} cases[] = {
		{0, 100 * MS},           {100 * MS, 200 * MS},        {200 * MS, 400 * MS},
		{400 * MS, 800 * MS},    {800 * MS, 1000 * MS},       {1000 * MS, 1000 * MS},
		{UINT64_MAX, 1000 * MS}, {UINT64_MAX / 2, 1000 * MS}, {1, 100 * MS},
	};
	struct plan_service plan = plan_for(PLAN_SERVICE_DAEMON, PLAN_RESTART_ALWAYS, 0);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(service_backoff_next(&plan, cases[i].last), cases[i].next);
}

static void jitter_takes_away_at_most_an_eighth(void **state)
{
	static const uint64_t waits[] = {0, 1, 8191, 100 * MS, 10 * S, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		for (uint32_t random = 0; random < 4096; random += 7) {
			uint64_t wait = service_backoff_jitter(waits[i], random);

			assert_true(wait <= waits[i]);
			assert_true(wait >= waits[i] - waits[i] / 8);
		}
	}
	assert_int_equal(service_backoff_jitter(10 * S, 0), 10 * S);
	assert_true(service_backoff_jitter(10 * S, 1023) < 9 * S);
}

static void a_life_is_kept_account_of(void **state)
{
	struct plan_service plan = plan_for(PLAN_SERVICE_DAEMON, PLAN_RESTART_ALWAYS, 3);
	struct world_service service = {.state = SERVICE_DOWN, .wanted = 1, .status = "old"};

	(void)state;
	assert_int_equal(service_apply(&plan, &service, SERVICE_START, 1 * S, 0), 0);
	assert_int_equal(service_apply(&plan, &service, SERVICE_GO, 2 * S, 0), SERVICE_ACT_SPAWN);
	assert_int_equal(service.deadline_ns, 32 * S);
	assert_string_equal(service.status, "");
	assert_int_equal(service_apply(&plan, &service, SERVICE_READY, 3 * S, 0), 0);
	assert_int_equal(service.ready_ns, 3 * S);
	assert_int_equal(service.deadline_ns, 8 * S);
	assert_int_equal(service_apply(&plan, &service, SERVICE_ENDED_RETRY, 4 * S, 0),
			 SERVICE_ACT_RELEASE);
	assert_int_equal(service.burst, 1);
	assert_int_equal(service.backoff_ns, 100 * MS);
	assert_int_equal(service.deadline_ns, 4 * S + 100 * MS);
	assert_int_equal(service_apply(&plan, &service, SERVICE_TIMEOUT, 5 * S, 0), 0);
	assert_int_equal(service.state, SERVICE_WAITING);
	assert_int_equal(service.deadline_ns, 0);
	service_apply(&plan, &service, SERVICE_GO, 6 * S, 0);
	assert_int_equal(service.flags & SERVICE_MARK_READY, 0);
	service_apply(&plan, &service, SERVICE_READY, 7 * S, 0);
	service_apply(&plan, &service, SERVICE_TIMEOUT, 12 * S, 0);
	assert_int_equal(service.state, SERVICE_UP);
	assert_int_equal(service.burst, 0);
	assert_int_equal(service.backoff_ns, 0);
	assert_int_equal(service.deadline_ns, 0);
	/* It ends well by itself: nobody wants it up any more. */
	service_apply(&plan, &service, SERVICE_ENDED_DOWN, 13 * S, 0);
	assert_int_equal(service.state, SERVICE_DOWN);
	assert_int_equal(service.wanted, 0);
}

static void a_stop_on_behalf_of_a_requirement_keeps_the_wish(void **state)
{
	struct plan_service plan = plan_for(PLAN_SERVICE_DAEMON, PLAN_RESTART_FAILURE, 0);
	struct world_service service = {
		.state = SERVICE_UP, .wanted = 1, .flags = SERVICE_MARK_STOP | SERVICE_MARK_READY};

	(void)state;
	assert_int_equal(service_apply(&plan, &service, SERVICE_STOP, 1 * S, 0),
			 SERVICE_ACT_SIGNAL);
	assert_int_equal(service.deadline_ns, 11 * S);
	assert_int_equal(service_apply(&plan, &service, SERVICE_TIMEOUT, 11 * S, 0),
			 SERVICE_ACT_KILL);
	assert_int_equal(service.deadline_ns, 21 * S);
	service_apply(&plan, &service, SERVICE_ENDED_DOWN, 12 * S, 0);
	assert_int_equal(service.wanted, 1);
	assert_int_equal(service.flags & SERVICE_MARK_STOP, 0);
}

static void a_span_beyond_any_clock_is_never_over(void **state)
{
	struct plan_service service = {
		.start_timeout_ns = UINT64_MAX,
		.stable_ns = UINT64_MAX - 1,
		.stop_timeout_ns = UINT64_MAX,
	};
	struct world_service world = {.state = SERVICE_WAITING, .wanted = 1};
	static const enum service_event events[] = {SERVICE_GO, SERVICE_READY, SERVICE_STOP,
						    SERVICE_TIMEOUT};

	(void)state;
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		service_apply(&service, &world, events[i], 5 * S, 0);
		assert_true(world.deadline_ns == UINT64_MAX);
	}
}

static void probes_are_complete_when_each_is_met(void **state)
{
	struct plan_service plan = {.probes = {.first = 5, .count = 3}};

	(void)state;
	assert_false(service_probes_complete(&plan, 3));
	assert_true(service_probes_complete(&plan, 7));
	assert_true(service_probes_complete(&plan, 15));
	plan.probes.count = 32;
	assert_false(service_probes_complete(&plan, UINT32_MAX - 1));
	assert_true(service_probes_complete(&plan, UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_as_drawn),
		cmocka_unit_test(no_step_breaks_a_rule),
		cmocka_unit_test(the_end_is_judged_by_kind_policy_and_circumstances),
		cmocka_unit_test(a_failed_pre_is_never_work_done),
		cmocka_unit_test(a_timer_without_a_next_run_is_a_oneshot),
		cmocka_unit_test(a_timer_keeps_its_times),
		cmocka_unit_test(a_reason_is_given_for_every_end),
		cmocka_unit_test(an_end_that_comes_too_late_says_nothing),
		cmocka_unit_test(post_comes_between_the_end_and_its_verdict),
		cmocka_unit_test(who_has_nothing_to_do_keeps_its_last_death),
		cmocka_unit_test(a_reload_ends_with_the_life),
		cmocka_unit_test(the_wait_doubles_up_to_its_limit),
		cmocka_unit_test(jitter_takes_away_at_most_an_eighth),
		cmocka_unit_test(a_life_is_kept_account_of),
		cmocka_unit_test(a_stop_on_behalf_of_a_requirement_keeps_the_wish),
		cmocka_unit_test(a_span_beyond_any_clock_is_never_over),
		cmocka_unit_test(probes_are_complete_when_each_is_met),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
