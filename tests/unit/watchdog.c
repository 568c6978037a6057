/* SPDX-License-Identifier: Apache-2.0 */
/* Who feeds the watchdog, how often, and that waiting for a child does not starve it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/watchdog.h"
#include "mount/child.h"

#define MS 1000000ull

static int without_one_nothing_is_fed(void **state)
{
	(void)state;
	watchdog_adopt(-1);
	assert_int_equal(watchdog_fd(), -1);
	assert_null(child_waiting);
	return 0;
}

static void one_that_does_not_tell_its_timeout_has_the_usual(void **state)
{
	int fd = open("/dev/null", O_WRONLY);

	(void)state;
	assert_true(fd >= 0);
	watchdog_adopt(fd);
	assert_int_equal(watchdog_fd(), fd);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(watchdog_feed_ns(), WATCHDOG_TIMEOUT_S * 1000 * MS / 3);
	assert_true(child_waiting == watchdog_feed);
	/* It takes no timeout at all: that is no reason not to end. */
	watchdog_feed_last();
	close(fd);
}

static int fed;

static void count(void)
{
	fed++;
}

static int sleep_for(void *argument)
{
	usleep(*(useconds_t *)argument);
	return 0;
}

static void it_is_fed_while_a_child_is_waited_for(void **state)
{
	useconds_t long_us = 2500000;
	useconds_t for_ever_us = 60000000;

	(void)state;
	child_waiting = count;
	fed = 0;
	assert_int_equal(run_timed(sleep_for, &long_us, 10000 * MS), 0);
	assert_in_range(fed, 1, 9);
	/* And feeding does not move the deadline. */
	fed = 0;
	assert_int_equal(run_timed(sleep_for, &for_ever_us, 1500 * MS), -ETIMEDOUT);
	assert_in_range(fed, 1, 4);
	child_waiting = NULL;
}

/* A node with hundreds of mounts: each of its children is quick, all of them take a minute. */
static void it_is_fed_while_many_quick_children_are_waited_for(void **state)
{
	useconds_t short_us = 100000;

	(void)state;
	child_waiting = count;
	fed = 0;
	for (int i = 0; i < 25; i++)
		assert_int_equal(run_timed(sleep_for, &short_us, 10000 * MS), 0);
	assert_in_range(fed, 2, 9);
	child_waiting = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_does_not_tell_its_timeout_has_the_usual),
		cmocka_unit_test(it_is_fed_while_a_child_is_waited_for),
		cmocka_unit_test(it_is_fed_while_many_quick_children_are_waited_for),
	};

	return cmocka_run_group_tests_name("watchdog", tests, without_one_nothing_is_fed, NULL);
}
