/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last call, reboot(2), and what comes when it fails: PID 1 never ends.
 *
 *     1  reboot(2) as asked           a child calls it: a driver that hangs in its shutdown method holds
 *                                     the call for ever; it is given LEAVE_CALL_NS
 *     2  reboot(2) to restart         when 1 was to power off, or to start a loaded kernel that is
 *                                     not there any more; not when 1 hangs: it holds the lock of all
 *                                     these calls (system_transition_mutex of kernel/reboot.c)
 *     3  sysrq-b                      the kernel resets the machine and asks no driver; a child, too
 *     4  3, then 2 by PID 1 itself
 *     5  wait                         the watchdog is not fed any more: it resets the machine
 *
 * A child that cannot be made is tried for LEAVE_CHILD_NS. After that PID 1 restarts the machine, or starts
 * the other kernel, by itself. It never powers off or halts by itself: the kernel ends who called when
 * these come back, and panics when that was PID 1.
 *
 * The watchdog is fed before the first. Where the firmware comes next it gets the time that this may need
 * (watchdog_feed_last()); a loaded kernel needs less, so there it gets that only before 2. A halt is
 * meant to last: the watchdog is switched off, and a halt that fails, or is none on this machine, waits as
 * one that did not.
 */
#ifndef KEELSON_LEAVE_H
#define KEELSON_LEAVE_H

#include "svc/control.h"

#define LEAVE_CALL_NS 30000000000ull
#define LEAVE_CHILD_NS 3000000000ull

_Noreturn void leave_machine(enum control_power action);

#endif
