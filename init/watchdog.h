/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hardware watchdog (Documentation/watchdog/watchdog-api.rst): armed by the first PID 1 of a
 * boot, kept open across switch-root and every execution of PID 1 anew (its descriptor is the
 * argument `--watchdog=N`), never closed. From then on, whatever hangs, the machine resets, and the reset
 * counts a try. With a gap in a boot that goes on by kexec: most drivers stop the device when a kernel
 * restarts, and then nothing watches from the jump until the second kernel's PID 1 arms it anew, unless
 * the image asks the kernel not to (docs/slots.md). A device that goes on while the firmware restarts the
 * machine has WATCHDOG_RESTART_S from PID 1's last feed.
 *
 * It is fed by nothing but work that goes forward: before each phase of the boot and each step of the
 * shutdown, while PID 1 waits for a child under a deadline (mount/child.h), and by the event loop.
 * Never from a timer or a signal, which would go on in a PID 1 that is stuck. The loop feeds it only
 * while it is healthy:
 *
 *     a turn of the loop came to its end, and after it nothing that was due for longer than
 *     WATCHDOG_LATE_NS is still to be done
 *
 * so a loop that turns without getting anywhere (a deadline that is never handled, a turn that takes
 * minutes) starves it as one that stands still does. Time is CLOCK_BOOTTIME: while the machine
 * sleeps the device may go on counting.
 *
 * A pretimeout, where the device has one, is set to WATCHDOG_PRETIMEOUT_S: what the kernel does then
 * is its governor's choice (a panic leaves a trace in pstore). `nowayout` changes nothing but the
 * halt, which the device then ends.
 */
#ifndef KEELSON_WATCHDOG_H
#define KEELSON_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#define WATCHDOG_TIMEOUT_S 60 /* asked for; some devices have one of their own */
#define WATCHDOG_PRETIMEOUT_S 10
#define WATCHDOG_RESTART_S \
	600 /* what systemd's RebootWatchdogSec= gives: servers test their memory */
#define WATCHDOG_LATE_NS 15000000000ull

/* Open and arm /dev/watchdog. Its descriptor, which stays open for ever, or negative errno. */
int watchdog_arm(void);

/* Go on feeding one that was armed before; the timeout that it has stays. -1: nothing. */
void watchdog_adopt(int fd);

/* Its descriptor, -1: there is none. */
int watchdog_fd(void);

/* Feed it if there is one. */
void watchdog_feed(void);

/* How long to wait at most between two feeds, by the timeout that the device really has. */
uint64_t watchdog_feed_ns(void);

/* Did it do the last reset of this machine, as it says? */
bool watchdog_did_reset(void);

/*
 * Feed it for the last time, before the machine restarts or powers off, with WATCHDOG_RESTART_S or the
 * largest half, quarter, ... of it that the device takes.
 */
void watchdog_feed_last(void);

/* Switch it off, before the machine halts. Fails with a device that cannot be: `nowayout`. */
void watchdog_disarm(void);

/*
 * Pure: is the loop healthy at `now_ns`, the end of a turn after which the earliest deadline that is
 * left is `due_ns` (UINT64_MAX: none)?
 */
bool watchdog_healthy(uint64_t due_ns, uint64_t now_ns);

#endif
