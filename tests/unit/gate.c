/* SPDX-License-Identifier: Apache-2.0 */
/* The health gate with a disk that fails or hangs: who writes, when it is tried again, how it ends. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/bless.h"
#include "init/gate.h"
#include "init/health.h"
#include "init/kept.h"
#include "init/labels.h"
#include "init/marks.h"
#include "init/node.h"
#include "init/stop.h"
#include "mount/child.h"
#include "rootfs-spec/plan_write.h"
#include "svc/log.h"
#include "svc/service.h"

#define S 1000000000ull

/* ---- what the gate asks for, played ---- */

static int starts;     /* children that were begun */
static int refills;    /* and those that fill the tries again */
static bool hangs;     /* the disk does */
static int disk_error; /* what a child exits with */
static int asked_by;   /* of stop_ask(), -1: not asked */
static enum control_power asked_for;
static pid_t child;

static int write_slowly(void *argument)
{
	(void)argument;
	while (hangs)
		pause();
	return -disk_error;
}

static int labelled; /* times that the node called itself blessed */

int labels_publish(const struct plan *plan, const struct record *record, bool blessed)
{
	assert_non_null(plan);
	assert_non_null(record);
	labelled += blessed;
	return 0;
}

pid_t bless_start(const struct record *record, uint32_t tries, int *pidfd)
{
	assert_non_null(record);
	assert_int_equal(tries, 3);
	starts++;
	child = child_start(write_slowly, NULL, pidfd);
	return child;
}

pid_t bless_refill_start(const struct record *record, uint32_t tries, int *pidfd)
{
	assert_non_null(record);
	assert_int_equal(tries, 3);
	refills++;
	child = child_start(write_slowly, NULL, pidfd);
	return child;
}

void marks_note_failure_timed(const struct slot_failure *failure)
{
	assert_non_null(failure->device);
	assert_non_null(failure->detail);
}

int stop_ask(const struct stop_request *request)
{
	asked_for = request->action;
	asked_by = (int)request->by;
	return 0;
}

bool stop_under_way(void)
{
	return false;
}

/* ---- a healthy node ---- */

static struct record record;

static const char *const true_argv[] = {"/bin/true", NULL};

/* One critical service, for which the node does `critical`. */
static void make_node_that(enum plan_critical critical)
{
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	struct plan_service service = plan_write_service_defaults(writer, "vital", true_argv);
	struct plan_system *system;
	void *bytes;
	size_t size;

	log_open(-1, 0);
	starts = refills = 0;
	hangs = false;
	disk_error = 0;
	asked_by = -1;
	service.flags |= PLAN_SERVICE_CRITICAL;
	plan_write_service(writer, &service);
	system = plan_write_system(writer);
	system->critical = critical;
	system->name = plan_write_string(writer, "test");
	system->shutdown_timeout_ns = S;
	system->tries = 3;
	assert_int_equal(plan_write_finish(writer, NULL, &bytes, &size, NULL), 0);
	plan_write_free(writer);
	assert_int_equal(plan_verify(bytes, size, PLAN_KIND_NODE, &node.plan, NULL), 0);
	size = world_size(1, plan_count(&node.plan, PLAN_PROBES));
	node.world = calloc(1, size);
	assert_int_equal(world_init(node.world, size, &node.plan), 0);
	kept_init(node.world);
	node.record = &record;
	node_timeline = &node.world->timeline;
	node.world->up_ns = 1;
}

static int make_node(void **state)
{
	(void)state;
	make_node_that(PLAN_CRITICAL_REBOOT);
	return 0;
}

static int drop_node(void **state)
{
	(void)state;
	free(node.world);
	free((void *)(uintptr_t)node.plan.header);
	return 0;
}

/* As the loop does on SIGCHLD. */
static void reap(void)
{
	siginfo_t info = {0};

	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED), 0);
	assert_true(
		gate_child_ended(info.si_pid, info.si_code == CLD_EXITED ? info.si_status : EIO));
}

