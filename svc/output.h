/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a service's output goes: one pipe for each service whose output is logged, made once, both
 * ends kept by PID 1 (log_protocol.h), the kernel's log, a terminal, or nowhere.
 */
#ifndef KEELSON_OUTPUT_H
#define KEELSON_OUTPUT_H

#include <stdint.h>

#include "rootfs-spec/plan.h"

struct output_pipe {
	int read_fd; /* -1: not logged */
	int write_fd;
};

struct output {
	const struct plan *plan;
	struct output_pipe *pipes; /* one for each service */
	int null_fd;               /* /dev/null, read and write */
	int kmsg_fd;               /* -1: none */
};

/*
 * Make the pipes; `pipes` has room for every service. Returns 0 or the first negative errno: what
 * could not be made is -1, and output that has nowhere to go goes to /dev/null.
 */
int output_open(struct output *output, const struct plan *plan, struct output_pipe *pipes);

/* The descriptor for 1 and 2 of `service`: borrowed; -1 for none. */
int output_fd(const struct output *output, uint32_t service);

/* Fill `fds` with the read ends in the logger's order; returns how many. */
uint32_t output_logger_fds(const struct output *output, int *fds);

#endif
