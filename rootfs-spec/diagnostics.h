/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a spec, all of it at once: collected while the spec is read, checked and
 * compiled, printed sorted by position, each with its line of the source and a caret.
 *
 *	edge.yaml:7:5: error: unknown key 'polcy'
 *	    polcy: kubelet
 *	    ^
 *	    did you mean 'policy'?
 */
#ifndef KEELSON_DIAGNOSTICS_H
#define KEELSON_DIAGNOSTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "rootfs-spec/pool.h"

/* A file that was read: kept whole, because errors quote it. */
struct source {
	const char *path; /* as the user named it, or as it was found from there */
	const char *text; /* NUL-terminated */
	size_t size;
	uint32_t order; /* 0 is the spec itself, then what it extends */
};

/* A place in a spec; `source` NULL: no place (a default). Lines and columns count from 1. */
struct where {
	const struct source *source;
	uint32_t line;
	uint32_t column;
};

struct diagnostic {
	struct where where;
	const char *text;
	const char *suggestion; /* "did you mean 'X'?" and the like; NULL: none */
	bool warning;
};

struct diagnostics {
	struct pool *pool; /* owns the texts; set by the caller */
	struct diagnostic *list;
	size_t count;
	size_t errors; /* of them, those that are no warnings */
};

void diagnose(struct diagnostics *diagnostics, struct where where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void diagnose_warning(struct diagnostics *diagnostics, struct where where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Add "did you mean 'NAME'?" to the newest diagnostic; NULL adds nothing. */
void diagnose_suggest(struct diagnostics *diagnostics, const char *name);

/* Add a free hint to the newest diagnostic. */
void diagnose_hint(struct diagnostics *diagnostics, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Print all, sorted by place, the same text at the same place once; in colour if `colour`. */
void diagnostics_print(struct diagnostics *diagnostics, FILE *out, bool colour);

#endif
