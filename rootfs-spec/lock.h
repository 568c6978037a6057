/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages pinned to bytes. `keelson lock` writes the file beside the spec; with it a build is the
 * same everywhere and needs no network once the packages are in the cache.
 *
 *     # keelson lock 1
 *     request 0d9f...           what was asked for, so that an outdated lock is noticed
 *     containerd 1.6.20~ds1-1+deb12u3 amd64 5a3c...
 *
 * Lines are sorted by name; the last field is the SHA-256 of the .deb.
 */
#ifndef KEELSON_LOCK_H
#define KEELSON_LOCK_H

#include "rootfs-spec/pool.h"
#include "rootfs-spec/sha256.h"

struct package {
	const char *name;
	const char *version;
	const char *architecture;
	const char *sha256; /* of the .deb, hex */
	const char *deb;    /* where it is on this machine; NULL until it was fetched */
	const char *tree;   /* where it is unpacked; NULL until it was */
};

struct package_set {
	struct package *list; /* sorted by name */
	size_t count;
	char request[SHA256_TEXT_BYTES];
};

/* Sort by name, then architecture: the order of the file and of everything made from it. */
void lock_sort(struct package_set *set);

/* Append the file's text. */
void lock_format(const struct package_set *set, struct bytes *text);

/*
 * Read the file's text (NUL-terminated). 0, or -EBADMSG with `*line` (counted from 1) that is not
 * what lock_format() writes.
 */
int lock_parse(const char *text, struct pool *pool, struct package_set *set, size_t *line);

#endif
