/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML document as a tree that remembers places. Only what a spec needs: one document of maps,
 * lists and scalars; anchors, aliases, tags, several documents and duplicate keys are errors.
 */
#ifndef KEELSON_NODE_H
#define KEELSON_NODE_H

#include "rootfs-spec/diagnostics.h"

#define NODE_MAX_DEPTH 24u
#define NODE_MAX_ENTRIES 10000u   /* of one map or list */
#define NODE_MAX_BYTES (4u << 20) /* of one file */

enum node_kind { NODE_SCALAR = 1, NODE_LIST, NODE_MAP };

struct node_entry {
	const char *key;    /* NULL in a list */
	struct where where; /* of the key; in a list, of the value */
	struct node *value;
};

struct node {
	enum node_kind kind;
	struct where where;
	const char *text; /* scalar */
	bool quoted;      /* scalar in quotes or a block: never null, never a number by accident */
	bool bad;         /* an error about it was told: nothing is to be read from it */
	struct node_entry *entries;
	size_t count;
};

/*
 * Read the document in `source`. NULL with errors told when there is none, or only half of one; a
 * document with duplicate keys comes back without the later ones. Never reads beyond `source->size`.
 */
struct node *node_read(const struct source *source, struct pool *pool,
		       struct diagnostics *diagnostics);

/* The entry of a map by its key, or NULL; NULL for what is not a map, too. */
struct node_entry *node_entry(const struct node *map, const char *key);

/* The value of a map's key, or NULL. */
struct node *node_value(const struct node *map, const char *key);

/* A plain `null`, `~` or nothing at all. */
bool node_is_null(const struct node *node);

/* "a map", "a list", "nothing", "'text'" as it stands in a message. */
const char *node_found(const struct node *node, struct pool *pool);

#endif
