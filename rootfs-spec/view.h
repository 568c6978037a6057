/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values out of a checked document: by key, with the schema's fallback for what is missing. What an
 * error was told about reads as its fallback, so one mistake is told once.
 */
#ifndef KEELSON_VIEW_H
#define KEELSON_VIEW_H

#include "rootfs-spec/schema.h"
#include "rootfs-spec/spec.h"

struct view {
	const struct node *map; /* NULL: everything is at its fallback */
	const struct schema *schema;
	struct where where; /* of the map, or of what would hold it */
	struct pool *pool;
	struct diagnostics *diagnostics;
};

/* The map under a key. */
struct view view_map(const struct view *view, const char *key);

/* Does the document say it, right or wrong? */
bool view_has(const struct view *view, const char *key);

/* The value's node if it is there and right; NULL otherwise. */
const struct node *view_node(const struct view *view, const char *key);

/* Scalars. A text is NULL without value and fallback. */
struct text view_text(const struct view *view, const char *key);
int64_t view_integer(const struct view *view, const char *key);
bool view_boolean(const struct view *view, const char *key);
uint64_t view_duration(const struct view *view, const char *key);
uint64_t view_size(const struct view *view, const char *key);
uint32_t view_mode(const struct view *view, const char *key);

/* A list of scalars, or one scalar as a list of one. A fallback is split at ", ". */
struct texts view_texts(const struct view *view, const char *key);

/* Tell about every required key that the map does not have. */
void view_require(const struct view *view);

/* Where the value is, else where the map is. */
struct where view_where(const struct view *view, const char *key);

/* The scalar of a node as a text. */
struct text node_text(const struct node *node);

void texts_add(struct texts *texts, struct text text, struct pool *pool);

/* A path of the builder's machine, resolved against the directory of the file that says it. */
const char *view_resolve(struct text text, struct pool *pool);

#endif
