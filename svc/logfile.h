/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One log file that is appended to and rotated by size: PATH, PATH.1 (the newest rotated one) to
 * PATH.KEEP. A file is rotated between lines, when it has reached its limit.
 */
#ifndef KEELSON_LOGFILE_H
#define KEELSON_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logfile {
	const char *path;   /* borrowed */
	uint64_t max_bytes; /* 0: never rotated */
	uint32_t keep;      /* 0: the old file is removed */
	int fd;             /* -1: not open */
	uint64_t size_bytes;
	bool line_start; /* what is in the file ends with a newline, or is empty */
};

/* Open for appending, making the directories above it. 0 or negative errno. */
int logfile_open(struct logfile *file);
void logfile_close(struct logfile *file);

/* Rotate if the limit is reached. 0 or negative errno; the file may then be closed. */
int logfile_rotate_if_due(struct logfile *file);

/* Append all of it. 0 or negative errno (write(2)); some of it may have been written. */
int logfile_append(struct logfile *file, const char *bytes, size_t size);

#endif
