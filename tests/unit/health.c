/* SPDX-License-Identifier: Apache-2.0 */
/* The health gate: when a slot is blessed, when it is given up, and when to look again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "init/health.h"
#include "rootfs-spec/plan_write.h"
#include "svc/service.h"

#define S 1000000000ull
#define FOR (30 * S)
#define DEADLINE (300 * S)

enum { LOGGER, CONTAINERD, KUBELET, COUNT };

static void *bytes;
static struct plan plan;
static struct world *world;

/* Three services; healthy: the given ones, for 30 s, by 300 s. */
static void make_node(const uint32_t *healthy, size_t count, uint64_t deadline_ns)
{
	static const char *const names[] = {"logger", "containerd", "kubelet"};
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	struct plan_system *system;
	size_t size;

	for (uint32_t i = 0; i < COUNT; i++) {
		struct plan_service service = plan_write_service_defaults(writer, names[i], argv);

		if (i == CONTAINERD)
			service.flags |= PLAN_SERVICE_CRITICAL;
		plan_write_service(writer, &service);
	}
	struct plan_list list = plan_write_refs(writer, healthy, count);

	system = plan_write_system(writer);
	system->name = plan_write_string(writer, "test");
	system->shutdown_timeout_ns = S;
	system->healthy = list;
	system->healthy_for_ns = FOR;
	system->healthy_deadline_ns = deadline_ns;
	assert_int_equal(plan_write_finish(writer, NULL, &bytes, &size, NULL), 0);
	plan_write_free(writer);
	assert_int_equal(plan_verify(bytes, size, PLAN_KIND_NODE, &plan, NULL), 0);
	world = calloc(1, world_size(COUNT, plan_count(&plan, PLAN_PROBES)));
	assert_int_equal(
		world_init(world, world_size(COUNT, plan_count(&plan, PLAN_PROBES)), &plan), 0);
}

static int make_usual_node(void **state)
{
	static const uint32_t healthy[] = {CONTAINERD, KUBELET};

	(void)state;
	make_node(healthy, 2, DEADLINE);
	return 0;
}

static int drop_node(void **state)
{
	(void)state;
	free(world);
	free(bytes);
	return 0;
}

static void set(uint32_t service, enum service_state to, uint64_t since_ns)
{
	world->services[service].state = to;
	world->services[service].state_since_ns = since_ns;
}

static void expect(uint64_t now_ns, enum health_verdict verdict, uint64_t wake_ns)
{
	struct health_view view = health_look(&plan, world, true);
	struct health_decision decision = health_step(&view, now_ns);

	assert_int_equal(decision.verdict, verdict);
	assert_int_equal(decision.wake_ns, wake_ns);
}

static void blessed_when_all_were_up_for_the_period(void **state)
{
	(void)state;
	expect(1 * S, HEALTH_WAIT, DEADLINE);
	set(CONTAINERD, SERVICE_UP, 2 * S);
	expect(3 * S, HEALTH_WAIT, DEADLINE);
	set(KUBELET, SERVICE_UP, 5 * S);
	/* The last one to come up begins the period. */
	expect(6 * S, HEALTH_WAIT, 5 * S + FOR);
	expect(5 * S + FOR - 1, HEALTH_WAIT, 5 * S + FOR);
	expect(5 * S + FOR, HEALTH_BLESS, 0);
}

static void a_break_begins_the_period_anew(void **state)
{
	(void)state;
	set(CONTAINERD, SERVICE_UP, 2 * S);
	set(KUBELET, SERVICE_UP, 5 * S);
	set(CONTAINERD, SERVICE_BACKOFF, 20 * S);
	expect(36 * S, HEALTH_WAIT, DEADLINE);
	set(CONTAINERD, SERVICE_UP, 40 * S);
	expect(41 * S, HEALTH_WAIT, 70 * S);
	expect(70 * S, HEALTH_BLESS, 0);
}

static void a_oneshot_that_is_done_counts_as_up(void **state)
{
	(void)state;
	set(CONTAINERD, SERVICE_DONE, 2 * S);
	set(KUBELET, SERVICE_UP, 3 * S);
	expect(33 * S, HEALTH_BLESS, 0);
}

static void services_outside_the_condition_do_not_matter(void **state)
{
	(void)state;
	set(LOGGER, SERVICE_FAILED, 1 * S);
	set(CONTAINERD, SERVICE_UP, 2 * S);
	set(KUBELET, SERVICE_UP, 3 * S);
	expect(33 * S, HEALTH_BLESS, 0);
}

