// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/bundle.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "rootfs-spec/crc32.h"

static uint32_t head_crc32(const struct bundle_head *head)
{
	return crc32_without(head, sizeof(*head), offsetof(struct bundle_head, crc32));
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static const char *base_fault(const struct bundle_head *head)
{
	bool named = !is_zero(head->base_root_hash, sizeof(head->base_root_hash));

	if (head->kind == BUNDLE_FULL)
		return named || head->base_bytes ? "a full bundle with a base" : NULL;
	if (!named || head->base_bytes == 0 || head->base_bytes % BUNDLE_BLOCK_BYTES ||
	    head->base_bytes / BUNDLE_BLOCK_BYTES > UINT32_MAX)
		return "base of the delta";
	return NULL;
}

/* The most that so much content may take. */
static uint64_t grown(uint64_t bytes)
{
	return bytes + bytes / 8 + BUNDLE_SLACK;
}

static uint64_t stream_bytes_max(const struct bundle_head *head)
{
	uint64_t frames = (head->unpacked_bytes + head->frame_bytes - 1) / head->frame_bytes;
	uint64_t beside = sizeof(struct bundle_frame) + BUNDLE_SLACK;

	if (head->kind == BUNDLE_DELTA)
		beside += BUNDLE_RANGES_MAX * sizeof(struct bundle_range);
	return grown(head->unpacked_bytes) + frames * beside;
}

/* The header was checked: no size in it is large enough for a sum to overflow. */
static const char *fault(const struct bundle_head *head, const struct slot_header *header)
{
	if (head->crc32 != head_crc32(head))
		return "checksum of the bundle's head";
	if (head->kind != BUNDLE_FULL && head->kind != BUNDLE_DELTA)
		return "unknown kind of bundle";
	if (head->frame_bytes == 0 || head->frame_bytes % BUNDLE_BLOCK_BYTES ||
	    head->frame_bytes > BUNDLE_FRAME_BYTES_MAX)
		return "size of the frames";
	if (head->unpacked_bytes !=
	    (header->data_blocks + header->hash_blocks) * BUNDLE_BLOCK_BYTES)
		return "the sizes of head and slot header differ";
	if (head->stream_bytes == 0 || head->stream_bytes > stream_bytes_max(head))
		return "size of the stream";
	if (!is_zero(head->reserved, sizeof(head->reserved)))
		return "reserved bytes are in use";
	return base_fault(head);
}

int bundle_head_check(const struct bundle_head *head, const struct slot_header *header,
		      const char **reason)
{
	const char *text;
	int error = -EBADMSG;

	if (memcmp(head->magic, BUNDLE_MAGIC, sizeof(head->magic)) != 0) {
		text = "no bundle";
	} else if (head->version != BUNDLE_VERSION) {
		text = "bundle of another version";
		error = -EPROTONOSUPPORT;
	} else {
		text = fault(head, header);
	}
	if (reason)
		*reason = text;
	return text ? error : 0;
}

uint32_t bundle_frame_content(const struct bundle_head *head, uint64_t at)
{
	uint64_t left = at < head->unpacked_bytes ? head->unpacked_bytes - at : 0;

	return left < head->frame_bytes ? (uint32_t)left : head->frame_bytes;
}

int bundle_frame_check(const struct bundle_head *head, const struct bundle_frame *frame,
		       uint32_t content_bytes, const char **reason)
{
	uint32_t ranges_max = head->kind == BUNDLE_DELTA ? BUNDLE_RANGES_MAX : 0;

	*reason = NULL;
	if (frame->packed_bytes == 0 || frame->packed_bytes > grown(content_bytes))
		*reason = "size of a frame";
	else if (frame->range_count > ranges_max)
		*reason = "ranges of a frame";
	return *reason ? -EBADMSG : 0;
}

int bundle_ranges_check(const struct bundle_head *head, const struct bundle_range *ranges,
			uint32_t count, uint32_t *prefix_bytes, const char **reason)
{
	uint64_t base_blocks = head->base_bytes / BUNDLE_BLOCK_BYTES;
	uint64_t blocks = 0;

	*reason = "ranges of a frame";
	for (uint32_t i = 0; i < count; i++) {
		if (ranges[i].count == 0 ||
		    (uint64_t)ranges[i].block + ranges[i].count > base_blocks)
			return -EBADMSG;
		blocks += ranges[i].count;
	}
	if (blocks > BUNDLE_PREFIX_BYTES_MAX / BUNDLE_BLOCK_BYTES)
		return -EBADMSG;
	*prefix_bytes = (uint32_t)blocks * BUNDLE_BLOCK_BYTES;
	*reason = NULL;
	return 0;
}

void bundle_head_seal(struct bundle_head *head)
{
	memcpy(head->magic, BUNDLE_MAGIC, sizeof(head->magic));
	head->version = BUNDLE_VERSION;
	head->crc32 = head_crc32(head);
}
