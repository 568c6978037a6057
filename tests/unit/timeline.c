/* SPDX-License-Identifier: Apache-2.0 */
/* The timeline, its trace lines, and what keelctl analyze makes of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svc/analyze.h"
#include "svc/service.h"

#define MS 1000000ull

static void a_full_timeline_counts_what_it_drops(void **state)
{
	struct timeline *timeline = calloc(1, sizeof *timeline);

	(void)state;
	for (uint32_t i = 0; i < TIMELINE_EVENTS; i++)
		assert_int_equal(timeline_begin(timeline, TIMELINE_PHASE, "phase", i), i);
	assert_int_equal(timeline_begin(timeline, TIMELINE_PHASE, "late", 1), TIMELINE_EVENTS);
	timeline_end(timeline, TIMELINE_EVENTS, 2, 0);
	timeline_point(timeline, TIMELINE_SERVICE, "late", SERVICE_UP, 1);
	assert_int_equal(timeline->dropped, 2);
	assert_string_equal(timeline->events[TIMELINE_EVENTS - 1].name, "phase");
	free(timeline);
}

static void long_names_are_cut(void **state)
{
	struct timeline *timeline = calloc(1, sizeof *timeline);
	char name[100];

	(void)state;
	memset(name, 'n', sizeof name);
	name[99] = '\0';
	timeline_begin(timeline, TIMELINE_MOUNT, name, 5);
	assert_int_equal(strlen(timeline->events[0].name), TIMELINE_NAME_BYTES - 1);
	free(timeline);
}

static void a_trace_line_says_the_whole_event(void **state)
{
	static const struct timeline_event events[] = {
		{.kind = TIMELINE_PHASE,
		 .start_ns = 1,
		 .end_ns = 18446744073709551615ull,
		 .name = "mounts"},
		{.kind = TIMELINE_MODULE,
		 .start_ns = 2,
		 .end_ns = 3,
		 .error = -19,
		 .name = "crc32c-intel"},
		{.kind = TIMELINE_SERVICE, .start_ns = 4, .state = SERVICE_UP, .name = "kubelet"},
		{.kind = TIMELINE_SLOT, .start_ns = 5, .name = "burned a"},
		{.kind = TIMELINE_MILESTONE, .start_ns = 6, .name = "pod"},
		{.kind = TIMELINE_MOUNT, .start_ns = 7, .end_ns = 8, .name = "/var"},
		{.kind = TIMELINE_BOOTSTRAP, .start_ns = 9, .end_ns = 10, .name = "root"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		char line[TIMELINE_LINE_BYTES], console[256];
		struct timeline_event read;

		timeline_trace_line(&events[i], line, sizeof line);
		snprintf(console, sizeof console, "[    1.234567] %s\r\n", line);
		assert_int_equal(timeline_parse_line(console, &read), 0);
		assert_memory_equal(&read, &events[i], sizeof read);
	}
}

static void other_lines_are_no_trace_lines(void **state)
{
	static const struct {
		const char *line;
		int error;
	} cases[] = {
		{"", -ENOENT},
		{"[1.0] keelson: up", -ENOENT},
		{"keelson: trace: ", -EBADMSG},
		{"keelson: trace: phase", -EBADMSG},
		{"keelson: trace: phase 1 2 0 0", -EBADMSG},
		{"keelson: trace: phase 1 2 0 0 ", -EBADMSG},
		{"keelson: trace: fase 1 2 0 0 x", -EBADMSG},
		{"keelson: trace: phase -1 2 0 0 x", -EBADMSG},
		{"keelson: trace: phase 1 2 65536 0 x", -EBADMSG},
		{"keelson: trace: phase 18446744073709551616 2 0 0 x", -EBADMSG},
		{"keelson: trace: phase 1 2 0 - x", -EBADMSG},
		{"keelson: trace: phase 1 2 0 0 0123456789012345678901234567890123456789",
		 -EBADMSG},
		{"keelson: trace: phase 1 2 0 0 x", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct timeline_event event;

		assert_int_equal(timeline_parse_line(cases[i].line, &event), cases[i].error);
	}
}

/* mounts, then base and alone together, then top after base; top needs two tries. */
static const struct timeline_event boot[] = {
	{.kind = TIMELINE_BOOTSTRAP, .start_ns = 900 * MS, .end_ns = 3900 * MS, .name = "root"},
	{.kind = TIMELINE_PHASE, .start_ns = 100 * MS, .end_ns = 200 * MS, .name = "mounts"},
	{.kind = TIMELINE_MOUNT, .start_ns = 110 * MS, .end_ns = 120 * MS, .name = "/etc"},
	{.kind = TIMELINE_MOUNT, .start_ns = 120 * MS, .end_ns = 190 * MS, .name = "/var"},
	{.kind = TIMELINE_MODULE, .start_ns = 101 * MS, .end_ns = 109 * MS, .name = "overlay"},
	{.kind = TIMELINE_SERVICE, .start_ns = 200 * MS, .state = SERVICE_STARTING, .name = "base"},
	{.kind = TIMELINE_SERVICE, .start_ns = 200 * MS, .state = SERVICE_STARTING, .name = "alone"},
	{.kind = TIMELINE_SERVICE, .start_ns = 200 * MS, .state = SERVICE_WAITING, .name = "top"},
	{.kind = TIMELINE_SERVICE, .start_ns = 300 * MS, .state = SERVICE_UP, .name = "base"},
	{.kind = TIMELINE_SERVICE, .start_ns = 300 * MS, .state = SERVICE_STARTING, .name = "top"},
	{.kind = TIMELINE_SERVICE, .start_ns = 350 * MS, .state = SERVICE_UP, .name = "alone"},
	{.kind = TIMELINE_SERVICE, .start_ns = 400 * MS, .state = SERVICE_BACKOFF, .name = "top"},
	{.kind = TIMELINE_SERVICE, .start_ns = 500 * MS, .state = SERVICE_STARTING, .name = "top"},
	{.kind = TIMELINE_SERVICE, .start_ns = 700 * MS, .state = SERVICE_UP, .name = "top"},
	{.kind = TIMELINE_SERVICE, .start_ns = 9000 * MS, .state = SERVICE_STOPPING, .name = "top"},
	{.kind = TIMELINE_SERVICE, .start_ns = 9100 * MS, .state = SERVICE_STARTING, .name = "top"},
	{.kind = TIMELINE_SERVICE, .start_ns = 9200 * MS, .state = SERVICE_UP, .name = "top"},
};
#define BOOT_EVENTS ((uint32_t)(sizeof boot / sizeof boot[0]))

