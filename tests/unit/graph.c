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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(boot_starts_each_when_its_needs_are_met),
		CASE(a_stop_takes_down_what_requires_it_last_first),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
