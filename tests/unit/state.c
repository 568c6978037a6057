/* SPDX-License-Identifier: Apache-2.0 */
/* The state partition's file system, probed and prepared; and work under a deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "mount/child.h"
#include "mount/detach.h"
#include "mount/state.h"
#include "rootfs-spec/plan.h"
#include "rootfs-spec/state_mark.h"

#define SECOND_NS 1000000000ull
#define IMAGE_BYTES (16 << 20)

static char image[] = "/tmp/keelson-state-XXXXXX";
static int image_fd = -1;
static const char *step;

static bool have_e2fsprogs(void)
{
	return access("/usr/sbin/mkfs.ext4", X_OK) == 0 && access("/usr/sbin/e2fsck", X_OK) == 0;
}

static int make_image(void **state)
{
	(void)state;
	image_fd = mkstemp(image);
	setenv("IMAGE", image, 1);
	return image_fd < 0;
}

static int remove_image(void **state)
{
	(void)state;
	close(image_fd);
	return unlink(image);
}

static int empty_image(void **state)
{
	(void)state;
	return ftruncate(image_fd, 0) < 0 || ftruncate(image_fd, IMAGE_BYTES) < 0;
}

static struct ext4_summary probe(void)
{
	uint8_t bytes[STATE_PROBE_BYTES];
	struct ext4_summary summary;

	assert_int_equal(pread(image_fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	ext4_probe(bytes, &summary);
	return summary;
}

static void write_at(off_t offset, uint8_t byte)
{
	assert_int_equal(pwrite(image_fd, &byte, 1, offset), 1);
}

static void nothing_and_something_else_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(probe().presence, EXT4_EMPTY);
	write_at(4095, 1);
	assert_int_equal(probe().presence, EXT4_FOREIGN);
	/* The magic alone does not make a file system: it has no blocks. */
	write_at(1024 + 0x38, 0x53);
	write_at(1024 + 0x39, 0xef);
	assert_int_equal(probe().presence, EXT4_FOREIGN);
	write_at(1024 + 4, 9);
	assert_int_equal(probe().presence, EXT4_PRESENT);
	assert_int_equal(probe().size_bytes, 9 * 1024);
	write_at(1024 + 0x18, 7);
	assert_int_equal(probe().presence, EXT4_FOREIGN);
	/* A size beyond what a disk can be. */
	write_at(1024 + 0x18, 6);
	write_at(1024 + 0x60, 0x80);
	write_at(1024 + 0x153, 0x80);
	assert_int_equal(probe().presence, EXT4_FOREIGN);
}

static void an_empty_partition_is_made_into_a_file_system(void **state)
{
	struct ext4_summary summary;

	(void)state;
	if (!have_e2fsprogs())
		skip();
	assert_int_equal(state_prepare(image, 0, -1, 30 * SECOND_NS, &step), -EMEDIUMTYPE);
	assert_int_equal(state_prepare(image, PLAN_MOUNT_MAKE, -1, 30 * SECOND_NS, &step),
			 STATE_MADE);
	summary = probe();
	assert_int_equal(summary.presence, EXT4_PRESENT);
	assert_true(summary.clean && !summary.errors && !summary.journal_replay);
	assert_int_equal(summary.size_bytes, IMAGE_BYTES);
	/* There is one now: it is left alone. */
	assert_int_equal(state_prepare(image, PLAN_MOUNT_MAKE | PLAN_MOUNT_CHECK, -1,
				       30 * SECOND_NS, &step),
			 0);
	assert_memory_equal(probe().uuid, summary.uuid, sizeof(summary.uuid));
}

static void what_is_not_empty_is_never_made_into_one(void **state)
{
	(void)state;
	write_at(200 << 10, 1); /* far beyond a superblock */
	assert_int_equal(state_prepare(image, PLAN_MOUNT_MAKE, -1, 30 * SECOND_NS, &step),
			 -EMEDIUMTYPE);
	assert_int_equal(probe().presence, EXT4_EMPTY);
}

static void an_unclean_file_system_is_checked_and_clean_after(void **state)
{
	(void)state;
	if (!have_e2fsprogs())
		skip();
	assert_int_equal(system("/usr/sbin/mkfs.ext4 -q -L state \"$IMAGE\" 2>/dev/null"), 0);
	assert_string_equal(probe().label, "state");
	assert_int_equal(system("debugfs -w -R 'set_super_value state 2' \"$IMAGE\" 2>/dev/null"),
			 0);
	assert_true(probe().errors);
	assert_int_equal(state_prepare(image, 0, -1, 30 * SECOND_NS, &step), 0);
	assert_true(probe().errors);
	assert_int_equal(state_prepare(image, PLAN_MOUNT_CHECK, -1, 30 * SECOND_NS, &step), 0);
	assert_true(probe().clean);
	assert_false(probe().errors);
}