static bool top_needs_base(void *context, const char *from, const char *to)
{
	(void)context;
	return strcmp(from, "top") == 0 && strcmp(to, "base") == 0;
}

static void the_boot_is_the_first_time_each_came_up(void **state)
{
	static struct analyze analyze;

	(void)state;
	analyze_boot(&analyze, boot, BOOT_EVENTS, top_needs_base, NULL);
	assert_int_equal(analyze.end_ns, 700 * MS);
	assert_int_equal(analyze.service_count, 3);
	const struct analyze_service *top = &analyze.services[2];

	assert_string_equal(top->name, "top");
	assert_int_equal(top->waiting_ns, 200 * MS);
	assert_int_equal(top->started_ns, 500 * MS);
	assert_int_equal(top->up_ns, 700 * MS);
	assert_int_equal(top->starts, 2);
	assert_int_equal(top->failures, 1);
}

static void the_critical_path_follows_needs(void **state)
{
	static struct analyze analyze;

	(void)state;
	analyze_boot(&analyze, boot, BOOT_EVENTS, top_needs_base, NULL);
	assert_int_equal(analyze.path_count, 2);
	assert_string_equal(analyze.services[analyze.path[0]].name, "base");
	assert_string_equal(analyze.services[analyze.path[1]].name, "top");
	/* Without edges it is the one that came up last before. */
	analyze_boot(&analyze, boot, BOOT_EVENTS, NULL, NULL);
	assert_int_equal(analyze.path_count, 2);
	assert_string_equal(analyze.services[analyze.path[0]].name, "alone");
}

static void the_picture_is_as_drawn(void **state)
{
	static const char expected[] =
		"from kernel start to the last step: 0.700 s\n\n"
		"                                  start     took\n"
		"phase     mounts                  0.100    0.100  |  ====              |\n"
		"service   base                    0.200    0.100  |     ====           |\n"
		"service   alone                   0.200    0.150  |     =====          |\n"
		"service   top                     0.500    0.200  |     .........======|\n"
		"\nbefore the kexec, by the clock of the first kernel\n"
		"  root                     started    0.900 s, took    3.000 s\n"
		"\ncritical path\n"
		"  base                     started    0.200 s, took    0.100 s\n"
		"  top                      started    0.500 s, took    0.200 s "
		"(not at the first try)\n"
		"\nslowest modules\n"
		"  overlay                                     0.008 s\n"
		"\nslowest mounts\n"
		"  /var                                        0.070 s\n"
		"  /etc                                        0.010 s\n";
	static struct analyze analyze;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	analyze_boot(&analyze, boot, BOOT_EVENTS, top_needs_base, NULL);
	analyze_show(&analyze, stream, 0);
	fclose(stream);
	assert_string_equal(text, expected);
	free(text);
}

static void nothing_makes_an_empty_picture(void **state)
{
	static struct analyze analyze;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	analyze_boot(&analyze, NULL, 0, NULL, NULL);
	analyze_show(&analyze, stream, 80);
	analyze_json(&analyze, stream);
	fclose(stream);
	assert_string_equal(text, "no events\n{\"end_ns\": 0, \"critical_path\": [], "
				  "\"services\": [], \"events\": []}\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_timeline_counts_what_it_drops),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(a_trace_line_says_the_whole_event),
		cmocka_unit_test(other_lines_are_no_trace_lines),
		cmocka_unit_test(the_boot_is_the_first_time_each_came_up),
		cmocka_unit_test(the_critical_path_follows_needs),
		cmocka_unit_test(the_picture_is_as_drawn),
		cmocka_unit_test(nothing_makes_an_empty_picture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
