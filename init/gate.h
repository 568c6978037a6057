/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health gate: asks health.h and does what it says. Blesses the slot once, or notes the reason
 * in its marks and reboots.
 *
 * A child writes the blessing. One that fails, or that a hung disk holds for longer than a time is
 * followed by another one, ever later, but never before it ended: there is one writer at a time. The
 * node, which is healthy, runs on meanwhile with a slot that is not proven; that is said each time.
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

/*
 * An operator vouches for the slot: bless it now, whatever the health condition says. 0: begun, or under
 * way. -ENODATA: not booted from a slot. -EALREADY: it is blessed. -EKEYREJECTED: the rules do not allow
 * it. -ESHUTDOWN: it was given up.
 */
int gate_bless(uint64_t now_ns);

/* A child of PID 1's own ended with this exit status: was it the blessing? */
bool gate_child_ended(pid_t pid, int status);

/*
 * Before the end: wait a moment for a blessing that is being written, then kill it. False: it may
 * write yet, so nobody else may.
 */
bool gate_finish(void);

/*
 * In another execution of PID 1: take up the child that writes, and an end that was decided and not
 * asked for. Once, when the world is known. `forgotten`: the world does not tell whether the slot was
 * blessed; it was, if the deadline has passed and the node still runs.
 */
void gate_resume(uint64_t now_ns, bool forgotten);

/* There was a verdict on this boot: blessed, or given up. */
bool gate_settled(void);

#endif
