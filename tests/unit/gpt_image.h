/* SPDX-License-Identifier: Apache-2.0 */
/* A small disk in a memfd with a partition table on it, for tests. */
#ifndef KEELSON_TESTS_GPT_IMAGE_H
#define KEELSON_TESTS_GPT_IMAGE_H

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mount/gpt_io.h"

#define IMAGE_SECTORS 2048ull

static inline void image_put64(uint8_t *at, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* An entry of the table in memory, replaced. */
static inline void image_entry(struct gpt *gpt, uint32_t index, const uint8_t type[16],
			       uint64_t first, uint64_t last, uint64_t attributes, const char *name)
{
	uint8_t *at = gpt->entries + (size_t)index * gpt->header.entry_bytes;

	memset(at, 0, gpt->header.entry_bytes);
	memcpy(at, type, 16);
	memset(at + 16, (int)(index + 1), 16);
	image_put64(at + 32, first);
	image_put64(at + 40, last);
	image_put64(at + 48, attributes);
	for (uint32_t i = 0; name[i]; i++)
		at[56 + 2 * i] = (uint8_t)name[i];
}

/* A table without partitions for a disk of IMAGE_SECTORS sectors. */
static inline void image_table(struct gpt *gpt, uint32_t sector_bytes)
{
	uint32_t sectors = 128u * 128u / sector_bytes;

	memset(gpt, 0, sizeof(*gpt));
	gpt->sector_bytes = sector_bytes;
	gpt->disk_sectors = IMAGE_SECTORS;
	gpt->header = (struct gpt_header){
		.lba = 1,
		.other_lba = IMAGE_SECTORS - 1,
		.first_usable = 64,
		.last_usable = IMAGE_SECTORS - 64,
		.entries_lba = 2,
		.header_bytes = 92,
		.entry_bytes = 128,
		.entry_count = 128,
	};
	memset(gpt->header.disk_guid, 0xd1, sizeof(gpt->header.disk_guid));
	gpt->primary_entries_lba = 2;
	gpt->backup_lba = IMAGE_SECTORS - 1;
	gpt->backup_entries_lba = IMAGE_SECTORS - 1 - sectors;
}

/* An empty disk. */
static inline int image_create(uint32_t sector_bytes)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)IMAGE_SECTORS * sector_bytes) < 0)
		return -1;
	return fd;
}

#endif
