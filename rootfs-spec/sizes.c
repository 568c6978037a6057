// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/sizes.h"

#include <stdlib.h>
#include <string.h>

static int largest_first(const void *a, const void *b)
{
	const struct size_share *first = a;
	const struct size_share *second = b;

	if (first->bytes != second->bytes)
		return first->bytes > second->bytes ? -1 : 1;
	return strcmp(first->name, second->name);
}

static void count(struct sizes *sizes, struct pool *pool, const char *name, uint64_t bytes)
{
	size_t i = 0;

	while (i < sizes->count && strcmp(sizes->list[i].name, name) != 0)
		i++;
	if (i == sizes->count) {
		POOL_GROW(pool, sizes->list, sizes->count);
		sizes->list[sizes->count++] = (struct size_share){.name = name};
	}
	sizes->list[i].bytes += bytes;
	sizes->list[i].files++;
	sizes->bytes += bytes;
}

static struct sizes sorted(struct sizes sizes)
{
	if (sizes.count > 0)
		qsort(sizes.list, sizes.count, sizeof(*sizes.list), largest_first);
	return sizes;
}

struct sizes sizes_by_owner(const struct tree *tree)
{
	struct sizes sizes = {0};

	for (size_t i = 0; i < tree->count; i++)
		if (tree->list[i].kind == TREE_FILE)
			count(&sizes, tree->pool, tree->list[i].owner, tree->list[i].size_bytes);
	return sorted(sizes);
}

/* "/usr/bin/runc" -> "/usr/bin", "/etc/hosts" -> "/etc". */
static const char *directory_of(struct pool *pool, const char *path)
{
	const char *end = strrchr(path, '/');
	const char *second = strchr(path + 1, '/');
	const char *third = second != NULL ? strchr(second + 1, '/') : NULL;

	if (third != NULL)
		end = third;
	return end == path ? "/" : pool_copy(pool, path, (size_t)(end - path));
}

struct sizes sizes_by_directory(const struct tree *tree)
{
	struct sizes sizes = {0};

	for (size_t i = 0; i < tree->count; i++)
		if (tree->list[i].kind == TREE_FILE)
			count(&sizes, tree->pool, directory_of(tree->pool, tree->list[i].path),
			      tree->list[i].size_bytes);
	return sorted(sizes);
}

struct sizes sizes_by_file(const struct tree *tree)
{
	struct sizes sizes = {0};

	for (size_t i = 0; i < tree->count; i++) {
		if (tree->list[i].kind != TREE_FILE)
			continue;
		POOL_GROW(tree->pool, sizes.list, sizes.count);
		sizes.list[sizes.count++] = (struct size_share){
			.name = tree->list[i].path, .bytes = tree->list[i].size_bytes, .files = 1};
		sizes.bytes += tree->list[i].size_bytes;
	}
	return sorted(sizes);
}

const char *sizes_text(struct pool *pool, uint64_t bytes)
{
	if (bytes < 1024)
		return pool_printf(pool, "%llu B", (unsigned long long)bytes);
	if (bytes < 1024ull * 1024)
		return pool_printf(pool, "%.1f KiB", (double)bytes / 1024);
	return pool_printf(pool, "%.1f MiB", (double)bytes / (1024 * 1024));
}

void sizes_print(const struct sizes *sizes, const char *title, size_t rows, struct pool *pool,
		 struct bytes *out)
{
	if (rows == 0 || rows > sizes->count)
		rows = sizes->count;
	bytes_printf(out, "%s\n", title);
	for (size_t i = 0; i < rows; i++) {
		const struct size_share *share = &sizes->list[i];

		bytes_printf(out, "  %12s  %5.1f%%  %5zu  %s\n", sizes_text(pool, share->bytes),
			     sizes->bytes > 0 ? 100.0 * (double)share->bytes / (double)sizes->bytes
					      : 0.0,
			     share->files, share->name);
	}
}
