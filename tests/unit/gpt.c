/* SPDX-License-Identifier: Apache-2.0 */
/* The partition table: reading, refusing, choosing a copy, and writing so that a cut is harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rootfs-spec/crc32.h"
#include "tests/unit/gpt_image.h"

static const uint8_t type_esp[] = GPT_TYPE_ESP;
static const uint8_t type_state[] = GPT_TYPE_STATE;
static const uint8_t type_header[] = GPT_TYPE_HEADER;
#define SECTOR 512ull
#define IMAGE_BYTES (IMAGE_SECTORS * SECTOR)

static const uint32_t sector_sizes[] = {512, 4096};

/* ---- writes are seen, and made to fail, on their way ---- */

#define LOG_MAX 64

static struct {
	bool recording;
	uint64_t fail_from; /* writes to this range of offsets fail; both 0: none */
	uint64_t fail_to;
	uint32_t count;
	struct {
		uint64_t offset;
		size_t size; /* 0: a flush */
		uint8_t bytes[GPT_ENTRIES_MAX_BYTES];
	} entries[LOG_MAX];
} writes;

/* In place of libc's: the program's own definition is the one that gets linked. */
ssize_t pwrite(int fd, const void *buf, size_t nbytes, off_t offset)
{
	if ((uint64_t)offset >= writes.fail_from && (uint64_t)offset < writes.fail_to) {
		errno = EIO;
		return -1;
	}
	if (writes.recording && writes.count < LOG_MAX) {
		writes.entries[writes.count].offset = (uint64_t)offset;
		writes.entries[writes.count].size = nbytes;
		memcpy(writes.entries[writes.count].bytes, buf, nbytes);
		writes.count++;
	}
	return syscall(SYS_pwrite64, fd, buf, nbytes, offset);
}

int fsync(int fd)
{
	if (writes.recording && writes.count < LOG_MAX)
		writes.entries[writes.count++].size = 0;
	return (int)syscall(SYS_fsync, fd);
}

static int reset_writes(void **state)
{
	(void)state;
	memset(&writes, 0, sizeof(writes));
	return 0;
}

/* ---- disks ---- */

static struct gpt made;
static struct gpt got;
static const char *step;

static uint64_t rng_state = 88172645463325252ull;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

/* A disk with an ESP and a state partition. */
static int make_disk(uint32_t sector_bytes)
{
	int fd = image_create(sector_bytes);

	assert_true(fd >= 0);
	image_table(&made, sector_bytes);
	image_entry(&made, 0, type_esp, 64, 127, 0, "esp");
	image_entry(&made, 7, type_state, 128, 1000, 1ull << 59, "state");
	assert_int_equal(gpt_write(fd, &made, &step), 0);
	return fd;
}

static void put(int fd, uint64_t offset, const void *bytes, size_t size)
{
	assert_int_equal(syscall(SYS_pwrite64, fd, bytes, size, offset), size);
}

static void damage(int fd, uint64_t offset)
{
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
	byte ^= 0x10;
	put(fd, offset, &byte, 1);
}

static int reread(int fd, uint32_t sector_bytes)
{
	memset(&got, 0xee, sizeof(got));
	return gpt_read(fd, sector_bytes, IMAGE_SECTORS, &got);
}

/* ---- reading ---- */

static void what_is_written_is_read(void **state)
{
	struct gpt_entry entry;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int fd = make_disk(sector_sizes[i]);

		assert_int_equal(reread(fd, sector_sizes[i]), 0);
		assert_null(got.primary_fault);
		assert_null(got.backup_fault);
		assert_false(got.from_backup || got.differ);
		assert_int_equal(gpt_entry(&got, 0, &entry), 0);
		assert_string_equal(entry.name, "esp");
		assert_true(gpt_guid_equal(entry.type, type_esp));
		assert_int_equal(gpt_find_name(&got, "state"), 7);
		assert_int_equal(gpt_entry(&got, 7, &entry), 0);
		assert_int_equal(entry.first_lba, 128);
		assert_int_equal(entry.last_lba, 1000);
		assert_true(entry.attributes == 1ull << 59);
		assert_int_equal(gpt_entry(&got, 1, &entry), -ENOENT);
		assert_int_equal(gpt_entry(&got, 128, &entry), -ENOENT);
		assert_int_equal(gpt_find_name(&got, "no"), -ENOENT);
		assert_int_equal(reread(fd, sector_sizes[1 - i]), -EBADMSG);
		close(fd);
	}
}

