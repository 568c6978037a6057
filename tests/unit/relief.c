/* SPDX-License-Identifier: Apache-2.0 */
/* Output of a service that does not wait for the logger: what is thrown away, when, and how it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "svc/relief.h"

#define MS 1000000ull
#define T 5000000000ull /* some time */

static char path[] = "/tmp/keelson-relief-XXXXXX";
static struct stream stream;
static struct stream_scratch scratch;
static struct relief_watch watch;
static int writer;

static int begin(void **state)
{
	int ends[2];
	int file;

	(void)state;
	strcpy(path + strlen(path) - 6, "XXXXXX");
	file = mkstemp(path);
	if (file < 0 || close(file) < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    pipe2(scratch.pipe, O_CLOEXEC) < 0)
		return -1;
	writer = ends[1];
	scratch.chunk = malloc(STREAM_CHUNK_BYTES);
	scratch.lines = malloc(STREAM_CHUNK_BYTES);
	stream = (struct stream){
		.name = "web",
		.pipe = ends[0],
		.line_start = true,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.may_drop = true,
		.file = {.path = path, .max_bytes = 1 << 30, .fd = -1},
	};
	watch = (struct relief_watch){0};
	return 0;
}

static int end(void **state)
{
	(void)state;
	close(writer);
	close(stream.pipe);
	close(scratch.pipe[0]);
	close(scratch.pipe[1]);
	logfile_close(&stream.file);
	free(scratch.chunk);
	free(scratch.lines);
	return unlink(path);
}

static int filled(void)
{
	int bytes = -1;

	ioctl(stream.pipe, FIONREAD, &bytes);
	return bytes;
}

/* Lines of 64 bytes until `bytes` are written, or there is no room for another. */
static size_t write_lines(size_t bytes)
{
	char line[64];
	size_t written = 0;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	while (written < bytes && write(writer, line, sizeof(line)) == sizeof(line))
		written += sizeof(line);
	return written;
}

