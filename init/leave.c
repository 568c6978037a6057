/* SPDX-License-Identifier: Apache-2.0 */
#include "init/leave.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "init/power.h"
#include "init/watchdog.h"
#include "mount/child.h"
#include "mount/sys.h"
#include "svc/log.h"

#define SYSRQ "/proc/sysrq-trigger"
#define NAP_NS 100000000ull /* between two tries to make a child */

/* RB_KEXEC fails with EINVAL when no kernel is loaded. */
static int call_reboot(void *argument)
{
	const enum control_power *action = argument;
	int failed = 0;

	switch (*action) {
	case CONTROL_POWEROFF: failed = reboot(RB_POWER_OFF); break;
	case CONTROL_HALT: failed = reboot((int)RB_HALT_SYSTEM); break;
	case CONTROL_KEXEC: failed = reboot(RB_KEXEC); break;
	case CONTROL_REBOOT: failed = reboot(RB_AUTOBOOT); break;
	}
	return failed < 0 ? -errno : 0;
}

/* emergency_restart() of the kernel: no driver is asked, no lock is taken. */
static int call_sysrq(void *unused)
{
	cleanup_fd fd = open(SYSRQ, O_WRONLY | O_CLOEXEC);

	(void)unused;
	return fd < 0 || write(fd, "b", 1) != 1 ? -errno : 0;
}

/* Memory and numbers of processes come back as those who were killed go. */
static pid_t start(int (*call)(void *argument), void *argument, int *pidfd)
{
	static const struct timespec nap = {.tv_nsec = (long)NAP_NS};
	pid_t pid = child_start(call, argument, pidfd);

	for (uint64_t ns = 0; pid < 0 && ns < LEAVE_CHILD_NS; ns += NAP_NS) {
		nanosleep(&nap, NULL);
		pid = child_start(call, argument, pidfd);
	}
	return pid;
}

/*
 * In a child, whose end is not the machine's: the kernel ends who called when a power-off or a halt comes
 * back (kernel/reboot.c). -ETIMEDOUT: it hangs; -EAGAIN: there is no child, and PID 1 must not call.
 */
static int try_reboot(enum control_power action)
{
	cleanup_fd pidfd = -1;
	bool alone = start(call_reboot, &action, &pidfd) < 0;
	int error = -EAGAIN;

	if (!alone)
		error = child_finish(pidfd, LEAVE_CALL_NS);
	else if (action == CONTROL_REBOOT || action == CONTROL_KEXEC)
		error = call_reboot(&action);
	log_error("shutdown: reboot(2)%s: %s: %s", alone ? " without a child" : "",
		  power_name(action), error ? log_errno(error) : "no effect");
	return error;
}

static void try_sysrq(void)
{
	cleanup_fd pidfd = -1;

	if (start(call_sysrq, NULL, &pidfd) >= 0)
		(void)child_finish(pidfd, LEAVE_CALL_NS);
}

static _Noreturn void stay(void)
{
	for (;;)
		pause();
}

void leave_machine(enum control_power action)
{
	enum control_power restart = CONTROL_REBOOT;
	int error;

	if (action == CONTROL_HALT)
		watchdog_disarm();
	if (action == CONTROL_HALT || action == CONTROL_KEXEC)
		watchdog_feed();
	else
		watchdog_feed_last();
	child_waiting = NULL; /* from here on it runs out if nothing else ends this machine */
	child_hurries = NULL; /* drivers have the time that they need */
	error = try_reboot(action);
	if (action == CONTROL_HALT)
		stay();
	if (action != CONTROL_REBOOT && error != -ETIMEDOUT) {
		if (action == CONTROL_KEXEC)
			watchdog_feed_last();
		(void)try_reboot(CONTROL_REBOOT);
	}
	try_sysrq();
	(void)call_sysrq(NULL);
	(void)call_reboot(&restart);
	stay();
}