static void one_damaged_copy_is_enough(void **state)
{
	const uint64_t last = IMAGE_SECTORS - 1;
	const struct {
		uint64_t offset; /* of the damage */
		bool primary;
	} cases[] = {
		{512 + 24, true},
		{2 * 512 + 40, true},
		{last * 512 + 60, false},
		{(last - 32) * 512 + 5, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = make_disk(512);

		damage(fd, cases[i].offset);
		assert_int_equal(reread(fd, 512), 0);
		assert_int_equal(got.from_backup, cases[i].primary);
		assert_int_equal(got.primary_fault != NULL, cases[i].primary);
		assert_int_equal(got.backup_fault != NULL, !cases[i].primary);
		assert_int_equal(gpt_find_name(&got, "state"), 7);
		/* Any write mends it. */
		assert_int_equal(gpt_write(fd, &got, &step), 0);
		assert_int_equal(reread(fd, 512), 0);
		assert_null(got.primary_fault);
		assert_null(got.backup_fault);
		close(fd);
	}
}

static void two_damaged_copies_are_refused(void **state)
{
	int fd = make_disk(512);

	(void)state;
	damage(fd, 512);
	damage(fd, IMAGE_BYTES - 512);
	assert_int_equal(reread(fd, 512), -EBADMSG);
	assert_non_null(got.primary_fault);
	assert_non_null(got.backup_fault);
	close(fd);
}

static void a_disk_that_grew_keeps_its_backup_where_it_is(void **state)
{
	int fd = make_disk(512);

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)(2 * IMAGE_BYTES)), 0);
	assert_int_equal(gpt_read(fd, 512, 2 * IMAGE_SECTORS, &got), 0);
	assert_null(got.backup_fault);
	assert_int_equal(got.backup_lba, IMAGE_SECTORS - 1);
	close(fd);
}

static void a_disk_that_grew_and_lost_its_primary_finds_its_backup(void **state)
{
	const struct {
		uint64_t offset; /* of the damage */
		int error;
	} cases[] = {
		{512 + 60, 0}, /* the header's checksum: where the backup is can still be read */
		{2 * 512 + 40, 0},    /* the entries' */
		{512 + 33, -EBADMSG}, /* the very address */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = make_disk(512);

		assert_int_equal(ftruncate(fd, (off_t)(2 * IMAGE_BYTES)), 0);
		damage(fd, cases[i].offset);
		assert_int_equal(gpt_read(fd, 512, 2 * IMAGE_SECTORS, &got), cases[i].error);
		if (cases[i].error == 0) {
			assert_true(got.from_backup);
			assert_int_equal(gpt_find_name(&got, "state"), 7);
			assert_int_equal(gpt_write(fd, &got, &step), 0);
			assert_int_equal(gpt_read(fd, 512, 2 * IMAGE_SECTORS, &got), 0);
			assert_null(got.primary_fault);
			assert_null(got.backup_fault);
			assert_int_equal(got.backup_lba, IMAGE_SECTORS - 1);
		}
		close(fd);
	}
}

static void a_disk_cut_off_before_its_backup_still_works(void **state)
{
	int fd;

	(void)state;
	fd = make_disk(512);
	assert_int_equal(ftruncate(fd, (off_t)(IMAGE_BYTES - 10 * SECTOR)), 0);
	assert_int_equal(gpt_read(fd, 512, IMAGE_SECTORS - 10, &got), 0);
	assert_non_null(got.backup_fault);
	assert_int_equal(gpt_set_attributes(&got, 7, 5), 0);
	assert_int_equal(gpt_write(fd, &got, &step), 0);
	assert_non_null(got.backup_fault);
	assert_int_equal(gpt_read(fd, 512, IMAGE_SECTORS - 10, &got), 0);
	close(fd);
}

/* ---- refusing: each field alone, with a checksum that is right ---- */

static void fix_crc(uint8_t sector[512])
{
	uint32_t size = (uint32_t)sector[12] | (uint32_t)sector[13] << 8;
	uint32_t crc;

	memset(sector + 16, 0, 4);
	crc = crc32(0, sector, size <= 512 ? size : 512);
	for (int i = 0; i < 4; i++)
		sector[16 + i] = (uint8_t)(crc >> 8 * i);
}

static void a_header_that_makes_no_sense_is_refused(void **state)
{
	static const struct {
		const char *name;
		uint32_t at;
		uint32_t size;
		uint64_t value;
		int error;
	} cases[] = {
		{"signature", 0, 8, 0, -EBADMSG},
		{"revision 2", 8, 4, 0x00020000, -EBADMSG},
		{"header of 91 bytes", 12, 4, 91, -EBADMSG},
		{"header beyond its sector", 12, 4, 513, -EBADMSG},
		{"another place", 24, 8, 2, -EBADMSG},
		{"backup on the header", 32, 8, 1, -EBADMSG},
		{"backup in a partition", 32, 8, 700, -EBADMSG},
		{"backup at 0", 32, 8, 0, -EBADMSG},
		{"usable area over the header", 40, 8, 1, -EBADMSG},
		{"usable area over the entries", 40, 8, 33, -EBADMSG},
		{"usable area ends before it begins", 48, 8, 63, -EBADMSG},
		{"usable area beyond the disk", 48, 8, IMAGE_SECTORS, -EBADMSG},
		{"usable area without end", 48, 8, UINT64_MAX, -EBADMSG},
		{"entries at 0", 72, 8, 0, -EBADMSG},
		{"entries on the header", 72, 8, 1, -EBADMSG},
		{"entries in the usable area", 72, 8, 40, -EBADMSG},
		{"entries behind the usable area", 72, 8, IMAGE_SECTORS - 60, -EBADMSG},
		{"entries beyond the disk", 72, 8, IMAGE_SECTORS - 3, -EBADMSG},
		{"entries whose end overflows", 72, 8, UINT64_MAX - 3, -EBADMSG},
		{"no entries", 80, 4, 0, -EBADMSG},
		{"too many entries", 80, 4, 257, -E2BIG},
		{"entries whose size overflows", 80, 4, 0x02000001, -E2BIG},
		{"entries of 64 bytes", 84, 4, 64, -EBADMSG},
		{"entries of 130 bytes", 84, 4, 130, -EBADMSG},
		{"entries of 2^31 bytes", 84, 4, 0x80000000, -E2BIG},
	};
	uint8_t good[512];
	struct gpt_header header;
	const char *reason;

	(void)state;
	image_table(&made, 512);
	gpt_encode_header(&made, false, good);
	assert_int_equal(gpt_header_parse(good, 512, 1, IMAGE_SECTORS, &header, &reason), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bad[512];

		memcpy(bad, good, sizeof(bad));
		for (uint32_t byte = 0; byte < cases[i].size; byte++)
			bad[cases[i].at + byte] = (uint8_t)(cases[i].value >> 8 * byte);
		if (cases[i].at != 12)
			fix_crc(bad);
		reason = NULL;
		if (gpt_header_parse(bad, 512, 1, IMAGE_SECTORS, &header, &reason) !=
			    cases[i].error ||
		    !reason)
			fail_msg("%s was not refused as it should be", cases[i].name);
	}
	assert_int_equal(gpt_header_parse(good, 1024, 1, IMAGE_SECTORS, &header, &reason),
			 -EBADMSG);
	assert_int_equal(gpt_header_parse(good, 512, 1, UINT64_MAX, &header, &reason), -EBADMSG);
}

