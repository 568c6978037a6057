/* SPDX-License-Identifier: Apache-2.0 */
#include "init/power.h"

#include <errno.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init/summary.h"
#include "init/watchdog.h"
#include "mount/child.h"
#include "mount/unmount.h"
#include "svc/log.h"
#include "svc/timeline.h"

#define SECOND_NS 1000000000ull
#define SPREE_TERM_NS SECOND_NS
#define SPREE_KILL_NS (2 * SECOND_NS)
#define KILL_CALL_NS (2 * SECOND_NS)
#define SYNC_NS (20 * SECOND_NS)
#define UNMOUNT_STEP_NS (5 * SECOND_NS)
#define UNMOUNT_TOTAL_NS (30 * SECOND_NS)
#define FORCED_NS (3 * SECOND_NS)

/* kill(2) of everything may wait for locks that a hung process holds: not in PID 1. */
static int signal_everybody(void *argument)
{
	const int *signal = argument;

	return kill(-1, *signal) < 0 && errno != ESRCH ? -errno : 0;
}

/*
 * Reap until no child is left (every process is one, sooner or later) or the time is over, which it
 * also is while new ones keep dying.
 */
static bool everybody_gone(uint64_t for_ns)
{
	const struct timespec nap = {.tv_nsec = 5000000};
	uint64_t deadline_ns = clock_boottime_ns() + for_ns;

	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return true;
		if (clock_boottime_ns() >= deadline_ns)
			return false;
		if (pid <= 0)
			nanosleep(&nap, NULL);
	}
}

static void spree(bool forced)
{
	static const struct {
		int signal;
		uint64_t wait_ns;
	} rounds[] = {{SIGTERM, SPREE_TERM_NS}, {SIGKILL, SPREE_KILL_NS}};

	if (everybody_gone(0))
		return;
	for (size_t i = forced ? 1 : 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
		int signal = rounds[i].signal;
		int error = run_timed(signal_everybody, &signal, KILL_CALL_NS);

		if (error)
			log_error("shutdown: signal %d to all: %s", signal, log_errno(error));
		if (everybody_gone(rounds[i].wait_ns))
			return;
	}
	log_warning("shutdown: processes that cannot be killed are left behind");
}

static void flush(bool forced)
{
	int error = sync_timed(forced ? FORCED_NS : SYNC_NS);

	if (error)
		log_error("shutdown: sync: %s", log_errno(error));
}

static void unmount(bool forced)
{
	/* What the rest of the shutdown itself needs; none of them holds data. */
	static const char *const keep[] = {"/proc", "/sys", "/dev"};
	struct unmount_report report;
	int error = unmount_all(keep, sizeof(keep) / sizeof(keep[0]),
				forced ? SECOND_NS : UNMOUNT_STEP_NS,
				forced ? FORCED_NS : UNMOUNT_TOTAL_NS, &report);

	if (error)
		log_error("shutdown: unmount: %s", log_errno(error));
	for (uint32_t i = 0; i < report.left && i < UNMOUNT_LEFT_MAX; i++)
		log_error("shutdown: %s: unmount: %s", report.lefts[i].target,
			  log_errno(report.lefts[i].error));
	log_info("shutdown: %u unmounted, %u made read-only, %u left", report.unmounted,
		 report.read_only, report.left);
}

const char *power_name(enum control_power action)
{
	switch (action) {
	case CONTROL_POWEROFF: return "poweroff";
	case CONTROL_REBOOT: return "reboot";
	case CONTROL_HALT: return "halt";
	}
	return "?";
}

static _Noreturn void call_reboot(enum control_power action)
{
	char at[24];

	summary_seconds(at, sizeof(at), clock_boottime_ns());
	log_notice("%s at %s s", power_name(action), at);
	switch (action) {
	case CONTROL_POWEROFF: reboot(RB_POWER_OFF); break;
	case CONTROL_HALT: reboot((int)RB_HALT_SYSTEM); break;
	case CONTROL_REBOOT: break;
	}
	reboot(RB_AUTOBOOT);
	log_error("shutdown: %s: %s", power_name(action), log_errno(errno));
	/* Neither works: the watchdog is not fed any more and resets the machine if there is one. */
	for (;;)
		pause();
}

void power_end(enum control_power action, bool forced, bool container, int status)
{
	spree(forced);
	if (container)
		_exit(status);
	watchdog_feed();
	flush(forced);
	watchdog_feed();
	unmount(forced);
	watchdog_feed();
	flush(forced);
	call_reboot(action);
}

void power_reboot_now(const char *why)
{
	log_error("%s: reboot", why);
	watchdog_feed();
	flush(false);
	call_reboot(CONTROL_REBOOT);
}
