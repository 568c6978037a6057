/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One service's output on its way from the pipe to the file (log_protocol.h): at least once, never
 * waiting for a disk for ever.
 *
 * A file that cannot be opened yet (/var is not mounted) leaves the output in the pipe for
 * STREAM_PATIENCE_NS; the service blocks when the pipe is full. After that, and at once when the
 * disk is full or fails, output is dropped and counted; a line that says how much is missing and why is
 * written as soon as it can be, whether or not there is more output. Of a service that may lose output,
 * relief.h throws away what waits too long.
 */
#ifndef KEELSON_STREAM_H
#define KEELSON_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <pthread.h>

#include "svc/logfile.h"

#define STREAM_CHUNK_BYTES 65536u
#define STREAM_RETRY_NS 250000000ull
#define STREAM_PATIENCE_NS 30000000000ull

struct stream {
	const char *name; /* of the service */
	int pipe;         /* read end, non-blocking */
	struct logfile file;
	bool line_start; /* the next byte begins a line */
	uint64_t dropped_bytes;
	int dropped_error;   /* the first error since the last successful write */
	int open_error;      /* why the file is not open */
	uint64_t retry_ns;   /* the file could not be opened: not before this; 0: it is open */
	uint64_t patient_ns; /* ... and from then on output is dropped; 0: never failed */

	/* What relief.h may see and change meanwhile, under this lock, with which nobody waits. */
	pthread_mutex_t lock;
	bool may_drop;       /* PLAN_SERVICE_LOG_DROP */
	uint32_t moves;      /* chunks that were taken from the pipe */
	size_t held_bytes;   /* the pipe's first bytes: a copy of them is being written */
	uint64_t lost_bytes; /* thrown away behind these, and not yet counted as dropped */
};

/* Pipe of the logger's own, for tee(2). */
struct stream_scratch {
	int pipe[2];
	char *chunk; /* STREAM_CHUNK_BYTES */
	char *lines; /* STREAM_CHUNK_BYTES */
};

/*
 * Tell what is missing, and move at most one chunk. True: something was taken from the pipe, there may
 * be more.
 */
bool stream_move(struct stream *stream, const struct stream_scratch *scratch, uint64_t now_ns);

/* Is something missing that the file does not tell yet? Then stream_move() is due without output, too. */
bool stream_owes(struct stream *stream);

#endif
