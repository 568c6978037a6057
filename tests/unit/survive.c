/* SPDX-License-Identifier: Apache-2.0 */
/* What one execution of PID 1 leaves to the next: how crashes are counted, what is believed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/kept.h"
#include "init/options.h"
#include "init/shutdown.h"
#include "init/survive.h"
#include "mount/child.h"
#include "rootfs-spec/plan_write.h"
#include "svc/service.h"
#include "svc/world_check.h"
#include "tests/unit/small_world.h"

#define S 1000000000ull

/* ---- counting ---- */

static void crashes_within_the_period_of_the_one_before_are_in_a_row(void **state)
{
	static const struct {
		uint64_t at_s;
		uint32_t signal;
		uint32_t crashes;
	} cases[] = {
		{100, 11, 1}, {159, 6, 2},  {219, 11, 1}, /* a whole period later: a first one */
		{220, 0, 1},  {221, 11, 2}, /* on purpose is no crash, and forgives none */
		{222, 11, 3}, {500, 0, 3},  {501, 7, 1},
	};
	struct survive_again again = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		again = survive_next(&again, cases[i].signal, cases[i].at_s * S, 60 * S);
		assert_int_equal(again.crashes, cases[i].crashes);
		assert_int_equal(again.signal, cases[i].signal);
		assert_true(again.at_ns == cases[i].at_s * S);
	}
}

static void without_a_period_every_crash_is_a_first_one(void **state)
{
	struct survive_again again = {0};

	(void)state;
	for (uint64_t i = 1; i < 10; i++) {
		again = survive_next(&again, 11, i, 0);
		assert_int_equal(again.crashes, 1);
	}
}

static void what_is_told_is_understood(void **state)
{
	const struct survive_again again = {
		.crashes = 2,
		.signal = 11,
		.crash_ns = UINT64_MAX,
		.at_ns = 0x123456789abcdef,
		.address = 0xdeadbeef,
		.instruction = 1,
		.sender = 4194304,
	};
	struct survive_again read;
	char text[SURVIVE_AGAIN_BYTES];

	(void)state;
	survive_format(&again, text);
	assert_string_equal(text, "2,b,ffffffffffffffff,123456789abcdef,deadbeef,1,400000");
	assert_true(survive_parse(text, &read));
	assert_int_equal(read.crashes, again.crashes);
	assert_int_equal(read.signal, again.signal);
	assert_true(read.crash_ns == again.crash_ns && read.at_ns == again.at_ns);
	assert_true(read.address == again.address && read.instruction == again.instruction);
	assert_int_equal(read.sender, again.sender);
}

static void what_nobody_told_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"1",
		"1,b,1,1,1,1",
		"1,b,1,1,1,1,1,1",
		"1,b,1,1,1,1,",
		"1,b,,1,1,1,1",
		"1,b,1,1,1,1,1 ",
		"1,B,1,1,1,1,1",
		"1,41,1,1,1,1,1",
		"100000000,b,1,1,1,1,1",
		"1,b,11111111111111111,1,1,1,1",
		"x",
	};
	struct survive_again again;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(survive_parse(texts[i], &again));
}

/* ---- children ---- */

static int handled[2];

static void handle(int signal)
{
	(void)signal;
	(void)!write(handled[1], "x", 1);
}

static int crash(void *argument)
{
	(void)argument;
	return kill(getpid(), SIGSEGV);
}

