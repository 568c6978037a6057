/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a shutdown: what stops before the pods, what after them, and how long each may take. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "init/shutdown.h"
#include "rootfs-spec/plan_write.h"
#include "svc/last.h"
#include "svc/service.h"

#define S 1000000000ull

/* A node as the minimal profile has it, and a daemon that nothing is tied to. */
enum { LOGGER, PREPARE, TIME, CONTAINERD, KUBELET, AGENT, METRICS, COUNT };

static void *bytes;
static struct plan plan;
static struct world *world;
static struct shutdown_groups groups;

static int make_node(void **state)
{
	static const char *const names[] = {"logger",  "prepare", "time",   "containerd",
					    "kubelet", "agent",   "metrics"};
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	size_t size;

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		struct plan_service service = plan_write_service_defaults(writer, names[i], argv);

		if (i == CONTAINERD || i == KUBELET)
			service.kill = PLAN_KILL_MAIN;
		if (i == AGENT)
			service.flags |= PLAN_SERVICE_CRITICAL;
		if (i == LOGGER)
			service.flags |= PLAN_SERVICE_LOGGER;
		plan_write_service(writer, &service);
	}
	plan_write_edge(writer, TIME, PREPARE, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, CONTAINERD, TIME, PLAN_EDGE_AFTER);
	plan_write_edge(writer, KUBELET, CONTAINERD, PLAN_EDGE_REQUIRES);
	plan_write_edge(writer, AGENT, CONTAINERD, PLAN_EDGE_WANTS);
	plan_str name = plan_write_string(writer, "test");
	struct plan_system *system = plan_write_system(writer);

	system->name = name;
	system->shutdown_timeout_ns = 60 * S;
	system->logger = LOGGER;
	assert_int_equal(plan_write_finish(writer, NULL, &bytes, &size, NULL), 0);
	plan_write_free(writer);
	assert_int_equal(plan_verify(bytes, size, PLAN_KIND_NODE, &plan, NULL), 0);
	world = calloc(1, world_size(COUNT, plan_count(&plan, PLAN_PROBES)));
	assert_int_equal(
		world_init(world, world_size(COUNT, plan_count(&plan, PLAN_PROBES)), &plan), 0);
	shutdown_groups_find(&plan, &groups);
	return 0;
}

static int drop_node(void **state)
{
	(void)state;
	free(world);
	free(bytes);
	return 0;
}

static void the_runtime_is_what_runs_pods_and_what_it_needs(void **state)
{
	static const enum shutdown_group expected[COUNT] = {
		[LOGGER] = SHUTDOWN_GROUP_LOGGER, [PREPARE] = SHUTDOWN_GROUP_RUNTIME,
		[TIME] = SHUTDOWN_GROUP_RUNTIME,  [CONTAINERD] = SHUTDOWN_GROUP_RUNTIME,
		[KUBELET] = SHUTDOWN_GROUP_FIRST, [AGENT] = SHUTDOWN_GROUP_FIRST,
		[METRICS] = SHUTDOWN_GROUP_FIRST,
	};

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		print_message("# %s\n", world->services[i].name);
		assert_int_equal(shutdown_group_of(&plan, &groups, i), expected[i]);
	}
}

