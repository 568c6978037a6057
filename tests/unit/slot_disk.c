/* SPDX-License-Identifier: Apache-2.0 */
/* Slots on a disk: which partitions make one, the signed header's form, the marks' two copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mount/header_io.h"
#include "mount/slots.h"
#include "tests/unit/gpt_image.h"

#if defined(__x86_64__)
static const uint8_t root[] = GPT_TYPE_ROOT_X86_64;
static const uint8_t tree[] = GPT_TYPE_VERITY_X86_64;
static const uint8_t foreign_root[] = GPT_TYPE_ROOT_ARM64;
#else
static const uint8_t root[] = GPT_TYPE_ROOT_ARM64;
static const uint8_t tree[] = GPT_TYPE_VERITY_ARM64;
static const uint8_t foreign_root[] = GPT_TYPE_ROOT_X86_64;
#endif
static const uint8_t header[] = GPT_TYPE_HEADER;
static const uint8_t state_type[] = GPT_TYPE_STATE;

static struct gpt gpt;
static struct slot_table table;

/* Entries `first` .. `first` + 2 as a slot of 3 times 100 sectors. */
static void put_slot(uint32_t first, uint64_t lba, uint64_t attributes)
{
	image_entry(&gpt, first, root, lba, lba + 99, attributes, "root");
	image_entry(&gpt, first + 1, tree, lba + 100, lba + 149, 0, "verity");
	image_entry(&gpt, first + 2, header, lba + 150, lba + 199, 0, "header");
}

static int two_slots(void **state)
{
	(void)state;
	image_table(&gpt, 512);
	put_slot(1, 100, 0x32ull << 48);
	put_slot(4, 300, 0x111ull << 48);
	image_entry(&gpt, 7, state_type, 600, 900, 0, "state");
	return 0;
}

static void a_slot_is_root_tree_and_header_in_a_row(void **state)
{
	(void)state;
	slots_find(&gpt, &table);
	assert_int_equal(table.count, 2);
	assert_true(table.slot[0].present && table.slot[1].present);
	assert_int_equal(table.slot[0].entry, 1);
	assert_int_equal(table.slot[0].root.number, 2);
	assert_int_equal(table.slot[0].root.size_bytes, 100 * 512);
	assert_int_equal(table.slot[0].hash.number, 3);
	assert_int_equal(table.slot[0].hash.size_bytes, 50 * 512);
	assert_int_equal(table.slot[0].header.number, 4);
	assert_int_equal(table.slot[0].bits.priority, 2);
	assert_int_equal(table.slot[0].bits.tries, 3);
	assert_int_equal(table.slot[1].entry, 4);
	assert_int_equal(table.slot[1].bits.priority, 1);
	assert_int_equal(table.slot[1].bits.tries, 1);
	assert_int_equal(table.slot[1].bits.successful, 1);
}

static void a_triple_with_a_gap_or_another_order_is_no_slot(void **state)
{
	struct gpt_entry entry;

	(void)state;
	/* Slot a loses its tree's type: b is the first slot now. */
	assert_int_equal(gpt_entry(&gpt, 2, &entry), 0);
	image_entry(&gpt, 2, header, entry.first_lba, entry.last_lba, 0, "verity");
	slots_find(&gpt, &table);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.slot[0].entry, 4);
	assert_false(table.slot[1].present);
	/* A root of another architecture. */
	image_entry(&gpt, 4, foreign_root, 300, 399, 0, "root");
	slots_find(&gpt, &table);
	assert_int_equal(table.count, 0);
}

static void overlapping_partitions_are_no_slot(void **state)
{
	(void)state;
	image_entry(&gpt, 9, state_type, 280, 310, 0, "intruder");
	slots_find(&gpt, &table);
	assert_int_equal(table.count, 0);
	image_entry(&gpt, 9, state_type, 310, 320, 0, "intruder");
	slots_find(&gpt, &table);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.slot[0].entry, 1);
	/* It reaches beyond the usable area: no partition for us, but one for the kernel. */
	image_entry(&gpt, 9, state_type, 310, IMAGE_SECTORS - 1, 0, "intruder");
	slots_find(&gpt, &table);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.slot[0].entry, 1);
}

static void a_third_slot_is_counted_and_left_alone(void **state)
{
	(void)state;
	put_slot(8, 1000, 0);
	slots_find(&gpt, &table);
	assert_int_equal(table.count, 3);
	assert_int_equal(table.slot[1].entry, 4);
}

