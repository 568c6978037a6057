/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of sandbox.h: mounts by descriptor. Raw system calls only; a result below 0 is a
 * negative errno, and a descriptor is CLOEXEC and the caller's.
 */
#ifndef KEELSON_SANDBOX_MOUNT_H
#define KEELSON_SANDBOX_MOUNT_H

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/mount.h>

#include "svc/raw.h"
#include "svc/sandbox.h"

static inline void close_raw(long fd)
{
	if (fd >= 0)
		raw_syscall1(__NR_close, fd);
}

/* A place in the tree, to be mounted on or copied. */
long mount_place(const char *path);

/* 1: a directory, 0: not, or a negative errno. */
long mount_is_directory(long place);

/*
 * A place that is going to be covered: where mounts are shared with the node, the mount that it lies
 * on is made private first, and `*root` is that mount's root; else -1.
 */
long mount_place_to_cover(const struct sandbox *sandbox, const char *path, long *root);

/* A detached copy of what is mounted there; `flags` AT_RECURSIVE: with everything below. */
long mount_copy(long directory, const char *path, long flags);

/* Make a mount and all below it read-only. */
long mount_make_read_only(long mount);

/* Mount what is detached. */
long mount_put(long mount, long place);

/* A detached file system: fsopen(2) to fsmount(2). `options`: key, value, ..., NULL; "" is a flag. */
long mount_make(const char *type, const char *const *options, long attributes);

#endif
