/* SPDX-License-Identifier: Apache-2.0 */
/* keelson-test: timeout=600 */
/*
 * The power fails at any write that PID 1 or an installer makes to its disk, by the rules
 * of init/slot.h: on every disk that this may leave (cut_disk.h) the next boot finds some sound slot, and
 * an installation that was interrupted ends right when its bundle is given again. Reading, examining,
 * choosing and installing are the node's own code; only SHA-256, RSA and dm-verity are played, by
 * digests that are quick to make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "init/bless.h"
#include "init/marks.h"
#include "init/slot.h"
#include "init/slot_history.h"
#include "init/slot_node.h"
#include "mount/devmapper.h"
#include "mount/disk.h"
#include "mount/gpt_io.h"
#include "mount/verity.h"
#include "svc/log.h"
#include "tests/unit/cut_disk.h"
#include "tests/unit/cut_install.h"

#if defined(__x86_64__)
static const uint8_t type_root[] = GPT_TYPE_ROOT_X86_64;
static const uint8_t type_tree[] = GPT_TYPE_VERITY_X86_64;
#define MACHINE EM_X86_64
#else
static const uint8_t type_root[] = GPT_TYPE_ROOT_ARM64;
static const uint8_t type_tree[] = GPT_TYPE_VERITY_ARM64;
#define MACHINE EM_AARCH64
#endif
static const uint8_t type_header[] = GPT_TYPE_HEADER;
static const uint8_t type_state[] = GPT_TYPE_STATE;

#define KIB 1024ull
#define DISK_BYTES (1536 * KIB)
#define ROOT_BYTES (32 * KIB)
#define TREE_BYTES (8 * KIB)
#define HEADER_BYTES (20 * KIB)
/* With room for the slots' history and for the journal of an install. */
#define HEADER_ALL_BYTES (INSTALL_JOURNAL_OFFSET + 2ull * INSTALL_JOURNAL_BYTES)
#define ROOT_BLOCKS (ROOT_BYTES / VERITY_BLOCK_BYTES)
#define RANDOM 24u /* disks of any units of all writes, per cut */

enum { ROOT_A = 1, TREE_A, HEADER_A, ROOT_B, TREE_B, HEADER_B, STATE };

static const uint32_t sector_sizes[] = {512, 4096};
static uint64_t disks;
static const char *scenario;

/* ---- digests and signatures ---- */

static void digest_of(const void *bytes, size_t size, uint64_t seed, uint8_t digest[HASH_BYTES])
{
	uint64_t hash = seed ^ 14695981039346656037ull;
	uint64_t word;

	for (size_t at = 0; at + sizeof(word) <= size; at += sizeof(word)) {
		memcpy(&word, (const uint8_t *)bytes + at, sizeof(word));
		hash = (hash ^ word) * 1099511628211ull;
		hash ^= hash >> 29;
	}
	for (size_t i = 0; i < HASH_BYTES; i += sizeof(hash)) {
		hash = (hash ^ i) * 1099511628211ull;
		memcpy(digest + i, &hash, sizeof(hash));
	}
}

int hash_open(void)
{
	return -1;
}

int hash_sha256(int hash, const struct iovec *parts, size_t count, uint8_t digest[HASH_BYTES])
{
	const struct iovec *last = &parts[count - 1];

	(void)hash;
	digest_of(last->iov_base, last->iov_len, 1, digest);
	return 0;
}

int keyring_verify(const struct keyring *keyring, const uint8_t key_id[HASH_BYTES],
		   const uint8_t digest[HASH_BYTES], const void *signature, size_t size)
{
	uint8_t good[HASH_BYTES];

	(void)keyring;
	(void)key_id;
	(void)size;
	digest_of(digest, HASH_BYTES, 2, good);
	return memcmp(good, signature, sizeof(good)) == 0 ? 0 : -EKEYREJECTED;
}

/* ---- images ---- */

struct image {
	uint8_t root[ROOT_BYTES];
	uint8_t tree[TREE_BYTES];
	struct slot_header_block block;
};

static struct image image;

