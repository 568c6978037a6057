/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/gpt_io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-spec/crc32.h"

int disk_read(int fd, void *bytes, size_t size, uint64_t offset_bytes)
{
	uint8_t *at = bytes;

	while (size) {
		ssize_t n = pread(fd, at, size, (off_t)offset_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		size -= (size_t)n;
		offset_bytes += (uint64_t)n;
	}
	return 0;
}

int disk_write(int fd, const void *bytes, size_t size, uint64_t offset_bytes)
{
	const uint8_t *at = bytes;

	while (size) {
		ssize_t n = pwrite(fd, at, size, (off_t)offset_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		size -= (size_t)n;
		offset_bytes += (uint64_t)n;
	}
	return 0;
}

/* Read and check the header at `lba`; the constant text of what is wrong with it, or NULL. */
static const char *read_header(int fd, uint32_t sector_bytes, uint64_t disk_sectors, uint64_t lba,
			       struct gpt_header *header)
{
	uint8_t sector[GPT_SECTOR_MAX_BYTES];
	const char *reason = NULL;

	if (sector_bytes != 512 && sector_bytes != 4096)
		return "sector size is neither 512 nor 4096";
	if (lba == 0 || lba >= disk_sectors)
		return "beyond the end of the disk";
	if (disk_read(fd, sector, sector_bytes, lba * sector_bytes) != 0)
		return "header cannot be read";
	gpt_header_parse(sector, sector_bytes, lba, disk_sectors, header, &reason);
	return reason;
}

static const char *read_entries(int fd, uint32_t sector_bytes, const struct gpt_header *header,
				uint8_t entries[GPT_ENTRIES_MAX_BYTES])
{
	uint32_t size = gpt_entries_bytes(header);

	memset(entries, 0, GPT_ENTRIES_MAX_BYTES);
	if (disk_read(fd, entries, size, header->entries_lba * sector_bytes) != 0)
		return "entries cannot be read";
	return crc32(0, entries, size) == header->entries_crc32 ? NULL : "entries' checksum";
}

/* The same check without a place to keep them. */
static const char *check_entries(int fd, uint32_t sector_bytes, const struct gpt_header *header)
{
	uint8_t part[GPT_SECTOR_MAX_BYTES];
	uint32_t size = gpt_entries_bytes(header);
	uint32_t crc = 0;

	for (uint32_t done = 0; done < size;) {
		uint32_t n = size - done < sizeof(part) ? size - done : (uint32_t)sizeof(part);

		if (disk_read(fd, part, n, header->entries_lba * sector_bytes + done) != 0)
			return "entries cannot be read";
		crc = crc32(crc, part, n);
		done += n;
	}
	return crc == header->entries_crc32 ? NULL : "entries' checksum";
}

static bool same_table(const struct gpt_header *a, const struct gpt_header *b)
{
	return a->entries_crc32 == b->entries_crc32 && a->entry_count == b->entry_count &&
	       a->entry_bytes == b->entry_bytes && a->first_usable == b->first_usable &&
	       a->last_usable == b->last_usable && gpt_guid_equal(a->disk_guid, b->disk_guid);
}

/* Where a backup belongs of which only the header's address is known: entries right before it. */
static uint64_t backup_entries_lba(const struct gpt *gpt)
{
	uint64_t sectors = gpt_entries_sectors(&gpt->header, gpt->sector_bytes);

	if (gpt->backup_lba <= sectors || gpt->backup_lba - sectors <= gpt->header.last_usable)
		return 0;
	return gpt->backup_lba - sectors;
}

/* The same for the primary: right behind its header. */
static uint64_t primary_entries_lba(const struct gpt *gpt)
{
	uint64_t sectors = gpt_entries_sectors(&gpt->header, gpt->sector_bytes);

	return sectors <= gpt->header.first_usable - 2 ? 2 : 0;
}

/*
 * Without a primary the backup is where the damaged header says, else at the end of the disk. What
 * it says is a hint only: a backup tells its own place under its own checksum.
 */
static uint64_t find_backup(int fd, uint32_t sector_bytes, uint64_t disk_sectors)
{
	uint64_t last = disk_sectors - 1;
	uint64_t hint;
	uint8_t bytes[GPT_HEADER_MIN_BYTES];
	struct gpt_header header;

	if (disk_read(fd, bytes, sizeof(bytes), sector_bytes) != 0)
		return last;
	hint = gpt_header_other_lba(bytes);
	if (hint <= 1 || read_header(fd, sector_bytes, disk_sectors, hint, &header))
		return last;
	return hint;
}

/* Both copies are valid and differ; `gpt` holds the primary. Is the backup the newer one? */
static bool backup_is_newer(int fd, const struct gpt *gpt, const struct gpt_header *backup)
{
	const struct gpt_header *primary = &gpt->header;
	uint8_t part[GPT_ENTRY_MIN_BYTES];
	uint16_t here, there;

	if (!gpt_sequence(gpt, &here) || primary->entry_count != backup->entry_count ||
	    primary->entry_bytes != backup->entry_bytes ||
	    primary->first_usable != backup->first_usable ||
	    primary->last_usable != backup->last_usable ||
	    !gpt_guid_equal(primary->disk_guid, backup->disk_guid))
		return false;
	there = here;
	for (uint32_t at = 0; at < gpt_entries_bytes(primary); at += sizeof(part))
		if (disk_read(fd, part, sizeof(part),
			      backup->entries_lba * gpt->sector_bytes + at) != 0 ||
		    !gpt_same_but_attributes(gpt, at, part, &there))
			return false;
	return gpt_is_newer(there, here);
}

/* Let the backup count, which is valid; if it cannot be read again the primary does. */
static int believe_backup(int fd, struct gpt *gpt, const struct gpt_header *backup)
{
	gpt->backup_fault = read_entries(fd, gpt->sector_bytes, backup, gpt->entries);
	if (!gpt->backup_fault) {
		gpt->header = *backup;
		gpt->from_backup = true;
		return 0;
	}
	gpt->primary_fault = read_entries(fd, gpt->sector_bytes, &gpt->header, gpt->entries);
	return gpt->primary_fault ? -EBADMSG : 0;
}

int gpt_read(int fd, uint32_t sector_bytes, uint64_t disk_sectors, struct gpt *gpt)
{
	struct gpt_header primary = {0};
	struct gpt_header backup = {0};

	gpt->sector_bytes = sector_bytes;
	gpt->disk_sectors = disk_sectors;
	gpt->differ = false;
	gpt->primary_fault = read_header(fd, sector_bytes, disk_sectors, 1, &primary);
	/* A header with a right checksum is to be believed even if its entries are damaged. */
	gpt->backup_lba = gpt->primary_fault ? find_backup(fd, sector_bytes, disk_sectors)
					     : primary.other_lba;
	if (!gpt->primary_fault)
		gpt->primary_fault = read_entries(fd, sector_bytes, &primary, gpt->entries);

	gpt->backup_fault = read_header(fd, sector_bytes, disk_sectors, gpt->backup_lba, &backup);
	if (!gpt->backup_fault && backup.other_lba != 1)
		gpt->backup_fault = "belongs to another primary";
	if (!gpt->backup_fault)
		gpt->backup_fault = gpt->primary_fault
					    ? read_entries(fd, sector_bytes, &backup, gpt->entries)
					    : check_entries(fd, sector_bytes, &backup);

	gpt->from_backup = gpt->primary_fault != NULL;
	if (gpt->from_backup && gpt->backup_fault)
		return -EBADMSG;
	gpt->header = gpt->from_backup ? backup : primary;
	gpt->differ = !gpt->from_backup && !gpt->backup_fault && !same_table(&primary, &backup);
	if (gpt->differ && backup_is_newer(fd, gpt, &backup) && believe_backup(fd, gpt, &backup))
		return -EBADMSG;
	gpt->primary_entries_lba = gpt->primary_fault ? primary_entries_lba(gpt)
						      : primary.entries_lba;
	/* A backup of another geometry is rewritten where this table's belongs. */
	gpt->backup_entries_lba = !gpt->backup_fault && (gpt->from_backup || !gpt->differ)
					  ? backup.entries_lba
					  : backup_entries_lba(gpt);
	return 0;
}

static int write_copy(int fd, const struct gpt *gpt, bool backup)
{
	uint8_t sector[GPT_SECTOR_MAX_BYTES];
	uint64_t lba = backup ? gpt->backup_lba : 1;
	uint64_t entries_lba = backup ? gpt->backup_entries_lba : gpt->primary_entries_lba;
	uint64_t sectors = gpt_entries_sectors(&gpt->header, gpt->sector_bytes);
	int error;

	if (entries_lba == 0 || lba >= gpt->disk_sectors || sectors > gpt->disk_sectors ||
	    entries_lba > gpt->disk_sectors - sectors)
		return -ENXIO;
	gpt_encode_header(gpt, backup, sector);
	error = disk_write(fd, gpt->entries, (size_t)(sectors * gpt->sector_bytes),
			   entries_lba * gpt->sector_bytes);
	if (!error)
		error = disk_write(fd, sector, gpt->sector_bytes, lba * gpt->sector_bytes);
	/* On a block device fsync(2) also flushes the drive's write cache. */
	if (!error && fsync(fd) < 0)
		error = -errno;
	return error;
}

/* After a failed write: what does the disk, not the page cache, say of the primary? */
static bool primary_still_valid(int fd, const struct gpt *gpt)
{
	struct gpt_header header;

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return !read_header(fd, gpt->sector_bytes, gpt->disk_sectors, 1, &header) &&
	       !check_entries(fd, gpt->sector_bytes, &header);
}

int gpt_write(int fd, struct gpt *gpt, const char **step)
{
	bool primary_first = gpt->from_backup;
	uint16_t sequence;
	bool counted = gpt_sequence(gpt, &sequence); /* a reader sees which copy is newer */
	int error[2];                                /* primary, backup */

	gpt_count_up(gpt);
	error[primary_first ? 0 : 1] = write_copy(fd, gpt, !primary_first);
	error[primary_first ? 1 : 0] = write_copy(fd, gpt, primary_first);
	gpt->primary_fault = error[0] ? "cannot be written" : NULL;
	gpt->backup_fault = error[1] ? "cannot be written" : NULL;
	gpt->differ = false;
	if (!error[0]) {
		gpt->from_backup = false;
		gpt->header.lba = 1;
		gpt->header.other_lba = gpt->backup_lba;
		gpt->header.entries_lba = gpt->primary_entries_lba;
		return 0;
	}
	*step = "write primary partition table";
	/* The backup alone carries the change only if it tells that it is newer than the primary. */
	if (!error[1] && (counted || primary_first || !primary_still_valid(fd, gpt))) {
		gpt->from_backup = true;
		return 0;
	}
	return error[0];
}

/* Is the backup on the disk, not in the page cache, as it was written? */
static bool backup_is_there(int fd, const struct gpt *gpt)
{
	struct gpt_header header;

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return !read_header(fd, gpt->sector_bytes, gpt->disk_sectors, gpt->backup_lba, &header) &&
	       !check_entries(fd, gpt->sector_bytes, &header);
}

int gpt_write_grown(int fd, struct gpt *gpt, const char **step)
{
	int error;

	gpt_count_up(gpt);
	*step = "write backup partition table at the disk's new end";
	error = write_copy(fd, gpt, true);
	if (!error && !backup_is_there(fd, gpt))
		error = -EIO;
	if (error)
		return error;
	*step = "write primary partition table";
	error = write_copy(fd, gpt, false);
	if (error && primary_still_valid(fd, gpt))
		return error;
	gpt->primary_fault = error ? "cannot be written" : NULL;
	gpt->backup_fault = NULL;
	gpt->differ = false;
	gpt->from_backup = error != 0;
	return 0;
}
