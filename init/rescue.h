/* SPDX-License-Identifier: Apache-2.0 */
/* A shell on the console, for plans that were built with `rescue: console` and only for those. */
#ifndef KEELSON_RESCUE_H
#define KEELSON_RESCUE_H

/*
 * Run /bin/sh on /dev/console and return when it ends; at once when there is none. Meanwhile the
 * watchdog is fed and orphans are reaped.
 */
void rescue_shell(void);

#endif