static void put_at(uint8_t *sector, uint32_t at, uint64_t value)
{
	image_put64(sector + at, value);
	fix_crc(sector);
}

/* A backup in the middle of a disk that grew: its entries could lie over it, or be another's. */
static void a_backup_whose_entries_or_primary_are_not_its_own_is_refused(void **state)
{
	const uint64_t last = IMAGE_SECTORS - 1;
	uint8_t sector[512];
	struct gpt_header header;
	const char *reason;
	int fd = make_disk(512);

	(void)state;
	gpt_encode_header(&made, true, sector);
	assert_int_equal(gpt_header_parse(sector, 512, last, 2 * IMAGE_SECTORS, &header, &reason),
			 0);
	put_at(sector, 72, last - 3);
	assert_int_equal(gpt_header_parse(sector, 512, last, 2 * IMAGE_SECTORS, &header, &reason),
			 -EBADMSG);
	assert_string_equal(reason, "entries overlap the header");
	gpt_encode_header(&made, true, sector);
	put_at(sector, 32, 5);
	put(fd, last * 512, sector, sizeof(sector));
	assert_int_equal(reread(fd, 512), 0);
	assert_non_null(got.backup_fault);
	damage(fd, 512 + 60);
	assert_int_equal(reread(fd, 512), -EBADMSG);
	close(fd);
}

static void only_a_protective_mbr_says_that_the_table_is_this_one(void **state)
{
	uint8_t sector[GPT_MBR_BYTES] = {[510] = 0x55, [511] = 0xaa};

	(void)state;
	assert_false(gpt_mbr_protects(sector));
	for (uint32_t i = 0; i < 4; i++) {
		uint8_t *record = sector + 446 + (size_t)16 * i;

		record[4] = 0xee;
		assert_false(gpt_mbr_protects(sector));
		record[8] = 1;
		assert_true(gpt_mbr_protects(sector));
		sector[511] = 0;
		assert_false(gpt_mbr_protects(sector));
		sector[511] = 0xaa;
		record[4] = 0x83;
		assert_false(gpt_mbr_protects(sector));
		memset(record, 0, 16);
	}
}

static void an_entry_outside_the_usable_area_does_not_exist(void **state)
{
	static const uint64_t ranges[][2] = {
		{63, 100}, {100, 99}, {1000, IMAGE_SECTORS - 63}, {0, UINT64_MAX}, {UINT64_MAX, 0},
	};
	struct gpt_entry entry;

	(void)state;
	image_table(&made, 512);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		image_entry(&made, 3, type_state, ranges[i][0], ranges[i][1], 0, "state");
		assert_int_equal(gpt_entry(&made, 3, &entry), -ERANGE);
		assert_int_equal(gpt_find_name(&made, "state"), -ENOENT);
		assert_int_equal(gpt_set_attributes(&made, 3, 1), -ERANGE);
	}
}

/* Every accessor on a table that was accepted, so that a sanitizer may object. */
static void walk(const struct gpt *gpt)
{
	struct gpt_entry entry;

	for (uint32_t i = 0; i <= gpt->header.entry_count; i++)
		if (gpt_entry(gpt, i, &entry) == 0) {
			assert_true(entry.first_lba >= gpt->header.first_usable);
			assert_true(entry.last_lba <= gpt->header.last_usable);
			assert_true(strlen(entry.name) <= GPT_NAME_CHARACTERS);
		}
}

