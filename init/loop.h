/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of the slot's PID 1: signals, the supervisor's events and timers, milestones, the
 * health gate, the shutdown, the watchdog. After node_services() it allocates nothing, and every
 * wait in it has a deadline.
 */
#ifndef KEELSON_LOOP_H
#define KEELSON_LOOP_H

#include <stdbool.h>

_Noreturn void loop_run(void);

/*
 * Read what came of signals and the power button, without waiting: has anybody asked for the end a
 * second time? For child_hurries (mount/child.h), once the loop was left for the last steps.
 */
bool node_asked_again(void);

#endif
