/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hardware watchdog (Documentation/watchdog/watchdog-api.rst): armed by the first PID 1 of a
 * boot, kept open across switch-root (its descriptor is the argument `--watchdog=N`), fed before each
 * phase, by the event loop, by every step of the shutdown, and while PID 1 waits for a child under a
 * deadline (mount/child.h); never closed. Whatever else hangs, the machine resets, and the reset
 * counts a try.
 */
#ifndef KEELSON_WATCHDOG_H
#define KEELSON_WATCHDOG_H

#include <stdint.h>

#define WATCHDOG_TIMEOUT_S 60 /* asked for; some devices have one of their own */

/* Open and arm /dev/watchdog. Its descriptor, which stays open for ever, or negative errno. */
int watchdog_arm(void);

/* Go on feeding one that the initramfs armed. */
void watchdog_adopt(int fd);

/* Its descriptor, -1: there is none. */
int watchdog_fd(void);

/* Feed it if there is one. */
void watchdog_feed(void);

/* How long to wait at most between two feeds, by the timeout that the device really has. */
uint64_t watchdog_feed_ns(void);

#endif