static void damage_that_needs_an_answer_is_repaired_without_one(void **state)
{
	(void)state;
	if (!have_e2fsprogs())
		skip();
	assert_int_equal(system("/usr/sbin/mkfs.ext4 -q \"$IMAGE\" 2>/dev/null &&"
				" debugfs -w -R 'clri <2>' \"$IMAGE\" 2>/dev/null &&"
				" debugfs -w -R 'set_super_value state 2' \"$IMAGE\" 2>/dev/null"),
			 0);
	assert_int_equal(state_prepare(image, PLAN_MOUNT_CHECK, -1, 30 * SECOND_NS, &step), 0);
	assert_string_equal(step, "e2fsck -y");
	assert_true(probe().clean);
	assert_int_equal(system("/usr/sbin/e2fsck -fn \"$IMAGE\" >/dev/null 2>&1"), 0);
}

/* e2fsck cannot end in a nanosecond: the file system is as it was, and may be mounted. */
static void a_check_that_takes_too_long_leaves_it_to_the_kernel(void **state)
{
	(void)state;
	if (!have_e2fsprogs())
		skip();
	assert_int_equal(system("/usr/sbin/mkfs.ext4 -q \"$IMAGE\" 2>/dev/null &&"
				" debugfs -w -R 'set_super_value state 2' \"$IMAGE\" 2>/dev/null"),
			 0);
	assert_int_equal(state_prepare(image, PLAN_MOUNT_CHECK, -1, 1, &step), STATE_UNCHECKED);
	assert_string_equal(step, "e2fsck -p");
	/* Making one is another matter: half a file system is none. */
	assert_int_equal(ftruncate(image_fd, 0), 0);
	assert_int_equal(ftruncate(image_fd, IMAGE_BYTES), 0);
	assert_int_equal(state_prepare(image, PLAN_MOUNT_MAKE, -1, 1, &step), -ETIMEDOUT);
	assert_int_equal(state_prepare(image, PLAN_MOUNT_MAKE, -1, 30 * SECOND_NS, &step),
			 STATE_MADE);
}

/* ---- the making, cut anywhere ---- */

#define PAGE 4096u
#define PAGES (IMAGE_BYTES / PAGE)

static uint8_t made_image[IMAGE_BYTES];

static bool is_whole(void)
{
	return system("/usr/sbin/e2fsck -fn \"$IMAGE\" >/dev/null 2>&1") == 0;
}

/* What mkfs leaves on a marked partition, the mark still there. */
static void make_marked(void)
{
	assert_int_equal(state_mark(image, SECOND_NS), 0);
	assert_int_equal(system("/usr/sbin/mkfs.ext4 -q -F -E nodiscard \"$IMAGE\" 2>/dev/null"),
			 0);
	assert_int_equal(pread(image_fd, made_image, IMAGE_BYTES, 0), IMAGE_BYTES);
	assert_true(state_mark_is(made_image));
	assert_true(is_whole());
}

static void write_page(uint32_t page, uint32_t first, uint32_t size)
{
	const uint8_t *bytes = made_image + (size_t)page * PAGE + first;

	assert_int_equal(pwrite(image_fd, bytes, size, (off_t)page * PAGE + first), size);
}

static void is_made_after_all(void)
{
	struct ext4_summary summary = probe();

	assert_true(summary.anew || summary.presence == EXT4_EMPTY);
}

/* The mark is flushed before mkfs begins; then its pages reach the disk in any order. */
static void a_making_cut_at_any_write_is_begun_anew(void **state)
{
	uint32_t seed = 1;

	if (!have_e2fsprogs())
		skip();
	make_marked();
	/* In order, page by page; the first page sector by sector. */
	assert_int_equal(empty_image(state), 0);
	is_made_after_all();
	assert_int_equal(state_mark(image, SECOND_NS), 0);
	for (uint32_t at = STATE_MARK_BYTES; at < PAGE; at += 512) {
		write_page(0, at, 512);
		is_made_after_all();
	}
	for (uint32_t page = 1; page < PAGES; page++) {
		write_page(page, 0, PAGE);
		is_made_after_all();
	}
	/* Any pages, without the others; then it is really made, out of that. */
	for (unsigned round = 0; round < 12; round++) {
		assert_int_equal(empty_image(state), 0);
		assert_int_equal(state_mark(image, SECOND_NS), 0);
		for (uint32_t page = 0; page < PAGES; page++) {
			seed = seed * 1103515245u + 12345u;
			if (seed >> 16 & 1)
				write_page(page, 0, PAGE);
		}
		is_made_after_all();
		assert_int_equal(state_prepare(image, PLAN_MOUNT_MAKE | PLAN_MOUNT_CHECK, -1,
					       30 * SECOND_NS, &step),
				 STATE_MADE);
		assert_false(probe().anew);
		assert_true(is_whole());
	}
}

