// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/cache.h"

#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SCRATCH_AGE_S ((time_t)24 * 3600)

static const char *set(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && *value != '\0' ? value : NULL;
}

const char *cache_directory(struct pool *pool)
{
	const char *cache = NULL;
	char *absolute;

	if (set("KEELSON_CACHE") != NULL)
		cache = pool_strdup(pool, set("KEELSON_CACHE"));
	else if (set("XDG_CACHE_HOME") != NULL)
		cache = pool_printf(pool, "%s/keelson", set("XDG_CACHE_HOME"));
	else if (set("HOME") != NULL)
		cache = pool_printf(pool, "%s/.cache/keelson", set("HOME"));
	if (cache == NULL) {
		report_refusal("no place for the cache: set KEELSON_CACHE or HOME");
		return NULL;
	}
	if (file_make_directories(cache) < 0)
		return NULL;
	/* Programs run in other directories. */
	absolute = realpath(cache, NULL);
	if (absolute == NULL) {
		report_errno(errno, "cache %s", cache);
		return NULL;
	}
	cache = pool_strdup(pool, absolute);
	free(absolute);
	return cache;
}

const char *cache_subdirectory(struct pool *pool, const char *cache, const char *name)
{
	const char *path = pool_printf(pool, "%s/%s", cache, name);

	return file_make_directories(path) < 0 ? NULL : path;
}

struct aged {
	const char *path;
	time_t modified;
};

static int newest_first(const void *a, const void *b)
{
	const struct aged *first = a;
	const struct aged *second = b;

	return (second->modified > first->modified) - (second->modified < first->modified);
}

void cache_prune(struct pool *pool, const char *directory, size_t keep, time_t age_s)
{
	DIR *listing = opendir(directory);
	struct aged *list = NULL;
	struct dirent *entry;
	struct stat status;
	size_t count = 0;

	while (listing != NULL && (entry = readdir(listing)) != NULL) {
		const char *path = pool_printf(pool, "%s/%s", directory, entry->d_name);

		if (entry->d_name[0] == '.' || lstat(path, &status) < 0)
			continue;
		POOL_GROW(pool, list, count);
		list[count++] = (struct aged){.path = path, .modified = status.st_mtime};
	}
	if (listing != NULL)
		closedir(listing);
	if (count > 0)
		qsort(list, count, sizeof(*list), newest_first);
	for (size_t i = keep; i < count; i++)
		if (time(NULL) - list[i].modified > age_s)
			file_remove_tree(list[i].path);
}

const char *cache_scratch(struct pool *pool, const char *cache)
{
	const char *parent = cache_subdirectory(pool, cache, "scratch");
	char *path;

	if (parent == NULL)
		return NULL;
	cache_prune(pool, parent, 0, SCRATCH_AGE_S);
	path = pool_printf(pool, "%s/build.XXXXXX", parent);
	if (mkdtemp(path) == NULL) {
		report_errno(errno, "make a scratch directory in %s", parent);
		return NULL;
	}
	return path;
}
