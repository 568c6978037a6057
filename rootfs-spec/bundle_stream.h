/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bundle (bundle.h) as it is read: once, from front to back, from a file, a pipe or a device, frame
 * by frame, in bounded memory: the content of one frame, the prefix of one frame of a delta, a
 * portion of the stream, and what libzstd needs itself. Nothing is believed: every size is checked
 * before it is used.
 */
#ifndef KEELSON_BUNDLE_STREAM_H
#define KEELSON_BUNDLE_STREAM_H

#include "rootfs-spec/bundle.h"

struct bundle_stream {
	int fd;   /* borrowed */
	int base; /* delta: borrowed, the base's root from its byte 0 on; else -1 */
	struct slot_header header;
	uint8_t signature[SLOT_HEADER_SIGNATURE_MAX];
	struct bundle_head head;
	uint64_t content;  /* bytes of the content in the frames behind us */
	uint64_t offset;   /* of the bundle's next byte that `fd` gives */
	void *context;     /* libzstd's */
	uint8_t *unpacked; /* one frame's content */
	uint8_t *prefix;   /* delta: at a page's boundary, so that `base` may be O_DIRECT */
	uint8_t *packed;   /* a portion of the stream */
	const char *fault; /* text for an error */
	struct bundle_range ranges[BUNDLE_RANGES_MAX];
};

/*
 * Read header and head and check their form; nothing is verified. 0; -ENODATA: it is cut off;
 * -EBADMSG, -EPROTONOSUPPORT: `fault` says why it is none; else the errno of read(2).
 */
int bundle_stream_open(int fd, struct bundle_stream *stream);

/* Get ready to unpack; `base` is -1 for a full bundle. 0, -ENOMEM. Freed by bundle_stream_close(). */
int bundle_stream_begin(struct bundle_stream *stream, int base);
void bundle_stream_close(struct bundle_stream *stream);

/*
 * Pass over the frames before the one that begins at the content's byte `content`, without
 * unpacking them: what can be sought is not read. 0, -ENODATA, -EBADMSG (no frame begins there, too).
 */
int bundle_stream_skip(struct bundle_stream *stream, uint64_t content);

/* The next byte of `fd` is the bundle's byte `offset`, where the content's byte `content` begins. */
int bundle_stream_jump(struct bundle_stream *stream, uint64_t content, uint64_t offset);

/*
 * Unpack the next frame: `*size` bytes at `*bytes`, whole blocks, until the next call. -ENODATA: the
 * bundle is cut off; -EBADMSG: it is damaged, or unpacks to something else than its head says; -EIO:
 * of reading the base. Behind the last frame `*size` is 0.
 */
int bundle_stream_next(struct bundle_stream *stream, const void **bytes, size_t *size);

/* After the last frame: did the stream end where its head says? 0 or -EBADMSG. */
int bundle_stream_end(struct bundle_stream *stream);

#endif