/* A mkfs that is killed, by its timeout or with the power, leaves what it had written. */
static void a_mkfs_that_is_killed_is_run_again(void **state)
{
	(void)state;
	if (!have_e2fsprogs())
		skip();
	for (uint64_t ns = 1; ns < SECOND_NS / 50; ns *= 4) {
		int made = state_prepare(image, PLAN_MOUNT_MAKE, -1, ns, &step);

		assert_true(made == -ETIMEDOUT || made == STATE_MADE);
		assert_true(made == STATE_MADE || probe().anew || probe().presence == EXT4_EMPTY);
		assert_int_equal(empty_image(NULL), 0);
	}
}

static void what_is_marked_is_made_anew_once(void **state)
{
	struct ext4_summary before;

	(void)state;
	if (!have_e2fsprogs())
		skip();
	assert_int_equal(system("/usr/sbin/mkfs.ext4 -q \"$IMAGE\" 2>/dev/null"), 0);
	before = probe();
	assert_int_equal(state_mark(image, SECOND_NS), 0);
	assert_true(probe().anew);
	/* An image that makes no file systems mounts what is there. */
	assert_int_equal(state_prepare(image, PLAN_MOUNT_CHECK, -1, SECOND_NS, &step), 0);
	assert_int_equal(state_prepare(image, PLAN_MOUNT_MAKE, -1, 30 * SECOND_NS, &step),
			 STATE_MADE);
	assert_memory_not_equal(probe().uuid, before.uuid, sizeof(before.uuid));
	assert_false(probe().anew);
	before = probe();
	assert_int_equal(state_prepare(image, PLAN_MOUNT_MAKE, -1, 30 * SECOND_NS, &step), 0);
	assert_memory_equal(probe().uuid, before.uuid, sizeof(before.uuid));
}

