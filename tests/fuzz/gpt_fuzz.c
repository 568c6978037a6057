/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: a header sector and entries, from whoever made the disk. The first byte says sector
 * size, which copy, whether the bytes change a good header, and whether the checksum is put right, so
 * that the fuzzer gets behind both.
 */
#include <stdlib.h>
#include <string.h>

#include "mount/slots.h"
#include "rootfs-spec/crc32.h"

#define DISK_SECTORS 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gpt gpt;

static void fix_checksum(uint8_t *sector, uint32_t sector_bytes)
{
	uint32_t size = (uint32_t)sector[12] | (uint32_t)sector[13] << 8 |
			(uint32_t)sector[14] << 16 | (uint32_t)sector[15] << 24;
	uint32_t crc;

	memset(sector + 16, 0, 4);
	crc = crc32(0, sector, size < sector_bytes ? size : sector_bytes);
	for (int i = 0; i < 4; i++)
		sector[16 + i] = (uint8_t)(crc >> 8 * i);
}

/* A header that is accepted, in place of zeros. */
static void put_good(uint8_t *sector, bool backup)
{
	uint32_t sectors = 128u * 128u / gpt.sector_bytes;

	gpt.header = (struct gpt_header){
		.first_usable = 64,
		.last_usable = DISK_SECTORS - 64,
		.header_bytes = 92,
		.entry_bytes = 128,
		.entry_count = 128,
	};
	gpt.primary_entries_lba = 2;
	gpt.backup_lba = DISK_SECTORS - 1;
	gpt.backup_entries_lba = DISK_SECTORS - 1 - sectors;
	gpt_encode_header(&gpt, backup, sector);
}

/* The same table on a disk that is larger: what grows stays a table, and no partition shrinks. */
static void use_as_grown(void)
{
	static struct gpt grown;
	uint8_t sector[GPT_SECTOR_MAX_BYTES];
	struct gpt_header again;
	struct gpt_entry entry, before;
	uint64_t last_usable = gpt.header.last_usable;
	uint16_t sequence = 0, next = 0;
	const char *reason;

	grown = gpt;
	grown.disk_sectors = DISK_SECTORS + gpt.entries[1] * 16u;
	grown.primary_fault = NULL;
	grown.from_backup = gpt.header.lba != 1;
	grown.primary_entries_lba = gpt.header.entries_lba;
	grown.backup_lba = gpt.header.other_lba;
	if (gpt_sequence(&grown, &sequence)) {
		gpt_count_up(&grown);
		if (!gpt_sequence(&grown, &next) || !gpt_is_newer(next, sequence))
			abort();
	}
	gpt_same_but_attributes(&gpt, 0, grown.entries, &next);
	if (gpt_grow(&grown, gpt.entries[0] % 8u) <= 0)
		return;
	for (uint32_t i = 0; i < gpt.header.entry_count; i++)
		if (gpt_entry(&gpt, i, &before) == 0 &&
		    (gpt_entry(&grown, i, &entry) != 0 || entry.last_lba < before.last_lba ||
		     entry.first_lba != before.first_lba))
			abort();
	gpt_encode_header(&grown, false, sector);
	if (grown.header.last_usable < last_usable ||
	    gpt_header_parse(sector, grown.sector_bytes, 1, grown.disk_sectors, &again, &reason) !=
		    0)
		abort();
}

static void use_table(void)
{
	uint8_t sector[GPT_SECTOR_MAX_BYTES];
	struct slot_table slots;
	struct gpt_header again;
	struct gpt_entry entry;
	const char *reason;

	for (uint32_t i = 0; i <= gpt.header.entry_count; i++)
		if (gpt_entry(&gpt, i, &entry) == 0 &&
		    (entry.first_lba < gpt.header.first_usable ||
		     entry.last_lba > gpt.header.last_usable || entry.first_lba > entry.last_lba))
			abort();
	slots_find(&gpt, &slots);
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		slots_set_bits(&gpt, &slots.slot[i], (struct gpt_slot_bits){.priority = 1});
	use_as_grown();
	/* What was accepted and is written again is accepted again. */
	gpt.primary_entries_lba = gpt.backup_entries_lba = gpt.header.entries_lba;
	gpt.backup_lba = gpt.header.lba == 1 ? gpt.header.other_lba : gpt.header.lba;
	gpt_encode_header(&gpt, gpt.header.lba != 1, sector);
	if (gpt_header_parse(sector, gpt.sector_bytes, gpt.header.lba, DISK_SECTORS, &again,
			     &reason) != 0 &&
	    (gpt.header.lba == 1 || gpt.header.other_lba == 1))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t sector[GPT_SECTOR_MAX_BYTES] = {0};
	const char *reason = NULL;
	size_t header_size;

	if (size < 1)
		return 0;
	memset(&gpt, 0, sizeof(gpt));
	gpt.sector_bytes = data[0] & 1 ? 4096 : 512;
	gpt.disk_sectors = DISK_SECTORS;
	header_size = size - 1 < 92 ? size - 1 : 92;
	if (data[0] & 8)
		put_good(sector, data[0] & 4);
	for (size_t i = 0; i < header_size; i++)
		sector[i] ^= data[1 + i];
	size -= 1 + header_size;
	memcpy(gpt.entries, data + 1 + header_size,
	       size < GPT_ENTRIES_MAX_BYTES ? size : GPT_ENTRIES_MAX_BYTES);
	if (data[0] & 2)
		fix_checksum(sector, gpt.sector_bytes);
	if (gpt_header_parse(sector, gpt.sector_bytes, data[0] & 4 ? DISK_SECTORS - 1 : 1,
			     DISK_SECTORS, &gpt.header, &reason) == 0)
		use_table();
	else if (!reason)
		abort();
	return 0;
}
