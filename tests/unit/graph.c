/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How wishes spread over a plan's edges, without any process: what a delivered event would do is
 * written down as "+name" (spawned) and "-name" (told to stop), and the cases let services come up
 * and end as they like.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "svc/graph.h"
#include "tests/unit/small_world.h"

/* base <- containerd <- kubelet, a oneshot, a soft friend, one that stands alone, a manual pair. */
enum { BASE, SETUP, CONTAINERD, KUBELET, SOFT, AFTER, ALONE, TOOL, EXTRA, DEBUG, COUNT };

static void *bytes;
static struct plan plan;
static struct world *world;
static char said[512];
static uint64_t now_ns;

static int setup(void **state)
{
	static const char *const names[] = {"base",  "setup", "containerd", "kubelet", "soft",
					    "after", "alone", "tool",       "extra",   "debug"};
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		struct plan_service service = plan_write_service_defaults(writer, names[i], argv);

		if (i == SETUP)
			service.kind = PLAN_SERVICE_ONESHOT;
		if (i >= TOOL)
			service.flags |= PLAN_SERVICE_MANUAL;
		plan_write_service(writer, &service);
	}
	plan_write_edge(writer, SETUP, BASE, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, CONTAINERD, BASE, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, CONTAINERD, SETUP, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, KUBELET, CONTAINERD, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, SOFT, CONTAINERD, PLAN_EDGE_WANTS);
	plan_write_edge(writer, AFTER, CONTAINERD, PLAN_EDGE_AFTER);
	plan_write_edge(writer, DEBUG, TOOL, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, DEBUG, EXTRA, PLAN_EDGE_WANTS);
	world = small_world(writer, &plan, &bytes);
	said[0] = '\0';
	now_ns = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(world);
	free(bytes);
	return 0;
}

static void deliver(void *context, uint32_t index, enum service_event event)
{
	uint32_t actions = service_apply(plan_service(&plan, index), &world->services[index], event,
					 ++now_ns, 0);
	size_t length = strlen(said);
	char sign = actions & SERVICE_ACT_SPAWN ? '+' : actions & SERVICE_ACT_SIGNAL ? '-' : 0;

	(void)context;
	if (sign)
		snprintf(said + length, sizeof said - length, "%s%c%s", length ? " " : "", sign,
			 world->services[index].name);
}

static void act(const char *expected)
{
	said[0] = '\0';
	graph_act(&plan, world, deliver, NULL);
	assert_string_equal(said, expected);
}

/* Something happens to a service by itself, and the graph acts on it. */
static void happens(uint32_t index, enum service_event event, const char *expected)
{
	deliver(NULL, index, event);
	act(expected);
}

static void state_is(uint32_t index, enum service_state state)
{
	assert_string_equal(service_state_name(world->services[index].state),
			    service_state_name(state));
}

static void boot(void)
{
	graph_mark_boot(&plan, world);
	act("+base +alone");
	happens(ALONE, SERVICE_READY, "");
	happens(BASE, SERVICE_READY, "+setup");
	happens(SETUP, SERVICE_ENDED_DONE, "+containerd");
	happens(CONTAINERD, SERVICE_READY, "+kubelet +soft +after");
	happens(KUBELET, SERVICE_READY, "");
	happens(SOFT, SERVICE_READY, "");
	assert_false(graph_settled(world));
	happens(AFTER, SERVICE_READY, "");
	assert_true(graph_settled(world));
	assert_true(graph_all_up(world));
}

static void boot_starts_each_when_its_needs_are_met(void **state)
{
	(void)state;
	boot();
	state_is(TOOL, SERVICE_DOWN);
	state_is(DEBUG, SERVICE_DOWN);
}