/* Also what is foreign, when somebody says so. */
static void a_mark_is_a_word_of_its_own(void **state)
{
	uint8_t mark[STATE_MARK_BYTES];

	(void)state;
	write_at(200 << 10, 1);
	assert_int_equal(state_mark("/nonexistent", SECOND_NS), -ENOENT);
	assert_int_equal(state_mark(image, SECOND_NS), 0);
	assert_int_equal(state_prepare(image, 0, -1, SECOND_NS, &step), -EMEDIUMTYPE);
	if (have_e2fsprogs())
		assert_int_equal(state_prepare(image, PLAN_MOUNT_MAKE, -1, 30 * SECOND_NS, &step),
				 STATE_MADE);
	/* Every bit of it counts. */
	state_mark_fill(mark);
	for (unsigned bit = 0; bit < 8 * STATE_MARK_BYTES; bit++) {
		mark[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(state_mark_is(mark));
		mark[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(state_mark_is(mark));
}

static void a_device_that_is_not_there_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(state_prepare("/nonexistent", PLAN_MOUNT_MAKE, -1, SECOND_NS, &step),
			 -ENOENT);
}

/* ---- work under a deadline ---- */

static int work_result(void *result)
{
	return *(int *)result;
}

static int work_hangs(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return 0;
}

static int work_dies(void *unused)
{
	(void)unused;
	return kill(getpid(), SIGTERM);
}

static void caught(int signal)
{
	(void)signal;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void timed_work_says_how_it_ended(void **state)
{
	int results[] = {0, -EBUSY, -EUCLEAN, 7};
	uint64_t start = now_ns();

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(run_timed(work_result, &results[i], SECOND_NS), results[i]);
	assert_int_equal(run_timed(work_result, &results[3], SECOND_NS), -255);
	assert_int_equal(run_timed(work_hangs, NULL, SECOND_NS / 20), -ETIMEDOUT);
	assert_true(now_ns() - start < SECOND_NS);
}

static int looks;

static bool hurries(void)
{
	return ++looks >= 3;
}

static void who_hurries_shortens_what_is_waited_for_and_all_that_comes_after(void **state)
{
	struct detach_budget budget = {.step_ns = 20 * SECOND_NS, .hurried_ns = 4 * SECOND_NS};

	(void)state;
	looks = 0;
	child_hurry_ns = 0;
	child_hurries = hurries;
	alarm(60); /* without it this takes ten minutes */
	assert_int_equal(run_timed(work_hangs, NULL, 600 * SECOND_NS), -ETIMEDOUT);
	assert_int_equal(looks, 3); /* what was heard is remembered */
	assert_int_equal(run_timed(work_hangs, NULL, 600 * SECOND_NS), -ETIMEDOUT);
	alarm(0);
	assert_true(child_hurried());
	budget.began_ns = now_ns();
	budget.deadline_ns = budget.began_ns + 600 * SECOND_NS;
	assert_int_equal(detach_step_ns(&budget), CHILD_HURRIED_NS);
	budget.began_ns -= 10 * SECOND_NS;
	child_hurry_ns = now_ns() - 5 * SECOND_NS;
	assert_int_equal(detach_step_ns(&budget), 0);
	child_hurries = NULL;
	child_hurry_ns = 0;
	assert_true(detach_step_ns(&budget) > 19 * SECOND_NS);
}

static int work_has(void *fd)
{
	return fcntl(*(int *)fd, F_GETFD) < 0 ? -EBADF : 0;
}

static void a_child_has_no_descriptor_that_it_does_not_need(void **state)
{
	int fds[5], pidfd;

	(void)state;
	for (int i = 0; i < 5; i++)
		fds[i] = fcntl(0, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(run_timed(work_has, &fds[4], 10 * SECOND_NS), 0);
	child_keeps = fds[1];
	for (int i = 0; i < 5; i++) {
		assert_int_equal(run_timed(work_has, &fds[i], 10 * SECOND_NS), i == 1 ? 0 : -EBADF);
		assert_true(child_start_keeping(work_has, &fds[i], fds[3], &pidfd) > 0);
		assert_int_equal(child_finish(pidfd, 10 * SECOND_NS),
				 i == 1 || i == 3 ? 0 : -EBADF);
		close(pidfd);
	}
	child_keeps = 2; /* the log goes to the standard error */
	assert_int_equal(run_timed(work_has, &fds[0], 10 * SECOND_NS), -EBADF);
	assert_int_equal(run_timed(work_has, &(int){2}, 10 * SECOND_NS), 0);
	child_keeps = -1;
	for (int i = 0; i < 5; i++)
		close(fds[i]);
}

static void a_childs_death_is_not_caught_by_its_parents_handler(void **state)
{
	sigset_t blocked, before;

	(void)state;
	signal(SIGTERM, caught);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	assert_int_equal(run_timed(work_dies, NULL, SECOND_NS), -ECHILD);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGTERM, SIG_DFL);
}

static void a_program_says_how_it_ended(void **state)
{
	const char *const good[] = {"/bin/true", NULL};
	const char *const bad[] = {"/bin/sh", "-c", "exit 3", NULL};
	const char *const none[] = {"/nonexistent", NULL};
	const char *const slow[] = {"/bin/sleep", "10", NULL};
	const char *const bare[] = {"/bin/sh", "-c",
				    "test -z \"$IMAGE\" && test ! -s /dev/stdin && read x; "
				    "test $? = 1 && echo heard >&2",
				    NULL};
	char heard[16] = "";
	int ends[2];

	(void)state;
	assert_int_equal(run_program(good, -1, 5 * SECOND_NS), 0);
	assert_int_equal(run_program(bad, -1, 5 * SECOND_NS), 3);
	assert_int_equal(run_program(none, -1, 5 * SECOND_NS), -ENOENT);
	assert_int_equal(run_program(slow, -1, SECOND_NS / 20), -ETIMEDOUT);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(run_program(bare, ends[1], 5 * SECOND_NS), 0);
	assert_int_equal(read(ends[0], heard, sizeof(heard) - 1), 6);
	assert_string_equal(heard, "heard\n");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_and_something_else_are_told_apart, empty_image),
		cmocka_unit_test_setup(an_empty_partition_is_made_into_a_file_system, empty_image),
		cmocka_unit_test_setup(what_is_not_empty_is_never_made_into_one, empty_image),
		cmocka_unit_test_setup(an_unclean_file_system_is_checked_and_clean_after,
				       empty_image),
		cmocka_unit_test_setup(damage_that_needs_an_answer_is_repaired_without_one,
				       empty_image),
		cmocka_unit_test_setup(a_check_that_takes_too_long_leaves_it_to_the_kernel,
				       empty_image),
		cmocka_unit_test_setup(a_making_cut_at_any_write_is_begun_anew, empty_image),
		cmocka_unit_test_setup(a_mkfs_that_is_killed_is_run_again, empty_image),
		cmocka_unit_test_setup(what_is_marked_is_made_anew_once, empty_image),
		cmocka_unit_test_setup(a_mark_is_a_word_of_its_own, empty_image),
		cmocka_unit_test(a_device_that_is_not_there_is_an_error),
		cmocka_unit_test(timed_work_says_how_it_ended),
		cmocka_unit_test(who_hurries_shortens_what_is_waited_for_and_all_that_comes_after),
		cmocka_unit_test(a_child_has_no_descriptor_that_it_does_not_need),
		cmocka_unit_test(a_childs_death_is_not_caught_by_its_parents_handler),
		cmocka_unit_test(a_program_says_how_it_ended),
	};

	return cmocka_run_group_tests_name("state", tests, make_image, remove_image);
}
