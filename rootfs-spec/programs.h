/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that are built rather than packaged: keelson's own for the node, and what a spec calls
 * `program:NAME`, because only the builder's machine knows where it is (kubelet). Looked for, in
 * this order:
 *
 *     --program NAME=PATH       as the user says
 *     --programs DIRECTORY      a build or an installation of keelson; by default the one that the
 *                               running keelson belongs to
 *     NAME/NAME in the cache    where the build of keelson puts kubelet
 *
 * keelson's own go into the image stripped (strip(1) of the machine); the stripped copy is kept by
 * the digest of the original. Others go in as they are.
 */
#ifndef KEELSON_PROGRAMS_H
#define KEELSON_PROGRAMS_H

#include "rootfs-spec/pool.h"

#include <stddef.h>

struct programs {
	struct pool *pool;
	const char *cache;
	const char *directory;    /* --programs, or NULL */
	const char *const *given; /* "NAME=PATH" */
	size_t given_count;
};

/* Where the program of that name is ("keelson-init"), or NULL (reported). */
const char *programs_find(const struct programs *programs, const char *name);

/* NAME if `source` is "program:NAME", else NULL. */
const char *programs_name(const char *source);

/* If `source` is "program:NAME", where that one is (NULL: nowhere); else `source` itself. */
const char *programs_source(const struct programs *programs, const char *source);

#endif
