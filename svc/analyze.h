/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a boot's timeline says: how long each phase and service took, and which chain of services the
 * boot waited for. Pure computation and a picture; the events come from a node (control.h) or from
 * the trace lines of a console log (timeline.h: `keelson: trace: KIND START END STATE ERROR NAME`).
 *
 * The critical path ends at the service that came up last. Its predecessor is the need that came up
 * last before it was started, and so on down. Without edges (a console log has none) every service is
 * taken for a possible need: the one that came up last before the start.
 */
#ifndef KEELSON_ANALYZE_H
#define KEELSON_ANALYZE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "svc/timeline.h"

#define ANALYZE_SERVICES 256u
#define ANALYZE_NONE UINT32_MAX

/* The first life of a service: 0 where it never got there. */
struct analyze_service {
	char name[TIMELINE_NAME_BYTES];
	uint64_t waiting_ns; /* wanted */
	uint64_t started_ns; /* spawned, the first time that it then came up */
	uint64_t up_ns;      /* ready, or done */
	uint32_t starts;     /* until it came up */
	uint32_t failures;   /* backoff or failed, in the whole timeline */
};

struct analyze {
	const struct timeline_event *events;
	uint32_t event_count;
	uint64_t end_ns; /* of the picture: the last thing that happened in the boot */
	uint32_t service_count;
	struct analyze_service services[ANALYZE_SERVICES];
	uint32_t path_count; /* critical path, first to last */
	uint32_t path[ANALYZE_SERVICES];
};

/* Does service `from` need `to`, by name? NULL as a function: not known, everything may. */
typedef bool analyze_needs(void *context, const char *from, const char *to);

/* Compute from `events` (borrowed). */
void analyze_boot(struct analyze *analyze, const struct timeline_event *events, uint32_t count,
		  analyze_needs *needs, void *context);

/* Draw for people, at most `columns` wide; or as one JSON object. */
void analyze_show(const struct analyze *analyze, FILE *stream, unsigned columns);
void analyze_json(const struct analyze *analyze, FILE *stream);

#endif