static void make_image(uint8_t number)
{
	static const char superblock[] = "verity\0\0\1\0\0\0\1";
	struct slot_header *header = &image.block.header;
	uint8_t digest[HASH_BYTES];

	memset(&image, 0, sizeof(image));
	for (size_t i = 0; i < sizeof(image.root); i++)
		image.root[i] = (uint8_t)(i * 7 + i / 512 + number * 31u);
	for (size_t i = 0; i < ROOT_BLOCKS; i++)
		digest_of(image.root + i * VERITY_BLOCK_BYTES, VERITY_BLOCK_BYTES, 3,
			  image.tree + VERITY_BLOCK_BYTES + i * HASH_BYTES);
	memcpy(image.tree, superblock, sizeof(superblock) - 1);
	memcpy(image.tree + 32, "sha256", 6);
	image.tree[65] = image.tree[69] = 0x10; /* blocks of 4096 bytes */
	image.tree[72] = ROOT_BLOCKS;
	*header = (struct slot_header){
		.magic = {'K', 'E', 'E', 'L', 'S', 'L', 'O', 'T'},
		.version = SLOT_HEADER_VERSION,
		.size_bytes = SLOT_HEADER_BYTES,
		.signature_bytes = 512,
		.machine = MACHINE,
		.security_epoch = number,
		.name = "minimal",
		.image_version = {(uint8_t)('0' + number)},
		.root_type = "erofs",
		.data_blocks = ROOT_BLOCKS,
		.hash_offset_blocks = 1,
		.hash_blocks = 2,
		.block_bytes = VERITY_BLOCK_BYTES,
	};
	digest_of(image.tree + VERITY_BLOCK_BYTES, VERITY_BLOCK_BYTES, 1, header->root_hash);
	digest_of(header, sizeof(*header), 1, digest);
	digest_of(digest, sizeof(digest), 2, image.block.signature);
}

static uint8_t *bytes_of(uint32_t partition)
{
	return cut_disk.bytes + cut_disk.partitions[partition - 1].offset;
}

/* Is the content of the slot what this header says, block by block, as dm-verity would find it? */
static bool has_content_of(uint32_t slot, const struct slot_header *header)
{
	uint32_t root = slot ? ROOT_B : ROOT_A;
	const uint8_t *tree = bytes_of(root + 1) + VERITY_BLOCK_BYTES;
	uint8_t digest[HASH_BYTES];

	digest_of(tree, VERITY_BLOCK_BYTES, 1, digest);
	if (memcmp(digest, header->root_hash, sizeof(digest)) != 0)
		return false;
	for (size_t i = 0; i < ROOT_BLOCKS; i++) {
		digest_of(bytes_of(root) + i * VERITY_BLOCK_BYTES, VERITY_BLOCK_BYTES, 3, digest);
		if (memcmp(digest, tree + i * HASH_BYTES, sizeof(digest)) != 0)
			return false;
	}
	return true;
}

static bool is_intact(uint32_t slot)
{
	return has_content_of(slot, (const void *)bytes_of(slot ? HEADER_B : HEADER_A));
}

/* A verity device whose blocks are all right or all wrong: its table names an image that is installed. */
int dm_create_verity(const char *name, uint64_t sectors, const char *table_text,
		     char path[DM_PATH_BYTES], const char **step)
{
	uint32_t slot = strncmp(table_text, "1 /dev/vda4 /dev/vda5 ", 22) == 0;
	uint32_t root = slot ? ROOT_B : ROOT_A;

	(void)name;
	(void)step;
	if (sectors != ROOT_BYTES / 512 ||
	    (!slot && strncmp(table_text, "1 /dev/vda1 /dev/vda2 ", 22) != 0))
		return -EINVAL;
	memcpy(path, slot ? "/dev/vda4" : "/dev/vda1", 10);
	if (!has_content_of(slot, &image.block.header)) {
		cut_disk.unreadable_from = cut_disk.partitions[root - 1].offset;
		cut_disk.unreadable_to = cut_disk.unreadable_from + ROOT_BYTES;
	}
	return 0;
}

int dm_remove(const char *name)
{
	(void)name;
	cut_disk.unreadable_to = 0;
	return 0;
}

/* ---- disks ---- */

static struct gpt table;