static void mutated_tables_are_refused_or_harmless(void **state)
{
	const uint64_t lba[2] = {1, IMAGE_SECTORS - 1};
	uint8_t headers[2][512];
	uint32_t accepted = 0;

	(void)state;
	image_table(&made, 512);
	image_entry(&made, 0, type_esp, 64, 127, 0, "esp");
	gpt_encode_header(&made, false, headers[0]);
	gpt_encode_header(&made, true, headers[1]);
	for (uint32_t round = 0; round < 100000; round++) {
		uint8_t sector[512];
		uint8_t wild[8];
		uint64_t value = rng() & 1 ? rng() : rng() % 4096;
		struct gpt_header header;
		const char *reason;
		uint32_t copy = rng() & 1;

		memcpy(sector, headers[copy], sizeof(sector));
		image_put64(wild, value);
		for (uint64_t changes = 1 + rng() % 3; changes; changes--)
			memcpy(sector + rng() % 92, wild, 1 + rng() % 4);
		if (rng() % 8)
			fix_crc(sector);
		if (gpt_header_parse(sector, 512, lba[copy], IMAGE_SECTORS, &header, &reason) !=
		    0) {
			assert_non_null(reason);
			continue;
		}
		accepted++;
		made.header = header;
		for (int i = 0; i < 16; i++)
			made.entries[rng() % 1024] = (uint8_t)rng();
		walk(&made);
	}
	assert_in_range(accepted, 1, 99999);
}

/* ---- writing ---- */

static void backup_is_written_and_flushed_before_the_primary(void **state)
{
	int fd = make_disk(512);

	(void)state;
	assert_int_equal(reread(fd, 512), 0);
	writes.recording = true;
	assert_int_equal(gpt_write(fd, &got, &step), 0);
	assert_int_equal(writes.count, 6);
	assert_int_equal(writes.entries[0].offset, IMAGE_BYTES - 33 * SECTOR);
	assert_int_equal(writes.entries[1].offset, IMAGE_BYTES - 512);
	assert_int_equal(writes.entries[2].size, 0);
	assert_int_equal(writes.entries[3].offset, 2 * 512);
	assert_int_equal(writes.entries[4].offset, 512);
	assert_int_equal(writes.entries[5].size, 0);
	close(fd);
}

static void only_the_backup_valid_the_primary_is_written_first(void **state)
{
	int fd = make_disk(512);

	(void)state;
	damage(fd, 512 + 60);
	assert_int_equal(reread(fd, 512), 0);
	writes.recording = true;
	assert_int_equal(gpt_write(fd, &got, &step), 0);
	assert_int_equal(writes.entries[0].offset, 2 * 512);
	assert_int_equal(writes.entries[2].size, 0);
	assert_int_equal(writes.entries[3].offset, IMAGE_BYTES - 33 * SECTOR);
	close(fd);
}

/* Put the sectors of a logged write on the disk, each with a chance of one half, or all. */
static void replay(int fd, uint32_t index, uint32_t sector_bytes, bool all)
{
	for (size_t at = 0; at < writes.entries[index].size; at += sector_bytes)
		if (all || rng() & 1)
			put(fd, writes.entries[index].offset + at, writes.entries[index].bytes + at,
			    sector_bytes);
}

/*
 * The power fails somewhere in a write: everything before the last flush is on the disk, of what
 * came after it any sectors. Whatever they are, a whole table is read, the old or the new.
 */
static void a_cut_at_any_point_leaves_the_old_table_or_the_new(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 1000; round++) {
		uint32_t sector_bytes = sector_sizes[round & 1];
		uint32_t damaged = round / 2 % 3; /* 0: none, 1: primary, 2: backup */
		int fd = make_disk(sector_bytes);
		struct gpt_entry entry;
		static uint8_t before[2][64 * 4096]; /* what lies around the usable area */
		size_t size = (size_t)64 * sector_bytes;
		uint64_t end = (IMAGE_SECTORS - 64) * (uint64_t)sector_bytes;

		if (damaged)
			damage(fd, (damaged == 1 ? 1 : IMAGE_SECTORS - 1) * (uint64_t)sector_bytes +
					   30);
		assert_int_equal(pread(fd, before[0], size, 0), size);
		assert_int_equal(pread(fd, before[1], size, (off_t)end), size);
		assert_int_equal(reread(fd, sector_bytes), 0);
		assert_int_equal(gpt_set_attributes(&got, 7, 1ull << 52), 0);
		writes.recording = true;
		writes.count = 0;
		assert_int_equal(gpt_write(fd, &got, &step), 0);
		writes.recording = false;

		put(fd, 0, before[0], size);
		put(fd, end, before[1], size);
		uint32_t flushed = 0;
		uint32_t epoch = (uint32_t)(rng() % 3);

		for (uint32_t i = 0; i < writes.count && flushed <= epoch; i++) {
			if (writes.entries[i].size == 0)
				flushed++;
			else
				replay(fd, i, sector_bytes, flushed < epoch);
		}
		assert_int_equal(reread(fd, sector_bytes), 0);
		assert_int_equal(gpt_entry(&got, 7, &entry), 0);
		assert_true(entry.attributes == 1ull << 59 || entry.attributes == 1ull << 52);
		/* After both flushes it is the new one; and it can always be written again. */
		if (epoch == 2)
			assert_true(entry.attributes == 1ull << 52);
		assert_int_equal(gpt_write(fd, &got, &step), 0);
		assert_int_equal(reread(fd, sector_bytes), 0);
		assert_null(got.primary_fault);
		assert_null(got.backup_fault);
		close(fd);
	}
}