/* Who may start and does not yet is on its way, and nothing is settled. */
static void no_more_start_at_once_than_are_allowed(void **state)
{
	(void)state;
	graph_mark_boot(&plan, world);
	assert_true(graph_act_some(&plan, world, deliver, NULL, 1));
	assert_string_equal(said, "+base");
	state_is(ALONE, SERVICE_WAITING);
	assert_int_equal(graph_blocker(&plan, world, ALONE), PLAN_NONE);
	assert_true(world->services[ALONE].flags & SERVICE_MARK_ON_WAY);
	assert_false(graph_settled(world));
	said[0] = '\0';
	assert_true(graph_act_some(&plan, world, deliver, NULL, 1));
	assert_string_equal(said, "+alone");
	said[0] = '\0';
	assert_false(graph_act_some(&plan, world, deliver, NULL, 1));
	assert_string_equal(said, "");
	/* Nor is a stop held back by it. */
	graph_mark_stop(&plan, world, ALONE);
	assert_true(graph_act_some(&plan, world, deliver, NULL, 0));
	assert_string_equal(said, "-alone");
}

static void a_stop_takes_down_what_requires_it_last_first(void **state)
{
	(void)state;
	boot();
	graph_mark_stop(&plan, world, BASE);
	act("-kubelet");
	happens(KUBELET, SERVICE_ENDED_DOWN, "-containerd");
	state_is(KUBELET, SERVICE_WAITING);
	happens(CONTAINERD, SERVICE_ENDED_DOWN, "-base");
	happens(BASE, SERVICE_ENDED_DOWN, "");
	state_is(BASE, SERVICE_DOWN);
	state_is(SOFT, SERVICE_UP);
	state_is(AFTER, SERVICE_UP);
	assert_true(graph_settled(world));
	assert_int_equal(graph_blocker(&plan, world, KUBELET), CONTAINERD);
}

static void a_set_is_stopped_as_one_after_the_other_would_be(void **state)
{
	struct graph_set services = {0};

	(void)state;
	boot();
	graph_set_add(&services, KUBELET);
	graph_set_add(&services, BASE);
	graph_mark_stop_set(&plan, world, &services);
	act("-kubelet");
	happens(KUBELET, SERVICE_ENDED_DOWN, "-containerd");
	state_is(KUBELET, SERVICE_DOWN);
	happens(CONTAINERD, SERVICE_ENDED_DOWN, "-base");
	happens(BASE, SERVICE_ENDED_DOWN, "");
	graph_mark_start(&plan, world, BASE);
	act("+base");
	happens(BASE, SERVICE_READY, "+containerd");
	happens(CONTAINERD, SERVICE_READY, "");
	state_is(KUBELET, SERVICE_DOWN);
}

static void what_went_along_comes_back_and_what_was_stopped_does_not(void **state)
{
	(void)state;
	boot();
	graph_mark_stop(&plan, world, KUBELET);
	act("-kubelet");
	happens(KUBELET, SERVICE_ENDED_DOWN, "");
	graph_mark_stop(&plan, world, BASE);
	act("-containerd");
	happens(CONTAINERD, SERVICE_ENDED_DOWN, "-base");
	happens(BASE, SERVICE_ENDED_DOWN, "");
	graph_mark_start(&plan, world, BASE);
	act("+base");
	happens(BASE, SERVICE_READY, "+containerd");
	happens(CONTAINERD, SERVICE_READY, "");
	state_is(KUBELET, SERVICE_DOWN);
	state_is(SETUP, SERVICE_DONE);
}

static void a_requirement_that_dies_takes_along_and_brings_back(void **state)
{
	(void)state;
	boot();
	happens(CONTAINERD, SERVICE_ENDED_RETRY, "-kubelet");
	state_is(CONTAINERD, SERVICE_BACKOFF);
	happens(CONTAINERD, SERVICE_TIMEOUT, "+containerd");
	happens(KUBELET, SERVICE_ENDED_DOWN, "");
	happens(CONTAINERD, SERVICE_READY, "+kubelet");
	state_is(SOFT, SERVICE_UP);
}

static void a_requirement_that_leaves_processes_behind_does_too(void **state)
{
	(void)state;
	boot();
	happens(CONTAINERD, SERVICE_LEFTOVERS, "-kubelet");
	happens(CONTAINERD, SERVICE_ENDED_RETRY, "");
	happens(KUBELET, SERVICE_ENDED_DOWN, "");
	happens(CONTAINERD, SERVICE_TIMEOUT, "+containerd");
	happens(CONTAINERD, SERVICE_READY, "+kubelet");
}