static void a_child_never_runs_the_crash_handler_of_its_parent(void **state)
{
	struct sigaction action = {.sa_handler = handle}, before;
	char byte;

	(void)state;
	assert_int_equal(pipe2(handled, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	assert_int_equal(run_timed(crash, NULL, 10 * S), -ECHILD);
	assert_int_equal(read(handled[0], &byte, 1), -1);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	close(handled[0]);
	close(handled[1]);
}

/* ---- arguments ---- */

static void a_machine_is_not_misled_by_its_command_line(void **state)
{
	char program[] = "init", version[] = "--version", container[] = "--container",
	     period[] = "--crash-period=0";
	char *argv[] = {program, version, container, period, NULL};
	struct options options;

	(void)state;
	options_parse(4, argv, &options);
	assert_true(options.version && options.container && options.crash_period_s == 0);
	options_of_machine(&options);
	assert_false(options.version);
	assert_false(options.container);
	assert_int_equal(options.crash_period_s, UINT32_MAX);
}

static void an_executions_arguments_are_understood(void **state)
{
	char program[] = "init", again[] = "--again=1,b,1,1,1,1,1", world[] = "--world=9",
	     none[] = "--world=1";
	char *argv[] = {program, again, world, NULL};
	char *wrong[] = {program, none, NULL};
	struct options options;

	(void)state;
	options_parse(3, argv, &options);
	assert_string_equal(options.again, "1,b,1,1,1,1,1");
	assert_int_equal(options.world, 9);
	assert_null(options.unknown);
	options_parse(2, wrong, &options);
	assert_int_equal(options.world, -1);
	assert_string_equal(options.unknown, none);
}

/* ---- the world ---- */

static void *bytes;
static struct plan plan;
static struct world *world;
static size_t size;

enum { LOGGER, WEB, JOB, COUNT };

static int make_world(void **state)
{
	static const char *const names[] = {"logger", "web", "job"};
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		struct plan_service service = plan_write_service_defaults(writer, names[i], argv);

		plan_write_service(writer, &service);
	}
	world = small_world(writer, &plan, &bytes);
	size = world->size_bytes;
	kept_init(world);
	world->services[WEB].state = SERVICE_UP;
	world->services[WEB].wanted = 1;
	world->services[WEB].pid = 77;
	world->services[WEB].pid_start_ticks = 1234;
	world->services[WEB].output_read_fd = 10;
	world->services[WEB].output_write_fd = 11;
	world->services[JOB].state = SERVICE_DONE;
	world->services[JOB].wanted = 1;
	return 0;
}

static int drop_world(void **state)
{
	(void)state;
	free(world);
	free(bytes);
	return 0;
}

static void a_world_that_was_left_in_order_is_believed(void **state)
{
	struct world_fault fault;

	(void)state;
	assert_int_equal(world_check(world, size, &plan, &fault), 0);
	assert_int_equal(kept_check(kept_in(world)), 0);
}

static int check_with(const char *reason, uint32_t service)
{
	struct world_fault fault = {"", 0};
	int error = world_check(world, size, &plan, &fault);

	assert_string_equal(fault.reason, reason);
	assert_int_equal(fault.service, service);
	return error;
}

/* Set a field to a value that cannot be, see it refused, set it back. */
#define REFUSED(field, value, reason, service)                              \
	do {                                                                \
		__typeof__(field) saved = (field);                          \
		(field) = (value);                                          \
		assert_int_equal(check_with(reason, service), -EBADMSG);    \
		(field) = saved;                                            \
		assert_int_equal(world_check(world, size, &plan, NULL), 0); \
	} while (0)

static void every_field_that_selects_something_is_checked(void **state)
{
	struct world_service *web = &world->services[WEB];

	(void)state;
	REFUSED(world->magic, 1, "header", PLAN_NONE);
	REFUSED(world->executions, 0, "counters", PLAN_NONE);
	REFUSED(world->ending, 2, "counters", PLAN_NONE);
	REFUSED(world->notify_fd, -2, "descriptor", PLAN_NONE);
	REFUSED(world->control_fd, 1 << 20, "descriptor", PLAN_NONE);
	REFUSED(web->name[0], 'x', "name", WEB);
	REFUSED(web->state, SERVICE_STATE_COUNT, "state", WEB);
	REFUSED(web->wanted, 2, "state", WEB);
	REFUSED(web->pid, -1, "pid", WEB);
	REFUSED(web->pid, 1, "pid", WEB);
	REFUSED(web->spawned_pid, -5, "pid", WEB);
	REFUSED(web->stage, 3, "stage", WEB);
	REFUSED(web->stage, WORLD_STAGE_PRE, "stage", WEB);
	REFUSED(web->hook, 1, "stage", WEB);
	web->stage = WORLD_STAGE_POST; /* all of its commands ended, what they left has not */
	REFUSED(web->hook, 1, "stage", WEB);
	web->stage = WORLD_STAGE_MAIN;
	REFUSED(web->reason, WORLD_REASON_COUNT, "reason", WEB);
	REFUSED(web->last_death.reason, WORLD_REASON_COUNT, "reason", WEB);
	REFUSED(web->probes_met, 1u << plan_service(&plan, WEB)->probes.count, "probes", WEB);
	REFUSED(web->report_fd, 2, "descriptor", WEB);
	REFUSED(web->ready_fd, INT32_MIN, "descriptor", WEB);
	REFUSED(web->output_read_fd, (int32_t)WORLD_DESCRIPTORS, "descriptor", WEB);
	REFUSED(world_task(world, 1)->pid, -1, "tasks", PLAN_NONE);
	REFUSED(world_task(world, world->task_count - 1)->killed, 2, "tasks", PLAN_NONE);
}

static void a_descriptor_that_two_hold_is_refused(void **state)
{
	(void)state;
	REFUSED(world->services[JOB].output_read_fd, 11, "descriptor", JOB);
	REFUSED(world->notify_fd, 10, "descriptor", WEB);
}

static void a_text_without_an_end_is_refused(void **state)
{
	(void)state;
	memset(world->services[WEB].status, 'x', sizeof(world->services[WEB].status));
	assert_int_equal(check_with("status", WEB), -EBADMSG);
	memset(world->services[LOGGER].name, 'l', sizeof(world->services[LOGGER].name));
	assert_int_equal(check_with("name", LOGGER), -EBADMSG);
}

static void another_version_or_plan_is_told_from_damage(void **state)
{
	(void)state;
	world->version++;
	assert_int_equal(check_with("version", PLAN_NONE), -EPROTONOSUPPORT);
	world->version--;
	world->plan_crc32++;
	assert_int_equal(check_with("plan", PLAN_NONE), -EPROTONOSUPPORT);
	world->plan_crc32--;
	world->service_count++;
	assert_int_equal(check_with("layout", PLAN_NONE), -EPROTONOSUPPORT);
	world->service_count--;
	world->task_count++;
	assert_int_equal(check_with("layout", PLAN_NONE), -EPROTONOSUPPORT);
	world->task_count--;
	size--;
	assert_int_equal(check_with("layout", PLAN_NONE), -EPROTONOSUPPORT);
	size = 8;
	assert_int_equal(check_with("header", PLAN_NONE), -EBADMSG);
}

/* Any byte of it may be wrong: what is accepted can be walked. Every byte, every bit of some. */
static void no_damage_makes_the_check_itself_fail(void **state)
{
	uint8_t *at = (uint8_t *)world;
	uint32_t refused = 0;

	(void)state;
	for (size_t i = 0; i < size; i += i < sizeof(struct world) && i > 256 ? 97 : 1) {
		uint8_t saved = at[i];

		at[i] ^= 0xff;
		refused += world_check(world, size, &plan, NULL) != 0;
		(void)kept_check(kept_in(world));
		at[i] = saved;
	}
	assert_true(refused > 150);
}

static void history_is_mended_not_refused(void **state)
{
	(void)state;
	world->events[5] = (struct world_event){.service = 99, .kind = 1};
	world->events[6] = (struct world_event){.service = WEB, .reason = WORLD_REASON_COUNT};
	world->events[7] = (struct world_event){.service = WEB, .at_ns = 5};
	world->timeline.count = TIMELINE_EVENTS + 1;
	memset(world->timeline.events[9].name, 'x', TIMELINE_NAME_BYTES);
	assert_int_equal(world_check(world, size, &plan, NULL), 0);
	world_mend(world);
	assert_int_equal(world->events[5].service, PLAN_NONE);
	assert_int_equal(world->events[6].service, PLAN_NONE);
	assert_int_equal(world->events[7].at_ns, 5);
	assert_int_equal(world->timeline.count, TIMELINE_EVENTS);
	assert_int_equal(world->timeline.events[9].name[TIMELINE_NAME_BYTES - 1], '\0');
}

/* ---- transcription ---- */

static struct world *fresh_world(void)
{
	struct world *fresh = calloc(1, size);

	assert_int_equal(world_init(fresh, size, &plan), 0);
	return fresh;
}

static void a_world_of_another_version_is_read_by_name(void **state)
{
	/* Another layout: a header of 64 bytes, 100 for each service, in another order. */
	static const uint32_t order[] = {JOB, LOGGER, WEB};
	uint8_t *old = calloc(1, 64 + 4 * 100);
	struct world header = {0};
	struct world *fresh = fresh_world();

	(void)state;
	header.magic = WORLD_MAGIC;
	header.version = WORLD_VERSION + 7;
	header.header_bytes = 64;
	header.service_bytes = 100;
	header.service_count = 4;
	header.executions = 3;
	header.phase = 1;
	memcpy(old, &header, 48);
	for (uint32_t i = 0; i < COUNT; i++)
		memcpy(old + 64 + i * 100, &world->services[order[i]], sizeof(struct world_frozen));
	memcpy(old + 64 + 300, "gone", 5);
	assert_int_equal(world_transcribe(old, 64 + 4 * 100, &plan, fresh), COUNT);
	assert_int_equal(fresh->executions, 3);
	assert_int_equal(fresh->services[WEB].state, SERVICE_UP);
	assert_int_equal(fresh->services[WEB].pid, 77);
	assert_int_equal(fresh->services[WEB].pid_start_ticks, 1234);
	assert_int_equal(fresh->services[WEB].wanted, 1);
	assert_int_equal(fresh->services[WEB].output_read_fd, -1);
	assert_int_equal(fresh->services[JOB].state, SERVICE_DONE);
	assert_int_equal(fresh->services[LOGGER].state, SERVICE_DOWN);
	/* One byte short of its last service: nothing is read. */
	assert_int_equal(world_transcribe(old, 64 + 4 * 100 - 1, &plan, fresh), 0);
	free(fresh);
	free(old);
}

static void a_damaged_world_gives_what_can_be_read(void **state)
{
	struct world *fresh = fresh_world();

	(void)state;
	world->services[WEB].state = 1000;
	world->services[JOB].pid = -4;
	world->timeline.count = UINT32_MAX;
	world->crashes = 4;
	world->blessed_ns = 9;
	assert_int_equal(world_transcribe(world, size, &plan, fresh), COUNT - 1);
	assert_int_equal(fresh->services[WEB].state, SERVICE_DOWN);
	assert_int_equal(fresh->services[JOB].state, SERVICE_DONE);
	assert_int_equal(fresh->services[JOB].pid, 0);
	assert_int_equal(fresh->timeline.count, TIMELINE_EVENTS);
	assert_int_equal(fresh->crashes, 4);
	assert_int_equal(fresh->blessed_ns, 9);
	world->service_bytes = 1;
	assert_int_equal(world_transcribe(world, size, &plan, fresh), 0);
	world->service_bytes = UINT32_MAX;
	assert_int_equal(world_transcribe(world, size, &plan, fresh), 0);
	world->magic = 0;
	assert_int_equal(world_transcribe(world, size, &plan, fresh), 0);
	free(fresh);
}

/* ---- what init keeps ---- */

#define KEPT_REFUSED(field, value)                                      \
	do {                                                            \
		__typeof__(field) saved = (field);                      \
		(field) = (value);                                      \
		assert_int_equal(kept_check(kept_in(world)), -EBADMSG); \
		(field) = saved;                                        \
	} while (0)

static void what_init_keeps_is_checked(void **state)
{
	struct kept *kept = kept_in(world);

	(void)state;
	KEPT_REFUSED(kept->version, KEPT_VERSION + 1);
	KEPT_REFUSED(kept->size_bytes, 0);
	KEPT_REFUSED(kept->gate.given_up, 5);
	KEPT_REFUSED(kept->gate.refused, 2);
	KEPT_REFUSED(kept->gate.writing, 2);
	KEPT_REFUSED(kept->gate.pid, -1);
	KEPT_REFUSED(kept->gate.pid, 1);
	KEPT_REFUSED(kept->stop.asked, 2);
	KEPT_REFUSED(kept->stop.asked, 1); /* for nothing */
	KEPT_REFUSED(kept->stop.forced, 2);
	KEPT_REFUSED(kept->stop.stage, SHUTDOWN_FINAL + 1);
	KEPT_REFUSED(kept->stop.stage, SHUTDOWN_SERVICES); /* not asked for */
	KEPT_REFUSED(kept->stop.event, TIMELINE_EVENTS + 1);
	KEPT_REFUSED(kept->first_boot, 2);
	KEPT_REFUSED(kept->traced, TIMELINE_EVENTS + 1);
	kept->stop.asked = 1;
	kept->stop.action = CONTROL_REBOOT;
	kept->stop.stage = SHUTDOWN_SERVICES;
	assert_int_equal(kept_check(kept), 0);
	KEPT_REFUSED(kept->stop.action, CONTROL_KEXEC + 1);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, make_world, drop_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crashes_within_the_period_of_the_one_before_are_in_a_row),
		cmocka_unit_test(without_a_period_every_crash_is_a_first_one),
		cmocka_unit_test(what_is_told_is_understood),
		cmocka_unit_test(what_nobody_told_is_refused),
		cmocka_unit_test(a_child_never_runs_the_crash_handler_of_its_parent),
		cmocka_unit_test(a_machine_is_not_misled_by_its_command_line),
		cmocka_unit_test(an_executions_arguments_are_understood),
		WORLD_TEST(a_world_that_was_left_in_order_is_believed),
		WORLD_TEST(every_field_that_selects_something_is_checked),
		WORLD_TEST(a_descriptor_that_two_hold_is_refused),
		WORLD_TEST(a_text_without_an_end_is_refused),
		WORLD_TEST(another_version_or_plan_is_told_from_damage),
		WORLD_TEST(no_damage_makes_the_check_itself_fail),
		WORLD_TEST(history_is_mended_not_refused),
		WORLD_TEST(a_world_of_another_version_is_read_by_name),
		WORLD_TEST(a_damaged_world_gives_what_can_be_read),
		WORLD_TEST(what_init_keeps_is_checked),
	};

	return cmocka_run_group_tests_name("survive", tests, NULL, NULL);
}
