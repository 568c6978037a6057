/* SPDX-License-Identifier: Apache-2.0 */
/* The table of reconcile.h, and its rules over all of its inputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "svc/reconcile.h"

#define NO RECONCILE_NONE
#define LIVES RECONCILE_LIVES
#define ENDED RECONCILE_ENDED
#define GONE RECONCILE_GONE
#define MAIN WORLD_STAGE_MAIN
#define PRE WORLD_STAGE_PRE
#define POST WORLD_STAGE_POST

static void the_table(void **state)
{
	static const struct {
		const char *what;
		struct reconcile_facts facts;
		enum reconcile_action action;
	} cases[] = {
		{"it runs", {.state = SERVICE_UP, .main = LIVES}, RECONCILE_KEEP},
		{"it ended meanwhile", {.state = SERVICE_UP, .main = ENDED}, RECONCILE_KEEP},
		{"reaped, its death was recorded",
		 {.state = SERVICE_UP, .main = GONE, .death_recorded = true},
		 RECONCILE_END},
		{"recorded, reaped and forgotten, but not judged",
		 {.state = SERVICE_UP, .main = NO, .death_recorded = true},
		 RECONCILE_END},
		{"another process has its number",
		 {.state = SERVICE_UP, .main = GONE},
		 RECONCILE_LOST},
		{"up without a process", {.state = SERVICE_UP, .main = NO}, RECONCILE_LOST},
		{"others live on in its group, which proves nothing",
		 {.state = SERVICE_UP, .main = GONE, .populated = true},
		 RECONCILE_LOST},

		{"it executes", {.state = SERVICE_STARTING, .main = LIVES}, RECONCILE_KEEP},
		{"nobody would hear that it executes",
		 {.state = SERVICE_STARTING, .main = LIVES, .mute = true},
		 RECONCILE_RETRY},
		{"it failed before that",
		 {.state = SERVICE_STARTING, .main = ENDED, .mute = true},
		 RECONCILE_KEEP},
		{"nothing was spawned yet",
		 {.state = SERVICE_STARTING, .main = NO},
		 RECONCILE_RETRY},
		{"its hook ended unseen",
		 {.state = SERVICE_STARTING, .stage = PRE, .main = NO},
		 RECONCILE_RETRY},
		{"its hook runs",
		 {.state = SERVICE_STARTING, .stage = PRE, .main = NO, .task = true},
		 RECONCILE_KEEP},
		{"its hook failed, which was recorded",
		 {.state = SERVICE_STARTING, .stage = PRE, .main = NO, .death_recorded = true},
		 RECONCILE_END},
		{"its hook runs, what was recorded is another one's",
		 {.state = SERVICE_STARTING,
		  .stage = PRE,
		  .main = NO,
		  .task = true,
		  .death_recorded = true},
		 RECONCILE_KEEP},
		{"it died before it was ready",
		 {.state = SERVICE_STARTING, .main = GONE, .death_recorded = true},
		 RECONCILE_END},

		{"the signal may not have been sent",
		 {.state = SERVICE_STOPPING, .main = LIVES, .crashed = true},
		 RECONCILE_ASK},
		{"it was: this execution is on purpose",
		 {.state = SERVICE_STOPPING, .main = LIVES},
		 RECONCILE_KEEP},
		{"it obeyed",
		 {.state = SERVICE_STOPPING, .main = ENDED, .crashed = true},
		 RECONCILE_KEEP},
		{"it left others behind, which may not have been killed",
		 {.state = SERVICE_STOPPING, .main = NO, .populated = true, .own_group = true},
		 RECONCILE_KILL},
		{"it left others behind that are to live on",
		 {.state = SERVICE_STOPPING, .main = NO, .populated = true},
		 RECONCILE_KEEP},
		{"its hook runs in its group",
		 {.state = SERVICE_STOPPING,
		  .stage = POST,
		  .main = NO,
		  .populated = true,
		  .own_group = true,
		  .task = true},
		 RECONCILE_KEEP},
		{"the end was not judged", {.state = SERVICE_STOPPING, .main = NO}, RECONCILE_KEEP},
		{"it went unseen", {.state = SERVICE_STOPPING, .main = GONE}, RECONCILE_LOST},

		{"at rest", {.state = SERVICE_DOWN}, RECONCILE_RELEASE},
		{"waiting", {.state = SERVICE_WAITING}, RECONCILE_RELEASE},
		{"waiting for a retry, with something of its last life",
		 {.state = SERVICE_BACKOFF, .populated = true, .own_group = true},
		 RECONCILE_RELEASE},
		{"failed", {.state = SERVICE_FAILED, .main = GONE}, RECONCILE_RELEASE},
		{"done", {.state = SERVICE_DONE}, RECONCILE_RELEASE},
		{"between two runs", {.state = SERVICE_SCHEDULED}, RECONCILE_RELEASE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (reconcile_decide(&cases[i].facts) != cases[i].action)
			fail_msg("%s: %s, not %s", cases[i].what,
				 reconcile_action_name(reconcile_decide(&cases[i].facts)),
				 reconcile_action_name(cases[i].action));
}

static void check_rules(const struct reconcile_facts *facts)
{
	enum reconcile_action action = reconcile_decide(facts);
	bool here = facts->main == LIVES || facts->main == ENDED;

	assert_true(action < RECONCILE_ACTION_COUNT);
	/* A process that PID 1 can still see is never declared dead, nor given back. */
	if (here && service_is_active(facts->state))
		assert_true(action == RECONCILE_KEEP || action == RECONCILE_ASK ||
			    action == RECONCILE_RETRY);
	/* A service that is up and runs is never touched. */
	if (here && facts->state == SERVICE_UP)
		assert_int_equal(action, RECONCILE_KEEP);
	/* One without a process does not stay up. */
	if (!here && facts->state == SERVICE_UP)
		assert_true(action == RECONCILE_END || action == RECONCILE_LOST);
	/* What was recorded is told; what was not is not made up. */
	if (action == RECONCILE_END)
		assert_true(facts->death_recorded);
	if (action == RECONCILE_LOST)
		assert_false(facts->death_recorded);
	/* Nothing is killed in a group that others live in by design. */
	if (action == RECONCILE_KILL)
		assert_true(facts->own_group);
	/* On purpose everything was done before. */
	if (action == RECONCILE_ASK)
		assert_true(facts->crashed);
	assert_int_equal(action == RECONCILE_RELEASE, !service_is_active(facts->state));
}

