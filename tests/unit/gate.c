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
static bool hangs;     /* the disk does */
static int disk_error; /* what a child exits with */
static int asked_by;   /* of stop_ask(), -1: not asked */
static pid_t child;

static int write_slowly(void *argument)
{
	(void)argument;
	while (hangs)
		pause();
	return -disk_error;
}

pid_t bless_start(const struct record *record, uint32_t tries, int *pidfd)
{
	assert_non_null(record);
	assert_int_equal(tries, 3);
	starts++;
	child = child_start(write_slowly, NULL, pidfd);
	return child;
}

void marks_note_failure_timed(const char *device, enum slot_reason reason, const char *detail)
{
	(void)device;
	(void)reason;
	(void)detail;
}

void stop_ask(enum control_power action, enum stop_by by)
{
	assert_int_equal(action, CONTROL_REBOOT);
	asked_by = (int)by;
}

/* ---- a healthy node ---- */

static struct record record;

static int make_node(void **state)
{
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	struct plan_system *system = plan_write_system(writer);
	void *bytes;
	size_t size;

	(void)state;
	log_open(-1, 0);
	system->name = plan_write_string(writer, "test");
	system->shutdown_timeout_ns = S;
	system->tries = 3;
	assert_int_equal(plan_write_finish(writer, NULL, &bytes, &size, NULL), 0);
	plan_write_free(writer);
	assert_int_equal(plan_verify(bytes, size, PLAN_KIND_NODE, &node.plan, NULL), 0);
	node.world = calloc(1, world_size(0));
	assert_int_equal(world_init(node.world, world_size(0), &node.plan), 0);
	node.record = &record;
	node_timeline = &node.world->timeline;
	node.world->up_ns = 1;
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

/* The gate keeps its state for the life of PID 1, so this is one story. */
static void one_writer_at_a_time_until_the_disk_takes_it(void **state)
{
	uint64_t now_ns = 10 * S;
	uint64_t retry_ns;

	(void)state;
	asked_by = -1;
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
	gate_advance(now_ns + 20000 * S);
	assert_int_equal(starts, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_writer_at_a_time_until_the_disk_takes_it,
						make_node, drop_node),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
