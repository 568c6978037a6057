/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end: everything that still runs is told to go and then killed, swapping ends, disks are
 * flushed, file systems are unmounted, devices taken apart, the record of it all written beside the
 * slot, and the machine is powered off, rebooted, halted or started anew with another kernel.
 *
 * Whatever may hang is done in a child under a deadline (mount/child.h), reboot(2) too
 * (leave.h). The watchdog is fed before each step and stays armed to the last.
 *
 * The budgets, in all, when everything hangs: 1 + 2 s for processes, 5 for swap, 20 to flush, 45 to
 * unmount, 5 to flush what is left, 3 for the record, 31 for reboot(2) and 31 for the kernel's reset, with
 * up to 3 before each call for a child that cannot be made. When forced, from the beginning
 * or by whoever asks again in the middle of it (child_hurries of mount/child.h: by a signal or the
 * power button, for of those who could connect nobody is left): less than 20 before reboot(2).
 */
#ifndef KEELSON_POWER_H
#define KEELSON_POWER_H

#include <stdbool.h>

#include "svc/control.h"
#include "svc/last.h"

struct power_end {
	enum control_power action;
	bool forced;    /* no grace, short budgets */
	bool container; /* there is no machine: after the processes the program exits with `status` */
	int status;
	struct last *last; /* the record so far: the steps are added here, then it is written */
};

_Noreturn void power_end(const struct power_end *how);

/* A boot that failed: say so, flush, reboot at once. Nothing was started that needs to be asked. */
_Noreturn void power_reboot_now(const char *why);

/* "poweroff", "reboot", "halt", "kexec" */
const char *power_name(enum control_power action);

#endif