static void only_services_with_a_process_hold_a_stage(void **state)
{
	static const struct {
		uint32_t service;
		enum service_state state;
		bool first_down, runtime_down, logger_down;
	} cases[] = {
		{KUBELET, SERVICE_UP, false, true, true},
		{KUBELET, SERVICE_STARTING, false, true, true},
		{KUBELET, SERVICE_STOPPING, false, true, true},
		{KUBELET, SERVICE_BACKOFF, true, true, true},
		{KUBELET, SERVICE_FAILED, true, true, true},
		{PREPARE, SERVICE_DONE, true, true, true},
		{CONTAINERD, SERVICE_UP, true, false, true},
		{LOGGER, SERVICE_UP, true, true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shutdown_view view = {0};

		world->services[cases[i].service].state = cases[i].state;
		shutdown_look(&plan, world, &groups, &view);
		assert_int_equal(view.first_down, cases[i].first_down);
		assert_int_equal(view.runtime_down, cases[i].runtime_down);
		assert_int_equal(view.logger_down, cases[i].logger_down);
		world->services[cases[i].service].state = SERVICE_DOWN;
	}
}

static struct shutdown_view busy(void)
{
	return (struct shutdown_view){
		.pods = true,
		.leftovers = true,
		.began_ns = 100 * S,
		.stage_ns = 100 * S,
		.budget_ns = 60 * S,
		.grace_ns = 20 * S,
	};
}

static void a_stage_lasts_as_long_as_its_work_and_its_time(void **state)
{
	static const struct {
		enum shutdown_stage stage;
		uint64_t deadline_ns;
	} cases[] = {
		{SHUTDOWN_SERVICES, 140 * S},  {SHUTDOWN_PODS_TERM, 120 * S},
		{SHUTDOWN_PODS_KILL, 102 * S}, {SHUTDOWN_RUNTIME, 160 * S},
		{SHUTDOWN_LEFTOVERS, 102 * S}, {SHUTDOWN_LOGGER, 102 * S},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum shutdown_stage stage = cases[i].stage;
		struct shutdown_view view = busy();

		print_message("# %s\n", shutdown_stage_name(stage));
		assert_int_equal(shutdown_deadline_ns(stage, &view), cases[i].deadline_ns);
		assert_int_equal(shutdown_next(stage, &view, cases[i].deadline_ns - 1), stage);
		assert_int_equal(shutdown_next(stage, &view, cases[i].deadline_ns), stage + 1);
		view = (struct shutdown_view){.first_down = true,
					      .runtime_down = true,
					      .logger_down = true,
					      .began_ns = 100 * S,
					      .stage_ns = 100 * S,
					      .budget_ns = 60 * S};
		assert_int_equal(shutdown_next(stage, &view, 100 * S), stage + 1);
	}
}

static void pods_wait_for_kubelet_and_the_runtime_for_pods(void **state)
{
	struct shutdown_view view = busy();

	(void)state;
	view.first_down = false;
	view.runtime_down = false;
	assert_int_equal(shutdown_next(SHUTDOWN_SERVICES, &view, 101 * S), SHUTDOWN_SERVICES);
	view.first_down = true;
	assert_int_equal(shutdown_next(SHUTDOWN_SERVICES, &view, 101 * S), SHUTDOWN_PODS_TERM);
	assert_int_equal(shutdown_next(SHUTDOWN_PODS_TERM, &view, 101 * S), SHUTDOWN_PODS_TERM);
	view.pods = false;
	assert_int_equal(shutdown_next(SHUTDOWN_PODS_TERM, &view, 101 * S), SHUTDOWN_PODS_KILL);
	assert_int_equal(shutdown_next(SHUTDOWN_PODS_KILL, &view, 101 * S), SHUTDOWN_RUNTIME);
	assert_int_equal(shutdown_next(SHUTDOWN_RUNTIME, &view, 101 * S), SHUTDOWN_RUNTIME);
	view.runtime_down = true;
	assert_int_equal(shutdown_next(SHUTDOWN_RUNTIME, &view, 101 * S), SHUTDOWN_LEFTOVERS);
}

static void pods_never_get_more_than_half_of_the_budget(void **state)
{
	struct shutdown_view view = busy();

	(void)state;
	view.grace_ns = 600 * S;
	assert_int_equal(shutdown_deadline_ns(SHUTDOWN_SERVICES, &view), 130 * S);
	assert_int_equal(shutdown_deadline_ns(SHUTDOWN_PODS_TERM, &view), 130 * S);
}

static void without_pods_all_the_time_is_for_services(void **state)
{
	struct shutdown_view view = busy();

	(void)state;
	view.pods = false;
	assert_int_equal(shutdown_deadline_ns(SHUTDOWN_SERVICES, &view), 160 * S);
}

/* A service that cannot be killed does not hold the logger's stage, too. */
static void the_logger_is_all_that_its_stage_waits_for(void **state)
{
	struct shutdown_view view = busy();

	(void)state;
	view.logger_down = true;
	assert_int_equal(shutdown_next(SHUTDOWN_LOGGER, &view, 100 * S), SHUTDOWN_FINAL);
	view.logger_down = false;
	assert_int_equal(shutdown_next(SHUTDOWN_LOGGER, &view, 100 * S), SHUTDOWN_LOGGER);
}

static void forced_means_kill_and_go(void **state)
{
	struct shutdown_view view = busy();

	(void)state;
	view.forced = true;
	for (enum shutdown_stage stage = SHUTDOWN_SERVICES; stage < SHUTDOWN_LEFTOVERS; stage++)
		assert_int_equal(shutdown_next(stage, &view, 100 * S), SHUTDOWN_LEFTOVERS);
	assert_int_equal(shutdown_next(SHUTDOWN_LEFTOVERS, &view, 100 * S), SHUTDOWN_FINAL);
	assert_int_equal(shutdown_next(SHUTDOWN_LOGGER, &view, 100 * S), SHUTDOWN_FINAL);
}

/* Whatever hangs, the end comes: with everything busy for ever and each stage entered late. */
static void the_end_always_comes(void **state)
{
	struct shutdown_view view = busy();
	enum shutdown_stage stage = SHUTDOWN_SERVICES;
	uint64_t now_ns = view.began_ns;

	(void)state;
	for (int steps = 0; stage != SHUTDOWN_FINAL; steps++) {
		enum shutdown_stage next;

		assert_true(steps < 1000);
		next = shutdown_next(stage, &view, now_ns);
		if (next != stage)
			view.stage_ns = now_ns;
		stage = next;
		now_ns += S;
	}
	assert_true(now_ns <= view.began_ns + view.budget_ns + 20 * S);
	assert_int_equal(shutdown_next(SHUTDOWN_FINAL, &view, now_ns), SHUTDOWN_FINAL);
}

static void a_service_that_was_killed_or_stays_is_told(void **state)
{
	struct world_service *service = &world->services[METRICS];

	(void)state;
	service->state = SERVICE_DOWN;
	assert_null(shutdown_service_fault(service, 50 * S));
	service->last_death = (struct world_death){.at_ns = 60 * S,
						   .reason = WORLD_REASON_STOP_TIMEOUT};
	assert_non_null(shutdown_service_fault(service, 50 * S));
	assert_non_null(shutdown_service_fault(service, 60 * S));
	/* Of an earlier stop. */
	assert_null(shutdown_service_fault(service, 61 * S));
	service->last_death.reason = WORLD_REASON_SHUTDOWN;
	assert_null(shutdown_service_fault(service, 50 * S));
	service->state = SERVICE_STOPPING;
	assert_non_null(shutdown_service_fault(service, 50 * S));
}

static void exit_status_of_a_container_is_that_of_the_critical_service(void **state)
{
	static const struct {
		int code, status;
		int expected;
	} cases[] = {
		{CLD_EXITED, 1, 1},   {CLD_EXITED, 42, 42},  {CLD_EXITED, 0, SHUTDOWN_EXIT_FAILED},
		{CLD_KILLED, 9, 137}, {CLD_DUMPED, 11, 139}, {0, 0, SHUTDOWN_EXIT_FAILED},
	};
	struct world_service *critical = &world->services[AGENT];

	(void)state;
	/* Another one that failed is not the reason. */
	world->services[METRICS].state = SERVICE_FAILED;
	world->services[METRICS].last_death = (struct world_death){.code = CLD_EXITED, .status = 7};
	assert_int_equal(shutdown_exit_status(&plan, world, true), SHUTDOWN_EXIT_FAILED);
	critical->state = SERVICE_FAILED;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		critical->last_death = (struct world_death){.code = cases[i].code,
							    .status = cases[i].status};
		assert_int_equal(shutdown_exit_status(&plan, world, true), cases[i].expected);
		assert_int_equal(shutdown_exit_status(&plan, world, false), 0);
	}
}

