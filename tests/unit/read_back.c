/* SPDX-License-Identifier: Apache-2.0 */
/* Reading back: every byte, with several reads under way, and every error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mount/read_back.h"
#include "mount/sys.h"

#define BLOCK_BYTES 4096u
#define PORTION READ_BACK_PORTION_BYTES

static _Alignas(4096) uint8_t buffer[READ_BACK_BYTES];
static _Alignas(4096) uint8_t content[2 * READ_BACK_BYTES];

static char path[256];

/* ---- the kernel ---- */

static bool refuses_contexts;
static unsigned int events_until_error; /* 0: none fails */
static unsigned int submitted, taken, destroyed;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* The linker (--wrap) gives these to mount/read_back.c, whose only system calls by number are those of
 * linux/aio_abi.h. */
long __wrap_syscall(long number, ...)
{
	va_list list;
	long a[5];
	long n;

	va_start(list, number);
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_io_setup && refuses_contexts) {
		errno = EAGAIN;
		return -1;
	}
	n = __real_syscall(number, a[0], a[1], a[2], a[3], a[4]);
	if (number == SYS_io_submit && n == 1)
		submitted++;
	if (number == SYS_io_destroy && n == 0)
		destroyed++;
	if (number == SYS_io_getevents && n == 1) {
		taken++;
		if (events_until_error > 0 && --events_until_error == 0)
			((struct io_event *)a[3])->res = -EIO;
	}
	return n;
}

static int forget(void **state)
{
	(void)state;
	refuses_contexts = false;
	events_until_error = submitted = taken = destroyed = 0;
	return 0;
}

/* ---- the file ---- */

/* A file on a disk if there is one below it; past the page cache where the file system can do that. */
static int open_file(int flags)
{
	int fd = open(path, flags | O_DIRECT | O_CLOEXEC);

	return fd >= 0 ? fd : open(path, flags | O_CLOEXEC);
}

static int set_up(void **state)
{
	const char *directory = getenv("TMPDIR");
	cleanup_fd fd = -1;

	(void)state;
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i / BLOCK_BYTES + i);
	snprintf(path, sizeof(path), "%s/read-back.XXXXXX", directory ? directory : "/tmp");
	fd = mkstemp(path);
	return fd >= 0 && write(fd, content, sizeof(content)) == sizeof(content) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void every_portion_is_read(void **state)
{
	cleanup_fd fd = open_file(O_RDONLY);

	(void)state;
	memset(buffer, 0, sizeof(buffer));
	assert_int_equal(read_back(fd, READ_BACK_BYTES, buffer), 0);
	assert_memory_equal(buffer, content, READ_BACK_BYTES);
	assert_int_equal(read_back(fd, sizeof(content), buffer), 0);
	assert_int_equal(read_back(fd, sizeof(content) - BLOCK_BYTES, buffer), 0);
}

static void the_last_portion_may_be_small(void **state)
{
	cleanup_fd fd = open_file(O_RDONLY);

	(void)state;
	memset(buffer, 0, sizeof(buffer));
	assert_int_equal(read_back(fd, PORTION + BLOCK_BYTES, buffer), 0);
	assert_memory_equal(buffer, content, PORTION + BLOCK_BYTES);
	assert_int_equal(buffer[PORTION + BLOCK_BYTES], 0);
	assert_int_equal(read_back(fd, 0, buffer), 0);
}

static void an_end_before_the_size_is_an_error(void **state)
{
	cleanup_fd fd = open_file(O_RDONLY);

	(void)state;
	assert_int_equal(read_back(fd, sizeof(content) + BLOCK_BYTES, buffer), -EIO);
	assert_int_equal(read_back(fd, sizeof(content) + 2 * READ_BACK_BYTES, buffer), -EIO);
}

static void a_read_that_fails_is_an_error(void **state)
{
	cleanup_fd fd = open_file(O_WRONLY);

	(void)state;
	assert_int_equal(read_back(fd, READ_BACK_BYTES, buffer), -EBADF);
	assert_int_equal(read_back(-1, READ_BACK_BYTES, buffer), -EBADF);
}

static void an_end_within_a_portion_is_an_error(void **state)
{
	cleanup_fd fd = memfd_create("short", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(write(fd, content, PORTION + BLOCK_BYTES), PORTION + BLOCK_BYTES);
	assert_int_equal(read_back(fd, PORTION + BLOCK_BYTES, buffer), 0);
	assert_int_equal(read_back(fd, (uint64_t)2 * PORTION, buffer), -EIO);
	refuses_contexts = true;
	assert_int_equal(read_back(fd, PORTION + BLOCK_BYTES, buffer), 0);
	assert_int_equal(read_back(fd, (uint64_t)2 * PORTION, buffer), -EIO);
}

/* A disk's own error comes with the event; the reads that were begun after it are under way. */
static void an_event_that_fails_while_others_are_under_way_is_an_error(void **state)
{
	static const unsigned int portions = sizeof(content) / PORTION;
	cleanup_fd fd = open_file(O_RDONLY);

	for (unsigned int which = 1; which <= portions; which++) {
		forget(state);
		events_until_error = which;
		assert_int_equal(read_back(fd, sizeof(content), buffer), -EIO);
		assert_int_equal(taken, which);
		/* Nothing is begun after an error, and nothing left behind. */
		assert_int_equal(submitted, which - 1 + READ_BACK_AHEAD < portions
						    ? which - 1 + READ_BACK_AHEAD
						    : portions);
		assert_int_equal(destroyed, 1);
	}
}

static void without_a_context_it_reads_one_after_the_other(void **state)
{
	cleanup_fd fd = open_file(O_RDONLY);
	cleanup_fd unreadable = open_file(O_WRONLY);

	(void)state;
	refuses_contexts = true;
	for (uint64_t portions = 1; portions <= sizeof(content) / PORTION; portions++) {
		memset(buffer, 0, sizeof(buffer));
		assert_int_equal(read_back(fd, portions * PORTION, buffer), 0);
		assert_memory_equal(buffer, content + (portions - 1) * PORTION, PORTION);
	}
	assert_int_equal(read_back(fd, 0, buffer), 0);
	assert_int_equal(read_back(fd, sizeof(content) - BLOCK_BYTES, buffer), 0);
	assert_int_equal(read_back(fd, sizeof(content) + BLOCK_BYTES, buffer), -EIO);
	assert_int_equal(read_back(unreadable, READ_BACK_BYTES, buffer), -EBADF);
	assert_int_equal(submitted + taken + destroyed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_portion_is_read, forget),
		cmocka_unit_test_setup(the_last_portion_may_be_small, forget),
		cmocka_unit_test_setup(an_end_before_the_size_is_an_error, forget),
		cmocka_unit_test_setup(a_read_that_fails_is_an_error, forget),
		cmocka_unit_test_setup(an_end_within_a_portion_is_an_error, forget),
		cmocka_unit_test_setup(an_event_that_fails_while_others_are_under_way_is_an_error,
				       forget),
		cmocka_unit_test_setup(without_a_context_it_reads_one_after_the_other, forget),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
