/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end: everything that runs is told to go and then killed, disks are flushed, file systems are
 * unmounted, and the machine is powered off, rebooted or halted by reboot(2). Whatever may hang is
 * done in a child under a deadline (mount/child.h), so the end comes; the watchdog is fed before
 * each step and stays armed to the last.
 */
#ifndef KEELSON_POWER_H
#define KEELSON_POWER_H

#include <stdbool.h>

#include "svc/control.h"

/*
 * Kill spree, sync, unmount, reboot(2). `forced`: no grace, short budgets. In a container there is
 * no machine: after the spree the program exits with `status`.
 */
_Noreturn void power_end(enum control_power action, bool forced, bool container, int status);

/* A boot that failed: say so, flush, reboot at once. Nothing was started that needs to be asked. */
_Noreturn void power_reboot_now(const char *why);

/* "poweroff", "reboot", "halt" */
const char *power_name(enum control_power action);

#endif