static void a_restart_goes_down_and_up_in_order(void **state)
{
	(void)state;
	boot();
	graph_mark_restart(&plan, world, CONTAINERD);
	act("-kubelet");
	happens(KUBELET, SERVICE_ENDED_DOWN, "-containerd");
	happens(CONTAINERD, SERVICE_ENDED_DOWN, "+containerd");
	happens(CONTAINERD, SERVICE_READY, "+kubelet");
}

static void soft_needs_hold_back_only_while_they_may_come_up(void **state)
{
	(void)state;
	graph_mark_boot(&plan, world);
	act("+base +alone");
	happens(BASE, SERVICE_READY, "+setup");
	state_is(SOFT, SERVICE_WAITING);
	/* The oneshot failed for good: containerd will not come, soft and after start without it. */
	happens(SETUP, SERVICE_ENDED_FAILED, "+soft +after");
	state_is(CONTAINERD, SERVICE_WAITING);
	state_is(KUBELET, SERVICE_WAITING);
	assert_int_equal(graph_blocker(&plan, world, CONTAINERD), SETUP);
	/* A person tries again: hard needs are met, soft ones are up long since. */
	graph_mark_start(&plan, world, KUBELET);
	act("+setup");
	happens(SETUP, SERVICE_ENDED_DONE, "+containerd");
}

static void a_start_pulls_in_manual_services_that_it_requires_or_wants(void **state)
{
	(void)state;
	graph_mark_start(&plan, world, DEBUG);
	act("+tool +extra");
	happens(TOOL, SERVICE_READY, "");
	happens(EXTRA, SERVICE_READY, "+debug");
	state_is(BASE, SERVICE_DOWN);
}

static void a_start_calls_off_a_stop_that_has_not_begun(void **state)
{
	(void)state;
	boot();
	graph_mark_stop(&plan, world, CONTAINERD);
	act("-kubelet");
	graph_mark_start(&plan, world, CONTAINERD);
	happens(KUBELET, SERVICE_ENDED_DOWN, "+kubelet");
	state_is(CONTAINERD, SERVICE_UP);
}

static void a_start_during_stopping_happens_after_it(void **state)
{
	(void)state;
	boot();
	graph_mark_stop(&plan, world, ALONE);
	act("-alone");
	graph_mark_start(&plan, world, ALONE);
	act("");
	happens(ALONE, SERVICE_ENDED_DOWN, "+alone");
}

static void a_stop_during_starting_goes_down(void **state)
{
	(void)state;
	graph_mark_boot(&plan, world);
	act("+base +alone");
	graph_mark_stop(&plan, world, BASE);
	act("-base +soft +after");
	happens(BASE, SERVICE_ENDED_DOWN, "");
	state_is(BASE, SERVICE_DOWN);
}

static void the_shutdown_stops_everything_in_reverse(void **state)
{
	(void)state;
	boot();
	graph_mark_shutdown(&plan, world);
	act("-alone -after -soft -kubelet");
	happens(KUBELET, SERVICE_ENDED_DOWN, "");
	happens(SOFT, SERVICE_ENDED_DOWN, "");
	happens(AFTER, SERVICE_ENDED_DOWN, "-containerd");
	happens(CONTAINERD, SERVICE_ENDED_DOWN, "-base");
	happens(BASE, SERVICE_ENDED_DOWN, "");
	happens(ALONE, SERVICE_ENDED_DOWN, "");
	for (uint32_t i = 0; i < COUNT; i++)
		state_is(i, SERVICE_DOWN);
	assert_true(graph_settled(world));
}

