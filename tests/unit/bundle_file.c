/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles of built images, and files that only look like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include <cmocka.h>

#include "rootfs-spec/bundle_file.h"
#include "rootfs-spec/sha256.h"
#include "rootfs-spec/verity_tree.h"

#define BLOCKS 1500u /* two levels of the tree, and more than one portion */

static struct pool pool;
static const char *work;

static void put(const char *path, const void *bytes, size_t size)
{
	assert_int_equal(file_write(path, bytes, size, 0644), 0);
}

/* An image of blocks that compress badly; `changed` is where it differs from the others. */
static const char *make_image(const char *name, uint32_t changed)
{
	static uint8_t root[BLOCKS * 4096];
	const char *path = pool_printf(&pool, "%s/%s", work, name);
	static union slot_header_block block;
	struct slot_header *header = &block.header;
	struct verity_tree tree;
	uint32_t random = 1;

	for (size_t i = 0; i < sizeof(root); i++) {
		random = random * 1664525 + 1013904223;
		root[i] = (uint8_t)(random >> 27);
	}
	memset(root + changed * 4096, 'x', 3 * 4096);
	assert_int_equal(file_make_directories(path), 0);
	put(pool_printf(&pool, "%s/root.erofs", path), root, sizeof(root));
	put(pool_printf(&pool, "%s/manifest.json", path), "{}", 2);
	if (verity_tree_make(pool_printf(&pool, "%s/root.erofs", path),
			     pool_printf(&pool, "%s/root.verity", path), (const uint8_t *)work,
			     "01234567-0123-8123-8123-0123456789ab", &tree) < 0)
		return NULL;
	memset(&block, 0, sizeof(block));
	*header = (struct slot_header){.magic = "KEELSLOT",
				       .version = SLOT_HEADER_VERSION,
				       .size_bytes = SLOT_HEADER_BYTES,
				       .signature_bytes = 256,
				       .machine = 62,
				       .name = "image",
				       .image_version = "1",
				       .root_type = "erofs",
				       .data_blocks = tree.data_blocks,
				       .hash_offset_blocks = 1,
				       .hash_blocks = tree.hash_blocks,
				       .salt_bytes = 32,
				       .block_bytes = 4096};
	memcpy(header->root_hash, tree.root_hash, 32);
	memcpy(header->salt, tree.salt, 32);
	memset(block.bytes + 2048, 's', 256);
	put(pool_printf(&pool, "%s/header.bin", path), &block, sizeof(block));
	return path;
}

static struct image_dir open_image(const char *path)
{
	struct image_dir image;

	assert_int_equal(image_dir_open(&image, &pool, path), 0);
	return image;
}

static struct {
	const char *a, *b;        /* image directories */
	const char *full, *delta; /* their bundles */
	struct bytes content;     /* of the full one */
} made;

static int set_up(void **state)
{
	static char directory[] = "/tmp/keelson-bundle.XXXXXXXXXXXXXXXXXX";
	struct bundle_head head;

	(void)state;
	work = mkdtemp(directory);
	made.a = make_image("a", 7);
	made.b = make_image("b", 900);
	if (made.a == NULL || made.b == NULL)
		return 0; /* every test skips */
	struct image_dir a = open_image(made.a), b = open_image(made.b);
	made.full = pool_printf(&pool, "%s/full", work);
	made.delta = pool_printf(&pool, "%s/delta", work);
	return bundle_file_make(&b, NULL, made.full, &head) < 0 ||
	       bundle_file_make(&b, &a, made.delta, &head) < 0 ||
	       file_read(made.full, &made.content) < 0;
}

static int tear_down(void **state)
{
	(void)state;
	file_remove_tree(work);
	bytes_free(&made.content);
	pool_free(&pool);
	return 0;
}

static void need_veritysetup(void)
{
	if (made.b == NULL)
		skip();
}

static bool is_good(const char *path, const struct image_dir *base)
{
	struct bundle_file bundle;

	return bundle_file_open(&bundle, path) == 0 && bundle_file_check(&bundle, base) == 0;
}

/* The full bundle with `size` bytes at `offset` replaced, its head sealed again. */
static const char *changed_bundle(size_t offset, const void *bytes, size_t size, size_t length)
{
	const char *path = pool_printf(&pool, "%s/changed", work);
	struct bytes copy = {0};

	bytes_add(&copy, made.content.data, length);
	if (offset + size > copy.size)
		bytes_zero(&copy, offset + size - copy.size);
	memcpy(copy.data + offset, bytes, size);
	put(path, copy.data, copy.size);
	bytes_free(&copy);
	return path;
}

