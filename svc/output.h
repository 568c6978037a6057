/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a service's output goes: one pipe for each service whose output is logged, made once, both
 * ends kept by PID 1 (log_protocol.h), the kernel's log, a terminal, or nowhere.
 */
#ifndef KEELSON_OUTPUT_H
#define KEELSON_OUTPUT_H

#include <stdint.h>

#include "rootfs-spec/plan.h"
#include "svc/world.h"

struct output {
	const struct plan *plan;
	struct world *world; /* holds the pipes: they outlive PID 1's execution */
	int null_fd;         /* /dev/null, or an empty file that refuses to be written */
	int kmsg_fd;         /* -1: none */
};

/*
 * Make the pipes that the world does not hold yet. Returns 0 or the first negative errno: what
 * could not be made is -1, and output that has nowhere to go goes to null_fd.
 */
int output_open(struct output *output, const struct plan *plan, struct world *world);

/* The descriptor for 1 and 2 of `service`: borrowed; -1 for none. */
int output_fd(const struct output *output, uint32_t service);

/* Fill `fds` with the read ends in the logger's order; returns how many. */
uint32_t output_logger_fds(const struct output *output, int *fds);

#endif