static void the_shutdown_interrupts_waits_and_backoffs(void **state)
{
	(void)state;
	graph_mark_boot(&plan, world);
	act("+base +alone");
	happens(BASE, SERVICE_ENDED_RETRY, "+soft +after");
	graph_mark_shutdown(&plan, world);
	act("-alone -after -soft");
	state_is(BASE, SERVICE_DOWN);
	state_is(KUBELET, SERVICE_DOWN);
}

/* ---- conflicts, timers, previews ---- */

/* crun conflicts with runc; one runs on each; a timer requires runc. */
enum { RUNC, CRUN, ON_RUNC, ON_CRUN, PRUNE };

static int setup_rivals(void **state)
{
	static const char *const names[] = {"runc", "crun", "on-runc", "on-crun", "prune"};
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);

	(void)state;
	for (uint32_t i = RUNC; i <= PRUNE; i++) {
		struct plan_service service = plan_write_service_defaults(writer, names[i], argv);

		if (i == CRUN || i == ON_CRUN)
			service.flags |= PLAN_SERVICE_MANUAL;
		if (i == PRUNE) {
			service.kind = PLAN_SERVICE_TIMER;
			service.timer_first_ns = service.timer_every_ns = 1000;
		}
		plan_write_service(writer, &service);
	}
	plan_write_edge(writer, CRUN, RUNC, PLAN_EDGE_CONFLICTS);
	plan_write_edge(writer, ON_RUNC, RUNC, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, ON_CRUN, CRUN, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, PRUNE, RUNC, PLAN_EDGE_REQUIRES);
	world = small_world(writer, &plan, &bytes);
	now_ns = 0;
	graph_mark_boot(&plan, world);
	act("+runc");
	happens(RUNC, SERVICE_READY, "+on-runc");
	happens(ON_RUNC, SERVICE_READY, "");
	return 0;
}

static void the_last_of_two_that_conflict_stays(void **state)
{
	(void)state;
	graph_mark_start(&plan, world, ON_CRUN);
	act("-on-runc");
	assert_int_equal(graph_blocker(&plan, world, CRUN), RUNC);
	assert_false(graph_settled(world));
	happens(ON_RUNC, SERVICE_ENDED_DOWN, "-runc");
	assert_int_equal(world->services[RUNC].reason, WORLD_REASON_CONFLICT);
	assert_int_equal(world->services[ON_RUNC].last_death.reason, WORLD_REASON_REQUIREMENT);
	happens(RUNC, SERVICE_ENDED_DOWN, "+crun");
	assert_int_equal(world->services[RUNC].last_death.reason, WORLD_REASON_CONFLICT);
	state_is(RUNC, SERVICE_DOWN);
	state_is(ON_RUNC, SERVICE_WAITING);
	happens(CRUN, SERVICE_READY, "+on-crun");
	happens(ON_CRUN, SERVICE_READY, "");
	assert_true(graph_settled(world));
	/* And back again: what went along comes back. */
	graph_mark_start(&plan, world, RUNC);
	act("-on-crun");
	happens(ON_CRUN, SERVICE_ENDED_DOWN, "-crun");
	happens(CRUN, SERVICE_ENDED_RETRY, "+runc");
	state_is(CRUN, SERVICE_DOWN);
	happens(RUNC, SERVICE_READY, "+on-runc");
	state_is(ON_CRUN, SERVICE_WAITING);
	assert_int_equal(graph_blocker(&plan, world, ON_CRUN), CRUN);
}

static void a_crash_does_not_bring_a_rival_up(void **state)
{
	(void)state;
	happens(RUNC, SERVICE_ENDED_RETRY, "-on-runc");
	happens(ON_RUNC, SERVICE_ENDED_DOWN, "");
	state_is(CRUN, SERVICE_DOWN);
	happens(RUNC, SERVICE_TIMEOUT, "+runc");
	/* Displaced while it waits for a retry, too. */
	happens(RUNC, SERVICE_ENDED_RETRY, "");
	graph_mark_start(&plan, world, CRUN);
	act("+crun");
	state_is(RUNC, SERVICE_DOWN);
	assert_int_equal(world->services[RUNC].wanted, 0);
}