static void a_failed_write_is_success_only_if_the_change_counts(void **state)
{
	const uint64_t primary_from = 512, primary_to = 64 * SECTOR;
	const uint64_t backup_from = IMAGE_BYTES - 40 * SECTOR, backup_to = IMAGE_BYTES;
	const struct {
		const char *name;
		uint64_t from, to;
		int error;
		bool damage_primary;
	} cases[] = {
		{"backup cannot be written", backup_from, backup_to, 0, false},
		{"primary cannot be written and stays as it was", primary_from, primary_to, -EIO,
		 false},
		{"primary's header cannot be written: torn", 512, 1024, 0, false},
		{"primary is damaged and cannot be written", primary_from, primary_to, 0, true},
		{"nothing can be written", 0, UINT64_MAX, -EIO, false},
		{"nothing can be written, primary damaged", 0, UINT64_MAX, -EIO, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = make_disk(512);
		struct gpt_entry entry;
		int error;

		if (cases[i].damage_primary)
			damage(fd, 512 + 60);
		assert_int_equal(reread(fd, 512), 0);
		assert_int_equal(gpt_set_attributes(&got, 7, 77), 0);
		writes.fail_from = cases[i].from;
		writes.fail_to = cases[i].to;
		error = gpt_write(fd, &got, &step);
		reset_writes(NULL);
		if (error != cases[i].error)
			fail_msg("%s: %d", cases[i].name, error);
		assert_int_equal(reread(fd, 512), 0);
		assert_int_equal(gpt_entry(&got, 7, &entry), 0);
		if ((entry.attributes == 77) != (error == 0))
			fail_msg("%s: the disk says otherwise", cases[i].name);
		close(fd);
	}
}

/* ---- which of two valid copies is newer ---- */

/* A disk whose table has a slot header, and so a sequence number. */
static int make_counted_disk(uint32_t sector_bytes, uint16_t sequence)
{
	int fd = make_disk(sector_bytes);

	image_entry(&made, 3, type_header, 1001, 1100, (uint64_t)sequence << 48, "header");
	image_entry(&made, 9, type_header, 1101, 1200, 0x1234ull << 48, "header");
	assert_int_equal(gpt_write(fd, &made, &step), 0);
	return fd;
}

static uint64_t attributes_of(uint32_t index)
{
	struct gpt_entry entry;

	assert_int_equal(gpt_entry(&got, index, &entry), 0);
	return entry.attributes;
}

static void a_copy_that_cannot_be_written_hides_nothing(void **state)
{
	static const uint16_t sequences[] = {0, 7, 32766, 65533, 65534, 65535};

	(void)state;
	for (uint32_t i = 0; i < 4 * sizeof(sequences) / sizeof(sequences[0]); i++) {
		uint32_t sector_bytes = sector_sizes[i & 1];
		bool primary = i & 2;
		int fd = make_counted_disk(sector_bytes, sequences[i / 4]);

		for (uint64_t value = 1; value <= 5; value++) {
			assert_int_equal(reread(fd, sector_bytes), 0);
			assert_int_equal(gpt_set_attributes(&got, 7, value), 0);
			writes.fail_from = primary ? 0 : 1200ull * sector_bytes;
			writes.fail_to = primary ? 64ull * sector_bytes : UINT64_MAX;
			assert_int_equal(gpt_write(fd, &got, &step), 0);
			assert_true((primary ? got.primary_fault : got.backup_fault) != NULL);
			assert_int_equal(reread(fd, sector_bytes), 0);
			assert_int_equal(attributes_of(7), value);
			assert_int_equal(attributes_of(9), 0x1234ull << 48);
			assert_int_equal(got.from_backup, primary);
			assert_true(got.differ);
			/* It can be read: the kernel shows its partitions. */
			assert_null(got.primary_fault);
		}
		/* Once it can be written again the next write makes both the same. */
		writes.fail_to = 0;
		assert_int_equal(gpt_write(fd, &got, &step), 0);
		assert_int_equal(reread(fd, sector_bytes), 0);
		assert_false(got.from_backup || got.differ);
		assert_int_equal(attributes_of(7), 5);
		close(fd);
	}
}

static void write_one_copy(int fd, bool backup)
{
	writes.fail_from = backup ? 0 : 1200 * SECTOR;
	writes.fail_to = backup ? 64 * SECTOR : UINT64_MAX;
	(void)gpt_write(fd, &got, &step);
	writes.fail_to = 0;
}

/* What the kernel shows comes from the primary: nothing else than attributes may be newer. */
static void a_newer_backup_of_other_partitions_does_not_count(void **state)
{
	static const uint32_t changed[] = {0, 16, 32, 40, 56, 126};

	(void)state;
	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
		int fd = make_counted_disk(512, 5);

		assert_int_equal(reread(fd, 512), 0);
		assert_int_equal(gpt_set_attributes(&got, 7, 99), 0);
		got.entries[7 * 128 + changed[i]] ^= 1;
		write_one_copy(fd, true);
		assert_int_equal(reread(fd, 512), 0);
		assert_true(got.differ && !got.from_backup);
		assert_true(attributes_of(7) == 1ull << 59);
		close(fd);
	}
	for (int field = 0; field < 3; field++) {
		int fd = make_counted_disk(512, 5);

		assert_int_equal(reread(fd, 512), 0);
		if (field == 0)
			got.header.first_usable--;
		else if (field == 1)
			got.header.last_usable--;
		else
			got.header.disk_guid[3] ^= 1;
		write_one_copy(fd, true);
		assert_int_equal(reread(fd, 512), 0);
		assert_true(got.differ && !got.from_backup);
		close(fd);
	}
}

