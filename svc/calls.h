/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which system calls a filter did not just allow, by service: a table of fixed size in the world,
 * one entry for each service, kind of process, architecture, call and answer. It lives as long as
 * the node does, over PID 1's own re-exec. What finds no room is counted as such: that something was
 * denied is never lost, only which call. Pure.
 */
#ifndef KEELSON_CALLS_H
#define KEELSON_CALLS_H

#include "svc/audit_parse.h"
#include "svc/world.h"

/* Take note of `record`, of `service` (PLAN_NONE: nobody knows whose). */
void calls_note(struct world *world, const struct audit_record *record, uint32_t service,
		uint32_t flags, uint64_t now_ns);

/* A record of any kind arrived: what its serial number says of records that did not. */
void calls_heard(struct world_calls *calls, uint64_t serial);

/*
 * The kernel had no room for at least one. Numbers are given in the order of events; what comes of
 * several CPUs is not in it, so how many are missing is the span of numbers less those that arrived.
 */
void calls_overrun(struct world_calls *calls);

/* Records that are missing: 0, unless the kernel said that it had no room. */
uint64_t calls_lost(const struct world_calls *calls);

#endif