/* The full bundle with other frames, of which the head tells the truth. */
static const char *with_stream(const void *stream, size_t size, uint32_t frame_bytes)
{
	const char *path = pool_printf(&pool, "%s/stream", work);
	struct bundle_head head;
	struct bytes copy = {0};

	memcpy(&head, made.content.data + BUNDLE_HEAD_OFFSET, sizeof(head));
	head.stream_bytes = size;
	head.frame_bytes = frame_bytes;
	sha256_bytes(stream, size, head.stream_sha256);
	bundle_head_seal(&head);
	bytes_add(&copy, made.content.data, BUNDLE_HEAD_OFFSET);
	bytes_add(&copy, &head, sizeof(head));
	bytes_add(&copy, stream, size);
	put(path, copy.data, copy.size);
	bytes_free(&copy);
	return path;
}

static void a_bundle_holds_the_image(void **state)
{
	struct bundle_file bundle;

	(void)state;
	need_veritysetup();
	struct image_dir b = open_image(made.b);
	assert_int_equal(bundle_file_open(&bundle, made.full), 0);
	assert_memory_equal(&bundle.block, &b.block, sizeof(b.block));
	assert_int_equal(bundle.head.kind, BUNDLE_FULL);
	assert_int_equal(bundle.head.frame_bytes, BUNDLE_FRAME_BYTES_MAX);
	assert_true(bundle.head.stream_bytes < bundle.head.unpacked_bytes * 3 / 4);
	assert_int_equal(bundle_file_check(&bundle, NULL), 0);
}

static void the_same_image_gives_the_same_bytes(void **state)
{
	const char *path = pool_printf(&pool, "%s/again", work);
	struct bundle_head head;
	struct bytes again = {0};

	(void)state;
	need_veritysetup();
	struct image_dir b = open_image(made.b);
	assert_int_equal(bundle_file_make(&b, NULL, path, &head), 0);
	assert_int_equal(file_read(path, &again), 0);
	assert_int_equal(again.size, made.content.size);
	assert_memory_equal(again.data, made.content.data, again.size);
	bytes_free(&again);
}

static void a_delta_is_small_and_needs_its_base(void **state)
{
	struct bundle_file bundle;

	(void)state;
	need_veritysetup();
	struct image_dir a = open_image(made.a), b = open_image(made.b);
	assert_int_equal(bundle_file_open(&bundle, made.delta), 0);
	assert_int_equal(bundle.head.kind, BUNDLE_DELTA);
	assert_memory_equal(bundle.head.base_root_hash, a.block.header.root_hash, 32);
	assert_int_equal(bundle.head.base_bytes, BLOCKS * 4096);
	/* Three blocks of either image, the tree above them and the signature's worth of noise. */
	assert_true(bundle.head.stream_bytes < made.content.size / 20);
	assert_int_equal(bundle_file_check(&bundle, &a), 0);
	assert_true(bundle_file_check(&bundle, NULL) < 0);
	assert_true(bundle_file_check(&bundle, &b) < 0);
}

static void an_image_is_no_delta_of_itself(void **state)
{
	const char *path = pool_printf(&pool, "%s/itself", work);
	struct bundle_head head;

	(void)state;
	need_veritysetup();
	struct image_dir b = open_image(made.b);
	assert_true(bundle_file_make(&b, &b, path, &head) < 0);
	assert_false(file_exists(path));
}

static void what_is_no_whole_image_is_refused(void **state)
{
	static const char *const parts[] = {"manifest.json", "header.bin", "root.erofs",
					    "root.verity"};
	struct image_dir image;

	(void)state;
	need_veritysetup();
	assert_true(image_dir_open(&image, &pool, work) < 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *path = pool_printf(&pool, "%s/%s", made.a, parts[i]);

		assert_int_equal(file_rename(path, pool_printf(&pool, "%s/aside", work)), 0);
		assert_true(image_dir_open(&image, &pool, made.a) < 0);
		assert_int_equal(file_rename(pool_printf(&pool, "%s/aside", work), path), 0);
	}
	open_image(made.a);
}

