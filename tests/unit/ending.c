/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a node: who may ask for it and how, what is recorded of it, who is ended and fed. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/input-event-codes.h>

#include "init/button.h"
#include "init/signals.h"
#include "init/spree.h"
#include "init/watchdog.h"
#include "svc/last.h"

#define S 1000000000ull

/* ---- asking ---- */

static void signals_mean_what_those_who_send_them_know(void **state)
{
	static const struct {
		uint32_t signal;
		bool wanted;
		bool forced;
		enum control_power machine;
		enum control_power container;
	} cases[] = {
		{SIGTERM, true, false, CONTROL_REBOOT, CONTROL_POWEROFF},
		{SIGINT, true, false, CONTROL_REBOOT, CONTROL_POWEROFF},
		{SIGUSR1, true, false, CONTROL_HALT, CONTROL_HALT},
		{SIGUSR2, true, false, CONTROL_POWEROFF, CONTROL_POWEROFF},
		{SIGPWR, true, false, CONTROL_POWEROFF, CONTROL_POWEROFF},
		{37, true, false, CONTROL_HALT, CONTROL_HALT},
		{38, true, false, CONTROL_POWEROFF, CONTROL_POWEROFF},
		{39, true, false, CONTROL_REBOOT, CONTROL_REBOOT},
		{40, true, false, CONTROL_KEXEC, CONTROL_KEXEC},
		{47, true, true, CONTROL_HALT, CONTROL_HALT},
		{48, true, true, CONTROL_POWEROFF, CONTROL_POWEROFF},
		{49, true, true, CONTROL_REBOOT, CONTROL_REBOOT},
		{50, true, true, CONTROL_KEXEC, CONTROL_KEXEC},
		{SIGHUP, false, false, 0, 0},
		{SIGCHLD, false, false, 0, 0},
		{SIGWINCH, false, false, 0, 0},
		{0, false, false, 0, 0},
		{34, false, false, 0, 0},
		{36, false, false, 0, 0},
		{41, false, false, 0, 0},
		{46, false, false, 0, 0},
		{51, false, false, 0, 0},
		{64, false, false, 0, 0},
		{UINT32_MAX, false, false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct signal_request machine = signal_means(cases[i].signal, false);
		struct signal_request container = signal_means(cases[i].signal, true);

		print_message("# signal %u\n", cases[i].signal);
		assert_int_equal(machine.wanted, cases[i].wanted);
		assert_int_equal(container.wanted, cases[i].wanted);
		assert_int_equal(machine.forced, cases[i].forced);
		assert_int_equal(container.forced, cases[i].forced);
		if (!cases[i].wanted)
			continue;
		assert_int_equal(machine.action, cases[i].machine);
		assert_int_equal(container.action, cases[i].container);
	}
}

static void one_press_that_is_told_twice_is_one(void **state)
{
	enum control_power action;

	(void)state;
	assert_true(button_means(KEY_POWER, 5 * S, 0, &action));
	assert_int_equal(action, CONTROL_POWEROFF);
	assert_true(button_means(KEY_POWER, BUTTON_BOUNCE_NS / 2, 0, &action));
	assert_true(button_means(KEY_RESTART, 5 * S, 0, &action));
	assert_int_equal(action, CONTROL_REBOOT);
	assert_false(button_means(KEY_SLEEP, 5 * S, 0, &action));
	assert_false(button_means(KEY_A, 5 * S, 0, &action));
	assert_false(button_means(KEY_POWER, 5 * S, 5 * S, &action));
	assert_false(button_means(KEY_POWER, 5 * S + BUTTON_BOUNCE_NS - 1, 5 * S, &action));
	assert_true(button_means(KEY_POWER, 5 * S + BUTTON_BOUNCE_NS, 5 * S, &action));
}

/* ---- the record ---- */

static struct last ended(uint64_t sequence)
{
	struct last last = {.state = LAST_ENDED, .action = 2, .by = LAST_BY_SIGNAL};
	struct last before = {.sequence = sequence - 1};

	last_seal(&last, &before);
	return last;
}

static void a_record_is_whole_or_none(void **state)
{
	struct last last = ended(7);

	(void)state;
	assert_int_equal(last.sequence, 7);
	assert_int_equal(last_check(&last), 0);
	for (size_t i = 0; i < sizeof(last); i += 13) {
		((uint8_t *)&last)[i] ^= 1;
		assert_int_equal(last_check(&last), -EBADMSG);
		((uint8_t *)&last)[i] ^= 1;
	}
	assert_int_equal(last_check(&last), 0);
}

/* Sealed by somebody who knows how, so only its content is wrong. */
static void a_record_out_of_range_is_none(void **state)
{
	struct last last;

	(void)state;
#define WRONG(change)                                          \
	do {                                                   \
		last = ended(1);                               \
		change;                                        \
		last_seal(&last, NULL);                        \
		assert_int_equal(last_check(&last), -EBADMSG); \
	} while (0)
	WRONG(last.state = 0);
	WRONG(last.state = LAST_ENDED + 1);
	WRONG(last.action = 5);
	WRONG(last.by = LAST_BY_COUNT);
	WRONG(last.slot = 2);
	WRONG(last.cause = LAST_CAUSE_COUNT);
	WRONG(last.step_count = LAST_STEPS + 1);
	WRONG(last.note_count = LAST_NOTES + 1);
	WRONG(memset(last.steps[LAST_STEPS - 1].name, 'x', LAST_STEP_NAME_BYTES));
	WRONG(memset(last.notes[0], 'x', LAST_NOTE_BYTES));
	WRONG(memset(last.boot_id, 'x', sizeof(last.boot_id)));
	WRONG(memset(last.image_version, 'x', sizeof(last.image_version)));
#undef WRONG
}

static void what_has_no_room_is_cut_or_counted(void **state)
{
	struct last last = {.state = LAST_ENDING};
	char lengthy[300];

	(void)state;
	memset(lengthy, 'y', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	for (uint32_t i = 0; i < LAST_STEPS + 3; i++)
		last_step(&last, lengthy, i, i + 1, -EBUSY);
	for (uint32_t i = 0; i < LAST_NOTES + 3; i++)
		last_note(&last, lengthy);
	assert_int_equal(last.step_count, LAST_STEPS);
	assert_int_equal(last.note_count, LAST_NOTES);
	assert_int_equal(last.notes_lost, 3);
	assert_int_equal(strlen(last.notes[LAST_NOTES - 1]), LAST_NOTE_BYTES - 1);
	assert_int_equal(strlen(last.steps[0].name), LAST_STEP_NAME_BYTES - 1);
	assert_int_equal(last.steps[2].start_ns, 2);
	assert_int_equal(last.steps[2].end_ns, 3);
	assert_int_equal(last.steps[2].error, -EBUSY);
	last_seal(&last, NULL);
	assert_int_equal(last_check(&last), 0);
}

static void the_newest_valid_record_counts(void **state)
{
	struct last records[4] = {ended(3), ended(9), ended(4), ended(5)};

	(void)state;
	assert_ptr_equal(last_newest(records, 4), &records[1]);
	records[1].crc32 ^= 1;
	assert_ptr_equal(last_newest(records, 4), &records[3]);
	memset(records, 0, sizeof(records));
	assert_null(last_newest(records, 4));
}

static void why_a_boot_ended_is_told_by_what_is_known(void **state)
{
	static const struct {
		enum last_state state;
		bool watchdog, panic;
		enum last_cause cause;
	} cases[] = {
		{LAST_ENDED, false, false, LAST_CAUSE_ORDERLY},
		{LAST_ENDED, true, false, LAST_CAUSE_ORDERLY}, /* reboot(2) hung */
		{LAST_RUNNING, false, false, LAST_CAUSE_LOST},
		{LAST_RUNNING, true, false, LAST_CAUSE_WATCHDOG},
		{LAST_RUNNING, false, true, LAST_CAUSE_PANIC},
		{LAST_RUNNING, true, true, LAST_CAUSE_PANIC},
		{LAST_ENDING, false, false, LAST_CAUSE_SHUTDOWN},
		{LAST_ENDING, true, false, LAST_CAUSE_WATCHDOG},
		{LAST_ENDING, false, true, LAST_CAUSE_PANIC},
	};

	(void)state;
	assert_int_equal(last_judge(NULL, true, true), LAST_CAUSE_NONE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct last last = {.state = cases[i].state};

		assert_int_equal(last_judge(&last, cases[i].watchdog, cases[i].panic),
				 cases[i].cause);
	}
}

static void a_judged_record_is_valid_and_of_the_same_number(void **state)
{
	struct last last = ended(12);

	(void)state;
	last_judged(&last, LAST_CAUSE_WATCHDOG, true);
	assert_int_equal(last_check(&last), 0);
	assert_int_equal(last.sequence, 12);
	assert_int_equal(last.cause, LAST_CAUSE_WATCHDOG);
	assert_int_equal(last.reset_by_watchdog, 1);
}

/* ---- who is ended ---- */

static void a_process_is_read_whatever_it_calls_itself(void **state)
{
	static const struct {
		const char *stat;
		const char *name; /* NULL: no such text */
		char state;
		bool kernel_thread;
		bool terminal;
	} cases[] = {
		{"612 (kured) S 1 612 612 0 -1 4194560 100 0", "kured", 'S', false, false},
		{"613 (sh) S 1 613 613 1088 613 4194560 100 0", "sh", 'S', false, true},
		{"7 (kworker/0:1-events) I 2 0 0 0 -1 69238880 0 0", "kworker/0:1-eve", 'I', true,
		 false},
		{"8 (a) R 1 (b) D 1 8 8 0 -1 4194304 0 0", "a) R 1 (b", 'D', false, false},
		{"9 (:) ) D 1 9 9 0 -1 64 0", ":) ", 'D', false, false},
		{"10 (new\nline) Z 1 10 10 0 -1 4194316 0", "new?line", 'Z', false, false},
		{"11 (cut) S 1 11 11 0 -1", NULL, 0, false, false},
		{"11 (cut) S 1 11 11 0 -1 ", NULL, 0, false, false},
		{"12 (cut)", NULL, 0, false, false},
		{"13 (cut) ", NULL, 0, false, false},
		{"14 cut S 1", NULL, 0, false, false},
		{") (", NULL, 0, false, false},
		{"", NULL, 0, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spree_process process;

		print_message("# %s\n", cases[i].stat);
		assert_int_equal(spree_parse(cases[i].stat, &process), cases[i].name != NULL);
		if (!cases[i].name)
			continue;
		assert_string_equal(process.name, cases[i].name);
		assert_int_equal(process.state, cases[i].state);
		assert_int_equal(process.kernel_thread, cases[i].kernel_thread);
		assert_int_equal(process.terminal, cases[i].terminal);
	}
}

/* ---- who is fed ---- */

static void a_loop_that_leaves_something_undone_is_not_healthy(void **state)
{
	(void)state;
	assert_true(watchdog_healthy(UINT64_MAX, 100 * S));
	assert_true(watchdog_healthy(101 * S, 100 * S));
	assert_true(watchdog_healthy(100 * S, 100 * S));
	assert_true(watchdog_healthy(100 * S, 100 * S + WATCHDOG_LATE_NS));
	assert_false(watchdog_healthy(100 * S, 100 * S + WATCHDOG_LATE_NS + 1));
	assert_false(watchdog_healthy(0, 100 * S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_mean_what_those_who_send_them_know),
		cmocka_unit_test(one_press_that_is_told_twice_is_one),
		cmocka_unit_test(a_record_is_whole_or_none),
		cmocka_unit_test(a_record_out_of_range_is_none),
		cmocka_unit_test(what_has_no_room_is_cut_or_counted),
		cmocka_unit_test(the_newest_valid_record_counts),
		cmocka_unit_test(why_a_boot_ended_is_told_by_what_is_known),
		cmocka_unit_test(a_judged_record_is_valid_and_of_the_same_number),
		cmocka_unit_test(a_process_is_read_whatever_it_calls_itself),
		cmocka_unit_test(a_loop_that_leaves_something_undone_is_not_healthy),
	};

	return cmocka_run_group_tests_name("ending", tests, NULL, NULL);
}
