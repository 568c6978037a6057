/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one build remembers for the next: $KEELSON_CACHE, else $XDG_CACHE_HOME/keelson, else
 * ~/.cache/keelson. Everything in it can be deleted at any time.
 *
 *     packages/apt/          apt's private state
 *     packages/SHA256.deb    packages as downloaded
 *     packages/SHA256.tree/  the same, unpacked
 *     packages/resolved/     what a list of packages resolved to, when there is no lock file
 *     programs/SHA256        stripped programs
 *     roots/KEY/             root file systems with their hash trees, by what went into them
 *     keys/                  the development key
 */
#ifndef KEELSON_CACHE_H
#define KEELSON_CACHE_H

#include "rootfs-spec/pool.h"

#include <time.h>

/* The directory, made if missing; NULL when there is no place for it (reported). */
const char *cache_directory(struct pool *pool);

/* A directory in it, made if missing; NULL on failure (reported). */
const char *cache_subdirectory(struct pool *pool, const char *cache, const char *name);

/*
 * A new empty directory in it for what must not outlive the build. Those that builds left behind
 * which were killed are removed after a day.
 */
const char *cache_scratch(struct pool *pool, const char *cache);

/*
 * Of the entries of `directory` keep the `keep` newest and all that are younger than `age_s`; a
 * failure to remove one is told, and no more.
 */
void cache_prune(struct pool *pool, const char *directory, size_t keep, time_t age_s);

#endif