static void put64(uint8_t *at, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void add_partition(uint32_t number, const uint8_t type[16], uint64_t *offset, uint64_t size,
			  uint64_t attributes)
{
	uint8_t *entry = table.entries + (size_t)(number - 1) * table.header.entry_bytes;

	memcpy(entry, type, 16);
	memset(entry + 16, (int)number, 16);
	put64(entry + 32, *offset / cut_disk.sector_bytes);
	put64(entry + 40, (*offset + size) / cut_disk.sector_bytes - 1);
	put64(entry + 48, attributes);
	cut_disk.partitions[number - 1].offset = *offset;
	cut_disk.partitions[number - 1].size = size;
	*offset += size;
}

static void put_image(uint32_t slot, uint8_t number)
{
	uint32_t root = slot ? ROOT_B : ROOT_A;

	make_image(number);
	memcpy(bytes_of(root), image.root, sizeof(image.root));
	memcpy(bytes_of(root + 1), image.tree, sizeof(image.tree));
	memcpy(bytes_of(root + 2), &image.block, sizeof(image.block));
}

struct start {
	uint8_t bits[2]; /* tries and priority as in the attributes: 0x32 is tries 3, priority 2 */
	bool successful[2];
	uint8_t images[2]; /* 0: an empty slot */
	enum { SOUND, PRIMARY_DAMAGED, BACKUP_DAMAGED, BACKUP_OLDER, FAULTS } fault;
};

static void write_table(void)
{
	const char *step;
	int fd = open("/dev/vda", O_RDWR | O_CLOEXEC);

	assert_int_equal(gpt_write(fd, &table, &step), 0);
	close(fd);
}

static const uint8_t refused[SLOT_DIGEST_BYTES] = {0xbb}; /* both slots' newest marks say so */

static void put_marks(void)
{
	static const char *const devices[] = {"vda3", "vda6"};

	for (int i = 0; i < 2; i++) {
		assert_int_equal(marks_note_failure(devices[i], SLOT_REASON_BOOT, "a test"), 0);
		assert_int_equal(marks_reject(devices[i], refused), 0);
		/* So many that the next one is not in the 512 bytes of the checksum. */
		for (uint8_t more = 1; more < 8; more++) {
			const uint8_t hash[SLOT_DIGEST_BYTES] = {0xcc, more};

			assert_int_equal(marks_reject(devices[i], hash), 0);
		}
	}
}

static uint64_t header_bytes;

static void make_disk(uint32_t sector_bytes, uint32_t entries, const struct start *start)
{
	static const uint8_t mbr[] = {[0] = 0xee, [4] = 1};
	uint64_t table_sectors = ((uint64_t)entries * 128 + sector_bytes - 1) / sector_bytes;
	uint64_t sectors = DISK_BYTES / sector_bytes;
	uint64_t offset = 64 * KIB;
	uint64_t attributes[2];

	cut_disk_make(sector_bytes, DISK_BYTES);
	memcpy(cut_disk.bytes + 450, mbr, sizeof(mbr));
	cut_disk.bytes[510] = 0x55;
	cut_disk.bytes[511] = 0xaa;
	memset(&table, 0, sizeof(table));
	table.sector_bytes = sector_bytes;
	table.disk_sectors = sectors;
	table.header = (struct gpt_header){
		.lba = 1,
		.other_lba = sectors - 1,
		.first_usable = 64 * KIB / sector_bytes,
		.last_usable = sectors - 2 - table_sectors,
		.entries_lba = 2,
		.header_bytes = 92,
		.entry_bytes = 128,
		.entry_count = entries,
	};
	table.primary_entries_lba = 2;
	table.backup_lba = sectors - 1;
	table.backup_entries_lba = sectors - 1 - table_sectors;
	for (int i = 0; i < 2; i++)
		attributes[i] = (uint64_t)start->bits[i] << 48 | (uint64_t)start->successful[i]
									 << 56;
	add_partition(ROOT_A, type_root, &offset, ROOT_BYTES, attributes[0]);
	add_partition(TREE_A, type_tree, &offset, TREE_BYTES, 0);
	add_partition(HEADER_A, type_header, &offset, header_bytes, 0xffffull << 48);
	add_partition(ROOT_B, type_root, &offset, ROOT_BYTES, attributes[1]);
	add_partition(TREE_B, type_tree, &offset, TREE_BYTES, 0);
	add_partition(HEADER_B, type_header, &offset, header_bytes, 0);
	add_partition(STATE, type_state, &offset, 512 * KIB, 0);
	write_table();
	for (uint32_t i = 0; i < 2; i++)
		if (start->images[i])
			put_image(i, start->images[i]);
	put_marks();
	if (start->fault == PRIMARY_DAMAGED)
		cut_disk.bytes[sector_bytes + 60] ^= 1;
	if (start->fault == BACKUP_DAMAGED)
		cut_disk.bytes[DISK_BYTES - sector_bytes + 60] ^= 1;
	if (start->fault == BACKUP_OLDER) {
		cut_disk.unwritable_from = DISK_BYTES - 64 * KIB;
		cut_disk.unwritable_to = DISK_BYTES;
		write_table();
		cut_disk.unwritable_to = 0;
	}
}

/* ---- booting ---- */

static struct disk disk;
static struct slot_examination examinations[SLOT_COUNT];
static struct slot_view views[SLOT_COUNT];
static const struct disks_passed none;
static const struct keyring keyring;

/* As the initramfs does: from a disk to views. */
static int look(void)
{
	char path[2][DEVICE_PATH_BYTES];
	struct device device;
	int error = disk_find(&none, 1, &disk);

	if (error)
		return error;
	memset(examinations, 0, sizeof(examinations));
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		const struct slot_parts *parts = &disk.slots.slot[i];

		if (!parts->present)
			continue;
		assert_int_equal(devices_partition("vda", parts->hash.number, &device), 0);
		device_path(device.name, path[0]);
		assert_int_equal(devices_partition("vda", parts->header.number, &device), 0);
		device_path(device.name, path[1]);
		slot_examine(parts, path[0], path[1], &keyring, -1, &examinations[i]);
	}
	slot_judge(&disk.slots, examinations, views);
	return 0;
}

