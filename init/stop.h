/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shutdown, driven: shutdown.h decides which stage comes, here its work is begun, watched from
 * the event loop, stamped and logged, until power.h ends it all.
 */
#ifndef KEELSON_STOP_H
#define KEELSON_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "svc/control.h"

enum stop_by {
	STOP_BY_PERSON, /* asked for: an unproven slot gets its try back */
	STOP_BY_GATE    /* the slot failed: the try stays burned */
};

/*
 * Take note that the end was asked for, which may happen within a call of the supervisor's; the next
 * stop_advance() begins it; people's requests to services are refused from now on. When one is under
 * way already it is forced: what is left is killed.
 */
void stop_ask(enum control_power action, enum stop_by by);

bool stop_under_way(void);

/* Go on as far as possible. Does not return when the end is reached. */
void stop_advance(uint64_t now_ns);

/* When to look again if nothing happens: CLOCK_BOOTTIME ns; UINT64_MAX: never. */
uint64_t stop_wake_ns(void);

#endif
