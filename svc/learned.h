/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned of one service (learn.h), read from the tables in the kernel. */
#ifndef KEELSON_LEARNED_H
#define KEELSON_LEARNED_H

#include <stdbool.h>
#include <stdint.h>

#include "svc/learn.h"

struct learned_call {
	uint64_t count;
	uint32_t arch; /* AUDIT_ARCH_* */
	uint32_t number;
	bool elsewhere; /* in a pod, or in another group that the service put there */
};

struct learned {
	bool goes_on;
	bool has_capabilities;
	bool has_filtered;
	bool is_runtime;     /* it runs the pods: every later one lives under its policy */
	bool missed_unknown; /* `missed` is the least that it was */
	uint64_t started_ns; /* CLOCK_BOOTTIME */
	uint64_t missed;     /* times that a program could not run: nobody knows of which service */
	uint64_t no_room;    /* groups that are not counted */
	uint64_t beyond;     /* calls with numbers that no kernel has */
	uint32_t count;
	struct learned_call calls[2 * LEARN_CALLS];
	uint32_t filtered_count;
	struct learned_call filtered[2 * LEARN_CALLS]; /* which filters denied or logged */
	uint64_t capabilities[2][LEARN_CAPABILITIES][LEARN_ANSWERS]; /* [1]: elsewhere */
};

/*
 * Read what is known of `service`. 0; -ENOENT: nothing was learned since the boot, or the service was
 * not in the plan then; or another negative errno (-EPERM without rights).
 */
int learned_read(const char *service, struct learned *learned);

#endif
