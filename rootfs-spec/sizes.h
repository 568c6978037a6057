/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the bytes of a root are: by package, by directory, the largest files. Sizes are those of
 * the files, before compression.
 */
#ifndef KEELSON_SIZES_H
#define KEELSON_SIZES_H

#include "rootfs-spec/tree.h"

struct size_share {
	const char *name;
	uint64_t bytes;
	size_t files;
};

struct sizes {
	struct size_share *list; /* largest first, equals by name */
	size_t count;
	uint64_t bytes;
};

/* By who brought the file. */
struct sizes sizes_by_owner(const struct tree *tree);

/* By directory, two levels deep: "/usr/bin". */
struct sizes sizes_by_directory(const struct tree *tree);

struct sizes sizes_by_file(const struct tree *tree);

/* "54.3 MiB", from the pool. */
const char *sizes_text(struct pool *pool, uint64_t bytes);

/* Append a table of at most `rows` lines (0: all). */
void sizes_print(const struct sizes *sizes, const char *title, size_t rows, struct pool *pool,
		 struct bytes *out);

#endif
