/* SPDX-License-Identifier: Apache-2.0 */
/* For ZSTD_d_stableOutBuffer: a frame is unpacked where it stays, not into a window and from there. */
#define ZSTD_STATIC_LINKING_ONLY
#include "rootfs-spec/bundle_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#define PACKED_BYTES (1u << 17)
#define PAGE_BYTES 4096u

_Static_assert(offsetof(struct bundle_stream, head) - offsetof(struct bundle_stream, header) ==
		       BUNDLE_HEAD_OFFSET,
	       "header, signature and head lie as in the file");

/* As many bytes as there are, at most `size`; less only at the end. Negative errno. */
static ssize_t read_up_to(int fd, void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (uint8_t *)bytes + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int read_exactly(struct bundle_stream *stream, void *bytes, size_t size)
{
	ssize_t n = read_up_to(stream->fd, bytes, size);

	if (n < 0)
		return (int)n;
	stream->offset += (uint64_t)n;
	return (size_t)n == size ? 0 : -ENODATA;
}

int bundle_stream_open(int fd, struct bundle_stream *stream)
{
	int error;

	*stream = (struct bundle_stream){.fd = fd, .base = -1, .fault = ""};
	error = read_exactly(stream, &stream->header, BUNDLE_HEAD_OFFSET);
	if (!error)
		error = slot_header_check(&stream->header, &stream->fault);
	if (!error)
		error = read_exactly(stream, &stream->head, sizeof(stream->head));
	if (!error)
		error = bundle_head_check(&stream->head, &stream->header, &stream->fault);
	return error;
}

int bundle_stream_begin(struct bundle_stream *stream, int base)
{
	bool delta = stream->head.kind == BUNDLE_DELTA;

	stream->base = base;
	stream->context = ZSTD_createDCtx();
	stream->packed = malloc(PACKED_BYTES);
	stream->unpacked = aligned_alloc(PAGE_BYTES, stream->head.frame_bytes);
	stream->prefix = delta ? aligned_alloc(PAGE_BYTES, BUNDLE_PREFIX_BYTES_MAX) : NULL;
	if (!stream->context || !stream->packed || !stream->unpacked || (delta && !stream->prefix))
		return -ENOMEM;
	return 0;
}

void bundle_stream_close(struct bundle_stream *stream)
{
	ZSTD_freeDCtx(stream->context);
	free(stream->packed);
	free(stream->unpacked);
	free(stream->prefix);
	stream->context = NULL;
	stream->packed = stream->unpacked = stream->prefix = NULL;
}

/* Bytes of the stream that have not been read. */
static uint64_t left(const struct bundle_stream *stream)
{
	return BUNDLE_STREAM_OFFSET + stream->head.stream_bytes - stream->offset;
}

static int read_ranges(struct bundle_stream *stream, uint32_t count, uint32_t *prefix_bytes)
{
	int error = read_exactly(stream, stream->ranges, count * sizeof(stream->ranges[0]));

	return error ? error
		     : bundle_ranges_check(&stream->head, stream->ranges, count, prefix_bytes,
					   &stream->fault);
}

/* What lies before the zstd frame. */
static int read_frame(struct bundle_stream *stream, struct bundle_frame *frame,
		      uint32_t *prefix_bytes)
{
	uint32_t content = bundle_frame_content(&stream->head, stream->content);
	int error;

	*prefix_bytes = 0;
	stream->fault = "the frames are longer than the head says";
	if (left(stream) < sizeof(*frame))
		return -EBADMSG;
	error = read_exactly(stream, frame, sizeof(*frame));
	if (!error)
		error = bundle_frame_check(&stream->head, frame, content, &stream->fault);
	if (error)
		return error;
	stream->fault = "the frames are longer than the head says";
	if (left(stream) <
	    (uint64_t)frame->range_count * sizeof(struct bundle_range) + frame->packed_bytes)
		return -EBADMSG;
	return frame->range_count ? read_ranges(stream, frame->range_count, prefix_bytes) : 0;
}

static int pass(struct bundle_stream *stream, uint32_t size)
{
	int error = 0;

	if (lseek(stream->fd, (off_t)size, SEEK_CUR) >= 0) {
		stream->offset += size;
		return 0;
	}
	for (uint32_t at = 0; at < size && !error; at += PACKED_BYTES)
		error = read_exactly(stream, stream->packed,
				     size - at < PACKED_BYTES ? size - at : PACKED_BYTES);
	return error;
}

int bundle_stream_skip(struct bundle_stream *stream, uint64_t content)
{
	while (stream->content < content && stream->content < stream->head.unpacked_bytes) {
		struct bundle_frame frame;
		uint32_t prefix_bytes;
		int error = read_frame(stream, &frame, &prefix_bytes);

		if (!error)
			error = pass(stream, frame.packed_bytes);
		if (error)
			return error;
		stream->content += bundle_frame_content(&stream->head, stream->content);
	}
	stream->fault = "no frame begins where the content goes on";
	return stream->content == content ? 0 : -EBADMSG;
}

int bundle_stream_jump(struct bundle_stream *stream, uint64_t content, uint64_t offset)
{
	stream->fault = "no frame begins where the content goes on";
	if (content > stream->head.unpacked_bytes ||
	    (content % stream->head.frame_bytes && content != stream->head.unpacked_bytes) ||
	    offset < BUNDLE_STREAM_OFFSET ||
	    offset > BUNDLE_STREAM_OFFSET + stream->head.stream_bytes)
		return -EBADMSG;
	stream->content = content;
	stream->offset = offset;
	return 0;
}

static int read_base(struct bundle_stream *stream, uint32_t count)
{
	size_t at = 0;

	stream->fault = "the base cannot be read";
	for (uint32_t i = 0; i < count; i++) {
		size_t end = at + (size_t)stream->ranges[i].count * BUNDLE_BLOCK_BYTES;
		uint64_t from = (uint64_t)stream->ranges[i].block * BUNDLE_BLOCK_BYTES - at;

		while (at < end) {
			ssize_t n = pread(stream->base, stream->prefix + at, end - at,
					  (off_t)(from + at));

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return -EIO;
			at += (size_t)n;
		}
	}
	return 0;
}

static int bad(struct bundle_stream *stream, const char *fault)
{
	stream->fault = fault;
	return -EBADMSG;
}

/* `size` bytes of the stream to the content's end, and both end together. */
static int unpack(struct bundle_stream *stream, uint32_t size, uint32_t content)
{
	ZSTD_outBuffer out = {stream->unpacked, content, 0};
	size_t status = 1;

	while (size > 0) {
		uint32_t portion = size < PACKED_BYTES ? size : PACKED_BYTES;
		ZSTD_inBuffer in = {stream->packed, portion, 0};
		int error = read_exactly(stream, stream->packed, portion);

		if (error)
			return error;
		size -= portion;
		while (in.pos < in.size) {
			size_t before = in.pos + out.pos;

			if (status == 0)
				return bad(stream, "something follows the frame");
			status = ZSTD_decompressStream(stream->context, &out, &in);
			if (ZSTD_isError(status))
				return bad(stream, ZSTD_getErrorName(status));
			if (status != 0 && in.pos + out.pos == before)
				return bad(stream, "the frame unpacks to more than its content");
		}
	}
	if (status != 0)
		return bad(stream, "the frame does not end");
	if (out.pos != content)
		return bad(stream, "the frame unpacks to less than its content");
	return 0;
}

int bundle_stream_next(struct bundle_stream *stream, const void **bytes, size_t *size)
{
	uint32_t content = bundle_frame_content(&stream->head, stream->content);
	struct bundle_frame frame;
	uint32_t prefix_bytes;
	size_t status;
	int error;

	*size = 0;
	if (content == 0)
		return 0;
	error = read_frame(stream, &frame, &prefix_bytes);
	if (!error && prefix_bytes)
		error = read_base(stream, frame.range_count);
	if (error)
		return error;
	status = ZSTD_DCtx_reset(stream->context, ZSTD_reset_session_and_parameters);
	if (!ZSTD_isError(status))
		status = ZSTD_DCtx_setParameter(stream->context, ZSTD_d_stableOutBuffer, 1);
	if (!ZSTD_isError(status) && prefix_bytes)
		status = ZSTD_DCtx_refPrefix(stream->context, stream->prefix, prefix_bytes);
	if (ZSTD_isError(status))
		return ZSTD_getErrorCode(status) == ZSTD_error_memory_allocation
			       ? -ENOMEM
			       : bad(stream, ZSTD_getErrorName(status));
	error = unpack(stream, frame.packed_bytes, content);
	if (error)
		return error;
	stream->content += content;
	*bytes = stream->unpacked;
	*size = content;
	return 0;
}

int bundle_stream_end(struct bundle_stream *stream)
{
	stream->fault = "the frames are shorter than the head says";
	return stream->content == stream->head.unpacked_bytes && left(stream) == 0 ? 0 : -EBADMSG;
}
