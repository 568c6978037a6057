/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs-spec/slot_header.h"

#include <errno.h>
#include <string.h>

#include "rootfs-spec/crc32.h"

#define SALT_MAX_BYTES 32u
#define DATA_BLOCKS_MAX (1ull << 36) /* 256 TiB: no sum over blocks or bytes can overflow */

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* A text that is printable, not empty, ends inside its field and is followed by NULs only. */
static bool is_text(const uint8_t *field, size_t size)
{
	size_t length = 0;

	while (length < size && field[length] >= 0x20 && field[length] < 0x7f)
		length++;
	return length > 0 && length < size && is_zero(field + length, size - length);
}

static bool is_root_type(const uint8_t field[16])
{
	return is_text(field, 16) && (strcmp((const char *)field, "erofs") == 0 ||
				      strcmp((const char *)field, "squashfs") == 0);
}

static const char *fault(const struct slot_header *header)
{
	if (memcmp(header->magic, SLOT_HEADER_MAGIC, sizeof(header->magic)) != 0)
		return "no slot header";
	if (header->version != SLOT_HEADER_VERSION)
		return "slot header of another version";
	if (header->size_bytes != SLOT_HEADER_BYTES)
		return "slot header size";
	if (header->signature_bytes != 256 && header->signature_bytes != 384 &&
	    header->signature_bytes != 512)
		return "signature size";
	if (!is_text(header->name, sizeof(header->name)) ||
	    !is_text(header->image_version, sizeof(header->image_version)))
		return "image name or version";
	if (!is_root_type(header->root_type))
		return "type of the root file system";
	if (header->block_bytes != 4096)
		return "block size";
	if (header->data_blocks < 2 || header->data_blocks > DATA_BLOCKS_MAX)
		return "size of the root";
	if (header->hash_blocks > DATA_BLOCKS_MAX || header->hash_offset_blocks == 0 ||
	    header->hash_offset_blocks >= header->hash_blocks)
		return "size of the hash tree";
	if (header->salt_bytes > SALT_MAX_BYTES ||
	    !is_zero(header->salt + header->salt_bytes, SALT_MAX_BYTES - header->salt_bytes))
		return "salt";
	if (!is_zero(header->key_name, sizeof(header->key_name)) &&
	    !is_text(header->key_name, sizeof(header->key_name)))
		return "name of the key";
	if (!is_zero(header->reserved, sizeof(header->reserved)))
		return "reserved bytes are in use";
	return NULL;
}

int slot_header_check(const struct slot_header *header, const char **reason)
{
	const char *text = fault(header);

	if (reason)
		*reason = text;
	return text ? -EBADMSG : 0;
}

static uint32_t marks_crc32(const struct slot_marks *marks)
{
	return crc32_without(marks, sizeof(*marks), offsetof(struct slot_marks, crc32));
}

static bool marks_valid(const struct slot_marks *marks)
{
	return memcmp(marks->magic, SLOT_MARKS_MAGIC, sizeof(marks->magic)) == 0 &&
	       marks->version == SLOT_HEADER_VERSION &&
	       marks->rejected_count <= SLOT_MARKS_REJECTED_MAX &&
	       marks->detail[sizeof(marks->detail) - 1] == 0 && marks->crc32 == marks_crc32(marks);
}

const struct slot_marks *slot_marks_newest(const struct slot_marks copies[2])
{
	bool valid[2] = {marks_valid(&copies[0]), marks_valid(&copies[1])};

	if (valid[0] && valid[1])
		return copies[1].sequence > copies[0].sequence ? &copies[1] : &copies[0];
	if (valid[0] || valid[1])
		return &copies[valid[0] ? 0 : 1];
	return NULL;
}

void slot_marks_seal(struct slot_marks *next, const struct slot_marks *current)
{
	memcpy(next->magic, SLOT_MARKS_MAGIC, sizeof(next->magic));
	next->version = SLOT_HEADER_VERSION;
	next->sequence = current ? current->sequence + 1 : 1;
	next->crc32 = marks_crc32(next);
}

static uint32_t find(const struct slot_marks *marks, const uint8_t root_hash[SLOT_DIGEST_BYTES])
{
	uint32_t i = 0;

	while (i < marks->rejected_count &&
	       memcmp(marks->rejected[i], root_hash, SLOT_DIGEST_BYTES) != 0)
		i++;
	return i;
}

bool slot_marks_rejects(const struct slot_marks *marks, const uint8_t root_hash[SLOT_DIGEST_BYTES])
{
	return marks && find(marks, root_hash) < marks->rejected_count;
}

const char *slot_reason_text(uint32_t reason)
{
	static const char *const texts[] = {
		[SLOT_REASON_NONE] = "",
		[SLOT_REASON_UNHEALTHY] = "unhealthy",
		[SLOT_REASON_CRITICAL] = "critical-service",
		[SLOT_REASON_REJECTED] = "rejected",
		[SLOT_REASON_BOOT] = "boot",
	};

	return reason < sizeof(texts) / sizeof(texts[0]) ? texts[reason] : "?";
}

bool slot_marks_suspects(const struct slot_marks *marks, const uint8_t root_hash[SLOT_DIGEST_BYTES])
{
	return marks && memcmp(marks->suspect, root_hash, SLOT_DIGEST_BYTES) == 0;
}

static void forget(struct slot_marks *marks, uint32_t at)
{
	uint32_t last = --marks->rejected_count;

	for (; at < last; at++)
		memcpy(marks->rejected[at], marks->rejected[at + 1], SLOT_DIGEST_BYTES);
	memset(marks->rejected[last], 0, SLOT_DIGEST_BYTES);
}

void slot_marks_reject(struct slot_marks *marks, const uint8_t root_hash[SLOT_DIGEST_BYTES])
{
	if (slot_marks_rejects(marks, root_hash))
		return;
	if (marks->rejected_count >= SLOT_MARKS_REJECTED_MAX)
		forget(marks, 0);
	memcpy(marks->rejected[marks->rejected_count], root_hash, SLOT_DIGEST_BYTES);
	marks->rejected_count++;
}

void slot_marks_accept(struct slot_marks *marks, const uint8_t root_hash[SLOT_DIGEST_BYTES])
{
	uint32_t at = find(marks, root_hash);

	if (at < marks->rejected_count)
		forget(marks, at);
}