static void without_a_number_or_with_the_same_one_the_primary_counts(void **state)
{
	(void)state;
	for (int counted = 0; counted < 2; counted++) {
		int fd = counted ? make_counted_disk(512, 5) : make_disk(512);

		assert_int_equal(reread(fd, 512), 0);
		assert_int_equal(gpt_set_attributes(&got, 7, 99), 0);
		if (counted)
			got.entries[3 * 128 + 54]--;
		write_one_copy(fd, true);
		assert_int_equal(reread(fd, 512), 0);
		assert_true(got.differ && !got.from_backup);
		assert_true(attributes_of(7) == 1ull << 59);
		close(fd);
	}
}

static void newer_wraps_around(void **state)
{
	(void)state;
	assert_true(gpt_is_newer(1, 0));
	assert_false(gpt_is_newer(0, 1));
	assert_false(gpt_is_newer(7, 7));
	assert_true(gpt_is_newer(0, 65535));
	assert_false(gpt_is_newer(65535, 0));
	assert_true(gpt_is_newer(32767, 0));
	assert_false(gpt_is_newer(32768, 0));
}

/* ---- disks that grew ---- */

static int reread_grown(int fd, uint32_t sector_bytes, uint64_t sectors)
{
	assert_int_equal(ftruncate(fd, (off_t)(sectors * sector_bytes)), 0);
	memset(&got, 0xee, sizeof(got));
	return gpt_read(fd, sector_bytes, sectors, &got);
}

static void a_disk_that_grew_is_used_to_its_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint32_t sector_bytes = sector_sizes[i];
		uint64_t mib = 1048576 / sector_bytes;
		uint64_t sectors = 20 * mib + 5;
		uint64_t table = 16384 / sector_bytes;
		int fd = make_counted_disk(sector_bytes, 5);
		struct gpt_entry entry;

		/* The last partition is entry 9. */
		assert_int_equal(reread_grown(fd, sector_bytes, sectors), 0);
		assert_int_equal(gpt_grow(&got, 7), 1);
		assert_int_equal(gpt_entry(&got, 7, &entry), 0);
		assert_int_equal(entry.last_lba, 1000);
		assert_int_equal(reread_grown(fd, sector_bytes, sectors), 0);
		assert_int_equal(gpt_grow(&got, 9), 1);
		assert_int_equal(gpt_write_grown(fd, &got, &step), 0);
		assert_int_equal(reread_grown(fd, sector_bytes, sectors), 0);
		assert_null(got.primary_fault);
		assert_null(got.backup_fault);
		assert_false(got.differ);
		assert_int_equal(got.backup_lba, sectors - 1);
		assert_int_equal(got.backup_entries_lba, sectors - 1 - table);
		assert_int_equal(got.header.last_usable, sectors - 2 - table);
		assert_int_equal(gpt_entry(&got, 9, &entry), 0);
		assert_int_equal((entry.last_lba + 1) % mib, 0);
		assert_in_range(entry.last_lba, got.header.last_usable - mib,
				got.header.last_usable);
		/* Once is enough. */
		assert_int_equal(gpt_grow(&got, 9), 0);
		close(fd);
	}
}

static void a_disk_that_did_not_grow_keeps_its_backup_where_it_is(void **state)
{
	const uint64_t sectors[] = {IMAGE_SECTORS, IMAGE_SECTORS - 10};
	int fd = make_counted_disk(512, 5);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(reread_grown(fd, 512, sectors[i]), 0);
		assert_int_equal(gpt_grow(&got, GPT_NO_ENTRY), 0);
		assert_int_equal(got.backup_lba, IMAGE_SECTORS - 1);
	}
	close(fd);
}

static void growing_never_takes_what_may_be_somebodys(void **state)
{
	int fd = make_counted_disk(512, 5);

	(void)state;
	assert_int_equal(reread_grown(fd, 512, 2 * IMAGE_SECTORS), 0);
	/* A partition that other tools see, behind the usable area. */
	image_entry(&got, 20, type_state, IMAGE_SECTORS - 63, 2 * IMAGE_SECTORS - 40, 0, "x");
	assert_int_equal(gpt_grow(&got, 9), -EOVERFLOW);
	assert_int_equal(got.backup_lba, IMAGE_SECTORS - 1);
	damage(fd, 512 + 60);
	assert_int_equal(reread_grown(fd, 512, 2 * IMAGE_SECTORS), 0);
	assert_int_equal(gpt_grow(&got, 9), -EBADMSG);
	close(fd);
	/* Grown by less than a table takes: the usable area does not shrink. */
	for (uint64_t more = 1; more < 70; more++) {
		fd = make_counted_disk(512, 5);
		assert_int_equal(reread_grown(fd, 512, IMAGE_SECTORS + more), 0);
		assert_int_equal(gpt_grow(&got, 9), 1);
		assert_true(got.header.last_usable >= IMAGE_SECTORS - 64);
		assert_int_equal(gpt_write_grown(fd, &got, &step), 0);
		assert_int_equal(reread_grown(fd, 512, IMAGE_SECTORS + more), 0);
		assert_null(got.backup_fault);
		close(fd);
	}
}

