/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/gpt.h"

#include <errno.h>
#include <string.h>

#include "rootfs-spec/crc32.h"

/* Offsets in the header: UEFI specification 2.10, table 5.5. */
enum {
	AT_SIGNATURE = 0,
	AT_REVISION = 8,
	AT_HEADER_BYTES = 12,
	AT_CRC = 16,
	AT_LBA = 24,
	AT_OTHER_LBA = 32,
	AT_FIRST_USABLE = 40,
	AT_LAST_USABLE = 48,
	AT_DISK_GUID = 56,
	AT_ENTRIES_LBA = 72,
	AT_ENTRY_COUNT = 80,
	AT_ENTRY_BYTES = 84,
	AT_ENTRIES_CRC = 88
};

/* Offsets in an entry: table 5.6. */
enum { AT_TYPE = 0, AT_GUID = 16, AT_FIRST = 32, AT_LAST = 40, AT_ATTRIBUTES = 48, AT_NAME = 56 };

/* Offsets in the protective MBR and in one of its records: tables 5.3 and 5.4. */
enum {
	AT_MBR_RECORDS = 446,
	AT_MBR_SIGNATURE = 510,
	AT_MBR_TYPE = 4,
	AT_MBR_FIRST = 8,
	AT_MBR_SECTORS = 12
};

#define MBR_RECORDS 4u
#define MBR_RECORD_BYTES 16u
#define MBR_TYPE_GPT 0xeeu

static const uint8_t signature[8] = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'};
static const uint8_t no_guid[GPT_GUID_BYTES];
static const uint8_t header_type[GPT_GUID_BYTES] = GPT_TYPE_HEADER;

#define REVISION 0x00010000u

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static uint64_t get64(const uint8_t *at)
{
	return (uint64_t)get32(at) | (uint64_t)get32(at + 4) << 32;
}

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void put64(uint8_t *at, uint64_t value)
{
	put32(at, (uint32_t)value);
	put32(at + 4, (uint32_t)(value >> 32));
}

/* The header's CRC is taken with its own field zero. */
static uint32_t header_crc32(const uint8_t *bytes, uint32_t size)
{
	return crc32_without(bytes, size, AT_CRC);
}

uint64_t gpt_header_other_lba(const uint8_t header[GPT_HEADER_MIN_BYTES])
{
	return get64(header + AT_OTHER_LBA);
}

bool gpt_mbr_protects(const uint8_t sector[GPT_MBR_BYTES])
{
	if (sector[AT_MBR_SIGNATURE] != 0x55 || sector[AT_MBR_SIGNATURE + 1] != 0xaa)
		return false;
	for (uint32_t i = 0; i < MBR_RECORDS; i++) {
		const uint8_t *record = sector + AT_MBR_RECORDS + (size_t)i * MBR_RECORD_BYTES;

		if (record[AT_MBR_TYPE] == MBR_TYPE_GPT && get32(record + AT_MBR_FIRST) == 1)
			return true;
	}
	return false;
}

bool gpt_mbr_resize(uint8_t sector[GPT_MBR_BYTES], uint64_t disk_sectors)
{
	uint32_t sectors = disk_sectors > UINT32_MAX ? UINT32_MAX : (uint32_t)disk_sectors - 1;
	uint8_t *protective = sector + AT_MBR_RECORDS;

	if (!gpt_mbr_protects(sector) || protective[AT_MBR_TYPE] != MBR_TYPE_GPT)
		return false;
	for (uint32_t i = 1; i < MBR_RECORDS; i++)
		if (protective[i * MBR_RECORD_BYTES + AT_MBR_TYPE] != 0)
			return false;
	if (get32(protective + AT_MBR_SECTORS) == sectors)
		return false;
	put32(protective + AT_MBR_SECTORS, sectors);
	return true;
}

uint32_t gpt_entries_bytes(const struct gpt_header *header)
{
	return header->entry_count * header->entry_bytes;
}

uint64_t gpt_entries_sectors(const struct gpt_header *header, uint32_t sector_bytes)
{
	return ((uint64_t)gpt_entries_bytes(header) + sector_bytes - 1) / sector_bytes;
}

/*
 * Do sizes and addresses of a header whose CRC is right make sense? A constant text if not. A copy's
 * header and entries lie on one side of the usable area, the other copy's header on the other, so
 * no write of one copy can reach the other or a partition.
 */