static void a_triple_at_the_end_of_the_table_is_whole_or_none(void **state)
{
	(void)state;
	image_table(&gpt, 512);
	put_slot(125, 100, 0);
	slots_find(&gpt, &table);
	assert_int_equal(table.count, 1);
	image_table(&gpt, 512);
	image_entry(&gpt, 126, root, 100, 199, 0, "root");
	image_entry(&gpt, 127, tree, 200, 249, 0, "verity");
	slots_find(&gpt, &table);
	assert_int_equal(table.count, 0);
}

static void setting_bits_touches_that_roots_bits_only(void **state)
{
	struct gpt_entry entry;
	struct slot_parts absent = {0};

	(void)state;
	image_entry(&gpt, 1, root, 100, 199, 1ull << 60 | 0x32ull << 48, "root");
	slots_find(&gpt, &table);
	assert_int_equal(slots_set_bits(&gpt, &table.slot[0],
					(struct gpt_slot_bits){.priority = 2, .tries = 2}),
			 0);
	assert_int_equal(gpt_entry(&gpt, 1, &entry), 0);
	assert_true(entry.attributes == (1ull << 60 | 0x22ull << 48));
	assert_int_equal(gpt_entry(&gpt, 4, &entry), 0);
	assert_true(entry.attributes == 0x111ull << 48);
	assert_int_equal(slots_set_bits(&gpt, &absent, (struct gpt_slot_bits){0}), -ENOENT);
}

/* ---- the header ---- */

static struct slot_header good_header(void)
{
	struct slot_header good = {
		.magic = {'K', 'E', 'E', 'L', 'S', 'L', 'O', 'T'},
		.version = SLOT_HEADER_VERSION,
		.size_bytes = SLOT_HEADER_BYTES,
		.signature_bytes = 512,
		.machine = 62,
		.name = "minimal",
		.image_version = "1",
		.root_type = "erofs",
		.data_blocks = 1000,
		.hash_offset_blocks = 1,
		.hash_blocks = 10,
		.salt_bytes = 32,
		.block_bytes = 4096,
	};

	return good;
}

static void a_header_is_checked_field_by_field(void **state)
{
	const char *reason = "";
	struct slot_header bad;

	(void)state;
	bad = good_header();
	assert_int_equal(slot_header_check(&bad, &reason), 0);
	assert_int_equal(slot_header_check(&bad, NULL), 0);
#define REFUSED(change)                                                       \
	do {                                                                  \
		bad = good_header();                                          \
		change;                                                       \
		reason = NULL;                                                \
		assert_int_equal(slot_header_check(&bad, &reason), -EBADMSG); \
		assert_non_null(reason);                                      \
	} while (0)
	REFUSED(bad.magic[0] = 'k');
	REFUSED(bad.version = 2);
	REFUSED(bad.size_bytes = 2047);
	REFUSED(bad.signature_bytes = 0);
	REFUSED(bad.signature_bytes = 2049);
	REFUSED(bad.name[0] = 0);
	REFUSED(memset(bad.name, 'x', sizeof(bad.name)));
	REFUSED(bad.name[20] = 'x');
	REFUSED(bad.image_version[0] = '\n');
	REFUSED(bad.root_type[0] = 'E');
	REFUSED(memcpy(bad.root_type, "ext4\0", 5));
	REFUSED(bad.block_bytes = 512);
	REFUSED(bad.data_blocks = 1);
	REFUSED(bad.data_blocks = UINT64_MAX);
	REFUSED(bad.hash_blocks = UINT64_MAX);
	REFUSED(bad.hash_offset_blocks = 0);
	REFUSED(bad.hash_offset_blocks = 10);
	REFUSED(bad.salt_bytes = 33);
	REFUSED((bad.salt_bytes = 31, bad.salt[31] = 1));
	REFUSED(bad.reserved[1607] = 1);
	REFUSED(bad.key_name[63] = 1);
	REFUSED(bad.key_name[5] = 27);
#undef REFUSED
}

/* ---- the marks ---- */

static const uint8_t hash_one[SLOT_DIGEST_BYTES] = {1};
static const uint8_t hash_two[SLOT_DIGEST_BYTES] = {2};