static struct record record;
static struct gpt_slot_bits seen[SLOT_COUNT]; /* what the last boot found */
static bool wrote;                            /* and it changed that: there was a try to burn */

/* Choose, burn; the record says what a node would know. -1: nothing boots. */
static int boot(void)
{
	const char *step = "";
	struct slot_choice choice;
	uint32_t slot;

	if (look() != 0)
		return -1;
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		seen[i] = views[i].bits;
	choice = slot_choose(views, -1);
	if (choice.boot < 0)
		return -1;
	slot = (uint32_t)choice.boot;
	wrote = choice.write;
	memset(&record, 0, sizeof(record));
	record.slot = slot;
	if (choice.write && disk_write_bits(&disk, choice.bits, &step) == 0) {
		record.burned = choice.bits[slot].tries < views[slot].bits.tries;
		for (uint32_t i = 0; i < SLOT_COUNT; i++)
			views[i].bits = choice.bits[i];
	}
	record.tries_left = views[slot].bits.tries;
	memcpy(record.disk, "vda", 4);
	memcpy(record.disk_guid, disk.gpt.header.disk_guid, sizeof(record.disk_guid));
	record.entry = disk.slots.slot[slot].entry;
	memcpy(record.header_device, slot ? "vda6" : "vda3", 5);
	record.header = examinations[slot].block.header;
	record.other_state = slot_views_pack(views);
	return choice.boot;
}

static struct gpt_slot_bits written[SLOT_COUNT]; /* by the scenario, in the end */

static uint8_t again[2]; /* images that are installed after a cut; 0: none */
static void installs_again(uint32_t cut, uint8_t number);