/* A file of another build of the same size, or one changed bit. */
static void mixed_files_are_refused_and_nothing_is_left(void **state)
{
	static const char *const parts[] = {"root.erofs", "root.verity", "header.bin"};
	const char *path = pool_printf(&pool, "%s/mixed.bundle", work);
	struct bundle_head head;

	(void)state;
	need_veritysetup();
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *mixed = make_image("mixed", 900);
		const char *file = pool_printf(&pool, "%s/%s", mixed, parts[i]);

		assert_int_equal(unlink(file), 0);
		assert_int_equal(
			file_copy(pool_printf(&pool, "%s/%s", made.a, parts[i]), file, 0644), 0);
		struct image_dir image = open_image(mixed);
		assert_true(image_dir_check(&image) < 0);
		assert_true(bundle_file_make(&image, NULL, path, &head) < 0);
		assert_false(file_exists(path));
		/* As a base it is as wrong. */
		struct image_dir a = open_image(made.a);
		assert_true(bundle_file_make(&a, &image, path, &head) < 0);
	}
	assert_int_equal(file_remove_tree(pool_printf(&pool, "%s/mixed", work)), 0);
}

static void every_byte_of_the_tree_is_looked_at(void **state)
{
	static const size_t places[] = {0,    8,    12,   32,    64,
					80,   88,   119,  400,   4095,
					4096, 8191, 8192, 12288, 4096 * 13 + 4095};
	struct bytes tree = {0};

	(void)state;
	need_veritysetup();
	const char *path = make_image("bits", 900);
	const char *file = pool_printf(&pool, "%s/root.verity", path);
	assert_int_equal(file_read(file, &tree), 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct image_dir image = open_image(path);

		assert_true(places[i] < tree.size);
		tree.data[places[i]] ^= 1;
		put(file, tree.data, tree.size);
		assert_true(image_dir_check(&image) < 0);
		tree.data[places[i]] ^= 1;
	}
	tree.data[16] ^= 1; /* but for the superblock's UUID */
	put(file, tree.data, tree.size);
	struct image_dir image = open_image(path);
	assert_int_equal(image_dir_check(&image), 0);
	bytes_free(&tree);
}

static void a_bundle_cut_anywhere_is_refused(void **state)
{
	(void)state;
	need_veritysetup();
	for (size_t i = 0; i <= 20; i++) {
		size_t length = (made.content.size - 1) * i / 20;

		assert_false(is_good(changed_bundle(0, "", 0, length), NULL));
	}
	assert_false(is_good(changed_bundle(made.content.size, "x", 1, made.content.size), NULL));
}

static void a_changed_byte_of_head_or_stream_is_refused(void **state)
{
	(void)state;
	need_veritysetup();
	for (size_t i = 0; i < 60; i++) {
		size_t at = BUNDLE_HEAD_OFFSET + i * (made.content.size - 4097) / 60;
		uint8_t byte = made.content.data[at] ^ (uint8_t)(1u << i % 8);

		assert_false(is_good(changed_bundle(at, &byte, 1, made.content.size), NULL));
	}
	/* Behind the signature. */
	assert_false(is_good(changed_bundle(4095, "x", 1, made.content.size), NULL));
	assert_true(is_good(changed_bundle(0, "K", 1, made.content.size), NULL));
}

/* A frame of `size` bytes as it lies in the file, its content compressed fast. */
static void add_frame(struct bytes *stream, const void *content, size_t size)
{
	static uint8_t packed[2 * BUNDLE_FRAME_BYTES_MAX];
	struct bundle_frame frame = {0};

	frame.packed_bytes = (uint32_t)ZSTD_compress(packed, sizeof(packed), content, size, 1);
	bytes_add(stream, &frame, sizeof(frame));
	bytes_add(stream, packed, frame.packed_bytes);
}

/* All the content in two frames of a head's size, the second `more` bytes longer than it should be. */
static bool frames_are_good(uint32_t frame_bytes, int more)
{
	static uint8_t content[(BLOCKS + 14) * 4096 + 1];
	struct bytes stream = {0};
	size_t whole = sizeof(content) - 1;
	bool good;

	assert_int_equal(file_read_part(pool_printf(&pool, "%s/root.erofs", made.b), 0,
					BLOCKS * 4096, &stream),
			 0);
	memcpy(content, stream.data, stream.size);
	stream.size = 0;
	assert_int_equal(file_read_part(pool_printf(&pool, "%s/root.verity", made.b), 0, 14 * 4096,
					&stream),
			 0);
	memcpy(content + BLOCKS * 4096, stream.data, stream.size);
	stream.size = 0;
	add_frame(&stream, content, frame_bytes);
	add_frame(&stream, content + frame_bytes, whole - frame_bytes + (size_t)more);
	good = is_good(with_stream(stream.data, stream.size, frame_bytes), NULL);
	bytes_free(&stream);
	return good;
}

