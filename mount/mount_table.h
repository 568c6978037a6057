/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts that are to go, read from /proc/self/mountinfo into static storage: what fits, the
 * newest first to go. Reading mountinfo asks no file system anything, so it does not hang with one.
 */
#ifndef KEELSON_MOUNT_TABLE_H
#define KEELSON_MOUNT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOUNT_TABLE_MAX 256u /* looked at in one pass; the newest of them */

struct mount_entry {
	uint32_t id;
	uint32_t major; /* 0: no block device below it */
	uint32_t minor;
	bool read_only; /* its superblock */
	int error;      /* of the last attempt at it */
	char *target;
};

/* Parents before children, as the kernel lists them. */
struct mount_table {
	uint32_t count;
	struct mount_entry mounts[MOUNT_TABLE_MAX];
};

/*
 * Read what is mounted, but for "/" and what is at or below one of `keep` (absolute prefixes). The
 * table is one, static, and valid until the next call. Returns how many mounts there are in all,
 * which may be more than the table holds, or negative errno.
 */
int mount_table_read(const char *const *keep, size_t keep_count, struct mount_table **read);

/* Is `path` the directory `prefix` or something below it? */
bool mount_table_is_below(const char *path, const char *prefix);

/*
 * Call `visit` with each line of a file of the kernel's (/proc/swaps), without its newline, until it
 * returns false. A line that is too long for any path is skipped. 0 or negative errno.
 */
int mount_table_lines(const char *path, bool (*visit)(void *context, char *line), void *context);

#endif
