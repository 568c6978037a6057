/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's command line, arguments and signals: what people and tools tell PID 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

#include "init/cmdline.h"
#include "init/milestones.h"
#include "init/options.h"

static void words_are_read_as_documented(void **state)
{
	static const struct {
		const char *text;
		int slot;
		int log_level;
		bool trace;
	} cases[] = {
		{"", -1, -1, false},
		{"quiet root=/dev/vda2\n", -1, -1, false},
		{"keelson.slot=a", 0, -1, false},
		{"quiet keelson.slot=b ro", 1, -1, false},
		{"keelson.slot=a keelson.slot=b", 1, -1, false},
		{"keelson.trace", -1, -1, true},
		{"\tkeelson.trace\tkeelson.slot=a\n", 0, -1, true},
		{"keelson.log=err", -1, LOG_ERR, false},
		{"keelson.log=warning", -1, LOG_WARNING, false},
		{"keelson.log=notice", -1, LOG_NOTICE, false},
		{"keelson.log=info", -1, LOG_INFO, false},
		{"keelson.log=debug", -1, LOG_DEBUG, false},
		/* A quoted part is one word, whatever is in it. */
		{"dyndbg=\"file x.c +p keelson.trace\" keelson.slot=b", 1, -1, false},
		/* What follows "--" is for init, not for the kernel. */
		{"keelson.slot=a -- keelson.trace", 0, -1, false},
		{"notkeelson.trace xkeelson.slot=b", -1, -1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cmdline words;

		print_message("# %s\n", cases[i].text);
		cmdline_parse(cases[i].text, &words);
		assert_int_equal(words.slot, cases[i].slot);
		assert_int_equal(words.log_level, cases[i].log_level);
		assert_int_equal(words.trace, cases[i].trace);
		assert_int_equal(words.complaint_count, 0);
	}
}

static void only_the_whole_word_resets_the_state(void **state)
{
	struct cmdline words;

	(void)state;
	cmdline_parse("quiet keelson.reset=state ro", &words);
	assert_true(words.reset_state);
	assert_int_equal(words.complaint_count, 0);
	cmdline_parse("keelson.reset=states x.keelson.reset=state -- keelson.reset=state", &words);
	assert_false(words.reset_state);
}

static void a_wrong_word_is_a_complaint_and_changes_nothing(void **state)
{
	static const char *const wrong[] = {
		"keelson.slot",     "keelson.slot=",      "keelson.slot=c",    "keelson.slot=ab",
		"keelson.reset",    "keelson.reset=",     "keelson.reset=all", "keelson.reset=stat",
		"keelson.trace=1",  "keelson.trace=",     "keelson.log",       "keelson.log=loud",
		"keelson.log=6",    "keelson.",           "keelson.slott=a",   "keelson.SLOT=a",
		"keelson.slot=a=b", "keelson.slot=\"a\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[128];
		struct cmdline words;

		snprintf(text, sizeof(text), "quiet %s ro", wrong[i]);
		print_message("# %s\n", text);
		cmdline_parse(text, &words);
		assert_int_equal(words.slot, -1);
		assert_int_equal(words.log_level, -1);
		assert_false(words.trace);
		assert_int_equal(words.complaint_count, 1);
		assert_int_equal(words.complaints[0].length, strlen(wrong[i]));
		assert_memory_equal(words.complaints[0].word, wrong[i], strlen(wrong[i]));
	}
}

static void complaints_are_bounded(void **state)
{
	struct cmdline words;

	(void)state;
	cmdline_parse("keelson.a keelson.b keelson.c keelson.d keelson.e keelson.slot=b", &words);
	assert_int_equal(words.complaint_count, CMDLINE_COMPLAINTS);
	assert_int_equal(words.slot, 1);
}

static void an_unclosed_quote_ends_with_the_line(void **state)
{
	struct cmdline words;

	(void)state;
	cmdline_parse("keelson.slot=a x=\"never closed keelson.trace", &words);
	assert_int_equal(words.slot, 0);
	assert_false(words.trace);
}

static void arguments_are_read_and_foreign_ones_noted(void **state)
{
	char *argv[] = {(char[]){"init"},
			(char[]){"--plan=/tmp/p"},
			(char[]){"single"},
			(char[]){"--record=7"},
			(char[]){"--container"},
			(char[]){"--watchdog=8"},
			NULL};
	struct options options;

	(void)state;
	options_parse(6, argv, &options);
	assert_string_equal(options.plan, "/tmp/p");
	assert_int_equal(options.record, 7);
	assert_int_equal(options.watchdog, 8);
	assert_true(options.container);
	assert_string_equal(options.unknown, "single");
}

static void a_descriptor_is_a_number_above_the_standard_three(void **state)
{
	static char wrong[][24] = {"--record=", "--record=2", "--record=-4", "--record=4x",
				   "--record=99999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *argv[] = {(char[]){"init"}, wrong[i], NULL};
		struct options options;

		options_parse(2, argv, &options);
		assert_int_equal(options.record, -1);
		assert_ptr_equal(options.unknown, wrong[i]);
	}
}

static void a_milestone_cannot_forge_a_log_line(void **state)
{
	char name[MILESTONE_NAME_BYTES];
	char lengthy[200];

	(void)state;
	milestone_name("pod-running_1.0", name);
	assert_string_equal(name, "pod-running_1.0");
	milestone_name("a\nkeelson: up %s \x1b[2J", name);
	assert_string_equal(name, "a?keelson??up??s???2J");
	memset(lengthy, 'x', sizeof(lengthy));
	lengthy[sizeof(lengthy) - 1] = '\0';
	milestone_name(lengthy, name);
	assert_int_equal(strlen(name), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_read_as_documented),
		cmocka_unit_test(only_the_whole_word_resets_the_state),
		cmocka_unit_test(a_wrong_word_is_a_complaint_and_changes_nothing),
		cmocka_unit_test(complaints_are_bounded),
		cmocka_unit_test(an_unclosed_quote_ends_with_the_line),
		cmocka_unit_test(arguments_are_read_and_foreign_ones_noted),
		cmocka_unit_test(a_descriptor_is_a_number_above_the_standard_three),
		cmocka_unit_test(a_milestone_cannot_forge_a_log_line),
	};

	return cmocka_run_group_tests_name("cmdline", tests, NULL, NULL);
}
