/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the builder's machine, whole ones. Every function reports its own errors (report.h) and
 * returns 0 or a negative errno.
 */
#ifndef KEELSON_FILES_H
#define KEELSON_FILES_H

#include "rootfs-spec/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

bool file_exists(const char *path);

/* mkdir -p, mode 0755. */
int file_make_directories(const char *path);

/* Append the file's content to `content`. */
int file_read(const char *path, struct bytes *content);

/* Append `size` bytes from `offset` on, which it must have. */
int file_read_part(const char *path, uint64_t offset, size_t size, struct bytes *content);

/* Replace these bytes in a file that is there, and flush them. */
int file_write_part(const char *path, uint64_t offset, const void *data, size_t size);

/* Takes the next portion; a negative errno ends it all. Told by the sink itself. */
typedef int (*file_sink)(void *context, const void *bytes, size_t size);

/*
 * Give `size` bytes from `offset` on to `sink` in portions of one MiB; the file may not end before.
 */
int file_stream(const char *path, uint64_t offset, uint64_t size, file_sink sink, void *context);

/*
 * Write a new file through a temporary name beside it; an old one is replaced. What is there and is
 * no regular file, such as /dev/stdout, is written to.
 */
int file_write(const char *path, const void *data, size_t size, mode_t mode);

/* rm -rf; what does not exist is removed already. */
int file_remove_tree(const char *path);

/* A copy with its own inode and `mode`, shared blocks where the file system can. */
int file_copy(const char *from, const char *to, mode_t mode);

int file_rename(const char *from, const char *to);

/*
 * Put the directory `from` in the place of `to`, which may hold an older one: that is removed. In
 * one step where the file system can (renameat2(2), RENAME_EXCHANGE).
 */
int file_replace_tree(const char *from, const char *to);

/* Bytes of a regular file, or a negative errno. */
int64_t file_size(const char *path);

/*
 * Hold `path` (made if missing) with flock(2) until the program ends, saying so if that means
 * waiting. Returns the descriptor or a negative errno.
 */
int file_lock(const char *path);

#endif
