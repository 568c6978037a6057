/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing an image's content when the disk fails: no error is lost, and the journal tells only of what
 * was flushed before. What the order of writes is worth is power_cuts.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mount/install.h"
#include "mount/sys.h"

#define PORTION_BYTES (4u * 4096u)
#define PORTIONS 10u
#define ROOT_BLOCKS 36u
#define HASH_BLOCKS 4u

static char directory[256];
static struct install_target target;
static const struct slot_header header = {.data_blocks = ROOT_BLOCKS, .hash_blocks = HASH_BLOCKS};

/* ---- the disk ---- */

static unsigned int ranges_until_error; /* 0: none fails */
static unsigned int flushes_until_error;

static bool fails_now(unsigned int *until)
{
	return *until > 0 && --*until == 0;
}

/* As the kernel does with an error of a write that is over: told once, and then forgotten. */
int sync_file_range(int fd, off_t offset, off_t nbytes, unsigned int flags)
{
	if (!fails_now(&ranges_until_error))
		return (int)syscall(SYS_sync_file_range, fd, offset, nbytes, flags);
	errno = EIO;
	return -1;
}

int fsync(int fd)
{
	if (!fails_now(&flushes_until_error))
		return (int)syscall(SYS_fsync, fd);
	errno = ENOSPC;
	return -1;
}

/* ---- the bundle ---- */

static uint8_t portion[PORTION_BYTES];
static uint32_t given;

static int give(void *context, const void **bytes, size_t *size, uint64_t *bundle_offset)
{
	(void)context;
	memset(portion, (int)++given, sizeof(portion));
	*bytes = portion;
	*size = sizeof(portion);
	*bundle_offset = 8192 + given * 100u;
	return 0;
}

static uint64_t told_bytes;

static void tell(void *context, uint64_t bytes, uint64_t total)
{
	(void)context;
	assert_int_equal(total, PORTIONS * PORTION_BYTES);
	told_bytes = bytes;
}

/* ---- */

static void make_file(char path[DEVICE_PATH_BYTES], const char *name, off_t size)
{
	cleanup_fd fd = -1;

	/* A device's path is short: the files are where the test is. */
	assert_true(snprintf(path, DEVICE_PATH_BYTES, "%s", name) < (int)DEVICE_PATH_BYTES);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
}

static int set_up(void **state)
{
	const char *place = getenv("TMPDIR");

	(void)state;
	snprintf(directory, sizeof(directory), "%s/install.XXXXXX", place ? place : "/tmp");
	if (!mkdtemp(directory) || chdir(directory) < 0)
		return -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(target.root);
	unlink(target.hash);
	unlink(target.header);
	return chdir("/") < 0 ? -1 : rmdir(directory);
}

static int install(const char **step)
{
	const struct install_source source = {give, tell, NULL};
	struct install_journal journal = {.bundle_offset = 8192};

	make_file(target.root, "root", ROOT_BLOCKS * 4096);
	make_file(target.hash, "hash", HASH_BLOCKS * 4096);
	make_file(target.header, "header", INSTALL_JOURNAL_OFFSET + 2 * INSTALL_JOURNAL_BYTES);
	given = 0;
	told_bytes = 0;
	return install_content(&target, &header, &source, &journal, step);
}

static struct install_journal on_disk(void)
{
	struct install_journal journal;

	assert_int_equal(install_journal_read(target.header, &journal), 0);
	return journal;
}

static void all_of_it_is_written_and_noted(void **state)
{
	cleanup_fd root = -1;
	uint8_t byte;
	const char *step;

	(void)state;
	assert_int_equal(install(&step), 0);
	assert_int_equal(told_bytes, PORTIONS * PORTION_BYTES);
	assert_int_equal(on_disk().content_bytes, PORTIONS * PORTION_BYTES);
	assert_int_equal(on_disk().bundle_offset, 8192 + PORTIONS * 100);
	root = open(target.root, O_RDONLY | O_CLOEXEC);
	for (uint32_t i = 0; i < ROOT_BLOCKS; i++) {
		assert_int_equal(pread(root, &byte, 1, i * 4096), 1);
		assert_int_equal(byte, 1 + i / 4);
	}
}

static void an_error_of_a_write_that_is_over_is_not_lost(void **state)
{
	(void)state;
	/* Two calls for each portion but the first of a partition; every one of them. */
	for (unsigned int n = 1; n < 2 * PORTIONS; n++) {
		const char *step;
		int error;

		ranges_until_error = n;
		error = install(&step);
		if (ranges_until_error > 0) {
			assert_true(n > PORTIONS);
			break;
		}
		assert_int_equal(error, -EIO);
		assert_string_equal(step, "write");
		assert_true(on_disk().content_bytes < (n / 2 + 1) * PORTION_BYTES);
		assert_true(on_disk().content_bytes <= told_bytes);
	}
	ranges_until_error = 0;
}

static void a_flush_that_fails_is_not_noted(void **state)
{
	const char *step;

	(void)state;
	/* Root and journal: so the third is the root's of the second entry. */
	flushes_until_error = 3;
	assert_int_equal(install(&step), -ENOSPC);
	assert_string_equal(step, "flush");
	assert_int_equal(on_disk().content_bytes, INSTALL_JOURNAL_PORTIONS * PORTION_BYTES);
}

static void a_journal_that_cannot_be_written_ends_it(void **state)
{
	const char *step;

	(void)state;
	flushes_until_error = 2;
	assert_int_equal(install(&step), -ENOSPC);
	assert_string_equal(step, "journal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_is_written_and_noted),
		cmocka_unit_test(an_error_of_a_write_that_is_over_is_not_lost),
		cmocka_unit_test(a_flush_that_fails_is_not_noted),
		cmocka_unit_test(a_journal_that_cannot_be_written_ends_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
