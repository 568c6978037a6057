/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system as a list, before it exists: every path with its kind, mode, where its
 * content comes from and who put it there. From the list come the directory that mkfs reads, the
 * key under which the finished image is remembered, and the size report.
 *
 * Usr-merge happens here: /bin, /sbin, /lib and /lib64 of packages land below /usr, and the links
 * stand in the root. Everything belongs to root. Set-user-id and set-group-id bits of packages are
 * dropped: a node has no users who would need them.
 */
#ifndef KEELSON_TREE_H
#define KEELSON_TREE_H

#include "rootfs-spec/pool.h"
#include "rootfs-spec/sha256.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Who may replace whom at the same path: the higher one. */
enum tree_layer {
	TREE_IMPLIED, /* parents, mount points */
	TREE_PACKAGE,
	TREE_KEELSON, /* keelson's own programs */
	TREE_FILES    /* `files:` of the spec */
};

enum tree_kind { TREE_DIRECTORY = 1, TREE_FILE, TREE_LINK };

struct tree_entry {
	const char *path; /* absolute, no trailing slash */
	enum tree_kind kind;
	enum tree_layer layer;
	mode_t mode;
	const char *source;   /* FILE: a file of the builder's machine, or NULL: `content` */
	const void *content;  /* FILE */
	const char *target;   /* LINK */
	uint64_t size_bytes;  /* FILE */
	const char *identity; /* FILE: says what the content is: a digest */
	const char *owner;    /* package name, "keelson", "files"; for messages and the report */
	bool linkable;        /* FILE: `source` is the cache's own and may be hard-linked */
	size_t sequence;      /* order of adding */
};

struct tree {
	struct pool *pool;
	struct tree_entry *list; /* after tree_finish(): sorted by path, each path once */
	size_t count;
};

/* The path that a package's path means on a merged-usr system; from the pool if it differs. */
const char *tree_usr_merge(struct pool *pool, const char *path);

void tree_directory(struct tree *tree, enum tree_layer layer, const char *owner, const char *path,
		    mode_t mode);
void tree_link(struct tree *tree, enum tree_layer layer, const char *owner, const char *path,
	       const char *target);

/* "/NAME", a link to usr/NAME: what tree_usr_merge() relies on. */
void tree_usr_link(struct tree *tree, const char *owner, const char *name);

/* `content` must outlive the tree. */
void tree_content(struct tree *tree, enum tree_layer layer, const char *owner, const char *path,
		  mode_t mode, const void *content, size_t size);

/* A file of the builder's machine; it is hashed. 0 or a negative errno (reported). */
int tree_file(struct tree *tree, enum tree_layer layer, const char *owner, const char *path,
	      mode_t mode, const char *source);

/* A file of the cache that is known by `identity`: not hashed, and hard-linked where it can be. */
void tree_cached_file(struct tree *tree, enum tree_layer layer, const char *owner, const char *path,
		      mode_t mode, const char *source, uint64_t size_bytes, const char *identity);

/*
 * Everything below the directory `source`, as it is called there. `wanted` decides by the path in
 * the tree (NULL: all). With `identity`, files are the cache's own, known by identity and path, and
 * keep their modes; without, they are hashed, and get 0755 or 0644 by whether they are executable,
 * so that the umask of a checkout does not matter.
 */
struct tree_walk {
	enum tree_layer layer;
	const char *owner;
	const char *source;
	const char *to; /* "" for the root */
	const char *identity;
	bool (*wanted)(const char *path, void *context);
	void *context;
};
int tree_walk(struct tree *tree, const struct tree_walk *walk);

/*
 * Sort, let higher layers replace lower ones, add missing parents. Two packages with different
 * files of one path, or something below what is no directory, are reported: -EINVAL.
 */
int tree_finish(struct tree *tree);

/* The entry at `path` of a finished tree, or NULL. */
const struct tree_entry *tree_find(const struct tree *tree, const char *path);

/* Add all that decides the bytes of the root to a hash; the tree is finished. */
void tree_digest(const struct tree *tree, struct sha256 *hash);

/* Make the tree in the empty directory `directory`. */
int tree_write(const struct tree *tree, const char *directory);

#endif
