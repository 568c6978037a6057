/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of the slot's PID 1: signals, the supervisor's events and timers, milestones, the
 * health gate, the shutdown, the watchdog. After node_services() it allocates nothing, and every
 * wait in it has a deadline.
 */
#ifndef KEELSON_LOOP_H
#define KEELSON_LOOP_H

_Noreturn void loop_run(void);

#endif
