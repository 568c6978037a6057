/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The GUID partition table (UEFI specification 2.10, section 5.3) over buffers: no system call
 * here, gpt_io.h reads and writes. A hostile table is refused or harmless: every number is checked
 * before it is used, sums cannot overflow, and an entry that does not lie in the usable area does
 * not exist for callers.
 *
 * Which copy counts. The one that is valid. Of two valid ones that differ in attributes only, the
 * newer, and that is told by a sequence number that every write counts up: the upper 16 bits of the
 * attributes (UEFI leaves them to the type's owner) of the first slot header's entry. So a copy that
 * can be read but not written, a try that was burned in the other one, does not hide that try. Else
 * the primary: other tools write both copies and leave the number alone.
 *
 * Writing follows from that: the copy that does *not* count is written and flushed first, so at
 * every moment one whole table is on the disk. When both copies are valid and the same that means
 * backup first. When the backup counts, the primary is written first.
 *
 * The disk may have grown after the table was made: the backup is where the primary says it is, even
 * a primary whose checksum is wrong, before the end of the disk is looked at: a disk that was copied
 * to a larger one may have the backup of another table there.
 *
 * Errors are negative errno; `*reason`, where asked for, is a constant text.
 */
#ifndef KEELSON_GPT_H
#define KEELSON_GPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rootfs-spec/gpt_types.h"

#define GPT_SECTOR_MAX_BYTES 4096u
#define GPT_MBR_BYTES 512u
#define GPT_HEADER_MIN_BYTES 92u
#define GPT_ENTRIES_MAX_BYTES 32768u /* twice what every tool makes: 128 entries of 128 bytes */
#define GPT_ENTRY_MIN_BYTES 128u
#define GPT_NAME_CHARACTERS 36u

/* One copy's header, checked. Addresses and sizes are in sectors of the disk. */
struct gpt_header {
	uint64_t lba;       /* where it lies */
	uint64_t other_lba; /* where the other copy's header lies */
	uint64_t first_usable;
	uint64_t last_usable; /* inclusive */
	uint64_t entries_lba;
	uint32_t header_bytes; /* 92 .. 512 */
	uint32_t entry_bytes;  /* a multiple of 128 */
	uint32_t entry_count;
	uint32_t entries_crc32;
	uint8_t disk_guid[GPT_GUID_BYTES];
};

/* A whole table. Plain data, about 33 KiB: the caller keeps it in static storage. */
struct gpt {
	struct gpt_header header; /* of the copy that counts */
	uint32_t sector_bytes;
	uint64_t disk_sectors;
	bool from_backup;          /* the backup counts: the primary is damaged, or older */
	const char *primary_fault; /* NULL: valid, but maybe older */
	const char *backup_fault;  /* NULL: valid */
	bool differ;               /* both valid, not the same: only one write was done */
	uint64_t backup_lba;       /* where the backup's header lies, or belongs */
	uint64_t backup_entries_lba;
	uint64_t primary_entries_lba;
	uint8_t entries[GPT_ENTRIES_MAX_BYTES]; /* as on disk */
};

/* One used entry, decoded. */
struct gpt_entry {
	uint8_t type[GPT_GUID_BYTES];
	uint8_t guid[GPT_GUID_BYTES]; /* PARTUUID */
	uint64_t first_lba;
	uint64_t last_lba; /* inclusive */
	uint64_t attributes;
	char name[GPT_NAME_CHARACTERS + 1]; /* ASCII; what is not is '?' */
};

/*
 * Check the header sector found at `lba` of a disk of `disk_sectors`: signature, revision, size,
 * CRC, its own address, entry size and count, and that entries, usable area and the other header
 * do not overlap and lie on a disk (the *other* header may lie beyond the end: a disk that shrank).
 * `sector_bytes` is 512 or 4096. 0, -EBADMSG, or -E2BIG (more entries than keelson keeps).
 */
int gpt_header_parse(const void *sector, uint32_t sector_bytes, uint64_t lba, uint64_t disk_sectors,
		     struct gpt_header *header, const char **reason);

/* Where a header says that the other copy's header lies; nothing is checked. */
uint64_t gpt_header_other_lba(const uint8_t header[GPT_HEADER_MIN_BYTES]);

/*
 * Does the disk's first sector say that a partition table of this kind follows (UEFI specification,
 * section 5.2.3: a record of type 0xee that begins at sector 1)? The kernel looks for no other
 * table without it. `sector`: its first 512 bytes.
 */
bool gpt_mbr_protects(const uint8_t sector[GPT_MBR_BYTES]);

/*
 * Let the protective record cover a disk of `disk_sectors` (as much of it as 32 bits can say). False:
 * nothing to change, or a hybrid MBR, whose other records are somebody's: left as it is.
 */
bool gpt_mbr_resize(uint8_t sector[GPT_MBR_BYTES], uint64_t disk_sectors);

/* Bytes of the entry array that the CRC covers; at most GPT_ENTRIES_MAX_BYTES after parse. */
uint32_t gpt_entries_bytes(const struct gpt_header *header);

/* Sectors that the entry array takes. */
uint64_t gpt_entries_sectors(const struct gpt_header *header, uint32_t sector_bytes);

/*
 * Decode entry `index`. -ENOENT: unused, or beyond the count. -ERANGE: decoded, but it does not lie
 * inside the usable area.
 */
int gpt_entry(const struct gpt *gpt, uint32_t index, struct gpt_entry *entry);

/* Do the sectors of two entries overlap? */
bool gpt_entries_overlap(const struct gpt_entry *a, const struct gpt_entry *b);

/* The index of the first entry named `name`, or -ENOENT. */
int gpt_find_name(const struct gpt *gpt, const char *name);

/* Replace the attribute bits of a used entry in memory; gpt_write() makes it so on the disk. */
int gpt_set_attributes(struct gpt *gpt, uint32_t index, uint64_t attributes);

/*
 * The number that tells the newer copy, and its successor; it wraps around. False: the table has no
 * slot header's entry to carry one.
 */
bool gpt_sequence(const struct gpt *gpt, uint16_t *sequence);
void gpt_count_up(struct gpt *gpt);

/* Does `sequence` come after `other`, with at most 32767 writes between them? */
bool gpt_is_newer(uint16_t sequence, uint16_t other);

/*
 * Compare the 128 bytes at `at_bytes` of the other copy's entry array with this one's. False: more
 * differs than the attributes. Finds that copy's sequence number on the way.
 */
bool gpt_same_but_attributes(const struct gpt *gpt, uint32_t at_bytes,
			     const uint8_t bytes[GPT_ENTRY_MIN_BYTES], uint16_t *sequence);

#define GPT_NO_ENTRY UINT32_MAX

/*
 * Make use in memory of a disk that has grown: backup at its end, usable area up to it, and entry
 * `index`, unless GPT_NO_ENTRY or another partition lies behind it, up to the last MiB boundary.
 * gpt_write_grown() makes it so on the disk. A disk that has not grown keeps its backup where it is.
 * 1: changed; 0: nothing to do; -EBADMSG: the primary has to be mended first; -EOVERFLOW: an entry
 * reaches out of the usable area, what lies behind may be somebody's data.
 */
int gpt_grow(struct gpt *gpt, uint32_t index);

/*
 * Make the header sector of one copy, CRCs included, in `sector` (`gpt->sector_bytes` long, bytes
 * beyond the header are zeroed). Both copies share `gpt->entries`.
 */
void gpt_encode_header(const struct gpt *gpt, bool backup, void *sector);

/* ---- the attribute bits of a root data partition (gpt_types.h) ---- */

struct gpt_slot_bits {
	uint8_t priority;   /* 0: never boot, 15: first */
	uint8_t tries;      /* left */
	uint8_t successful; /* 0 or 1: the health condition held */
};

struct gpt_slot_bits gpt_slot_bits(uint64_t attributes);

/* `attributes` with the slot's bits replaced and every other bit as it was. */
uint64_t gpt_with_slot_bits(uint64_t attributes, struct gpt_slot_bits bits);

/* ---- GUIDs ---- */

#define GPT_GUID_TEXT_BYTES 37u

/* The 36 characters and a NUL, lower case. */
void gpt_guid_text(const uint8_t guid[GPT_GUID_BYTES], char text[GPT_GUID_TEXT_BYTES]);

bool gpt_guid_equal(const uint8_t a[GPT_GUID_BYTES], const uint8_t b[GPT_GUID_BYTES]);

#endif
