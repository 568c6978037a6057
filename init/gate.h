/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health gate: asks health.h and does what it says. Blesses the slot once, or notes the reason
 * in its marks and reboots.
 */
#ifndef KEELSON_GATE_H
#define KEELSON_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Look at the world; call after everything that may have changed it, and at gate_wake_ns(). */
void gate_advance(uint64_t now_ns);

/* When to look again if nothing changes: CLOCK_BOOTTIME ns; UINT64_MAX: never. */
uint64_t gate_wake_ns(void);

/* A child of PID 1's own ended with this exit status: was it the blessing? */
bool gate_child_ended(pid_t pid, int status);

/* There was a verdict on this boot: blessed, or given up. */
bool gate_settled(void);

#endif