/* On every disk: some sound slot boots, one that is what its header says, and the try is counted. */
static void boots(uint32_t cut)
{
	int chosen = boot();
	const uint8_t guid[GPT_GUID_BYTES] = {0};
	struct gpt_slot_bits before;

	if (chosen < 0)
		fail_msg("%s: cut before event %u: nothing boots", scenario, cut);
	if (!is_intact((uint32_t)chosen))
		fail_msg("%s: cut before event %u: slot %c is not intact", scenario, cut,
			 'a' + chosen);
	/* A slot that says it is whole is: it may be the last resort, whatever its bits. */
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		if (views[i].verdict == SLOT_SOUND && !is_intact(i))
			fail_msg("%s: cut before event %u: half of slot %c is old", scenario, cut,
				 'a' + (int)i);
	/* What was installed, and not before, gets its tries: it is whole then. */
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		if (again[0] && seen[i].tries == 3 && !seen[i].successful &&
		    views[i].verdict != SLOT_SOUND)
			fail_msg("%s: cut before event %u: slot %c is armed and not whole",
				 scenario, cut, 'a' + (int)i);
	/* What the marks refused before they refuse still. */
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		const struct slot_marks *marks = slot_examination_marks(&examinations[i]);

		if (!marks || !slot_marks_rejects(marks, refused))
			fail_msg("%s: cut before event %u: marks are lost", scenario, cut);
	}
	if (cut == cut_disk.count)
		assert_memory_equal(seen, written, sizeof(seen));
	before = views[chosen].bits;
	assert_int_equal(disk_reread("vda", guid, &disk), 0);
	assert_memory_equal(&disk.slots.slot[chosen].bits, &before, sizeof(before));
	if (!wrote)
		return;
	assert_null(disk.gpt.primary_fault);
	assert_null(disk.gpt.backup_fault);
	assert_false(disk.gpt.differ);
	if (again[0])
		installs_again(cut, again[cut % 2 && again[1] ? 1 : 0]);
}

/* ---- what is written ---- */

static void burn(void)
{
	assert_true(boot() >= 0);
}

static void bless(void)
{
	int pidfd;

	assert_true(bless_start(&record, 3, &pidfd) > 0);
}

static void refund(void)
{
	assert_int_equal(bless_refund(&record), 0);
}

static void refill(void)
{
	assert_int_equal(bless_refill(&record, 3), 0);
}

static void note_failure(void)
{
	assert_int_equal(marks_note_failure(record.header_device, SLOT_REASON_UNHEALTHY, "a test"),
			 0);
}

static void apply(const struct slot_change *change)
{
	const char *step = "";

	assert_false(change->refused);
	assert_int_equal(disk_write_bits(&disk, change->bits, &step), 0);
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		views[i].bits = change->bits[i];
}

/* As an operator's: marks first. */
static void reject_other(void)
{
	uint32_t slot = 1 - record.slot;
	struct slot_change change;

	assert_int_equal(look(), 0);
	change = slot_reject(views, slot, false);
	assert_int_equal(change.reject, (int)slot);
	assert_int_equal(
		marks_reject(slot ? "vda6" : "vda3", examinations[slot].block.header.root_hash), 0);
	apply(&change);
}

static void switch_other(void)
{
	struct slot_change change;

	assert_int_equal(look(), 0);
	change = slot_switch(views, 1 - record.slot, 3);
	apply(&change);
}

/* Two writes of the table, and between them the marks. */
static void roll_back(void)
{
	uint32_t slot = record.slot;
	struct slot_change steps[2];

	assert_int_equal(look(), 0);
	assert_true(slot_rollback(views, slot, 3, false, steps));
	apply(&steps[0]);
	assert_int_equal(steps[1].reject, (int)slot);
	assert_int_equal(
		marks_reject(slot ? "vda6" : "vda3", examinations[slot].block.header.root_hash), 0);
	apply(&steps[1]);
}

static uint32_t frame_blocks; /* of the bundles of a scenario */

static int install(uint8_t number, uint32_t frames)
{
	const struct cut_bundle bundle = {&image.block, image.root, image.tree, frame_blocks,
					  frames};

	make_image(number);
	return cut_install(&bundle, &record);
}

static void install_other(void)
{
	uint32_t slot = 1 - record.slot;

	assert_int_equal(install(9, 0), SLOT_EXIT_OK);
	assert_int_equal(look(), 0);
	assert_int_equal(views[slot].verdict, SLOT_SOUND);
	assert_true(is_intact(slot));
}