static void one_writer_at_a_time_until_the_disk_takes_it(void **state)
{
	uint64_t now_ns = 10 * S;
	uint64_t retry_ns;

	(void)state;
	hangs = true;
	gate_advance(now_ns);
	assert_int_equal(starts, 1);
	assert_true(gate_wake_ns() > now_ns && gate_wake_ns() < now_ns + 120 * S);

	/* Nothing is done before its time, whoever wakes the loop. */
	gate_advance(gate_wake_ns() - 1);
	assert_int_equal(kill(child, 0), 0);
	assert_int_equal(starts, 1);
	assert_true(gate_wake_ns() != UINT64_MAX);

	/* At its deadline it is killed, once; there is no second writer before it ended. */
	now_ns = gate_wake_ns();
	gate_advance(now_ns);
	gate_advance(now_ns + 3600 * S);
	assert_int_equal(starts, 1);
	assert_int_equal(gate_wake_ns(), UINT64_MAX);
	reap();
	assert_false(gate_settled());

	/* Then another one, and ever later. */
	hangs = false;
	disk_error = EIO;
	now_ns = clock_boottime_ns();
	gate_advance(now_ns);
	assert_int_equal(starts, 1);
	retry_ns = gate_wake_ns();
	assert_true(retry_ns > now_ns && retry_ns <= now_ns + 10 * S);
	gate_advance(retry_ns);
	assert_int_equal(starts, 2);
	reap();
	gate_advance(now_ns);
	assert_true(gate_wake_ns() > now_ns + 15 * S);

	/* A disk that hangs is no reason to give a healthy node up. */
	assert_int_equal(asked_by, -1);
	assert_false(gate_settled());

	/* At the end of the node no writer may be left. */
	hangs = true;
	gate_advance(gate_wake_ns());
	assert_int_equal(starts, 3);
	assert_false(gate_finish());
	assert_int_equal(waitpid(child, NULL, WNOHANG), -1);
	assert_true(gate_finish());

	hangs = false;
	disk_error = 0;
	gate_advance(now_ns + 10000 * S);
	assert_int_equal(starts, 4);
	assert_false(gate_child_ended(1, 0));
	assert_true(gate_finish());
	assert_true(gate_settled());
	assert_true(node.world->blessed_ns != 0);
	assert_int_equal(labelled, 1);
	gate_advance(now_ns + 20000 * S);
	assert_int_equal(starts, 4);
}

static void a_blessed_slot_gets_its_tries_back_when_it_has_been_good_for_long(void **state)
{
	uint64_t blessed_ns;

	(void)state;
	gate_advance(10 * S);
	assert_true(gate_finish());
	blessed_ns = node.world->blessed_ns;
	gate_advance(blessed_ns + 1);
	assert_true(gate_wake_ns() == blessed_ns + HEALTH_STABLE_NS);
	assert_int_equal(refills, 0);
	/* A disk that fails is asked again. */
	disk_error = EIO;
	gate_advance(gate_wake_ns());
	assert_int_equal(refills, 1);
	reap();
	assert_true(node.world->blessed_ns == blessed_ns);
	disk_error = 0;
	gate_advance(blessed_ns + 2 * HEALTH_STABLE_NS);
	assert_int_equal(refills, 2);
	reap();
	gate_advance(blessed_ns + 3 * HEALTH_STABLE_NS);
	assert_int_equal(refills, 2);
	assert_int_equal(gate_wake_ns(), UINT64_MAX);
	assert_int_equal(starts, 1);
}

/* ---- PID 1 executes itself anew ---- */

static struct kept_gate *kept(void)
{
	return &kept_in(node.world)->gate;
}

static void a_blessing_that_is_being_written_is_waited_for_by_the_next_execution(void **state)
{
	(void)state;
	hangs = true;
	gate_advance(10 * S);
	assert_int_equal(kept()->pid, child);

	uint64_t deadline_ns = kept()->deadline_ns;

	gate_resume(20 * S, false);
	assert_int_equal(kept()->pid, child);
	assert_true(kept()->deadline_ns == deadline_ns);
	gate_advance(30 * S);
	assert_int_equal(starts, 1);
	/* Its pidfd is a new one, and works. */
	gate_advance(deadline_ns);
	reap();
	assert_int_equal(kept()->writing, 0);
}

