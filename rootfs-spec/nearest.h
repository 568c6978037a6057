/* SPDX-License-Identifier: Apache-2.0 */
/* "did you mean": the known name that a mistyped one is nearest to. */
#ifndef KEELSON_NEAREST_H
#define KEELSON_NEAREST_H

#include <stddef.h>

/*
 * Edits between two names: letters inserted, removed, replaced, or two neighbours swapped (optimal
 * string alignment, the restricted Damerau-Levenshtein distance); upper and lower case, and '-' and
 * '_', are the same. Names are compared up to 127 bytes.
 */
size_t nearest_distance(const char *a, const char *b);

/* A candidate is near below this distance: a third of the name, and at least one edit. */
size_t nearest_limit(const char *name);

/*
 * Is `candidate` nearer to `name` than `*best`, which it then replaces? Begin with `*best` =
 * nearest_limit(name).
 */
int nearest_improves(const char *name, const char *candidate, size_t *best);

/* Collects the best of many candidates. Zero-initialised but for `name`. */
struct nearest {
	const char *name; /* what was written */
	const char *best; /* nearest so far, borrowed from the caller; NULL: none is near */
	size_t distance;
};

void nearest_offer(struct nearest *nearest, const char *candidate);

/* The nearest of `count` candidates, or NULL. */
const char *nearest_name(const char *name, const char *const *candidates, size_t count);

#endif
