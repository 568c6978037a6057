/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: what else of a slot and of the state partition is read before it is trusted: header,
 * marks, verity superblock, ext4 superblock.
 */
#include <stdlib.h>
#include <string.h>

#include "mount/header_io.h"
#include "mount/state.h"
#include "mount/verity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_header(const struct slot_header *header, const uint8_t *superblock)
{
	char table[VERITY_TABLE_BYTES];
	const char *reason = NULL;

	if (slot_header_check(header, &reason) != 0) {
		if (!reason)
			abort();
		return;
	}
	if (verity_check_sizes(header, UINT64_MAX, UINT64_MAX, &reason) != 0 && !reason)
		abort();
	verity_check_superblock(superblock, header, &reason);
	if (verity_table(header, "/dev/vda2", "/dev/vda3", true, table) <= 0)
		abort();
}

/* What no fuzzer guesses: the numbers behind it are its own. */
static void put_right(struct slot_header *header)
{
	memcpy(header->magic, SLOT_HEADER_MAGIC, sizeof(header->magic));
	header->version = SLOT_HEADER_VERSION;
	header->size_bytes = SLOT_HEADER_BYTES;
	header->signature_bytes = 512;
	header->block_bytes = 4096;
	memset(header->name, 0, sizeof(header->name));
	memset(header->image_version, 0, sizeof(header->image_version));
	memset(header->root_type, 0, sizeof(header->root_type));
	memset(header->key_name, 0, sizeof(header->key_name));
	memset(header->reserved, 0, sizeof(header->reserved));
	header->name[0] = header->image_version[0] = 'x';
	memcpy(header->root_type, "erofs", 5);
}

static void use_marks(struct slot_marks copies[2])
{
	const struct slot_marks *newest = slot_marks_newest(copies);
	struct slot_marks next;

	if (!newest)
		newest = &copies[0];
	next = *newest;
	next.rejected_count %= SLOT_MARKS_REJECTED_MAX + 1;
	slot_marks_reject(&next, copies[1].rejected[0]);
	if (!slot_marks_rejects(&next, copies[1].rejected[0]))
		abort();
	slot_marks_accept(&next, copies[1].rejected[0]);
	slot_marks_seal(&next, newest);
	copies[1] = next;
	copies[0].magic[0] = 0;
	next.detail[sizeof(next.detail) - 1] = 0;
	slot_marks_newest(copies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct slot_header_block block;
	static struct slot_marks copies[2];
	static uint8_t start[STATE_PROBE_BYTES];
	struct ext4_summary summary;

	memset(&block, 0, sizeof(block));
	memcpy(&block, data, size < sizeof(block) ? size : sizeof(block));
	if (size && data[0] & 1)
		put_right(&block.header);
	use_header(&block.header, block.signature);
	memset(copies, 0, sizeof(copies));
	memcpy(copies, data, size < sizeof(copies) ? size : sizeof(copies));
	use_marks(copies);
	memset(start, 0, sizeof(start));
	memcpy(start, data, size < sizeof(start) ? size : sizeof(start));
	ext4_probe(start, &summary);
	if (summary.presence == EXT4_PRESENT && summary.size_bytes == 0)
		abort();
	return 0;
}