static const char *geometry_fault(const struct gpt_header *header, uint32_t sector_bytes,
				  uint64_t disk_sectors)
{
	uint64_t sectors = gpt_entries_sectors(header, sector_bytes);
	bool primary = header->lba < header->first_usable;
	uint64_t entries_last;

	if (header->first_usable > header->last_usable || header->last_usable >= disk_sectors)
		return "usable area is not on the disk";
	if (!primary && header->lba <= header->last_usable)
		return "header lies in the usable area";
	if (header->entries_lba < 2 || header->entries_lba >= disk_sectors ||
	    sectors > disk_sectors - header->entries_lba)
		return "entries are not on the disk";
	entries_last = header->entries_lba + sectors - 1;
	if (primary ? entries_last >= header->first_usable
		    : header->entries_lba <= header->last_usable)
		return "entries are not on their side of the usable area";
	if (header->lba >= header->entries_lba && header->lba <= entries_last)
		return "entries overlap the header";
	if (primary ? header->other_lba <= header->last_usable
		    : header->other_lba == 0 || header->other_lba >= header->first_usable)
		return "other header is not on its side of the usable area";
	return NULL;
}

static int refuse(const char **reason, const char *text)
{
	*reason = text;
	return -EBADMSG;
}

int gpt_header_parse(const void *sector, uint32_t sector_bytes, uint64_t lba, uint64_t disk_sectors,
		     struct gpt_header *header, const char **reason)
{
	const uint8_t *bytes = sector;
	const char *fault;

	if (sector_bytes != 512 && sector_bytes != 4096)
		return refuse(reason, "sector size is neither 512 nor 4096");
	if (disk_sectors > INT64_MAX / sector_bytes || lba == 0 || lba >= disk_sectors)
		return refuse(reason, "address is not on the disk");
	if (memcmp(bytes + AT_SIGNATURE, signature, sizeof(signature)) != 0)
		return refuse(reason, "no signature");
	if (get32(bytes + AT_REVISION) >> 16 != REVISION >> 16)
		return refuse(reason, "unknown revision");

	uint32_t header_bytes = get32(bytes + AT_HEADER_BYTES);

	if (header_bytes < GPT_HEADER_MIN_BYTES || header_bytes > sector_bytes)
		return refuse(reason, "header size");
	if (header_crc32(bytes, header_bytes) != get32(bytes + AT_CRC))
		return refuse(reason, "header checksum");
	*header = (struct gpt_header){
		.lba = get64(bytes + AT_LBA),
		.other_lba = get64(bytes + AT_OTHER_LBA),
		.first_usable = get64(bytes + AT_FIRST_USABLE),
		.last_usable = get64(bytes + AT_LAST_USABLE),
		.entries_lba = get64(bytes + AT_ENTRIES_LBA),
		.header_bytes = header_bytes,
		.entry_bytes = get32(bytes + AT_ENTRY_BYTES),
		.entry_count = get32(bytes + AT_ENTRY_COUNT),
		.entries_crc32 = get32(bytes + AT_ENTRIES_CRC),
	};
	memcpy(header->disk_guid, bytes + AT_DISK_GUID, GPT_GUID_BYTES);
	if (header->lba != lba)
		return refuse(reason, "header is not where it says");
	if (header->entry_bytes < GPT_ENTRY_MIN_BYTES || header->entry_bytes % GPT_ENTRY_MIN_BYTES)
		return refuse(reason, "entry size");
	if (header->entry_count == 0)
		return refuse(reason, "no entries");
	if (header->entry_bytes > GPT_ENTRIES_MAX_BYTES ||
	    header->entry_count > GPT_ENTRIES_MAX_BYTES / header->entry_bytes) {
		*reason = "more entries than keelson keeps";
		return -E2BIG;
	}
	fault = geometry_fault(header, sector_bytes, disk_sectors);
	return fault ? refuse(reason, fault) : 0;
}

static const uint8_t *entry_at(const struct gpt *gpt, uint32_t index)
{
	return gpt->entries + (size_t)index * gpt->header.entry_bytes;
}

/* UTF-16LE to ASCII; the name ends at its first zero or with the field. */
static void decode_name(const uint8_t *at, char name[GPT_NAME_CHARACTERS + 1])
{
	size_t i;

	for (i = 0; i < GPT_NAME_CHARACTERS; i++) {
		unsigned int unit = at[2 * i] | (unsigned int)at[2 * i + 1] << 8;

		if (unit == 0)
			break;
		name[i] = unit >= 0x20 && unit < 0x7f ? (char)unit : '?';
	}
	memset(name + i, 0, GPT_NAME_CHARACTERS + 1 - i);
}