static void not_healthy_by_the_deadline_is_overdue_and_names_the_service(void **state)
{
	(void)state;
	set(CONTAINERD, SERVICE_UP, 2 * S);
	expect(DEADLINE - 1, HEALTH_WAIT, DEADLINE);
	expect(DEADLINE, HEALTH_OVERDUE, 0);
	assert_int_equal(health_look(&plan, world, true).missing, KUBELET);
	/* Up too late to hold the period before the deadline. */
	set(KUBELET, SERVICE_UP, DEADLINE - S);
	expect(DEADLINE - 1, HEALTH_WAIT, DEADLINE);
	expect(DEADLINE, HEALTH_OVERDUE, 0);
}

static void a_critical_failure_counts_at_once_and_for_ever(void **state)
{
	(void)state;
	set(CONTAINERD, SERVICE_FAILED, 2 * S);
	expect(2 * S, HEALTH_CRITICAL, 0);
	assert_int_equal(health_look(&plan, world, true).critical, CONTAINERD);
	world->blessed_ns = 1 * S;
	expect(900 * S, HEALTH_CRITICAL, 0);
	/* Not booted from a slot: still the node's end. */
	struct health_view view = health_look(&plan, world, false);

	assert_int_equal(health_step(&view, 3 * S).verdict, HEALTH_CRITICAL);
}

static void a_failure_of_others_is_not_critical(void **state)
{
	(void)state;
	set(KUBELET, SERVICE_FAILED, 2 * S);
	expect(3 * S, HEALTH_WAIT, DEADLINE);
}

static void once_blessed_there_is_nothing_to_decide_but_the_refill(void **state)
{
	struct health_view view;

	(void)state;
	world->blessed_ns = 50 * S;
	set(KUBELET, SERVICE_DOWN, 60 * S);
	expect(DEADLINE + S, HEALTH_SETTLED, 50 * S + HEALTH_STABLE_NS);
	expect(50 * S + HEALTH_STABLE_NS - 1, HEALTH_SETTLED, 50 * S + HEALTH_STABLE_NS);
	expect(50 * S + HEALTH_STABLE_NS, HEALTH_REFILL, 0);
	view = health_look(&plan, world, true);
	view.refilled = true;
	assert_int_equal(health_step(&view, 100 * HEALTH_STABLE_NS).verdict, HEALTH_SETTLED);
	assert_int_equal(health_step(&view, 100 * HEALTH_STABLE_NS).wake_ns, 0);
}

static void without_a_slot_nothing_is_written(void **state)
{
	struct health_view view = health_look(&plan, world, false);

	(void)state;
	assert_int_equal(health_step(&view, DEADLINE + S).verdict, HEALTH_SETTLED);
}

static void without_a_condition_the_first_up_counts(void **state)
{
	(void)state;
	make_node(NULL, 0, DEADLINE);
	expect(9 * S, HEALTH_WAIT, DEADLINE);
	world->up_ns = 10 * S;
	expect(11 * S, HEALTH_WAIT, 40 * S);
	expect(40 * S, HEALTH_BLESS, 0);
}

static void without_a_deadline_it_waits_for_ever(void **state)
{
	static const uint32_t healthy[] = {KUBELET};

	(void)state;
	make_node(healthy, 1, 0);
	expect(100000 * S, HEALTH_WAIT, 0);
	set(KUBELET, SERVICE_UP, 100000 * S);
	expect(100001 * S, HEALTH_WAIT, 100030 * S);
}

int main(void)
{
#define NODE_TEST(test) cmocka_unit_test_setup_teardown(test, make_usual_node, drop_node)
	const struct CMUnitTest tests[] = {
		NODE_TEST(blessed_when_all_were_up_for_the_period),
		NODE_TEST(a_break_begins_the_period_anew),
		NODE_TEST(a_oneshot_that_is_done_counts_as_up),
		NODE_TEST(services_outside_the_condition_do_not_matter),
		NODE_TEST(not_healthy_by_the_deadline_is_overdue_and_names_the_service),
		NODE_TEST(a_critical_failure_counts_at_once_and_for_ever),
		NODE_TEST(a_failure_of_others_is_not_critical),
		NODE_TEST(once_blessed_there_is_nothing_to_decide_but_the_refill),
		NODE_TEST(without_a_slot_nothing_is_written),
		cmocka_unit_test_teardown(without_a_condition_the_first_up_counts, drop_node),
		cmocka_unit_test_teardown(without_a_deadline_it_waits_for_ever, drop_node),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