/* The bundle ends after some frames. */
static void install_some(void)
{
	assert_int_equal(install(9, 10 / frame_blocks - 1), SLOT_EXIT_CUT_OFF);
}

static void install_another(void)
{
	assert_int_equal(install(8, 0), SLOT_EXIT_OK);
}

/* Whoever gave the bundle that may have been interrupted gives it again. */
static void installs_again(uint32_t cut, uint8_t number)
{
	uint32_t slot = 1 - record.slot;
	int status;

	if (record.slot != 0)
		return; /* it was whole, and runs */
	status = install(number, 0);
	if (status != SLOT_EXIT_OK && status != SLOT_EXIT_ALREADY)
		fail_msg("%s: cut before event %u: installing again exits with %d", scenario, cut,
			 status);
	assert_int_equal(look(), 0);
	if (views[slot].verdict != SLOT_SOUND || !is_intact(slot) ||
	    views[slot].bits.priority <= views[record.slot].bits.priority ||
	    memcmp(examinations[slot].block.header.root_hash, image.block.header.root_hash,
		   HASH_BYTES) != 0)
		fail_msg("%s: cut before event %u: installing again does not arm slot %c", scenario,
			 cut, 'a' + (int)slot);
}

static void mend(void)
{
	assert_int_equal(look(), 0);
}

static void grow(void)
{
	const char *step = "";
	int error;

	/* The kernel cannot be told: this disk is no block device. */
	error = disk_grow("vda", STATE, 0, &step);
	assert_int_equal(error, -ENOTTY);
	assert_string_equal(step, "tell the kernel the partition's new size");
}

/*
 * The disk is larger than its table; slot b's image is rejected in the end; the header partitions have
 * room for history and journal, as they must to install; after a cut the install is made again (of
 * both images that were given).
 */
enum { GROWN = 1, REJECTS = 2, HISTORY = 4, INSTALLS = HISTORY, AGAIN = 8, BOTH_AGAIN = 16 };

