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
 *   d down  w waiting  s starting  u up  o stopping  b backoff  f failed  n done
 *   + spawn  ! signal  x kill  - release  0 reset  c count  ^ blame
 *   timers: S start  T stable  P stop  B backoff  R room  . off
 */
static const char *const table[SERVICE_STATE_COUNT][SERVICE_EVENT_COUNT] = {
	/*             START GO     READY STOP   LEFT   DONE    DOWN   RETRY   FAILED NO_ROOM TIMEOUT */
	[SERVICE_DOWN] = {"w", "d", "d", "d", "d", "d", "d", "d", "d", "d", "d"},
	[SERVICE_WAITING] = {"w", "s+S", "w", "d.", "w", "w", "w", "w", "w", "w", "w"},
	[SERVICE_STARTING] = {"s", "s", "uT", "o!P", "oxP", "n0-.", "d-.", "bc-B", "f-.", "b-R",
			      "o^!P"},
	[SERVICE_UP] = {"u", "u", "u", "o!P", "oxP", "n0-.", "d-.", "bc-B", "f-.", "u", "u0."},
	[SERVICE_STOPPING] = {"o", "o", "o", "o", "oxP", "n0-.", "d-.", "bc-B", "f-.", "o", "oxP"},
	[SERVICE_BACKOFF] = {"w.", "b", "b", "d.", "b", "b", "b", "b", "b", "b", "w."},
	[SERVICE_FAILED] = {"w0", "f", "f", "d0", "f", "f", "f", "f", "f", "f", "f"},
	[SERVICE_DONE] = {"n", "n", "n", "d", "n", "n", "n", "n", "n", "n", "n"},
};

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
		{'.', SERVICE_ACT_TIMER_OFF},
	};

	for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
		if (letters[i].letter == letter)
			return letters[i].action;
	fail_msg("no action is written %c", letter);
	return 0;
}

static void every_cell_is_as_drawn(void **state)
{
	static const char states[] = "dwsuobfn";

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
			if (step.state != from && (is || step.state == SERVICE_BACKOFF))
				assert_true(step.actions &
					    (SERVICE_ACT_TIMER_START | SERVICE_ACT_TIMER_STABLE |
					     SERVICE_ACT_TIMER_STOP | SERVICE_ACT_TIMER_BACKOFF |
					     SERVICE_ACT_TIMER_ROOM));
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
	enum { D = PLAN_SERVICE_DAEMON, O = PLAN_SERVICE_ONESHOT };
	enum { N = PLAN_RESTART_NEVER, F = PLAN_RESTART_FAILURE, A = PLAN_RESTART_ALWAYS };
	enum { R = SERVICE_MARK_READY, M = SERVICE_MARK_STOP, B = SERVICE_MARK_BLAMED };
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
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct plan_service plan = plan_for(cases[i].kind, cases[i].restart,
						    cases[i].limit);
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
		cmocka_unit_test(the_wait_doubles_up_to_its_limit),
		cmocka_unit_test(jitter_takes_away_at_most_an_eighth),
		cmocka_unit_test(a_life_is_kept_account_of),
		cmocka_unit_test(a_stop_on_behalf_of_a_requirement_keeps_the_wish),
		cmocka_unit_test(a_span_beyond_any_clock_is_never_over),
		cmocka_unit_test(probes_are_complete_when_each_is_met),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