static void two_that_conflict_are_not_both_booted(void **state)
{
	(void)state;
	world->services[CRUN].wanted = 0;
	graph_mark_start(&plan, world, CRUN);
	act("-on-runc");
	graph_mark_boot(&plan, world);
	happens(ON_RUNC, SERVICE_ENDED_DOWN, "+on-runc");
	state_is(CRUN, SERVICE_DOWN);
	state_is(RUNC, SERVICE_UP);
}

static void a_preview_names_what_a_request_moves(void **state)
{
	struct graph_moves moves;

	(void)state;
	graph_preview(&plan, world, GRAPH_START, ON_CRUN, &moves);
	assert_int_equal(moves.start.bits[0], 1u << CRUN);
	assert_int_equal(moves.stop.bits[0], 1u << RUNC | 1u << ON_RUNC);
	graph_preview(&plan, world, GRAPH_STOP, RUNC, &moves);
	assert_int_equal(moves.start.bits[0], 0);
	assert_int_equal(moves.stop.bits[0], 1u << ON_RUNC);
	graph_preview(&plan, world, GRAPH_RESTART, RUNC, &moves);
	assert_int_equal(moves.start.bits[0], 0);
	assert_int_equal(moves.stop.bits[0], 1u << ON_RUNC);
	graph_preview(&plan, world, GRAPH_STOP, CRUN, &moves);
	assert_int_equal(moves.start.bits[0] | moves.stop.bits[0], 0);
	/* What waits for a retry anyway is started at once; what goes down anyway is not named. */
	happens(RUNC, SERVICE_ENDED_RETRY, "-on-runc");
	graph_preview(&plan, world, GRAPH_START, ON_RUNC, &moves);
	assert_int_equal(moves.start.bits[0], 1u << RUNC);
	graph_preview(&plan, world, GRAPH_STOP, RUNC, &moves);
	assert_int_equal(moves.stop.bits[0], 0);
	act("");
}

static void a_preview_of_a_start_names_what_waits_in_between(void **state)
{
	struct graph_moves moves;

	(void)state;
	boot();
	graph_mark_stop(&plan, world, BASE);
	act("-kubelet");
	happens(KUBELET, SERVICE_ENDED_DOWN, "-containerd");
	happens(CONTAINERD, SERVICE_ENDED_DOWN, "-base");
	happens(BASE, SERVICE_ENDED_DOWN, "");
	graph_preview(&plan, world, GRAPH_START, KUBELET, &moves);
	assert_int_equal(moves.start.bits[0], 1u << BASE | 1u << CONTAINERD);
	assert_int_equal(moves.stop.bits[0], 0);
}

static void a_timer_waits_runs_and_waits_again(void **state)
{
	(void)state;
	state_is(PRUNE, SERVICE_SCHEDULED);
	assert_true(graph_settled(world));
	assert_true(graph_all_up(world));
	happens(PRUNE, SERVICE_TIMEOUT, "+prune");
	assert_false(graph_settled(world));
	happens(PRUNE, SERVICE_ENDED_SCHEDULED, "");
	/* By name: at once, and as often as one likes. */
	graph_mark_start(&plan, world, PRUNE);
	act("+prune");
	happens(PRUNE, SERVICE_ENDED_SCHEDULED, "");
	state_is(PRUNE, SERVICE_SCHEDULED);
	graph_mark_restart(&plan, world, PRUNE);
	act("+prune");
	graph_mark_stop(&plan, world, PRUNE);
	act("-prune");
	happens(PRUNE, SERVICE_ENDED_DOWN, "");
	state_is(PRUNE, SERVICE_DOWN);
	/* The boot only arms it. */
	graph_mark_boot(&plan, world);
	act("");
	state_is(PRUNE, SERVICE_SCHEDULED);
	graph_mark_stop(&plan, world, PRUNE);
	act("");
	graph_mark_start(&plan, world, PRUNE);
	act("+prune");
}