static const char *file_text(void)
{
	static char text[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[size < 0 ? 0 : size] = '\0';
	return text;
}

static void who_is_served_loses_nothing(void **state)
{
	(void)state;
	for (uint64_t now = T; now < T + 2000 * MS; now += 50 * MS) {
		write_lines(SIZE_MAX);
		assert_false(relief_look(&stream, &watch, now));
		assert_true(stream_move(&stream, &scratch, now));
	}
	/* Little that lies there for long is no reason. */
	assert_int_equal(write_lines(1024), 1024);
	for (uint64_t now = T + 2000 * MS; now < T + 9000 * MS; now += 50 * MS)
		assert_false(relief_look(&stream, &watch, now));
	assert_int_equal(filled(), 1024);
	assert_int_equal(stream.lost_bytes, 0);
	/* Nor is a burst after a long silence: it is given its time. */
	write_lines(SIZE_MAX);
	assert_false(relief_look(&stream, &watch, T + 9000 * MS));
	assert_false(relief_look(&stream, &watch, T + 9050 * MS));
	assert_true(stream_move(&stream, &scratch, T + 9060 * MS));
	assert_false(relief_look(&stream, &watch, T + 9100 * MS));
	assert_int_equal(stream.lost_bytes, 0);
	assert_null(strstr(file_text(), "dropped"));
}

static void who_is_not_is_relieved_and_the_loss_is_counted_in_the_file(void **state)
{
	char wanted[64];
	size_t lost;
	const char *text;

	(void)state;
	lost = write_lines(SIZE_MAX);
	assert_true(lost >= 60000);
	assert_false(relief_look(&stream, &watch, T));
	assert_false(relief_look(&stream, &watch, T + RELIEF_PATIENCE_NS - 1));
	assert_true(relief_look(&stream, &watch, T + RELIEF_PATIENCE_NS));
	assert_int_equal(filled(), 0);
	assert_int_equal(stream.lost_bytes, lost);
	/* From now on at once, but not before it has to be. */
	assert_int_equal(write_lines(1024), 1024);
	assert_true(relief_look(&stream, &watch, T + RELIEF_PATIENCE_NS + MS));
	assert_int_equal(filled(), 1024);
	lost += 1024 + write_lines(SIZE_MAX);
	assert_true(relief_look(&stream, &watch, T + RELIEF_PATIENCE_NS + 2 * MS));
	assert_int_equal(filled(), 0);
	assert_int_equal(stream.lost_bytes, lost);

	/* The logger is back: the loss is told first, then everything else is there. */
	assert_int_equal(write_lines(128), 128);
	assert_true(stream_move(&stream, &scratch, T + 300 * MS));
	assert_false(relief_look(&stream, &watch, T + 301 * MS));
	text = file_text();
	snprintf(wanted, sizeof(wanted), " bytes dropped: %s\n", "the logger was held up");
	assert_non_null(strstr(text, wanted));
	snprintf(wanted, sizeof(wanted), "keelson-log: %zu bytes dropped", lost);
	assert_non_null(strstr(text, wanted));
	assert_true(strstr(text, wanted) < strstr(text, "xxx"));
	assert_int_equal(stream.dropped_bytes, 0);
	/* And told once. */
	assert_int_equal(write_lines(64), 64);
	assert_true(stream_move(&stream, &scratch, T + 310 * MS));
	assert_null(strstr(strstr(file_text(), wanted) + strlen(wanted), "dropped"));
}

/* The service may say nothing more for days. */
static void a_loss_is_told_though_nothing_comes_after_it(void **state)
{
	char wanted[64];
	size_t lost;

	(void)state;
	lost = write_lines(SIZE_MAX);
	assert_false(stream_owes(&stream));
	assert_false(relief_look(&stream, &watch, T));
	assert_true(relief_look(&stream, &watch, T + RELIEF_PATIENCE_NS));
	assert_int_equal(filled(), 0);
	assert_true(stream_owes(&stream));
	assert_false(stream_move(&stream, &scratch, T + 300 * MS));
	snprintf(wanted, sizeof(wanted), "keelson-log: %zu bytes dropped: ", lost);
	assert_non_null(strstr(file_text(), wanted));
	/* And told once. */
	assert_false(stream_owes(&stream));
	assert_false(stream_move(&stream, &scratch, T + 600 * MS));
	assert_null(strstr(strstr(file_text(), wanted) + strlen(wanted), "dropped"));
}

/* Owed as long as the file cannot be had, and told when it can. */
static void a_loss_is_owed_until_there_is_a_file(void **state)
{
	static char nowhere[] = "/proc/keelson-no-such-directory/file";

	(void)state;
	stream.file.path = nowhere;
	write_lines(1024);
	assert_false(stream_move(&stream, &scratch, T));
	assert_false(stream_owes(&stream)); /* it has patience: nothing is missing */
	assert_true(stream_move(&stream, &scratch, T + STREAM_PATIENCE_NS));
	assert_true(stream_owes(&stream));
	assert_false(stream_move(&stream, &scratch, T + 2 * STREAM_PATIENCE_NS));
	assert_true(stream_owes(&stream));
	stream.file.path = path;
	assert_false(stream_move(&stream, &scratch, T + 3 * STREAM_PATIENCE_NS));
	assert_false(stream_owes(&stream));
	assert_non_null(strstr(file_text(), "keelson-log: 1024 bytes dropped: No such file"));
}

/* It has a copy, and writes it when it can: thrown away is only what comes after. */
static void what_the_logger_has_in_its_hands_is_not_lost(void **state)
{
	size_t all;

	(void)state;
	all = write_lines(SIZE_MAX);
	stream.held_bytes = 40000;
	assert_false(relief_look(&stream, &watch, T));
	assert_true(relief_look(&stream, &watch, T + RELIEF_PATIENCE_NS));
	assert_int_equal(stream.lost_bytes, all - 40000);
	assert_int_equal(stream.held_bytes, 0);
	/* All of it gone, the next is lost from its first byte. */
	all += write_lines(SIZE_MAX);
	assert_true(relief_look(&stream, &watch, T + RELIEF_PATIENCE_NS + MS));
	assert_int_equal(stream.lost_bytes, all - 40000);
}

/* Of a writer that needs a page for each of its writes a full pipe holds little more than half. */
static void a_pipe_without_room_is_full_whatever_the_writes(void **state)
{
	static const size_t sizes[] = {1, 7, 1000, 2047, 2048, 2049, 3000, 4095, 4096};
	static char bytes[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		watch = (struct relief_watch){0};
		while (write(writer, bytes, sizes[i]) > 0)
			;
		assert_int_equal(errno, EAGAIN);
		assert_false(relief_look(&stream, &watch, T));
		assert_true(relief_look(&stream, &watch, T + RELIEF_PATIENCE_NS));
		assert_int_equal(filled(), 0);
	}
}

static void it_is_not_looked_at_often_for_ever(void **state)
{
	(void)state;
	write_lines(SIZE_MAX);
	assert_false(relief_look(&stream, &watch, T));
	assert_true(relief_look(&stream, &watch, T + RELIEF_PATIENCE_NS));
	/* The service says nothing more, so the logger takes nothing more. */
	assert_true(relief_look(&stream, &watch, T + RELIEF_PATIENCE_NS + MS));
	assert_false(relief_look(&stream, &watch, T + RELIEF_PATIENCE_NS + RELIEF_CALM_NS));
}

static void nobody_looks_where_nothing_may_be_lost(void **state)
{
	(void)state;
	stream.may_drop = false;
	assert_int_equal(relief_start(&stream, 1), 0);
	write_lines(SIZE_MAX);
	usleep(4 * (RELIEF_PATIENCE_NS + RELIEF_LOOK_NS) / 1000);
	assert_true(filled() >= 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_is_served_loses_nothing, begin, end),
		cmocka_unit_test_setup_teardown(
			who_is_not_is_relieved_and_the_loss_is_counted_in_the_file, begin, end),
		cmocka_unit_test_setup_teardown(a_loss_is_told_though_nothing_comes_after_it, begin,
						end),
		cmocka_unit_test_setup_teardown(a_loss_is_owed_until_there_is_a_file, begin, end),
		cmocka_unit_test_setup_teardown(what_the_logger_has_in_its_hands_is_not_lost, begin,
						end),
		cmocka_unit_test_setup_teardown(a_pipe_without_room_is_full_whatever_the_writes,
						begin, end),
		cmocka_unit_test_setup_teardown(it_is_not_looked_at_often_for_ever, begin, end),
		cmocka_unit_test_setup_teardown(nobody_looks_where_nothing_may_be_lost, begin, end),
	};

	return cmocka_run_group_tests_name("relief", tests, NULL, NULL);
}
