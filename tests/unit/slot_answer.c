/* SPDX-License-Identifier: Apache-2.0 */
/* The slots' status is read by one child at a time, and whoever asks does not wait for it. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "init/slot_answer.h"

static unsigned descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* The only child that there is, ended; 0: there is none. */
static pid_t reap(int *exit_status)
{
	siginfo_t info = {0};

	if (waitid(P_ALL, 0, &info, WEXITED) < 0)
		return 0;
	*exit_status = info.si_code == CLD_EXITED ? info.si_status : EIO;
	return info.si_pid;
}

static void a_disk_that_is_not_there_is_told_by_the_child(void **state)
{
	static struct record record;
	static const struct plan plan;
	struct control_slot_status status;
	unsigned before = descriptors();
	int exit_status = 0, error = 0;

	(void)state;
	strcpy(record.disk, "nosuch");
	assert_int_equal(slot_answer_ask(&record, &plan, 1), -EINPROGRESS);
	assert_int_equal(slot_answer_ask(&record, &plan, 1), -EINPROGRESS);
	pid_t pid = reap(&exit_status);

	assert_true(pid > 0);
	assert_int_equal(reap(&exit_status), 0); /* one child for both */
	assert_false(slot_answer_child_ended(pid + 1, 0, &error, &status));
	assert_true(slot_answer_child_ended(pid, exit_status, &error, &status));
	assert_true(error < 0);
	assert_false(slot_answer_child_ended(pid, exit_status, &error, &status));
	assert_int_equal(descriptors(), before);
}

static void a_child_that_says_nothing_is_an_error(void **state)
{
	static struct record record;
	static const struct plan plan;
	struct control_slot_status status;
	int exit_status = 0, error = 0;

	(void)state;
	strcpy(record.disk, "nosuch");
	assert_int_equal(slot_answer_ask(&record, &plan, 1), -EINPROGRESS);
	pid_t pid = reap(&exit_status);

	assert_true(slot_answer_child_ended(pid, 0, &error, &status));
	assert_int_equal(error, -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_that_is_not_there_is_told_by_the_child),
		cmocka_unit_test(a_child_that_says_nothing_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
