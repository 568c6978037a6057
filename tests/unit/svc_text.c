/* SPDX-License-Identifier: Apache-2.0 */
/* The texts that svc/ reads and writes: cgroup and proc files, stamps. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "svc/cgroup.h"
#include "svc/confine.h"
#include "svc/death.h"
#include "svc/format.h"
#include "svc/process.h"
#include "svc/show.h"
#include "svc/stamp.h"
#include "svc/stream.h"

/* A copy of exactly `size` bytes, so that a read beyond it is a finding. */
static char *exact(const char *text, size_t size)
{
	char *copy = malloc(size + (size == 0));

	memcpy(copy, text, size);
	return copy;
}

static void populated_is_read(void **state)
{
	static const struct {
		const char *text;
		int value;
	} cases[] = {
		{"populated 1\nfrozen 0\n", 1},
		{"populated 0\nfrozen 0\n", 0},
		{"frozen 0\npopulated 1", 1},
		{"frozen 0\n", -EBADMSG},
		{"", -EBADMSG},
		{"populated ", -EBADMSG},
		{"populated 2\n", -EBADMSG},
		{"populated 10\n", -EBADMSG},
		{"unpopulated 1\n", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t size = strlen(cases[i].text);
		char *text = exact(cases[i].text, size);

		assert_int_equal(cgroup_parse_populated(text, size), cases[i].value);
		free(text);
	}
}

static void counters_of_a_group_are_read(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint64_t value;
	} cases[] = {
		{"low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\n", 0, 4},
		{"oom_group_kill 5\noom_kill 0\n", 0, 0},
		{"oom_kill 12345678901", 0, 12345678901},
		{"oom 3\noom_group_kill 5\n", -EBADMSG, 0},
		{"oom_kill \n", -EBADMSG, 0},
		{"oom_kill 4x\n", -EBADMSG, 0},
		{"oom_kill -1\n", -EBADMSG, 0},
		{"oom_kill 99999999999999999999999\n", -EBADMSG, 0},
		{"", -EBADMSG, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t size = strlen(cases[i].text);
		char *text = exact(cases[i].text, size);
		uint64_t value = 77;

		assert_int_equal(cgroup_parse_counter(text, size, "oom_kill ", &value),
				 cases[i].error);
		if (cases[i].error == 0)
			assert_int_equal(value, cases[i].value);
		free(text);
	}
}

static void a_setting_may_begin_with_a_device(void **state)
{
	(void)state;
	assert_int_equal(cgroup_device_length("/dev/vda rbps=1 wbps=2"), strlen("/dev/vda"));
	assert_int_equal(cgroup_device_length("/dev/vda"), strlen("/dev/vda"));
	assert_int_equal(cgroup_device_length("254:0 rbps=1"), 0);
	assert_int_equal(cgroup_device_length("default 100"), 0);
	assert_int_equal(cgroup_device_length(""), 0);
}

static void the_v2_path_of_a_process_is_read(void **state)
{
	char path[CGROUP_PATH_BYTES], longest[2 * CGROUP_PATH_BYTES];
	static const struct {
		const char *text;
		int error;
		const char *path;
	} cases[] = {
		{"0::/containerd\n", 0, "containerd"},
		{"0::/\n", 0, ""},
		{"9:name=systemd:/x\n4:memory:/y\n0::/a/b\n", 0, "a/b"},
		{"0::/a b\n", 0, "a b"},
		{"0::/web (deleted)\n", 0, "web"},
		{"0::/a (deleted)/b\n", 0, "a (deleted)/b"},
		{"0::/ (deleted)\n", 0, ""},
		{"0::/(deleted)\n", 0, "(deleted)"},
		{"10::/a\n", -ENOENT, NULL},
		{"4:memory:/0::/x\n", -ENOENT, NULL},
		{"", -ENOENT, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t size = strlen(cases[i].text);
		char *text = exact(cases[i].text, size);

		assert_int_equal(cgroup_parse_path(text, size, path), cases[i].error);
		if (cases[i].path)
			assert_string_equal(path, cases[i].path);
		free(text);
	}
	memset(longest, 'x', sizeof longest);
	memcpy(longest, "0::/", 4);
	assert_int_equal(cgroup_parse_path(longest, sizeof longest, path), -ENAMETOOLONG);
}

static void a_group_contains_itself_and_what_is_below(void **state)
{
	(void)state;
	assert_true(cgroup_contains("web", "web"));
	assert_true(cgroup_contains("web", "web/worker"));
	assert_false(cgroup_contains("web", "web2"));
	assert_false(cgroup_contains("web", "we"));
	assert_false(cgroup_contains("web", ""));
	assert_false(cgroup_contains("", "web"));
	assert_true(cgroup_contains("a/b", "a/b/c"));
}

static void the_start_time_is_field_22_whatever_the_name(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint64_t ticks;
	} cases[] = {
		{"7 (cat) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 8 9\n", 0, 4711},
		{"7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12 8 9\n", 0, 12},
		{"7 () S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 1", 0, 1},
		{"7 (cat) S 1 7 7 0\n", -EBADMSG, 0},
		{"7 cat S 1\n", -EBADMSG, 0},
		{"", -EBADMSG, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t size = strlen(cases[i].text);
		char *text = exact(cases[i].text, size);
		uint64_t ticks = 0;

		assert_int_equal(process_parse_start(text, size, &ticks), cases[i].error);
		if (cases[i].error == 0)
			assert_int_equal(ticks, cases[i].ticks);
		free(text);
	}
}

static void what_a_process_may_do_is_read(void **state)
{
	struct process_status status;

	(void)state;
	process_parse_status("Name:\tCapBnd:\t1\nUid:\t1000\t33\t1000\t1000\nThreads:\t7\n"
			     "VmRSS:\t    612 kB\nCapInh:\t0000000000000400\n"
			     "CapPrm:\t0000000000000001\nCapEff:\t0000000000000003\n"
			     "CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n"
			     "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n",
			     &status);
	assert_int_equal(status.uid, 33);
	assert_int_equal(status.threads, 7);
	assert_int_equal(status.rss_bytes, 612 * 1024);
	assert_int_equal(status.cap_inheritable, 0x400);
	assert_int_equal(status.cap_effective, 3);
	assert_int_equal(status.cap_bounding, 0x1ffffffffff);
	assert_int_equal(status.no_new_privs, 1);
	assert_int_equal(status.seccomp, 2);
	assert_int_equal(status.seccomp_filters, 3);
	process_parse_status("", &status);
	assert_int_equal(status.cap_effective, 0);
	assert_string_equal(process_capability_name(21), "cap_sys_admin");
	assert_string_equal(process_capability_name(40), "cap_checkpoint_restore");
	assert_null(process_capability_name(41));
}

static void deaths_are_told_in_words(void **state)
{
	static const struct {
		struct world_death death;
		const char *text;
	} cases[] = {
		{{.code = 0}, ""},
		{{.code = CLD_EXITED, .status = 3}, "exited with status 3"},
		{{.code = CLD_KILLED, .status = 9}, "killed by signal 9 (Killed)"},
		{{.code = CLD_EXITED, .status = 127, .error = -ENOENT, .step = CONFINE_EXEC},
		 "start failed at step exec: No such file or directory"},
		{{.error = -EPERM, .step = CONFINE_AMBIENT},
		 "start failed at step ambient: Operation not permitted"},
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		death_text(&cases[i].death, text, sizeof text);
		assert_string_equal(text, cases[i].text);
	}
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
/* The same text as printf(3)'s, for what both know. */
static void same(const char *format, ...)
{
	char ours[64], theirs[64];
	va_list arguments;

	va_start(arguments, format);
	size_t length = format_text_v(ours, sizeof ours, format, arguments);
	va_end(arguments);
	va_start(arguments, format);
	int expected = vsnprintf(theirs, sizeof theirs, format, arguments);
	va_end(arguments);
	assert_string_equal(ours, theirs);
	assert_int_equal(length, expected);
}
#pragma GCC diagnostic pop

static void format_text_writes_what_printf_would(void **state)
{
	char small[4];

	(void)state;
	same("plain 100%%");
	same("%s-%c-%.*s|%8s|", "text", 'x', 3, "abcdef", "right");
	same("%d %d %i %d", 0, -1, 42, -2147483647 - 1);
	same("%u %x %lu %llu %zu", 4294967295u, 0xbeefu, 1ul, 18446744073709551615ull, (size_t)77);
	same("%ld %lld", -5l, -9223372036854775807ll - 1);
	same("%5d|%05d|%5u|%02u|%04x", -42, -42, 7u, 123u, 0x1fu);
	assert_int_equal(format_text(small, sizeof small, "%s", "abcdef"), 3);
	assert_string_equal(small, "abc");
	assert_int_equal(format_text(small, 1, "%d", 5), 0);
	assert_string_equal(small, "");
}

static void every_line_gets_one_stamp(void **state)
{
	struct timespec now = {.tv_sec = 1767225599, .tv_nsec = 987654321};
	char stamp[STAMP_BYTES + 1], out[256];
	bool line_start = true;
	size_t written;

	(void)state;
	stamp_make(&now, stamp);
	assert_string_equal(stamp, "2025-12-31T23:59:59.987Z ");
	assert_int_equal(stamp_lines("a\n\nb", 4, stamp, &line_start, out, sizeof out, &written),
			 4);
	assert_int_equal(written, 4 + 3 * STAMP_BYTES);
	assert_false(line_start);
	assert_int_equal(stamp_lines("c\n", 2, stamp, &line_start, out, sizeof out, &written), 2);
	assert_int_equal(written, 2);
	assert_memory_equal(out, "c\n", 2);
	assert_true(line_start);
	/* A buffer that is too small takes what fits, and goes on from there. */
	size_t taken = stamp_lines("abcdef\n", 7, stamp, &line_start, out, STAMP_BYTES + 4,
				   &written);

	assert_int_equal(taken, 4);
	assert_int_equal(written, STAMP_BYTES + 4);
	assert_int_equal(stamp_lines("ef\n", 3, stamp, &line_start, out, sizeof out, &written), 3);
	assert_int_equal(written, 3);
}

static void nothing_that_a_terminal_obeys_is_left(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"plain\ttext\n", "plain\ttext\n"},
		{"\033[31mred\r\a\177", "?[31mred???"},
		{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7",
		 "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7"},
		{"\xc2\x9b"
		 "31m",
		 "??31m"},
		{"\x9b"
		 "31m",
		 "?31m"},
		{"\xc3\033[31m", "??[31m"},
		{"\xe2\x82\033", "???"},
		{"\xff\xc0\x80", "???"},
		{"cut \xe2\x82", "cut \xe2\x82"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t size = strlen(cases[i].text);
		char *text = exact(cases[i].text, size);

		show_defuse(text, size);
		assert_memory_equal(text, cases[i].shown, size);
		free(text);
	}
}

/* What `text` is as JSON. */
static void json_is(const char *text, const char *expected)
{
	char *json = NULL;
	size_t size;
	FILE *stream = open_memstream(&json, &size);

	show_json_string(stream, text);
	fclose(stream);
	assert_string_equal(json, expected);
	free(json);
}

static void json_strings_are_ascii_and_escaped(void **state)
{
	(void)state;
	json_is("", "\"\"");
	json_is("a \"b\" \\c", "\"a \\\"b\\\" \\\\c\"");
	json_is("\n\033\177\xff", "\"\\u000a\\u001b\\u007f\\u00ff\"");
}

/* A service's pipe with a line in it, whose file can never be opened. */
static void begin_stream(struct stream *stream, struct stream_scratch *scratch, int *to)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	*to = ends[1];
	assert_int_equal(write(*to, "line\n", 5), 5);
	assert_int_equal(pipe2(scratch->pipe, O_CLOEXEC), 0);
	scratch->chunk = malloc(STREAM_CHUNK_BYTES);
	scratch->lines = malloc(STREAM_CHUNK_BYTES);
	*stream = (struct stream){
		.name = "web",
		.pipe = ends[0],
		.line_start = true,
		.file = {.path = "/dev/null/log", .fd = -1},
	};
}

static void output_waits_for_its_file_and_is_dropped_for_the_true_reason(void **state)
{
	struct stream stream;
	struct stream_scratch scratch;
	int to;

	(void)state;
	begin_stream(&stream, &scratch, &to);
	assert_false(stream_move(&stream, &scratch, 1));
	assert_false(stream_move(&stream, &scratch, STREAM_PATIENCE_NS - 1));
	assert_int_equal(stream.dropped_bytes, 0);
	/* Patience ends between two attempts. */
	assert_true(stream_move(&stream, &scratch, STREAM_PATIENCE_NS + 2));
	assert_int_equal(stream.dropped_bytes, 5);
	assert_int_equal(stream.dropped_error, -ENOTDIR);
	/* Who began to drop goes on: left in the pipe it would wake the logger all the time. */
	assert_int_equal(write(to, "more\n", 5), 5);
	assert_true(stream_move(&stream, &scratch, STREAM_PATIENCE_NS + 3));
	assert_int_equal(stream.dropped_bytes, 10);
	close(stream.pipe);
	close(to);
	close(scratch.pipe[0]);
	close(scratch.pipe[1]);
	free(scratch.chunk);
	free(scratch.lines);
}

static void a_full_disk_is_waited_for_by_nobody(void **state)
{
	struct stream stream;
	struct stream_scratch scratch;
	int to;

	(void)state;
	begin_stream(&stream, &scratch, &to);
	stream.open_error = -ENOSPC; /* the last attempt to open said so, the next is not due */
	stream.retry_ns = 10;
	stream.patient_ns = STREAM_PATIENCE_NS;
	assert_true(stream_move(&stream, &scratch, 5));
	assert_int_equal(stream.dropped_error, -ENOSPC);
	close(stream.pipe);
	close(to);
	close(scratch.pipe[0]);
	close(scratch.pipe[1]);
	free(scratch.chunk);
	free(scratch.lines);
}

/* The state of a process, as /proc tells it: 'S' sleeps. */
static char state_of(pid_t pid)
{
	char path[64], text[512] = "";

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	const char *end = strrchr(text, ')');

	return end ? end[2] : '?';
}

static void output_stays_in_its_pipe_until_it_is_written(void **state)
{
	char path[] = "/tmp/keelson-fifo-XXXXXX";
	struct stream stream;
	struct stream_scratch scratch;
	int to, left = 0;

	(void)state;
	begin_stream(&stream, &scratch, &to);
	/* A file that takes no more bytes: the logger hangs in the middle of writing. */
	close(mkstemp(path));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	int full = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	while (write(full, path, sizeof path) > 0)
		;
	stream.file.path = path;
	pid_t pid = fork();

	if (pid == 0) {
		stream_move(&stream, &scratch, 1);
		_exit(0);
	}
	for (int i = 0; i < 10000 && state_of(pid) != 'S'; i++)
		usleep(1000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(ioctl(stream.pipe, FIONREAD, &left), 0);
	assert_int_equal(left, 5);
	unlink(path);
	close(full);
	close(stream.pipe);
	close(to);
	close(scratch.pipe[0]);
	close(scratch.pipe[1]);
	free(scratch.chunk);
	free(scratch.lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(populated_is_read),
		cmocka_unit_test(counters_of_a_group_are_read),
		cmocka_unit_test(a_setting_may_begin_with_a_device),
		cmocka_unit_test(the_v2_path_of_a_process_is_read),
		cmocka_unit_test(a_group_contains_itself_and_what_is_below),
		cmocka_unit_test(the_start_time_is_field_22_whatever_the_name),
		cmocka_unit_test(what_a_process_may_do_is_read),
		cmocka_unit_test(deaths_are_told_in_words),
		cmocka_unit_test(format_text_writes_what_printf_would),
		cmocka_unit_test(every_line_gets_one_stamp),
		cmocka_unit_test(nothing_that_a_terminal_obeys_is_left),
		cmocka_unit_test(json_strings_are_ascii_and_escaped),
		cmocka_unit_test(output_waits_for_its_file_and_is_dropped_for_the_true_reason),
		cmocka_unit_test(a_full_disk_is_waited_for_by_nobody),
		cmocka_unit_test(output_stays_in_its_pipe_until_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