static void a_blessing_that_ended_unseen_is_written_again(void **state)
{
	(void)state;
	gate_advance(10 * S);
	assert_int_equal(waitpid(child, NULL, 0), child);
	gate_resume(20 * S, false);
	assert_int_equal(kept()->pid, 0);
	gate_advance(20 * S);
	assert_int_equal(starts, 2);
	assert_true(gate_finish());
	assert_true(gate_settled());
}

static void a_process_that_got_the_writers_number_is_not_taken_for_it(void **state)
{
	(void)state;
	kept()->writing = 1;
	kept()->pid = getpid();
	kept()->start_ticks = 1;
	gate_resume(20 * S, false);
	assert_int_equal(kept()->pid, 0);
}

static void a_writer_that_nobody_knows_the_number_of_has_its_time_to_end(void **state)
{
	(void)state;
	kept()->writing = 1;
	gate_resume(20 * S, false);
	gate_advance(20 * S);
	assert_int_equal(starts, 0);
	assert_true(gate_wake_ns() >= 50 * S && gate_wake_ns() < 60 * S);
	gate_advance(gate_wake_ns());
	assert_int_equal(starts, 1);
	assert_true(gate_finish());
}

static void an_end_that_was_decided_is_asked_for_by_the_next_execution(void **state)
{
	(void)state;
	gate_resume(20 * S, false);
	assert_int_equal(asked_by, -1);
	kept()->given_up = CONTROL_HALT;
	gate_resume(20 * S, false);
	assert_int_equal(asked_by, LAST_BY_GATE);
	assert_int_equal(asked_for, CONTROL_HALT);
	assert_true(gate_settled());
}

/* A node that ran for an hour was blessed; its services only look as if they had just come up. */
static void a_slot_that_was_judged_is_not_given_up_when_nobody_knows_the_verdict(void **state)
{
	struct plan_system *system = (struct plan_system *)(uintptr_t)node.plan.system;

	(void)state;
	system->healthy_for_ns = 30 * S;
	system->healthy_deadline_ns = 300 * S;
	node.world->up_ns = 0;
	gate_resume(299 * S, true);
	assert_false(gate_settled());
	gate_resume(3600 * S, false);
	assert_false(gate_settled());
	gate_resume(3600 * S, true);
	assert_true(gate_settled());
	gate_advance(3600 * S);
	assert_int_equal(asked_by, -1);
	assert_int_equal(starts, 0);
}

/* ---- a critical service ---- */

static void a_critical_service_that_failed_has_the_nodes_action(void **state)
{
	static const struct {
		enum plan_critical critical;
		enum control_power action;
	} cases[] = {{PLAN_CRITICAL_REBOOT, CONTROL_REBOOT},
		     {PLAN_CRITICAL_POWEROFF, CONTROL_POWEROFF},
		     {PLAN_CRITICAL_HALT, CONTROL_HALT}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_node_that(cases[i].critical);
		node.world->services[0].state = SERVICE_FAILED;
		gate_advance(10 * S);
		assert_int_equal(asked_for, cases[i].action);
		assert_int_equal(asked_by, LAST_BY_GATE);
		drop_node(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_writer_at_a_time_until_the_disk_takes_it,
						make_node, drop_node),
		cmocka_unit_test_setup_teardown(
			a_blessed_slot_gets_its_tries_back_when_it_has_been_good_for_long,
			make_node, drop_node),
		cmocka_unit_test_setup_teardown(
			a_blessing_that_is_being_written_is_waited_for_by_the_next_execution,
			make_node, drop_node),
		cmocka_unit_test_setup_teardown(a_blessing_that_ended_unseen_is_written_again,
						make_node, drop_node),
		cmocka_unit_test_setup_teardown(
			a_process_that_got_the_writers_number_is_not_taken_for_it, make_node,
			drop_node),
		cmocka_unit_test_setup_teardown(
			a_writer_that_nobody_knows_the_number_of_has_its_time_to_end, make_node,
			drop_node),
		cmocka_unit_test_setup_teardown(
			an_end_that_was_decided_is_asked_for_by_the_next_execution, make_node,
			drop_node),
		cmocka_unit_test_setup_teardown(
			a_slot_that_was_judged_is_not_given_up_when_nobody_knows_the_verdict,
			make_node, drop_node),
		cmocka_unit_test(a_critical_service_that_failed_has_the_nodes_action),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
