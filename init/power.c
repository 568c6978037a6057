/* SPDX-License-Identifier: Apache-2.0 */
#include "init/power.h"

#include <errno.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init/last_words.h"
#include "init/leave.h"
#include "init/node.h"
#include "init/spree.h"
#include "init/summary.h"
#include "init/survive.h"
#include "init/watchdog.h"
#include "mount/child.h"
#include "mount/detach.h"
#include "mount/unmount.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/timeline.h"

#define SECOND_NS 1000000000ull
#define SWAP_NS (5 * SECOND_NS)
#define SYNC_NS (20 * SECOND_NS)
#define UNMOUNT_STEP_NS (5 * SECOND_NS)
#define UNMOUNT_TOTAL_NS (45 * SECOND_NS)
#define FLUSH_NS (5 * SECOND_NS)
#define FORCED_STEP_NS SECOND_NS
#define FORCED_NS (3 * SECOND_NS)

const char *power_name(enum control_power action)
{
	switch (action) {
	case CONTROL_POWEROFF: return "poweroff";
	case CONTROL_REBOOT: return "reboot";
	case CONTROL_HALT: return "halt";
	case CONTROL_KEXEC: return "kexec";
	}
	return "?";
}

/* ---- the steps; each returns 0 or a negative errno ---- */

/* From the beginning, or since somebody asked again. */
static bool forced(const struct power_end *how)
{
	return how->forced || child_hurried();
}

static int end_processes(const struct power_end *how)
{
	return spree(forced(how), how->last);
}

static int swap_off(const struct power_end *how)
{
	struct timespec now;
	struct detach_budget budget = {.step_ns = forced(how) ? FORCED_STEP_NS : SWAP_NS,
				       .hurried_ns = FORCED_STEP_NS};
	int off;

	clock_gettime(CLOCK_MONOTONIC, &now);
	budget.began_ns = (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
	budget.deadline_ns = budget.began_ns + budget.step_ns;
	off = detach_swaps(&budget);
	if (off > 0)
		log_info("shutdown: %d swap areas switched off", off);
	return 0;
}

static int flush(const struct power_end *how)
{
	return sync_timed(forced(how) ? FORCED_NS : SYNC_NS);
}

static int unmount(const struct power_end *how)
{
	/* What the rest of the shutdown itself needs; none of them holds data. */
	static const char *const keep[] = {"/proc", "/sys", "/dev"};
	char text[LAST_NOTE_BYTES];
	struct unmount_report report;
	int error = unmount_all(keep, sizeof(keep) / sizeof(keep[0]),
				forced(how) ? FORCED_STEP_NS : UNMOUNT_STEP_NS,
				forced(how) ? UNMOUNT_HURRIED_NS : UNMOUNT_TOTAL_NS, &report);

	for (uint32_t i = 0; i < report.left && i < UNMOUNT_LEFT_MAX; i++) {
		format_text(text, sizeof(text), "%s: unmount: %s", report.lefts[i].target,
			    log_errno(report.lefts[i].error));
		log_error("shutdown: %s", text);
		last_note(how->last, text);
	}
	format_text(text, sizeof(text),
		    "mounts: %u unmounted, %u of these by force, %u detached, %u made read-only, "
		    "%u left; %u loop devices detached",
		    report.unmounted, report.forced, report.detached, report.read_only, report.left,
		    report.loops);
	log_info("shutdown: %s", text);
	if (report.forced != 0 || report.detached != 0 || report.read_only != 0 || report.left != 0)
		last_note(how->last, text);
	return error == 0 && report.left != 0 ? -EBUSY : error;
}

/* What the unmounting itself left in a disk's cache, and the disks below devices taken apart. */
static int flush_rest(const struct power_end *how)
{
	return sync_timed(forced(how) ? FORCED_NS : FLUSH_NS);
}

static void run(const char *name, int (*work)(const struct power_end *how),
		const struct power_end *how)
{
	uint64_t start_ns = clock_boottime_ns();
	uint64_t end_ns;
	char spent[24];
	int error;

	watchdog_feed();
	log_info("shutdown: %s", name);
	error = work(how);
	end_ns = clock_boottime_ns();
	last_step(how->last, name, start_ns, end_ns, error);
	summary_seconds(spent, sizeof(spent), end_ns - start_ns);
	if (error)
		log_error("shutdown: %s: %s, after %s s", name, log_errno(error), spent);
	else
		log_info("shutdown: %s: done in %s s", name, spent);
}

/* ---- the last call ---- */

static _Noreturn void leave(enum control_power action)
{
	char at[24];

	summary_seconds(at, sizeof(at), clock_boottime_ns());
	log_notice("%s at %s s", power_name(action), at);
	leave_machine(action);
}

/*
 * In a container: reboot(2) in a pid namespace ends its PID 1 by SIGHUP, by which the manager of the
 * container knows that it is to be started anew (pid_namespaces(7)). Without CAP_SYS_BOOT, as in most
 * engines, an exit status of its own says so.
 */
static _Noreturn void leave_container(const struct power_end *how)
{
	struct stat st;

	if (how->action != CONTROL_REBOOT || how->status != 0)
		_exit(how->status);
	/* PROC_PID_INIT_INO of include/linux/proc_ns.h: there it would be the machine's. */
	if (stat("/proc/self/ns/pid", &st) == 0 && st.st_ino != 0xeffffffc)
		reboot(RB_AUTOBOOT);
	_exit(NODE_EXIT_REBOOT);
}

static void write_record(struct last *last)
{
	int error;

	last_words_fill(last);
	error = last_words_ended(last);
	if (error && error != -ENODATA)
		log_error("shutdown: last record: %s", log_errno(error));
}

void power_end(const struct power_end *how)
{
	static const struct {
		const char *name;
		int (*work)(const struct power_end *how);
	} steps[] = {
		{"switch swapping off", swap_off},
		{"flush", flush},
		{"unmount", unmount},
		{"flush the rest", flush_rest},
	};

	survive_final(how->action);
	run("end processes", end_processes, how);
	if (how->container)
		leave_container(how);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		run(steps[i].name, steps[i].work, how);
	how->last->forced |= child_hurry_ns != 0;
	write_record(how->last);
	leave(how->action);
}

void power_reboot_now(const char *why)
{
	static struct last last;

	log_error("%s: reboot", why);
	watchdog_feed();
	(void)sync_timed(SYNC_NS);
	last = (struct last){.state = LAST_ENDED, .action = CONTROL_REBOOT, .by = LAST_BY_BOOT};
	last_note(&last, why);
	write_record(&last);
	leave(CONTROL_REBOOT);
}