static const struct scenario {
	const char *name;
	struct start start;
	void (*before)(void);
	void (*steps[7])(void);
	uint32_t flags;
} scenarios[] = {
	{"burn", {{0x32, 0x31}, {true, true}, {1, 2}, 0}, NULL, {burn}, 0},
	{"burn the last try", {{0x12, 0x31}, {false, true}, {2, 1}, 0}, NULL, {burn, burn}, 0},
	{"take turns in the last resort",
	 {{0x02, 0x01}, {true, true}, {1, 2}, 0},
	 NULL,
	 {burn, burn, burn},
	 0},
	{"bless", {{0x31, 0x32}, {true, false}, {1, 2}, 0}, burn, {bless}, 0},
	{"bless, give up and reject the other",
	 {{0x31, 0x02}, {true, false}, {1, 2}, 0},
	 burn,
	 {bless},
	 REJECTS},
	{"bless, give up the same image",
	 {{0x31, 0x02}, {false, true}, {1, 1}, 0},
	 burn,
	 {bless},
	 0},
	{"bless slot b: the epoch leaves a behind",
	 {{0x31, 0x32}, {true, false}, {1, 2}, 0},
	 burn,
	 {bless, burn, bless},
	 0},
	{"refund", {{0x32, 0x31}, {true, true}, {1, 2}, 0}, burn, {refund}, 0},
	{"note a failure, again and again",
	 {{0x32, 0x31}, {false, true}, {2, 1}, 0},
	 burn,
	 {note_failure, burn, note_failure, burn, note_failure},
	 0},
	{"reject the other", {{0x32, 0x31}, {true, true}, {2, 1}, 0}, burn, {reject_other}, REJECTS},
	{"find and mend", {{0x32, 0x31}, {true, true}, {1, 2}, 0}, NULL, {mend, mend}, 0},
	{"install over a sound slot",
	 {{0x32, 0x31}, {true, true}, {1, 2}, 0},
	 burn,
	 {install_other},
	 INSTALLS | AGAIN},
	{"install into an empty slot",
	 {{0x3f, 0x00}, {true, false}, {1, 0}, 0},
	 burn,
	 {install_other},
	 INSTALLS | AGAIN},
	{"install, the bundle breaks off, install again",
	 {{0x32, 0x31}, {true, true}, {1, 2}, 0},
	 burn,
	 {install_some, install_other},
	 INSTALLS | AGAIN},
	{"install, the bundle breaks off, install another",
	 {{0x32, 0x31}, {true, true}, {1, 2}, 0},
	 burn,
	 {install_some, install_another},
	 INSTALLS | AGAIN | BOTH_AGAIN},
	{"install, boot it, bless it",
	 {{0x32, 0x31}, {true, true}, {1, 2}, 0},
	 burn,
	 {install_other, burn, bless},
	 INSTALLS},
	{"install, it fails three times with a reason, the old one is blessed",
	 {{0x32, 0x31}, {true, true}, {1, 2}, 0},
	 burn,
	 {install_other, burn, burn, burn, note_failure, burn, bless},
	 INSTALLS | REJECTS},
	{"install, it dies three times without a word, the old one is blessed",
	 {{0x32, 0x31}, {true, true}, {1, 2}, 0},
	 burn,
	 {install_other, burn, burn, burn, burn, bless},
	 INSTALLS},
	{"a good slot dies late three times",
	 {{0x32, 0x31}, {true, true}, {2, 2}, 0},
	 NULL,
	 {burn, bless, burn, bless, burn, bless},
	 0},
	{"bless, give up and reject the other, with a history",
	 {{0x31, 0x02}, {true, false}, {1, 2}, 0},
	 burn,
	 {bless},
	 REJECTS | HISTORY},
	{"bless and refill", {{0x12, 0x31}, {true, true}, {2, 1}, 0}, burn, {bless, refill}, 0},
	{"switch to the other", {{0x32, 0x01}, {true, true}, {1, 2}, 0}, burn, {switch_other}, 0},
	{"roll back", {{0x31, 0x32}, {true, true}, {2, 3}, 0}, burn, {roll_back}, REJECTS},
	{"grow", {{0x32, 0x31}, {true, true}, {1, 2}, 0}, burn, {grow}, GROWN},
	{"grow, burn, bless",
	 {{0x32, 0x31}, {true, true}, {1, 2}, 0},
	 burn,
	 {grow, burn, bless},
	 GROWN},
	{"boot a disk that grew before it is used",
	 {{0x32, 0x31}, {true, true}, {1, 2}, 0},
	 NULL,
	 {burn, bless, grow},
	 GROWN},
};

#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static void run(const struct scenario *s, uint32_t sector_bytes, uint32_t entries, int fault)
{
	struct start start = s->start;

	scenario = s->name;
	header_bytes = s->flags & HISTORY ? HEADER_ALL_BYTES : HEADER_BYTES;
	start.fault = (unsigned int)fault;
	make_disk(sector_bytes, entries, &start);
	if (s->flags & GROWN)
		cut_disk.size_bytes = CUT_DISK_MAX_BYTES;
	if (s->before)
		s->before();
	frame_blocks = sector_bytes == 512 ? 1 : 3;
	again[0] = again[1] = 0;
	if (fault == SOUND && s->flags & AGAIN)
		again[0] = s->flags & BOTH_AGAIN ? 8 : 9;
	if (fault == SOUND && s->flags & BOTH_AGAIN)
		again[1] = 9;
	cut_disk_start();
	for (size_t i = 0; i < 7 && s->steps[i]; i++)
		s->steps[i]();
	assert_int_equal(look(), 0);
	assert_int_equal(views[1].rejected, s->flags & REJECTS ? 1 : 0);
	assert_int_equal(disk_reread("vda", table.header.disk_guid, &disk), 0);
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		written[i] = disk.slots.slot[i].bits;
	disks += cut_disk_replay(RANDOM, boots);
}

static void some_sound_slot_boots_wherever_the_power_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCENARIOS; i++)
		for (int sector = 0; sector < 2; sector++)
			for (int fault = 0; fault < FAULTS; fault++) {
				/* The longest ones: a damaged table on one sector size each. */
				if (scenarios[i].flags & INSTALLS && fault != SOUND &&
				    fault % 2 != sector)
					continue;
				run(&scenarios[i], sector_sizes[sector], 16, fault);
			}
	for (size_t i = 0; i < SCENARIOS; i += 3)
		run(&scenarios[i], 512, 128, 0);
	print_message("# %llu disks\n", (unsigned long long)disks);
	assert_true(disks > 50000);
}

