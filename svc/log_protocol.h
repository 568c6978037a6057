/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How output gets from a service to its file.
 *
 * Each service whose plan says `output: log` has a pipe. PID 1 makes it before any service and keeps
 * both ends for ever: a logger that dies loses nothing that is still in the pipe, and a service never
 * meets a closed one. The logger, the service that carries PLAN_SERVICE_LOGGER, is spawned with the
 * read ends as descriptors LOG_FIRST_FD, LOG_FIRST_FD + 1, ... in plan order of the services with
 * `output: log` (log_next_service()), and with `--plan PATH` maps the same plan to learn their names,
 * files and limits. It learns nothing else from PID 1 and tells it nothing.
 *
 * The logger copies with tee(2), writes what it copied, and only then consumes it from the pipe: at
 * least once. A crash between the last two writes a few lines twice, never none.
 *
 * A full pipe blocks the service that writes to it, so the logger never waits for a disk that is
 * full: it drops, counts, and writes one marker line when there is room again. Of services that carry
 * PLAN_SERVICE_LOG_DROP it drops, too, what a disk that hangs keeps it from taking (relief.h): from
 * half a pipe on, when it took nothing for RELIEF_PATIENCE_NS. For these "at least once" does not hold
 * meanwhile: a logger that dies then takes the chunk in its hands and the count of what is lost with it.
 */
#ifndef KEELSON_LOG_PROTOCOL_H
#define KEELSON_LOG_PROTOCOL_H

#include "rootfs-spec/plan.h"

#define LOG_FIRST_FD 3

/* The first service at or after `index` whose output is logged; the number of services: none. */
static inline uint32_t log_next_service(const struct plan *plan, uint32_t index)
{
	uint32_t count = plan_count(plan, PLAN_SERVICES);

	while (index < count && plan_service(plan, index)->output != PLAN_OUTPUT_LOG)
		index++;
	return index;
}

#endif