static void a_new_end_that_cannot_be_written_leaves_the_old_backup(void **state)
{
	int fd = make_counted_disk(512, 5);

	(void)state;
	assert_int_equal(reread_grown(fd, 512, 2 * IMAGE_SECTORS), 0);
	assert_int_equal(gpt_grow(&got, 9), 1);
	writes.fail_from = IMAGE_BYTES;
	writes.fail_to = UINT64_MAX;
	writes.recording = true;
	assert_int_equal(gpt_write_grown(fd, &got, &step), -EIO);
	writes.fail_to = 0;
	assert_int_equal(writes.count, 0);
	assert_int_equal(reread_grown(fd, 512, 2 * IMAGE_SECTORS), 0);
	assert_null(got.backup_fault);
	assert_int_equal(got.backup_lba, IMAGE_SECTORS - 1);
	close(fd);
}

/* The disk was copied to a larger one that had a table of its own, whose backup is still there. */
static void a_foreign_backup_at_the_end_is_not_taken_for_ours(void **state)
{
	int fd = make_disk(512);
	uint8_t sector[512];

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)(2 * IMAGE_BYTES)), 0);
	made.backup_lba = 2 * IMAGE_SECTORS - 1;
	made.backup_entries_lba = made.backup_lba - 32;
	image_entry(&made, 7, type_state, 128, 900, 0, "foreign");
	gpt_encode_header(&made, true, sector);
	put(fd, made.backup_lba * 512, sector, sizeof(sector));
	put(fd, made.backup_entries_lba * 512, made.entries, 16384);
	damage(fd, 512 + 60);
	assert_int_equal(gpt_read(fd, 512, 2 * IMAGE_SECTORS, &got), 0);
	assert_int_equal(got.backup_lba, IMAGE_SECTORS - 1);
	assert_int_equal(gpt_find_name(&got, "state"), 7);
	close(fd);
}

static void the_protective_record_grows_and_a_hybrid_one_does_not(void **state)
{
	uint8_t sector[GPT_MBR_BYTES] = {
		[446 + 4] = 0xee, [446 + 8] = 1, [510] = 0x55, [511] = 0xaa};
	static const uint8_t all[4] = {0xff, 0xff, 0xff, 0xff};
	static const uint8_t some[4] = {0x33, 0x22, 0x11, 0x00};

	(void)state;
	assert_true(gpt_mbr_resize(sector, 0x112234));
	assert_memory_equal(sector + 458, some, 4);
	assert_false(gpt_mbr_resize(sector, 0x112234));
	assert_true(gpt_mbr_resize(sector, 1ull << 40));
	assert_memory_equal(sector + 458, all, 4);
	sector[446 + 16 + 4] = 0x83;
	assert_true(gpt_mbr_protects(sector));
	assert_false(gpt_mbr_resize(sector, 0x112234));
	sector[446 + 16 + 4] = 0;
	sector[446 + 8] = 2;
	assert_false(gpt_mbr_resize(sector, 0x112234));
}

/* ---- bits and texts ---- */

static void slot_bits_are_where_chromeos_has_them(void **state)
{
	struct gpt_slot_bits bits = {.priority = 2, .tries = 3, .successful = 1};
	uint64_t attributes = gpt_with_slot_bits(0xfe00ffffffffffffull, bits);

	(void)state;
	assert_true(attributes == 0xff32ffffffffffffull);
	bits = gpt_slot_bits(attributes);
	assert_int_equal(bits.priority, 2);
	assert_int_equal(bits.tries, 3);
	assert_int_equal(bits.successful, 1);
	assert_true(gpt_with_slot_bits(UINT64_MAX, (struct gpt_slot_bits){0}) ==
		    0xfe00ffffffffffffull);
}