static void a_timer_waits_for_its_requirement_and_makes_a_cut_run_again(void **state)
{
	(void)state;
	happens(PRUNE, SERVICE_TIMEOUT, "+prune");
	happens(RUNC, SERVICE_ENDED_RETRY, "-prune -on-runc");
	happens(ON_RUNC, SERVICE_ENDED_DOWN, "");
	happens(PRUNE, SERVICE_ENDED_DOWN, "");
	state_is(PRUNE, SERVICE_WAITING);
	happens(RUNC, SERVICE_TIMEOUT, "+runc");
	happens(RUNC, SERVICE_READY, "+on-runc +prune");
	happens(PRUNE, SERVICE_ENDED_SCHEDULED, "");
	/* Between two runs it does not mind. */
	graph_mark_stop(&plan, world, RUNC);
	act("-on-runc");
	happens(ON_RUNC, SERVICE_ENDED_DOWN, "-runc");
	happens(RUNC, SERVICE_ENDED_DOWN, "");
	state_is(PRUNE, SERVICE_SCHEDULED);
	happens(PRUNE, SERVICE_TIMEOUT, "");
	state_is(PRUNE, SERVICE_WAITING);
	assert_int_equal(graph_blocker(&plan, world, PRUNE), RUNC);
	/* Cut by a request this time. */
	graph_mark_start(&plan, world, RUNC);
	act("+runc");
	happens(RUNC, SERVICE_READY, "+on-runc +prune");
	graph_mark_restart(&plan, world, RUNC);
	act("-prune -on-runc");
	happens(PRUNE, SERVICE_ENDED_DOWN, "");
	state_is(PRUNE, SERVICE_WAITING);
}

static void a_stop_forgets_that_a_timer_was_to_run_now(void **state)
{
	(void)state;
	/* Asked for again while it runs: that is this run, not one more. */
	happens(PRUNE, SERVICE_TIMEOUT, "+prune");
	graph_mark_start(&plan, world, PRUNE);
	act("");
	happens(PRUNE, SERVICE_ENDED_SCHEDULED, "");
	graph_mark_boot(&plan, world);
	act("");
	state_is(PRUNE, SERVICE_SCHEDULED);
	/* Asked for while its requirement is down, and stopped before that came back. */
	graph_mark_stop(&plan, world, RUNC);
	act("-on-runc");
	happens(ON_RUNC, SERVICE_ENDED_DOWN, "-runc");
	happens(RUNC, SERVICE_ENDED_FAILED, "");
	world->services[RUNC].flags = 0;
	world->services[RUNC].wanted = 0;
	happens(PRUNE, SERVICE_TIMEOUT, "");
	world->services[PRUNE].flags |= SERVICE_MARK_NOW;
	graph_mark_stop(&plan, world, PRUNE);
	act("");
	graph_mark_boot(&plan, world);
	act("+runc");
	state_is(PRUNE, SERVICE_SCHEDULED);
}

static void has_nothing_to_do(uint32_t index)
{
	world->services[index].flags |= SERVICE_MARK_SKIPPED;
	deliver(NULL, index, SERVICE_ENDED_DONE);
}

static void who_had_nothing_to_do_is_looked_at_again_by_name(void **state)
{
	(void)state;
	graph_mark_restart(&plan, world, RUNC);
	act("-on-runc");
	happens(ON_RUNC, SERVICE_ENDED_DOWN, "-runc");
	happens(RUNC, SERVICE_ENDED_DOWN, "+runc");
	has_nothing_to_do(RUNC);
	act("+on-runc");
	/* Not under what runs on it. */
	graph_mark_start(&plan, world, RUNC);
	act("");
	state_is(RUNC, SERVICE_DONE);
	graph_mark_stop(&plan, world, ON_RUNC);
	act("-on-runc");
	happens(ON_RUNC, SERVICE_ENDED_DOWN, "");
	graph_mark_start(&plan, world, RUNC);
	act("+runc");
	/* A oneshot that did its work is done, however often it is asked for. */
	deliver(NULL, RUNC, SERVICE_ENDED_DONE);
	graph_mark_start(&plan, world, RUNC);
	act("");
	state_is(RUNC, SERVICE_DONE);
}