/* ---- a try is counted, whatever of the table can be read or written ---- */

static void tries_fall_by_one_as_long_as_one_copy_can_be_written(void **state)
{
	static const struct start start = {{0xf2, 0x31}, {true, true}, {1, 2}, 0};

	(void)state;
	header_bytes = HEADER_BYTES;
	for (int variant = 0; variant < 16; variant++) {
		uint32_t sector_bytes = sector_sizes[variant & 1];
		bool backup = variant & 2;
		uint64_t from = backup ? DISK_BYTES - 16 * KIB : 0;
		uint64_t to = backup ? DISK_BYTES : 64 * KIB;

		/* Unwritable, and readable, unreadable from the header on, or its entries only. */
		if (variant >> 2 == 3)
			continue;
		make_disk(sector_bytes, 16, &start);
		cut_disk.unwritable_from = from;
		cut_disk.unwritable_to = to;
		if (variant >> 2 == 1) {
			cut_disk.unreadable_from = backup ? from : sector_bytes;
			cut_disk.unreadable_to = to;
		}
		if (variant >> 2 == 2) {
			cut_disk.unreadable_from = backup ? DISK_BYTES - sector_bytes - 2048
							  : 2ull * sector_bytes;
			cut_disk.unreadable_to = cut_disk.unreadable_from + 512;
		}
		for (uint32_t tries = 15; tries-- > 0;) {
			assert_int_equal(boot(), 0);
			assert_int_equal(record.tries_left, tries);
			assert_int_equal(record.burned, 1);
		}
		/* Blessing works, too; then the other slot has its turn no more. */
		assert_int_equal(boot(), 1);
		bless();
		refill();
		assert_int_equal(look(), 0);
		assert_int_equal(views[1].bits.tries, 3);
		assert_int_equal(views[0].bits.priority, 0);
	}
}

/* ---- the slots' history ---- */

static void the_history_keeps_the_last_events_in_order_and_passes_over_damage(void **state)
{
	static const struct start start = {{0x32, 0x31}, {true, true}, {1, 2}, 0};
	static struct slot_event events[SLOT_HISTORY_EVENTS];
	const uint32_t more = 6;

	(void)state;
	for (int sector = 0; sector < 2; sector++) {
		header_bytes = HEADER_ALL_BYTES;
		make_disk(sector_sizes[sector], 16, &start);
		assert_int_equal(look(), 0);
		assert_int_equal(slot_history_read(&disk, events), 0);
		for (uint32_t i = 0; i < SLOT_HISTORY_EVENTS + more; i++) {
			struct slot_event event = {.kind = SLOT_EVENT_BOOTED, .slot = i & 1};

			assert_int_equal(slot_history_add(&disk, &event), 0);
		}
		assert_int_equal(slot_history_read(&disk, events), SLOT_HISTORY_EVENTS);
		for (uint32_t i = 0; i < SLOT_HISTORY_EVENTS; i++)
			assert_int_equal(events[i].sequence, i + more);
		/* The first one in the ring is not the oldest. */
		bytes_of(HEADER_A)[SLOT_HISTORY_OFFSET + 100] ^= 1;
		assert_int_equal(slot_history_read(&disk, events), SLOT_HISTORY_EVENTS - 1);
		assert_int_equal(events[0].sequence, more);
	}
	header_bytes = HEADER_BYTES;
	make_disk(512, 16, &start);
	assert_int_equal(look(), 0);
	assert_int_equal(slot_history_read(&disk, events), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(some_sound_slot_boots_wherever_the_power_is_cut),
		cmocka_unit_test(the_history_keeps_the_last_events_in_order_and_passes_over_damage),
		cmocka_unit_test(tries_fall_by_one_as_long_as_one_copy_can_be_written),
	};

	/* What is told of every disk is nobody's to read. */
	log_open(-1, 0);
	return cmocka_run_group_tests_name("power cuts", tests, NULL, NULL);
}