static void every_stage_has_a_name_that_fits(void **state)
{
	(void)state;
	for (uint32_t stage = SHUTDOWN_NONE; stage < SHUTDOWN_STAGES; stage++)
		assert_in_range(strlen(shutdown_stage_name((enum shutdown_stage)stage)), 1,
				LAST_STEP_NAME_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_runtime_is_what_runs_pods_and_what_it_needs,
						make_node, drop_node),
		cmocka_unit_test_setup_teardown(only_services_with_a_process_hold_a_stage,
						make_node, drop_node),
		cmocka_unit_test(a_stage_lasts_as_long_as_its_work_and_its_time),
		cmocka_unit_test(pods_wait_for_kubelet_and_the_runtime_for_pods),
		cmocka_unit_test(pods_never_get_more_than_half_of_the_budget),
		cmocka_unit_test(without_pods_all_the_time_is_for_services),
		cmocka_unit_test(the_logger_is_all_that_its_stage_waits_for),
		cmocka_unit_test(forced_means_kill_and_go),
		cmocka_unit_test(the_end_always_comes),
		cmocka_unit_test_setup_teardown(a_service_that_was_killed_or_stays_is_told,
						make_node, drop_node),
		cmocka_unit_test_setup_teardown(
			exit_status_of_a_container_is_that_of_the_critical_service, make_node,
			drop_node),
		cmocka_unit_test(every_stage_has_a_name_that_fits),
	};

	return cmocka_run_group_tests_name("shutdown", tests, NULL, NULL);
}
