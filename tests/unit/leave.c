/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reboot(2) fails, hangs, or cannot be called by a child: PID 1 goes on to the next way, feeds the watchdog
 * no more, and never ends. No call here reaches the kernel: reboot(2), /proc/sysrq-trigger, children and
 * the watchdog are this file's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init/leave.h"
#include "init/power.h"
#include "init/watchdog.h"
#include "mount/child.h"

#define WAITS 1000u /* so often it is woken in its last sleep */

enum children { CHILDREN_FAIL, CHILDREN_HANG, CHILDREN_LATE, CHILDREN_NONE };

static struct {
	enum children children;
	bool no_sysrq;
	bool in_child;
	int reboot_error; /* 0: reboot(2) comes back without one */
	unsigned int pauses;
	uint64_t napped_ns; /* since a child was made */
	int sysrq;          /* what was written there; -1: never opened */
	char told[512];
	jmp_buf over;
} world;

void (*child_waiting)(void);
bool (*child_hurries)(void);

static void tell(const char *what)
{
	size_t length = strlen(world.told);

	snprintf(world.told + length, sizeof(world.told) - length, "%s%s%s", length ? ", " : "",
		 what, world.in_child ? " by a child" : "");
}

/* ---- what it calls ---- */

int reboot(int how)
{
	/* The kernel would end PID 1, and panic. */
	if (!world.in_child)
		assert_true(how == RB_AUTOBOOT || how == RB_KEXEC);
	tell(how == RB_POWER_OFF          ? "poweroff"
	     : how == (int)RB_HALT_SYSTEM ? "halt"
	     : how == RB_KEXEC            ? "kexec"
	     : how == RB_AUTOBOOT         ? "reboot"
					  : "?");
	errno = world.reboot_error;
	return world.reboot_error ? -1 : 0;
}

int open(const char *path, int flags, ...)
{
	assert_string_equal(path, "/proc/sysrq-trigger");
	assert_int_equal(flags, O_WRONLY | O_CLOEXEC);
	tell("sysrq");
	if (world.no_sysrq) {
		errno = ENOENT;
		return -1;
	}
	world.sysrq = world.sysrq < 0 ? memfd_create("sysrq", MFD_CLOEXEC) : world.sysrq;
	return fcntl(world.sysrq, F_DUPFD_CLOEXEC, 3);
}

int pause(void)
{
	if (world.pauses++ == 0)
		tell("waits");
	if (world.pauses == WAITS)
		longjmp(world.over, 1);
	errno = EINTR;
	return -1;
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)left;
	assert_true(time->tv_sec == 0 && time->tv_nsec > 0);
	world.napped_ns += (uint64_t)time->tv_nsec;
	assert_true(world.napped_ns <= 4 * LEAVE_CHILD_NS); /* it gives up */
	return 0;
}

pid_t child_start(int (*work)(void *argument), void *argument, int *pidfd)
{
	int result;

	assert_null(child_waiting);
	assert_null(child_hurries);
	if (world.children == CHILDREN_NONE ||
	    (world.children == CHILDREN_LATE && world.napped_ns < LEAVE_CHILD_NS / 2))
		return -EAGAIN;
	world.napped_ns = 0;
	world.in_child = true;
	result = work(argument);
	world.in_child = false;
	assert_true(result <= 0);
	*pidfd = memfd_create("child", MFD_CLOEXEC);
	return 2;
}

int child_finish(int pidfd, uint64_t timeout_ns)
{
	assert_true(pidfd >= 0);
	assert_int_equal(timeout_ns, LEAVE_CALL_NS);
	return world.children == CHILDREN_HANG ? -ETIMEDOUT : -world.reboot_error;
}

void watchdog_feed(void)
{
	tell("fed");
}

void watchdog_feed_last(void)
{
	tell("fed for long");
}

void watchdog_disarm(void)
{
	tell("disarmed");
}

const char *power_name(enum control_power action)
{
	(void)action;
	return "the end";
}

static void some_work(void)
{
	fail();
}

static bool somebody(void)
{
	return true;
}

static void leave(enum control_power action)
{
	world.told[0] = '\0';
	world.pauses = 0;
	world.napped_ns = 0;
	world.sysrq = -1;
	child_waiting = some_work;
	child_hurries = somebody;
	if (setjmp(world.over) == 0)
		leave_machine(action);
	assert_int_equal(world.pauses, WAITS);
	assert_null(child_waiting);
}

/* ---- the tests ---- */

#define LAST ", sysrq by a child, sysrq, reboot, waits"
#define LAST_ALONE ", sysrq, reboot, waits"

static void when_reboot_fails_the_next_way_is_taken_and_pid_1_stays(void **state)
{
	static const struct {
		enum control_power action;
		const char *told, *hung, *alone;
	} cases[] = {
		{CONTROL_POWEROFF, "fed for long, poweroff by a child, reboot by a child" LAST,
		 "fed for long, poweroff by a child" LAST, "fed for long, reboot" LAST_ALONE},
		{CONTROL_KEXEC, "fed, kexec by a child, fed for long, reboot by a child" LAST,
		 "fed, kexec by a child" LAST, "fed, kexec, fed for long, reboot" LAST_ALONE},
		{CONTROL_REBOOT, "fed for long, reboot by a child" LAST,
		 "fed for long, reboot by a child" LAST, "fed for long, reboot" LAST_ALONE},
		/* Meant to last: the watchdog must not end it, and nothing may restart the machine. */
		{CONTROL_HALT, "disarmed, fed, halt by a child, waits",
		 "disarmed, fed, halt by a child, waits", "disarmed, fed, waits"},
	};
	static const int errors[] = {EPERM, EINVAL, 0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++)
			for (int children = CHILDREN_FAIL; children <= CHILDREN_NONE; children++) {
				world.children = (enum children)children;
				world.reboot_error = errors[e];
				world.no_sysrq = e == 0;
				leave(cases[i].action);
				assert_string_equal(world.told,
						    children == CHILDREN_NONE   ? cases[i].alone
						    : children == CHILDREN_HANG ? cases[i].hung
										: cases[i].told);
			}
}

static void what_the_kernel_is_told_by_sysrq_is_to_reset_at_once(void **state)
{
	char text[8] = "";

	(void)state;
	world.children = CHILDREN_FAIL;
	world.reboot_error = EPERM;
	world.no_sysrq = false;
	leave(CONTROL_REBOOT);
	assert_int_equal(pread(world.sysrq, text, sizeof(text) - 1, 0), 2);
	assert_string_equal(text, "bb"); /* a child, then PID 1 */
	close(world.sysrq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_reboot_fails_the_next_way_is_taken_and_pid_1_stays),
		cmocka_unit_test(what_the_kernel_is_told_by_sysrq_is_to_reset_at_once),
	};

	return cmocka_run_group_tests_name("leave", tests, NULL, NULL);
}
