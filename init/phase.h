/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A boot is a row of phases. Each is stamped in the timeline; the first that fails ends the boot.
 * A phase logs its own failure through fault(), with object and step, and returns it.
 */
#ifndef KEELSON_PHASE_H
#define KEELSON_PHASE_H

#include <stddef.h>

#include "svc/timeline.h"

struct phase {
	const char *name;
	int (*run)(void); /* 0 or negative errno, logged already */
};

/*
 * Run the phases in order. `*timeline` may be NULL until a phase has made one: what was before is
 * stamped then. The watchdog is fed before each. Returns 0 or the error of the phase that failed.
 */
int phases_run(const struct phase *phases, size_t count, struct timeline **timeline);

/*
 * Log "OBJECT: STEP: text of the errno" as an error and keep it as the reason for what follows (a
 * slot's marks). Returns `error`.
 */
int fault(const char *object, const char *step, int error);

/* The last fault's text, "" if there was none. */
const char *fault_text(void);

#endif