int gpt_entry(const struct gpt *gpt, uint32_t index, struct gpt_entry *entry)
{
	const uint8_t *at;

	if (index >= gpt->header.entry_count)
		return -ENOENT;
	at = entry_at(gpt, index);
	if (gpt_guid_equal(at + AT_TYPE, no_guid))
		return -ENOENT;
	memcpy(entry->type, at + AT_TYPE, GPT_GUID_BYTES);
	memcpy(entry->guid, at + AT_GUID, GPT_GUID_BYTES);
	entry->first_lba = get64(at + AT_FIRST);
	entry->last_lba = get64(at + AT_LAST);
	entry->attributes = get64(at + AT_ATTRIBUTES);
	decode_name(at + AT_NAME, entry->name);
	if (entry->first_lba < gpt->header.first_usable || entry->first_lba > entry->last_lba ||
	    entry->last_lba > gpt->header.last_usable)
		return -ERANGE;
	return 0;
}

bool gpt_entries_overlap(const struct gpt_entry *a, const struct gpt_entry *b)
{
	return a->first_lba <= b->last_lba && b->first_lba <= a->last_lba;
}

int gpt_find_name(const struct gpt *gpt, const char *name)
{
	struct gpt_entry entry;

	for (uint32_t i = 0; i < gpt->header.entry_count; i++)
		if (gpt_entry(gpt, i, &entry) == 0 && strcmp(entry.name, name) == 0)
			return (int)i;
	return -ENOENT;
}

int gpt_set_attributes(struct gpt *gpt, uint32_t index, uint64_t attributes)
{
	struct gpt_entry entry;
	int error = gpt_entry(gpt, index, &entry);

	if (error)
		return error;
	put64(gpt->entries + (size_t)index * gpt->header.entry_bytes + AT_ATTRIBUTES, attributes);
	return 0;
}

/* The sequence number's place in an entry: the attributes' upper 16 bits. */
enum { AT_SEQUENCE = AT_ATTRIBUTES + 6 };

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

/* The entry that carries the sequence number, or NULL. */
static const uint8_t *sequence_entry(const struct gpt *gpt)
{
	for (uint32_t i = 0; i < gpt->header.entry_count; i++)
		if (gpt_guid_equal(entry_at(gpt, i) + AT_TYPE, header_type))
			return entry_at(gpt, i);
	return NULL;
}

bool gpt_sequence(const struct gpt *gpt, uint16_t *sequence)
{
	const uint8_t *entry = sequence_entry(gpt);

	if (entry)
		*sequence = get16(entry + AT_SEQUENCE);
	return entry != NULL;
}

void gpt_count_up(struct gpt *gpt)
{
	const uint8_t *entry = sequence_entry(gpt);
	uint8_t *at;
	uint16_t next;

	if (!entry)
		return;
	at = gpt->entries + (entry - gpt->entries) + AT_SEQUENCE;
	next = (uint16_t)(get16(at) + 1);
	at[0] = (uint8_t)next;
	at[1] = (uint8_t)(next >> 8);
}

bool gpt_is_newer(uint16_t sequence, uint16_t other)
{
	uint16_t ahead = (uint16_t)(sequence - other);

	return ahead != 0 && ahead <= INT16_MAX;
}

bool gpt_same_but_attributes(const struct gpt *gpt, uint32_t at_bytes,
			     const uint8_t bytes[GPT_ENTRY_MIN_BYTES], uint16_t *sequence)
{
	const uint8_t *here = gpt->entries + at_bytes;

	if (at_bytes % gpt->header.entry_bytes)
		return memcmp(bytes, here, GPT_ENTRY_MIN_BYTES) == 0;
	if (here == sequence_entry(gpt))
		*sequence = get16(bytes + AT_SEQUENCE);
	return memcmp(bytes, here, AT_ATTRIBUTES) == 0 &&
	       memcmp(bytes + AT_NAME, here + AT_NAME, GPT_ENTRY_MIN_BYTES - AT_NAME) == 0;
}

#define GROW_ALIGNMENT_BYTES 1048576u /* as every tool aligns partitions */

/* Where a partition may end at most, or 0. */
static uint64_t aligned_end(uint64_t last_usable, uint32_t sector_bytes)
{
	uint64_t alignment = GROW_ALIGNMENT_BYTES / sector_bytes;
	uint64_t end = (last_usable + 1) / alignment * alignment;

	return end ? end - 1 : 0;
}

/* Does every partition lie in the usable area? `last`: the last sector of those behind `index`. */
static bool all_usable(const struct gpt *gpt, uint32_t index, uint64_t *last)
{
	struct gpt_entry entry;

	*last = 0;
	for (uint32_t i = 0; i < gpt->header.entry_count; i++) {
		int error = gpt_entry(gpt, i, &entry);

		if (error == -ERANGE)
			return false;
		if (!error && i != index && entry.last_lba > *last)
			*last = entry.last_lba;
	}
	return true;
}

