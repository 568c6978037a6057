/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an overlay's upper layer changes of its lower one (kernel documentation,
 * filesystems/overlayfs.rst), for keelctl. etc_compare() judges one name, pure; etc_walk() goes
 * through the upper layer, and only through it: a name at a time, no link is followed, no other
 * file system entered.
 */
#ifndef KEELSON_ETC_DIFF_H
#define KEELSON_ETC_DIFF_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum etc_change {
	ETC_SAME,      /* a directory that is only there for what is in it */
	ETC_IDENTICAL, /* no difference, but what a later image of the same slot has is hidden */
	ETC_ADDED,     /* the lower layer has nothing of that name */
	ETC_CHANGED,   /* other content, target, owner or mode */
	ETC_REMOVED,   /* a whiteout; or hidden by an opaque directory above */
	ETC_TYPE,  /* a file where the lower layer has a directory, or the other way round, ... */
	ETC_OPAQUE /* a directory that hides all that the lower one holds */
};
#define ETC_CHANGE_COUNT 7u

/* "added", ... */
const char *etc_change_name(enum etc_change change);

/* One name in one layer. */
struct etc_entry {
	bool exists;
	bool whiteout; /* upper: the name is removed */
	bool opaque;   /* upper directory */
	uint32_t mode; /* as in stat(2), with the type */
	uint32_t uid, gid;
	uint64_t rdev; /* of a device */
};

/* `same_content`: of two files or links of one type. */
enum etc_change etc_compare(const struct etc_entry *upper, const struct etc_entry *lower,
			    bool same_content);

struct etc_difference {
	enum etc_change change;
	const char *path; /* below the overlay, without a leading slash; borrowed */
	const struct etc_entry *upper, *lower;
};

/* Called for every difference, in the order of the paths; not 0 ends the walk. */
typedef int (*etc_visit)(void *context, const struct etc_difference *difference);

/*
 * Visit everything in the directory `upper` that is not ETC_SAME, compared with the directory
 * `lower`. 0; what `visit` returned; or negative errno, with `*failed` the path (static).
 */
int etc_walk(int upper, int lower, etc_visit visit, void *context, const char **failed);

/*
 * Remove `path` (relative; "." for all that is in it) from the directory `layer`, with everything
 * below. No link is followed. 0, also when it is not there; or negative errno.
 */
int etc_remove(int layer, const char *path);

#endif
