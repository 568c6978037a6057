/* SPDX-License-Identifier: Apache-2.0 */
/* Which blocks of an older root are chosen for a frame of a newer one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rootfs-spec/bundle_delta.h"

#define BLOCK BUNDLE_BLOCK_BYTES
#define BASE_BLOCKS 4096u /* 16 MiB: more than a prefix may have */
#define FRAME_BLOCKS (BUNDLE_FRAME_BYTES_MAX / BLOCK)

static struct pool pool;
static struct delta_index delta;
static uint8_t base[BASE_BLOCKS * BLOCK];
static uint8_t frame[BUNDLE_FRAME_BYTES_MAX];
static struct bundle_range ranges[BUNDLE_RANGES_MAX];

static void fill(uint8_t *bytes, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

static int set_up(void **state)
{
	(void)state;
	/* A hole of zeroes, which are everywhere. */
	fill(base, sizeof(base), 1);
	memset(base + 1000 * BLOCK, 0, 100 * BLOCK);
	delta_index(&delta, &pool, base, sizeof(base));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pool_free(&pool);
	return 0;
}

static bool has(uint32_t count, uint32_t block)
{
	for (uint32_t i = 0; i < count; i++)
		if (block >= ranges[i].block && block < ranges[i].block + ranges[i].count)
			return true;
	return false;
}

/* Every block from `first` on, and few others; in order, within the limits. */
static void expect(uint32_t count, uint32_t first, uint32_t blocks, uint32_t others)
{
	uint32_t all = 0;

	assert_true(count > 0 && count <= BUNDLE_RANGES_MAX);
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0)
			assert_true(ranges[i].block > ranges[i - 1].block + ranges[i - 1].count);
		assert_true(ranges[i].count > 0 &&
			    ranges[i].block + ranges[i].count <= BASE_BLOCKS);
		all += ranges[i].count;
	}
	assert_true(all <= BUNDLE_PREFIX_BYTES_MAX / BLOCK);
	assert_true(all <= blocks + others);
	for (uint32_t i = 0; i < blocks; i++)
		if (!has(count, first + i))
			fail_msg("block %u of %u from %u on is missing", i, blocks, first);
}

static void the_same_place_is_one_range(void **state)
{
	uint32_t count;

	(void)state;
	memcpy(frame, base + 2000 * BLOCK, sizeof(frame));
	count = delta_choose(&delta, frame, sizeof(frame), 2000, ranges);
	assert_int_equal(count, 1);
	expect(count, 2000, FRAME_BLOCKS, 0);
}

static void what_moved_by_any_number_of_bytes_is_found(void **state)
{
	static const size_t moves[] = {BLOCK, 17, 10 * BLOCK + 1, 1500 * BLOCK + 4095};

	(void)state;
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		size_t from = 1200 * BLOCK + moves[i];

		memcpy(frame, base + from, sizeof(frame));
		expect(delta_choose(&delta, frame, sizeof(frame), 1200, ranges),
		       (uint32_t)((from + BLOCK - 1) / BLOCK), FRAME_BLOCKS - 1, 2);
	}
}

static void pieces_from_two_places_are_two_ranges(void **state)
{
	uint32_t count;

	(void)state;
	memcpy(frame, base + 3000 * BLOCK, sizeof(frame) / 2);
	memcpy(frame + sizeof(frame) / 2, base + 100 * BLOCK, sizeof(frame) / 2);
	count = delta_choose(&delta, frame, sizeof(frame), 0, ranges);
	assert_int_equal(count, 2);
	expect(count, 3000, FRAME_BLOCKS / 2, FRAME_BLOCKS / 2);
	expect(count, 100, FRAME_BLOCKS / 2, FRAME_BLOCKS / 2);
}

/* Every second word is another: no sixteen bytes are the same, but the neighbours say where it was. */
static void what_cannot_be_found_gets_the_place_of_its_neighbours(void **state)
{
	(void)state;
	memcpy(frame, base + 2500 * BLOCK, sizeof(frame));
	for (size_t at = 100 * BLOCK; at < 200 * BLOCK; at += 8)
		frame[at] ^= 0x55;
	expect(delta_choose(&delta, frame, sizeof(frame), 2400, ranges), 2500, FRAME_BLOCKS, 0);
}

static void what_is_scattered_is_cut_to_the_limits(void **state)
{
	uint32_t count;

	(void)state;
	for (uint32_t i = 0; i < FRAME_BLOCKS; i++)
		memcpy(frame + (size_t)i * BLOCK, base + (size_t)(i * 1571 % BASE_BLOCKS) * BLOCK,
		       BLOCK);
	count = delta_choose(&delta, frame, sizeof(frame), 0, ranges);
	expect(count, ranges[0].block, 1, FRAME_BLOCKS);
	assert_true(count > BUNDLE_RANGES_MAX / 2);
}

static void nothing_in_common_is_nothing_large(void **state)
{
	(void)state;
	fill(frame, sizeof(frame), 77777);
	assert_true(delta_choose(&delta, frame, sizeof(frame), 0, ranges) <= 1);
	memset(frame, 0, sizeof(frame));
	assert_true(delta_choose(&delta, frame, sizeof(frame), 0, ranges) <= 1);
	/* A frame that ends within a word, and an empty base. */
	assert_true(delta_choose(&delta, frame, BLOCK, BASE_BLOCKS + 5, ranges) <= 1);
	struct delta_index empty;

	delta_index(&empty, &pool, base, 0);
	assert_int_equal(delta_choose(&empty, frame, sizeof(frame), 0, ranges), 0);
}

static void the_same_is_chosen_again(void **state)
{
	static struct bundle_range first[BUNDLE_RANGES_MAX];
	struct delta_index again;
	uint32_t count;

	(void)state;
	delta_index(&again, &pool, base, sizeof(base));
	memcpy(frame, base + 5 * BLOCK + 5, sizeof(frame));
	fill(frame + sizeof(frame) / 3, sizeof(frame) / 3, 9);
	delta.moved = 0;
	count = delta_choose(&delta, frame, sizeof(frame), 5, ranges);
	memcpy(first, ranges, sizeof(first));
	assert_int_equal(delta_choose(&again, frame, sizeof(frame), 5, ranges), count);
	assert_memory_equal(first, ranges, count * sizeof(ranges[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_place_is_one_range),
		cmocka_unit_test(what_moved_by_any_number_of_bytes_is_found),
		cmocka_unit_test(pieces_from_two_places_are_two_ranges),
		cmocka_unit_test(what_cannot_be_found_gets_the_place_of_its_neighbours),
		cmocka_unit_test(what_is_scattered_is_cut_to_the_limits),
		cmocka_unit_test(nothing_in_common_is_nothing_large),
		cmocka_unit_test(the_same_is_chosen_again),
	};

	return cmocka_run_group_tests_name("bundle_delta", tests, set_up, tear_down);
}
