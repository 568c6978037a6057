/* SPDX-License-Identifier: Apache-2.0 */
/* The graph of the services as a tree: whoever needs something stands above it. Pure. */
#ifndef KEELSON_TREE_H
#define KEELSON_TREE_H

#include <stdbool.h>

#include "svc/control.h"

#define TREE_DEPTH 63u /* deeper needs are not drawn */

struct tree_line {
	const struct control_service *service;
	unsigned depth;
	uint64_t last; /* bit n: the line's ancestor of depth n (and itself) is the last of its kin */
	bool wanted;   /* the one above only wants it */
	bool again;    /* what it needs stands further up */
};

/*
 * Call `draw` for every line: the tree of `only`, or of each service that nobody requires or wants,
 * in plan order. What a service needs is drawn once, below its first place.
 */
void tree_walk(const struct control_service *services, uint32_t count,
	       const struct control_service *only,
	       void (*draw)(void *context, const struct tree_line *line), void *context);

#endif
