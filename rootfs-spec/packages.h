/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the names in a spec to unpacked trees. Maintainer scripts are never run: what a package does
 * in them (users, bundles of certificates, caches) belongs into the spec's files.
 */
#ifndef KEELSON_PACKAGES_H
#define KEELSON_PACKAGES_H

#include "rootfs-spec/apt.h"
#include "rootfs-spec/diagnostics.h"
#include "rootfs-spec/lock.h"
#include "rootfs-spec/spec.h"

/* Where the lock of a spec is: "edge.yaml" -> "edge.lock". */
const char *packages_lock_path(struct pool *pool, const char *spec_path);

/*
 * What the spec's packages resolve to now, by the machine's sources. Names that no source has are
 * told in `diagnostics`, all of them, each with the nearest name.
 */
int packages_resolve(const struct spec *spec, struct apt *apt, struct diagnostics *diagnostics,
		     struct package_set *set);

/*
 * Fetch and unpack every package of the set and the spec's local ones, which are appended to it.
 * What was unpacked once is used again; a .deb is checked against its SHA-256 before it is opened.
 */
int packages_unpack(const struct spec *spec, struct apt *apt, struct package_set *set);

/*
 * All packages of the spec, unpacked: those of the lock file beside `spec_path` if there is one,
 * else what an earlier build of the same list resolved to (unless `update`), else what the sources
 * have now. An outdated lock is an error that says so. The spec's local packages come last.
 * One program at a time does this in one cache.
 */
int packages_get(const struct spec *spec, const char *spec_path, const char *cache, bool update,
		 struct diagnostics *diagnostics, struct package_set *set);

#endif