int gpt_grow(struct gpt *gpt, uint32_t index)
{
	uint64_t sectors = gpt_entries_sectors(&gpt->header, gpt->sector_bytes);
	uint64_t end = gpt->disk_sectors - 1;
	struct gpt_entry entry;
	uint64_t last;
	int changed = 0;

	if (gpt->from_backup || gpt->primary_fault)
		return -EBADMSG;
	if (!all_usable(gpt, index, &last))
		return -EOVERFLOW;
	/* The geometry was checked: the backup lies behind last_usable, and the end behind that. */
	if (gpt->backup_lba < end && end - sectors > gpt->header.last_usable) {
		gpt->backup_lba = end;
		gpt->backup_entries_lba = end - sectors;
		gpt->header.other_lba = end;
		gpt->header.last_usable = end - sectors - 1;
		changed = 1;
	}
	if (index == GPT_NO_ENTRY || gpt_entry(gpt, index, &entry) != 0 || entry.last_lba < last)
		return changed;
	last = aligned_end(gpt->header.last_usable, gpt->sector_bytes);
	if (last <= entry.last_lba)
		return changed;
	put64(gpt->entries + (size_t)index * gpt->header.entry_bytes + AT_LAST, last);
	return 1;
}

void gpt_encode_header(const struct gpt *gpt, bool backup, void *sector)
{
	const struct gpt_header *header = &gpt->header;
	uint8_t *bytes = sector;

	memset(bytes, 0, gpt->sector_bytes);
	memcpy(bytes + AT_SIGNATURE, signature, sizeof(signature));
	put32(bytes + AT_REVISION, REVISION);
	put32(bytes + AT_HEADER_BYTES, header->header_bytes);
	put64(bytes + AT_LBA, backup ? gpt->backup_lba : 1);
	put64(bytes + AT_OTHER_LBA, backup ? 1 : gpt->backup_lba);
	put64(bytes + AT_FIRST_USABLE, header->first_usable);
	put64(bytes + AT_LAST_USABLE, header->last_usable);
	memcpy(bytes + AT_DISK_GUID, header->disk_guid, GPT_GUID_BYTES);
	put64(bytes + AT_ENTRIES_LBA, backup ? gpt->backup_entries_lba : gpt->primary_entries_lba);
	put32(bytes + AT_ENTRY_COUNT, header->entry_count);
	put32(bytes + AT_ENTRY_BYTES, header->entry_bytes);
	put32(bytes + AT_ENTRIES_CRC, crc32(0, gpt->entries, gpt_entries_bytes(header)));
	put32(bytes + AT_CRC, header_crc32(bytes, header->header_bytes));
}

struct gpt_slot_bits gpt_slot_bits(uint64_t attributes)
{
	return (struct gpt_slot_bits){
		.priority = attributes >> GPT_ATTRIBUTE_PRIORITY_SHIFT & GPT_ATTRIBUTE_PRIORITY_MAX,
		.tries = attributes >> GPT_ATTRIBUTE_TRIES_SHIFT & GPT_ATTRIBUTE_TRIES_MAX,
		.successful = attributes >> GPT_ATTRIBUTE_SUCCESSFUL_SHIFT & 1,
	};
}

uint64_t gpt_with_slot_bits(uint64_t attributes, struct gpt_slot_bits bits)
{
	const uint64_t mask = (uint64_t)GPT_ATTRIBUTE_PRIORITY_MAX << GPT_ATTRIBUTE_PRIORITY_SHIFT |
			      (uint64_t)GPT_ATTRIBUTE_TRIES_MAX << GPT_ATTRIBUTE_TRIES_SHIFT |
			      (uint64_t)1 << GPT_ATTRIBUTE_SUCCESSFUL_SHIFT;

	uint64_t value = (uint64_t)bits.priority << GPT_ATTRIBUTE_PRIORITY_SHIFT |
			 (uint64_t)bits.tries << GPT_ATTRIBUTE_TRIES_SHIFT |
			 (uint64_t)bits.successful << GPT_ATTRIBUTE_SUCCESSFUL_SHIFT;

	return (attributes & ~mask) | (value & mask);
}

void gpt_guid_text(const uint8_t guid[GPT_GUID_BYTES], char text[GPT_GUID_TEXT_BYTES])
{
	/* The order of bytes in the text: three little-endian fields, then two arrays. */
	static const uint8_t order[GPT_GUID_BYTES] = {3, 2, 1,  0,  5,  4,  7,  6,
						      8, 9, 10, 11, 12, 13, 14, 15};
	static const char digits[] = "0123456789abcdef";
	char *at = text;

	for (uint32_t i = 0; i < GPT_GUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[guid[order[i]] >> 4];
		*at++ = digits[guid[order[i]] & 15];
	}
	*at = '\0';
}

bool gpt_guid_equal(const uint8_t a[GPT_GUID_BYTES], const uint8_t b[GPT_GUID_BYTES])
{
	return memcmp(a, b, GPT_GUID_BYTES) == 0;
}