static void the_newer_valid_copy_of_the_marks_counts(void **state)
{
	static struct slot_marks copies[2];

	(void)state;
	memset(copies, 0, sizeof(copies));
	assert_null(slot_marks_newest(copies));
	slot_marks_seal(&copies[0], NULL);
	assert_ptr_equal(slot_marks_newest(copies), &copies[0]);
	copies[1] = copies[0];
	copies[1].reason = SLOT_REASON_UNHEALTHY;
	slot_marks_seal(&copies[1], &copies[0]);
	assert_ptr_equal(slot_marks_newest(copies), &copies[1]);
	copies[1].detail[3] ^= 1;
	assert_ptr_equal(slot_marks_newest(copies), &copies[0]);
	copies[1].detail[3] ^= 1;
	copies[1].rejected_count = SLOT_MARKS_REJECTED_MAX + 1;
	slot_marks_seal(&copies[1], &copies[0]);
	assert_ptr_equal(slot_marks_newest(copies), &copies[0]);
}

static void the_list_of_rejected_images_forgets_its_oldest(void **state)
{
	static struct slot_marks marks;
	uint8_t hash[SLOT_DIGEST_BYTES] = {0};

	(void)state;
	assert_false(slot_marks_rejects(NULL, hash_one));
	assert_false(slot_marks_rejects(&marks, hash_one));
	slot_marks_reject(&marks, hash_one);
	slot_marks_reject(&marks, hash_one);
	assert_int_equal(marks.rejected_count, 1);
	assert_true(slot_marks_rejects(&marks, hash_one));
	assert_false(slot_marks_rejects(&marks, hash_two));
	slot_marks_reject(&marks, hash_two);
	slot_marks_accept(&marks, hash_one);
	slot_marks_accept(&marks, hash_one);
	assert_int_equal(marks.rejected_count, 1);
	assert_true(slot_marks_rejects(&marks, hash_two));
	for (uint8_t i = 0; i < SLOT_MARKS_REJECTED_MAX; i++) {
		hash[5] = (uint8_t)(i + 1);
		slot_marks_reject(&marks, hash);
	}
	assert_int_equal(marks.rejected_count, SLOT_MARKS_REJECTED_MAX);
	assert_false(slot_marks_rejects(&marks, hash_two));
	assert_true(slot_marks_rejects(&marks, hash));
}

/* In place of libc's: the program's own definition is the one that gets linked. */
static int flushes;

int fsync(int fd)
{
	flushes++;
	return (int)syscall(SYS_fsync, fd);
}

static void marks_are_written_over_the_older_copy(void **state)
{
	static struct slot_marks copies[2], next, again[2];
	int fd = image_create(512);

	(void)state;
	memset(copies, 0, sizeof(copies));
	for (uint32_t i = 1; i <= 5; i++) {
		next.security_epoch = i;
		flushes = 0;
		assert_int_equal(slot_marks_write(fd, &next, copies), 0);
		assert_int_equal(flushes, 1);
		assert_int_equal(slot_marks_read(fd, again), 0);
		assert_memory_equal(again, copies, sizeof(copies));
		assert_int_equal(slot_marks_newest(again)->security_epoch, i);
		assert_int_equal(slot_marks_newest(again)->sequence, i);
		if (i > 1) {
			/* A write that was cut costs the newest marks only. */
			struct slot_marks *torn = slot_marks_newest(again) == &again[0] ? &again[0]
											: &again[1];

			torn->reserved[7] ^= 1;
			assert_int_equal(slot_marks_newest(again)->security_epoch, i - 1);
		}
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_slot_is_root_tree_and_header_in_a_row, two_slots),
		cmocka_unit_test_setup(a_triple_with_a_gap_or_another_order_is_no_slot, two_slots),
		cmocka_unit_test_setup(overlapping_partitions_are_no_slot, two_slots),
		cmocka_unit_test_setup(a_third_slot_is_counted_and_left_alone, two_slots),
		cmocka_unit_test_setup(a_triple_at_the_end_of_the_table_is_whole_or_none,
				       two_slots),
		cmocka_unit_test_setup(setting_bits_touches_that_roots_bits_only, two_slots),
		cmocka_unit_test(a_header_is_checked_field_by_field),
		cmocka_unit_test(the_newer_valid_copy_of_the_marks_counts),
		cmocka_unit_test(the_list_of_rejected_images_forgets_its_oldest),
		cmocka_unit_test(marks_are_written_over_the_older_copy),
	};

	return cmocka_run_group_tests_name("slots on a disk", tests, NULL, NULL);
}