static void who_stops_says_why(void **state)
{
	(void)state;
	graph_mark_restart(&plan, world, RUNC);
	act("-on-runc");
	assert_int_equal(world->services[RUNC].reason, WORLD_REASON_REQUEST);
	assert_int_equal(world->services[ON_RUNC].reason, WORLD_REASON_REQUIREMENT);
	/* What has begun keeps its reason; what has not takes the last. */
	graph_mark_shutdown(&plan, world);
	assert_int_equal(world->services[RUNC].reason, WORLD_REASON_SHUTDOWN);
	assert_int_equal(world->services[ON_RUNC].reason, WORLD_REASON_REQUIREMENT);
	act("");
	happens(ON_RUNC, SERVICE_ENDED_DOWN, "-runc");
	happens(RUNC, SERVICE_ENDED_DOWN, "");
	assert_int_equal(world->services[RUNC].last_death.reason, WORLD_REASON_SHUTDOWN);
	assert_int_equal(world->services[ON_RUNC].last_death.reason, WORLD_REASON_REQUIREMENT);
}

static void the_first_reason_to_go_along_is_kept(void **state)
{
	(void)state;
	boot();
	graph_mark_stop(&plan, world, CONTAINERD);
	graph_mark_stop(&plan, world, BASE);
	assert_int_equal(world->services[CONTAINERD].reason, WORLD_REASON_REQUEST);
	assert_int_equal(world->services[KUBELET].reason, WORLD_REASON_REQUIREMENT);
	act("-kubelet");
	assert_int_equal(world->services[CONTAINERD].reason, WORLD_REASON_REQUEST);
}

static void a_requirement_that_crashes_is_the_reason(void **state)
{
	(void)state;
	happens(RUNC, SERVICE_ENDED_RETRY, "-on-runc");
	happens(ON_RUNC, SERVICE_ENDED_DOWN, "");
	assert_int_equal(world->services[ON_RUNC].last_death.reason, WORLD_REASON_REQUIREMENT);
	assert_int_equal(world->services[RUNC].last_death.reason, WORLD_REASON_ITSELF);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define RIVALS(name) cmocka_unit_test_setup_teardown(name, setup_rivals, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(boot_starts_each_when_its_needs_are_met),
		CASE(no_more_start_at_once_than_are_allowed),
		CASE(a_stop_takes_down_what_requires_it_last_first),
		CASE(a_set_is_stopped_as_one_after_the_other_would_be),
		CASE(what_went_along_comes_back_and_what_was_stopped_does_not),
		CASE(a_requirement_that_dies_takes_along_and_brings_back),
		CASE(a_requirement_that_leaves_processes_behind_does_too),
		CASE(a_restart_goes_down_and_up_in_order),
		CASE(soft_needs_hold_back_only_while_they_may_come_up),
		CASE(a_start_pulls_in_manual_services_that_it_requires_or_wants),
		CASE(a_start_calls_off_a_stop_that_has_not_begun),
		CASE(a_start_during_stopping_happens_after_it),
		CASE(a_stop_during_starting_goes_down),
		CASE(the_shutdown_stops_everything_in_reverse),
		CASE(the_shutdown_interrupts_waits_and_backoffs),
		CASE(a_preview_of_a_start_names_what_waits_in_between),
		RIVALS(the_last_of_two_that_conflict_stays),
		RIVALS(a_crash_does_not_bring_a_rival_up),
		RIVALS(two_that_conflict_are_not_both_booted),
		RIVALS(a_preview_names_what_a_request_moves),
		RIVALS(a_timer_waits_runs_and_waits_again),
		RIVALS(a_timer_waits_for_its_requirement_and_makes_a_cut_run_again),
		RIVALS(who_had_nothing_to_do_is_looked_at_again_by_name),
		RIVALS(a_stop_forgets_that_a_timer_was_to_run_now),
		CASE(the_first_reason_to_go_along_is_kept),
		RIVALS(who_stops_says_why),
		RIVALS(a_requirement_that_crashes_is_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
