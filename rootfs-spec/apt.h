/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apt of the builder's machine, with a state of its own: the machine's sources, keys and
 * preferences, but private package lists and an empty list of installed packages, so that an
 * ordinary user can resolve and download and nothing depends on what the machine has installed.
 */
#ifndef KEELSON_APT_H
#define KEELSON_APT_H

#include "rootfs-spec/lock.h"
#include "rootfs-spec/pool.h"

#include <stdbool.h>

struct apt {
	struct pool *pool;
	const char *directory; /* its state */
	const char *downloads; /* finished packages: SHA256.deb */
	const char *config;    /* APT_CONFIG=... */
	char *names;           /* every package name, one a line; NULL until asked for */
};

/* Prepare the state below `cache`. */
int apt_open(struct apt *apt, struct pool *pool, const char *cache);

/* Fetch the package lists when they are older than an hour. */
int apt_refresh(struct apt *apt);

/* Is there a package of that name? If not, `*nearest` is the most similar name or NULL. */
bool apt_knows(struct apt *apt, const char *name, const char **nearest);

/*
 * The packages that installing `names` would install, as "name:arch=version", appended to the
 * NULL-terminated list `*chosen` of `*count`.
 */
int apt_closure(struct apt *apt, const char *const *names, size_t name_count, const char ***chosen,
		size_t *count);

/* Name, version, architecture and SHA-256 of each (as "name" or "name:arch=version"), appended. */
int apt_identify(struct apt *apt, const char *const *chosen, size_t count, struct package_set *set);

/* Make sure that every package is in the cache, checked against its SHA-256; fills `deb`. */
int apt_fetch(struct apt *apt, struct package_set *set);

#endif
