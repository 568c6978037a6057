/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A spec's document: the file, checked against the schema, merged with what it extends.
 *
 * Maps merge by key; lists that add up (packages, files, modules) are joined, an entry with the
 * identity of an inherited one taking its place; everything else replaces what was inherited; null
 * removes it.
 */
#ifndef KEELSON_DOCUMENT_H
#define KEELSON_DOCUMENT_H

#include "rootfs-spec/node.h"

/*
 * Load `path`. `profiles` is a directory to look profiles up in, or NULL. The document in `*root`
 * (NULL when there is none to speak of) belongs to `pool`. 0, -EINVAL with errors told, or the
 * negative errno of reading `path` itself (told, too).
 */
int document_load(const char *path, const char *profiles, struct pool *pool,
		  struct diagnostics *diagnostics, struct node **root);

/* The same from a text in memory, called `path` in messages. */
int document_read(const char *path, const char *text, size_t size, const char *profiles,
		  struct pool *pool, struct diagnostics *diagnostics, struct node **root);

#endif