static void types_are_the_same_as_text_and_as_bytes(void **state)
{
	static const struct {
		const char *text;
		uint8_t bytes[16];
	} cases[] = {
		{GPT_TYPE_ESP_TEXT, GPT_TYPE_ESP},
		{GPT_TYPE_ROOT_X86_64_TEXT, GPT_TYPE_ROOT_X86_64},
		{GPT_TYPE_VERITY_X86_64_TEXT, GPT_TYPE_VERITY_X86_64},
		{GPT_TYPE_ROOT_ARM64_TEXT, GPT_TYPE_ROOT_ARM64},
		{GPT_TYPE_VERITY_ARM64_TEXT, GPT_TYPE_VERITY_ARM64},
		{GPT_TYPE_HEADER_TEXT, GPT_TYPE_HEADER},
		{GPT_TYPE_STATE_TEXT, GPT_TYPE_STATE},
	};
	char text[GPT_GUID_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		gpt_guid_text(cases[i].bytes, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void names_are_made_printable(void **state)
{
	struct gpt_entry entry;

	(void)state;
	image_table(&made, 512);
	image_entry(&made, 0, type_esp, 64, 127, 0, "abcdefghijklmnopqrstuvwxyz0123456789");
	assert_int_equal(gpt_entry(&made, 0, &entry), 0);
	assert_string_equal(entry.name, "abcdefghijklmnopqrstuvwxyz0123456789");
	made.entries[56] = 0xe4;
	made.entries[58] = '\n';
	made.entries[61] = 0x20; /* U+2063 */
	assert_int_equal(gpt_entry(&made, 0, &entry), 0);
	assert_memory_equal(entry.name, "???d", 4);
}

/* ---- tables that other tools make ---- */

static char image_path[] = "/tmp/keelson-gpt-XXXXXX";

static void tables_of_other_tools_are_understood(void **state)
{
	static const struct {
		uint32_t sector_bytes;
		const char *command;
	} cases[] = {
		{512, "printf 'label: gpt\\nsize=8M, type=" GPT_TYPE_ROOT_X86_64_TEXT
		      ", name=root-a, attrs=\"GUID:49,52,53\"\\nsize=8M, name=state\\n' |"
		      " sfdisk -q \"$IMAGE\" >/dev/null 2>&1"},
		{4096, "printf 'g\\nn\\n1\\n\\n+8M\\nn\\n2\\n\\n+8M\\nx\\nn\\n1\\nroot-a\\n"
		       "n\\n2\\nstate\\nS\\n1\\n49\\nS\\n1\\n52\\nS\\n1\\n53\\nr\\nw\\n' | fdisk "
		       "-b 4096 \"$IMAGE\""
		       " >/dev/null 2>&1"},
	};
	int fd = mkstemp(image_path);

	(void)state;
	assert_true(fd >= 0);
	setenv("IMAGE", image_path, 1);
	if (system("command -v sfdisk >/dev/null && command -v fdisk >/dev/null") != 0) {
		unlink(image_path);
		skip();
	}
	for (size_t i = 0; i < 2; i++) {
		uint32_t sector_bytes = cases[i].sector_bytes;
		struct gpt_slot_bits bits;
		struct gpt_entry entry;

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(ftruncate(fd, 64 << 20), 0);
		/* fdisk says 1 when it could not tell a kernel: the table is looked at below. */
		(void)!system(cases[i].command);
		assert_int_equal(gpt_read(fd, sector_bytes, (64u << 20) / sector_bytes, &got), 0);
		assert_null(got.primary_fault);
		assert_null(got.backup_fault);
		assert_false(got.differ);
		assert_int_equal(gpt_find_name(&got, "state"), 1);
		assert_int_equal(gpt_entry(&got, 0, &entry), 0);
		assert_string_equal(entry.name, "root-a");
		bits = gpt_slot_bits(entry.attributes);
		assert_int_equal(bits.priority, 2);
		assert_int_equal(bits.tries, 3);
		assert_int_equal(bits.successful, 0);

		/* What we write, the tool accepts as it was. */
		bits.tries = 2;
		gpt_set_attributes(&got, 0, gpt_with_slot_bits(entry.attributes, bits));
		assert_int_equal(gpt_write(fd, &got, &step), 0);
		if (sector_bytes == 512)
			assert_int_equal(system("sfdisk -q --verify \"$IMAGE\" >/dev/null 2>&1 &&"
						" sfdisk --part-attrs \"$IMAGE\" 1 |"
						" grep -q '^GUID:49,53$'"),
					 0);
	}
	close(fd);
	unlink(image_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(one_damaged_copy_is_enough),
		cmocka_unit_test(two_damaged_copies_are_refused),
		cmocka_unit_test(a_disk_that_grew_keeps_its_backup_where_it_is),
		cmocka_unit_test(a_disk_that_grew_and_lost_its_primary_finds_its_backup),
		cmocka_unit_test(a_disk_cut_off_before_its_backup_still_works),
		cmocka_unit_test(a_header_that_makes_no_sense_is_refused),
		cmocka_unit_test(a_backup_whose_entries_or_primary_are_not_its_own_is_refused),
		cmocka_unit_test(only_a_protective_mbr_says_that_the_table_is_this_one),
		cmocka_unit_test(an_entry_outside_the_usable_area_does_not_exist),
		cmocka_unit_test(mutated_tables_are_refused_or_harmless),
		cmocka_unit_test_setup(backup_is_written_and_flushed_before_the_primary,
				       reset_writes),
		cmocka_unit_test_setup(only_the_backup_valid_the_primary_is_written_first,
				       reset_writes),
		cmocka_unit_test_setup(a_cut_at_any_point_leaves_the_old_table_or_the_new,
				       reset_writes),
		cmocka_unit_test_setup(a_failed_write_is_success_only_if_the_change_counts,
				       reset_writes),
		cmocka_unit_test_setup(a_copy_that_cannot_be_written_hides_nothing, reset_writes),
		cmocka_unit_test_setup(a_newer_backup_of_other_partitions_does_not_count,
				       reset_writes),
		cmocka_unit_test_setup(without_a_number_or_with_the_same_one_the_primary_counts,
				       reset_writes),
		cmocka_unit_test(newer_wraps_around),
		cmocka_unit_test_setup(a_disk_that_grew_is_used_to_its_end, reset_writes),
		cmocka_unit_test_setup(a_disk_that_did_not_grow_keeps_its_backup_where_it_is,
				       reset_writes),
		cmocka_unit_test_setup(growing_never_takes_what_may_be_somebodys, reset_writes),
		cmocka_unit_test_setup(a_new_end_that_cannot_be_written_leaves_the_old_backup,
				       reset_writes),
		cmocka_unit_test_setup(a_foreign_backup_at_the_end_is_not_taken_for_ours,
				       reset_writes),
		cmocka_unit_test(the_protective_record_grows_and_a_hybrid_one_does_not),
		cmocka_unit_test(slot_bits_are_where_chromeos_has_them),
		cmocka_unit_test(types_are_the_same_as_text_and_as_bytes),
		cmocka_unit_test(names_are_made_printable),
		cmocka_unit_test(tables_of_other_tools_are_understood),
	};

	return cmocka_run_group_tests_name("gpt", tests, NULL, NULL);
}
