/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the slot good? The plan names the services whose health proves it (`slots.healthy`). When all
 * of them have been up for `healthy_for_ns` without a break the slot is blessed; when that has not
 * happened by `healthy_deadline_ns` after kernel start the slot is given up: the reason goes into
 * its marks and the node reboots, which leaves the burned try burned. A critical service that
 * failed for good has the same effect at once, also on a slot blessed long ago. HEALTH_STABLE_NS after
 * the blessing a slot that was good before has its tries filled again (slot.h, Refilling).
 *
 *     health_look()   plan and world -> what matters of them
 *     health_step()   that and the time -> what to do, and when to look again
 *
 * A plan that names no service is healthy as soon as every wanted service was up once. A oneshot
 * that is done counts as up. A service that was restarted starts its period anew, because its
 * state has a new beginning.
 *
 * Pure: no system call, no clock of its own. Times are CLOCK_BOOTTIME nanoseconds.
 */
#ifndef KEELSON_HEALTH_H
#define KEELSON_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"
#include "svc/world.h"

#define HEALTH_STABLE_NS 600000000000ull

enum health_verdict {
	HEALTH_WAIT,     /* look again at wake_ns, or when a service changes */
	HEALTH_BLESS,    /* the condition held: mark the slot good */
	HEALTH_OVERDUE,  /* not by the deadline: reason into the marks, reboot */
	HEALTH_CRITICAL, /* a critical service failed for good: the same */
	HEALTH_REFILL,   /* blessed, and good for long: fill its tries */
	HEALTH_SETTLED   /* nothing to decide now: blessed already, or not booted from a slot */
};

struct health_view {
	bool from_slot; /* there is a boot record */
	bool blessed;   /* in this boot */
	bool refilled;  /* since then; the gate knows */
	uint64_t blessed_ns;
	uint32_t critical;     /* a critical service in FAILED, or PLAN_NONE */
	uint32_t missing;      /* the first service of the condition that is not up, or PLAN_NONE */
	bool met;              /* the condition holds now ... */
	uint64_t met_since_ns; /* ... and has since then */
	uint64_t for_ns;
	uint64_t deadline_ns; /* 0: none */
};

struct health_decision {
	enum health_verdict verdict;
	uint64_t wake_ns; /* 0: only a change can alter the verdict */
};

struct health_view health_look(const struct plan *plan, const struct world *world, bool from_slot);

struct health_decision health_step(const struct health_view *view, uint64_t now_ns);

#endif
