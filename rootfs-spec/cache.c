// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/cache.h"

#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"

#include <errno.h>
#include <stdlib.h>

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

const char *cache_scratch(struct pool *pool, const char *cache)
{
	const char *parent = cache_subdirectory(pool, cache, "scratch");
	char *path;

	if (parent == NULL)
		return NULL;
	path = pool_printf(pool, "%s/build.XXXXXX", parent);
	if (mkdtemp(path) == NULL) {
		report_errno(errno, "make a scratch directory in %s", parent);
		return NULL;
	}
	return path;
}
