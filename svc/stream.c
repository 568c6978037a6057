/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "svc/format.h"
#include "svc/log.h"
#include "svc/stamp.h"

/* 0: relief.h. */
static const char *why(int error)
{
	return error ? log_errno(error) : "the logger was held up";
}

static void drop(struct stream *stream, uint64_t size, int error)
{
	if (stream->dropped_bytes == 0) {
		stream->dropped_error = error;
		fprintf(stderr, "keelson-log: %s: %s: output is dropped: %s\n", stream->name,
			stream->file.path, why(error));
	}
	stream->dropped_bytes += size;
}

/* A line about what is missing, on a line of its own. */
static int append_marker(struct stream *stream, const char *stamp)
{
	char marker[256];
	size_t length =
		format_text(marker, sizeof marker, "%s%skeelson-log: %llu bytes dropped: %s\n",
			    stream->file.line_start ? "" : "\n", stamp,
			    (unsigned long long)stream->dropped_bytes, why(stream->dropped_error));
	int error = logfile_append(&stream->file, marker, length);

	if (error == 0) {
		stream->dropped_bytes = 0;
		stream->line_start = true;
	}
	return error;
}

/* Of nothing only the marker, if there is one to write. */
static int append_lines(struct stream *stream, const struct stream_scratch *scratch, size_t size)
{
	char stamp[STAMP_BYTES + 1];
	struct timespec now;
	size_t at = 0;
	int error = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	stamp_make(&now, stamp);
	if (stream->dropped_bytes != 0)
		error = append_marker(stream, stamp);
	while (error == 0 && at < size) {
		size_t written;

		at += stamp_lines(scratch->chunk + at, size - at, stamp, &stream->line_start,
				  scratch->lines, STREAM_CHUNK_BYTES, &written);
		error = logfile_append(&stream->file, scratch->lines, written);
	}
	return error;
}

/* A full disk is no file system that is mounted in a moment, and who dropped once has waited. */
static bool is_patient(const struct stream *stream, uint64_t now_ns)
{
	return stream->open_error != -ENOSPC && stream->dropped_bytes == 0 &&
	       now_ns < stream->patient_ns;
}

/* 0: the file is open; -EAGAIN: leave the output where it is; else: drop it. */
static int ready_file(struct stream *stream, uint64_t now_ns)
{
	if (stream->file.fd >= 0)
		return logfile_rotate_if_due(&stream->file);
	if (now_ns < stream->retry_ns)
		return is_patient(stream, now_ns) ? -EAGAIN : stream->open_error;
	int error = logfile_open(&stream->file);

	if (error == 0) {
		stream->retry_ns = 0;
		stream->patient_ns = 0;
		stream->line_start = stream->file.line_start;
		return 0;
	}
	if (stream->patient_ns == 0)
		stream->patient_ns = now_ns + STREAM_PATIENCE_NS;
	stream->retry_ns = now_ns + STREAM_RETRY_NS;
	stream->open_error = error;
	return is_patient(stream, now_ns) ? -EAGAIN : error;
}

/* A copy of what the pipe holds, at most a chunk: what is read here stays in the pipe. */
static ssize_t peek(const struct stream *stream, const struct stream_scratch *scratch)
{
	ssize_t size = tee(stream->pipe, scratch->pipe[1], STREAM_CHUNK_BYTES, SPLICE_F_NONBLOCK);
	ssize_t have = 0;

	while (have < size) {
		ssize_t got = read(scratch->pipe[0], scratch->chunk + have, (size_t)(size - have));

		if (got <= 0)
			return -1;
		have += got;
	}
	return size;
}

/* The copy is written, or will never be: what is left of the original goes. */
static void consume(struct stream *stream, const struct stream_scratch *scratch)
{
	while (stream->held_bytes > 0) {
		ssize_t got = read(stream->pipe, scratch->chunk, stream->held_bytes);

		if (got <= 0)
			break;
		stream->held_bytes -= (size_t)got;
	}
	stream->held_bytes = 0;
	stream->moves++;
}

/* The next copy, and what was thrown away before it, which is told where nobody waits for the lock. */
static size_t take(struct stream *stream, const struct stream_scratch *scratch)
{
	uint64_t lost_bytes;
	ssize_t size;

	pthread_mutex_lock(&stream->lock);
	lost_bytes = stream->lost_bytes;
	stream->lost_bytes = 0;
	size = peek(stream, scratch);
	stream->held_bytes = size > 0 ? (size_t)size : 0;
	pthread_mutex_unlock(&stream->lock);
	if (lost_bytes > 0)
		drop(stream, lost_bytes, 0);
	return size > 0 ? (size_t)size : 0;
}

bool stream_owes(struct stream *stream)
{
	bool lost;

	pthread_mutex_lock(&stream->lock);
	lost = stream->lost_bytes > 0;
	pthread_mutex_unlock(&stream->lock);
	return lost || stream->dropped_bytes > 0;
}

bool stream_move(struct stream *stream, const struct stream_scratch *scratch, uint64_t now_ns)
{
	int error = ready_file(stream, now_ns);

	if (error == -EAGAIN)
		return false;
	size_t size = take(stream, scratch);

	if (error == 0)
		error = append_lines(stream, scratch, size);
	if (size == 0)
		return false;
	if (error != 0)
		drop(stream, size, error);
	pthread_mutex_lock(&stream->lock);
	consume(stream, scratch);
	pthread_mutex_unlock(&stream->lock);
	return true;
}
