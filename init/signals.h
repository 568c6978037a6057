/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signal to PID 1 asks for (keelson-init(8)). The real-time ones are those of systemd, which
 * tools know by their numbers; they count from glibc's 34, because musl's SIGRTMIN is 35. Pure.
 *
 *     SIGTERM, SIGPWR, 34+4, 34+14   power off
 *     SIGINT (ctrl-alt-del), 34+5, 34+15   reboot
 *     34+3, 34+13                    halt
 *
 * 34+13 to 34+15 mean "now": what is left is killed.
 */
#ifndef KEELSON_SIGNALS_H
#define KEELSON_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

#include "svc/control.h"

#define SIGNALS_RTMIN 34

struct signal_request {
	bool wanted; /* false: a signal that asks for nothing */
	bool forced;
	enum control_power action;
};

struct signal_request signal_means(uint32_t signal);

#endif