/* Each with a head that tells the truth of its size. */
static void a_stream_of_anything_but_frames_of_the_content_is_refused(void **state)
{
	const uint8_t *good;
	struct bytes longer = {0};
	const uint32_t half = 800 * 4096;

	(void)state;
	need_veritysetup();
	good = made.content.data + BUNDLE_STREAM_OFFSET;
	assert_true(frames_are_good(half, 0));
	assert_false(frames_are_good(half, 1));
	assert_false(frames_are_good(half, -1));

	bytes_add(&longer, good, made.content.size - BUNDLE_STREAM_OFFSET);
	assert_true(is_good(with_stream(longer.data, longer.size, 4 << 20), NULL));
	assert_false(is_good(with_stream(longer.data, longer.size, half), NULL));
	assert_false(is_good(with_stream(longer.data, longer.size - 1, 4 << 20), NULL));
	bytes_add(&longer, "\x50\x2a\x4d\x18\0\0\0\0", 8); /* a skippable frame */
	assert_false(is_good(with_stream(longer.data, longer.size, 4 << 20), NULL));
	/* The same, and the last frame says that it is its own. */
	((struct bundle_frame *)(void *)longer.data)->packed_bytes += 8;
	assert_false(is_good(with_stream(longer.data, longer.size, 4 << 20), NULL));
	assert_false(is_good(with_stream(longer.data + longer.size - 8, 8, 4 << 20), NULL));
	bytes_free(&longer);
}

/* Of the delta: ranges that reach out of the base, or name other blocks than it was made with. */
static void a_delta_with_other_ranges_is_refused(void **state)
{
	static const struct bundle_range wrong[] = {{BLOCKS, 1}, {0, BLOCKS + 1}, {1, 1}, {0, 0}};
	const char *path = pool_printf(&pool, "%s/ranges", work);
	const size_t at = BUNDLE_STREAM_OFFSET + sizeof(struct bundle_frame);
	struct bytes delta = {0};

	(void)state;
	need_veritysetup();
	struct image_dir a = open_image(made.a);
	assert_int_equal(file_read(made.delta, &delta), 0);
	assert_true(
		((struct bundle_frame *)(void *)(delta.data + BUNDLE_STREAM_OFFSET))->range_count >
		0);
	put(path, delta.data, delta.size);
	assert_true(is_good(path, &a));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memcpy(delta.data + at, &wrong[i], sizeof(wrong[i]));
		put(path, delta.data, delta.size);
		assert_false(is_good(path, &a));
	}
	bytes_free(&delta);
}

static void what_is_shown_is_what_the_file_says(void **state)
{
	struct bundle_file bundle;
	struct bytes text = {0};

	(void)state;
	need_veritysetup();
	assert_int_equal(bundle_file_open(&bundle, made.delta), 0);
	bundle_file_print(&bundle, &pool, &text);
	assert_non_null(strstr((char *)text.data, "image      image 1\n"));
	assert_non_null(strstr((char *)text.data, "kind       delta\n"));
	assert_non_null(strstr((char *)text.data, "frames     2 of 4.0 MiB\n"));
	bytes_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bundle_holds_the_image),
		cmocka_unit_test(the_same_image_gives_the_same_bytes),
		cmocka_unit_test(a_delta_is_small_and_needs_its_base),
		cmocka_unit_test(an_image_is_no_delta_of_itself),
		cmocka_unit_test(what_is_no_whole_image_is_refused),
		cmocka_unit_test(mixed_files_are_refused_and_nothing_is_left),
		cmocka_unit_test(every_byte_of_the_tree_is_looked_at),
		cmocka_unit_test(a_bundle_cut_anywhere_is_refused),
		cmocka_unit_test(a_changed_byte_of_head_or_stream_is_refused),
		cmocka_unit_test(a_stream_of_anything_but_frames_of_the_content_is_refused),
		cmocka_unit_test(a_delta_with_other_ranges_is_refused),
		cmocka_unit_test(what_is_shown_is_what_the_file_says),
	};

	return cmocka_run_group_tests_name("bundle_file", tests, set_up, tear_down);
}