static void the_rules_hold_for_everything_that_can_be_met(void **state)
{
	(void)state;
	for (uint32_t service = 0; service < SERVICE_STATE_COUNT; service++)
		for (uint32_t stage = MAIN; stage <= POST; stage++)
			for (uint32_t bits = 0; bits < 4u << 6; bits++) {
				struct reconcile_facts facts = {
					.state = service,
					.stage = stage,
					.main = (enum reconcile_main)(bits >> 6),
					.mute = bits & 1,
					.populated = bits >> 1 & 1,
					.task = bits >> 2 & 1,
					.death_recorded = bits >> 3 & 1,
					.crashed = bits >> 4 & 1,
					.own_group = bits >> 5 & 1,
				};

				check_rules(&facts);
			}
}

static void the_main_process_is_found_among_what_it_left(void **state)
{
	/* containerd, younger than a shim of the containerd before it. */
	const struct reconcile_child containerd = {
		.start_ticks = 900, .program = true, .leads = true};
	const struct reconcile_child shim = {.start_ticks = 100, .leads = true};
	const struct reconcile_child worker = {.start_ticks = 950, .program = true};
	const struct reconcile_child named = {.start_ticks = 999, .hinted = true};
	/* A script: the interpreter is not the program, and what it left is older. */
	const struct reconcile_child script = {.start_ticks = 900, .leads = true};
	const struct reconcile_child left = {.start_ticks = 100};
	const struct reconcile_child younger = {.start_ticks = 901, .program = true, .leads = true};

	(void)state;
	assert_true(reconcile_prefers(&containerd, &shim));
	assert_false(reconcile_prefers(&shim, &containerd));
	assert_true(reconcile_prefers(&containerd, &worker));
	assert_true(reconcile_prefers(&script, &left));
	assert_true(reconcile_prefers(&named, &containerd));
	assert_true(reconcile_prefers(&containerd, &younger));
	assert_false(reconcile_prefers(&younger, &containerd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(the_rules_hold_for_everything_that_can_be_met),
		cmocka_unit_test(the_main_process_is_found_among_what_it_left),
	};

	return cmocka_run_group_tests_name("reconcile", tests, NULL, NULL);
}
