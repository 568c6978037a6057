// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/tree.h"

#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *tree_usr_merge(struct pool *pool, const char *path)
{
	static const char *const merged[] = {"/bin",   "/sbin",  "/lib",
					     "/lib32", "/lib64", "/libx32"};

	for (size_t i = 0; i < sizeof(merged) / sizeof(merged[0]); i++) {
		size_t length = strlen(merged[i]);

		if (strncmp(path, merged[i], length) == 0 &&
		    (path[length] == '/' || path[length] == '\0'))
			return pool_printf(pool, "/usr%s", path);
	}
	return path;
}

static struct tree_entry *add(struct tree *tree, enum tree_kind kind, enum tree_layer layer,
			      const char *owner, const char *path, mode_t mode)
{
	struct tree_entry *entry;

	POOL_GROW(tree->pool, tree->list, tree->count);
	entry = &tree->list[tree->count];
	*entry = (struct tree_entry){.path = tree_usr_merge(tree->pool, path),
				     .kind = kind,
				     .layer = layer,
				     .mode = mode,
				     .owner = owner,
				     .sequence = tree->count++};
	return entry;
}

void tree_directory(struct tree *tree, enum tree_layer layer, const char *owner, const char *path,
		    mode_t mode)
{
	add(tree, TREE_DIRECTORY, layer, owner, path, mode);
}

void tree_link(struct tree *tree, enum tree_layer layer, const char *owner, const char *path,
	       const char *target)
{
	add(tree, TREE_LINK, layer, owner, path, 0777)->target = target;
}

void tree_usr_link(struct tree *tree, const char *owner, const char *name)
{
	struct tree_entry *entry = add(tree, TREE_LINK, TREE_KEELSON, owner, "", 0777);

	entry->path = pool_printf(tree->pool, "/%s", name);
	entry->target = pool_printf(tree->pool, "usr/%s", name);
}

static const char *digest_text(struct pool *pool, const uint8_t digest[SHA256_BYTES])
{
	char *text = pool_alloc(pool, SHA256_TEXT_BYTES);

	sha256_text(digest, text);
	return text;
}

void tree_content(struct tree *tree, enum tree_layer layer, const char *owner, const char *path,
		  mode_t mode, const void *content, size_t size)
{
	struct tree_entry *entry = add(tree, TREE_FILE, layer, owner, path, mode);
	uint8_t digest[SHA256_BYTES];

	sha256_bytes(content, size, digest);
	entry->content = content;
	entry->size_bytes = size;
	entry->identity = digest_text(tree->pool, digest);
}

int tree_file(struct tree *tree, enum tree_layer layer, const char *owner, const char *path,
	      mode_t mode, const char *source)
{
	struct tree_entry *entry;
	uint8_t digest[SHA256_BYTES];
	int64_t size = file_size(source);
	int error;

	if (size < 0)
		return (int)size;
	error = sha256_file(source, digest);
	if (error < 0)
		return report_errno(-error, "read %s for %s", source, path);
	entry = add(tree, TREE_FILE, layer, owner, path, mode);
	entry->source = source;
	entry->size_bytes = (uint64_t)size;
	entry->identity = digest_text(tree->pool, digest);
	return 0;
}

void tree_cached_file(struct tree *tree, enum tree_layer layer, const char *owner, const char *path,
		      mode_t mode, const char *source, uint64_t size_bytes, const char *identity)
{
	struct tree_entry *entry = add(tree, TREE_FILE, layer, owner, path, mode);

	entry->source = source;
	entry->size_bytes = size_bytes;
	entry->linkable = true;
	entry->identity = identity;
}

static int by_path(const void *a, const void *b)
{
	const struct tree_entry *first = a;
	const struct tree_entry *second = b;
	int order = strcmp(first->path, second->path);

	if (order != 0)
		return order;
	if (first->layer != second->layer)
		return first->layer > second->layer ? -1 : 1;
	return first->sequence < second->sequence ? -1 : 1;
}

static bool agree(const struct tree_entry *a, const struct tree_entry *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case TREE_DIRECTORY: return true;
	case TREE_LINK: return strcmp(a->target, b->target) == 0;
	case TREE_FILE: return strcmp(a->identity, b->identity) == 0 && a->mode == b->mode;
	}
	return false;
}

/* Sorted: of each path the highest layer is first. */
static int keep_highest(struct tree *tree)
{
	size_t kept = 0;
	int error = 0;

	for (size_t i = 0; i < tree->count; i++) {
		struct tree_entry *entry = &tree->list[i];
		struct tree_entry *last = kept > 0 ? &tree->list[kept - 1] : NULL;

		if (last == NULL || strcmp(last->path, entry->path) != 0)
			tree->list[kept++] = *entry;
		else if (last->layer == entry->layer && !agree(last, entry))
			error = report_refusal("%s comes from %s and from %s, and they differ",
					       entry->path, last->owner, entry->owner);
	}
	tree->count = kept;
	return error;
}

const struct tree_entry *tree_find(const struct tree *tree, const char *path)
{
	size_t low = 0;
	size_t high = tree->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(path, tree->list[middle].path);

		if (order == 0)
			return &tree->list[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Parents of the entries as they are now; those added are looked at in the next round. */
static int add_parents(struct tree *tree, bool *added)
{
	struct tree before = *tree;
	int error = 0;

	*added = false;
	for (size_t i = 0; i < before.count; i++) {
		const struct tree_entry *entry = &before.list[i];
		size_t length = (size_t)(strrchr(entry->path, '/') - entry->path);
		const struct tree_entry *parent;
		const char *path;

		if (length == 0)
			continue;
		path = pool_copy(tree->pool, entry->path, length);
		parent = tree_find(&before, path);
		if (parent == NULL) {
			tree_directory(tree, TREE_IMPLIED, "keelson", path, 0755);
			*added = true;
		} else if (parent->kind != TREE_DIRECTORY) {
			error = report_refusal("%s (from %s) is below %s, which %s makes a %s",
					       entry->path, entry->owner, path, parent->owner,
					       parent->kind == TREE_LINK ? "link" : "file");
		}
	}
	return error;
}

int tree_finish(struct tree *tree)
{
	bool added = true;
	int error = 0;

	while (error == 0 && added) {
		if (tree->count > 0)
			qsort(tree->list, tree->count, sizeof(*tree->list), by_path);
		error = keep_highest(tree);
		if (error == 0)
			error = add_parents(tree, &added);
	}
	return error;
}

void tree_digest(const struct tree *tree, struct sha256 *hash)
{
	struct bytes line = {0};

	for (size_t i = 0; i < tree->count; i++) {
		const struct tree_entry *entry = &tree->list[i];

		line.size = 0;
		bytes_printf(&line, "%d %o %s", (int)entry->kind, (unsigned int)entry->mode,
			     entry->path);
		bytes_printf(&line, " %s\n",
			     entry->kind == TREE_FILE   ? entry->identity
			     : entry->kind == TREE_LINK ? entry->target
							: "");
		sha256_add(hash, line.data, line.size);
	}
	bytes_free(&line);
}
