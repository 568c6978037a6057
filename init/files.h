/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files by path: what PID 1 reads and writes of the kernel's and of the state partition.
 * Every function returns 0 (or a size) or a negative errno and logs nothing.
 */
#ifndef KEELSON_INIT_FILES_H
#define KEELSON_INIT_FILES_H

#include <stddef.h>
#include <sys/types.h>

/* Write `text` to an existing file in one write(2), as files in /proc and /sys want it. */
int file_write(const char *path, const char *text);

/*
 * Read at most `size` - 1 bytes of `path` into `text` and end them with a NUL, also when it fails.
 * Returns the number of bytes, or -EFBIG when there were more: then `text` holds the first of them.
 */
ssize_t file_read(const char *path, char *text, size_t size);

/*
 * Create `path` with `size` bytes so that at every moment, also after a power cut, there is the
 * whole file or none: written and flushed under another name, then renamed. -EEXIST when there is
 * one already: it is left alone.
 */
int file_create(const char *path, const void *bytes, size_t size, mode_t mode, uid_t uid,
		gid_t gid);

/* The same with the content of the regular file `source`. */
int file_copy(const char *source, const char *path, mode_t mode, uid_t uid, gid_t gid);

/* Make the directories above `path` that are missing, 0755. */
int directories_above(const char *path);

#endif
