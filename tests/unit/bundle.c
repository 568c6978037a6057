/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a bundle: what a reader believes of a file that anybody may have made. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rootfs-spec/bundle.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An eighth more, and for each of three frames what stands before it and a block. */
#define FULL_MAX (2582 * 4608 + 4096 + 3 * (8 + 4096))
#define DELTA_MAX (FULL_MAX + 3 * 512 * 8)

static struct slot_header a_header(void)
{
	return (struct slot_header){.data_blocks = 2560, .hash_blocks = 22};
}

static struct bundle_head a_head(enum bundle_kind kind)
{
	struct bundle_head head = {.kind = kind,
				   .frame_bytes = 4 << 20,
				   .stream_bytes = 1 << 20,
				   .unpacked_bytes = (2560 + 22) * 4096};

	if (kind == BUNDLE_DELTA) {
		head.base_bytes = 2000 * 4096;
		head.base_root_hash[31] = 1;
	}
	bundle_head_seal(&head);
	return head;
}

static void a_sealed_head_is_accepted(void **state)
{
	struct slot_header header = a_header();
	const char *reason = "untouched";

	(void)state;
	for (enum bundle_kind kind = BUNDLE_FULL; kind <= BUNDLE_DELTA; kind++) {
		struct bundle_head head = a_head(kind);

		assert_int_equal(bundle_head_check(&head, &header, &reason), 0);
		assert_null(reason);
		assert_int_equal(bundle_head_check(&head, &header, NULL), 0);
		assert_memory_equal(&head, "KEELBNDL\2\0\0\0", 12);
	}
}

/* A checksum is no defence: what is wrong is wrong with a right one, too. */
struct wrong {
	const char *reason;
	enum bundle_kind kind;
	size_t offset;
	uint64_t value;
	size_t size;
};

#define WRONG(text, what, field, number)                                 \
	{                                                                \
		text, what, offsetof(struct bundle_head, field), number, \
			sizeof(((struct bundle_head *)NULL)->field)      \
	}

static void a_wrong_field_is_refused_with_its_name(void **state)
{
	static const struct wrong cases[] = {
		WRONG("unknown kind of bundle", BUNDLE_FULL, kind, 0),
		WRONG("unknown kind of bundle", BUNDLE_FULL, kind, 3),
		WRONG("size of the frames", BUNDLE_FULL, frame_bytes, 0),
		WRONG("size of the frames", BUNDLE_FULL, frame_bytes, 4095),
		WRONG("size of the frames", BUNDLE_FULL, frame_bytes, (4 << 20) + 4096),
		WRONG("size of the frames", BUNDLE_DELTA, frame_bytes, UINT32_MAX),
		WRONG("sizes of head and slot header", BUNDLE_FULL, unpacked_bytes, 0),
		WRONG("sizes of head and slot header", BUNDLE_FULL, unpacked_bytes, 2560 * 4096),
		WRONG("sizes of head and slot header", BUNDLE_FULL, unpacked_bytes, UINT64_MAX),
		WRONG("size of the stream", BUNDLE_FULL, stream_bytes, 0),
		WRONG("size of the stream", BUNDLE_FULL, stream_bytes, FULL_MAX + 1),
		WRONG("size of the stream", BUNDLE_DELTA, stream_bytes, DELTA_MAX + 1),
		WRONG("size of the stream", BUNDLE_FULL, stream_bytes, UINT64_MAX),
		WRONG("a full bundle with a base", BUNDLE_FULL, base_bytes, 4096),
		WRONG("a full bundle with a base", BUNDLE_FULL, base_root_hash[7], 1),
		WRONG("base of the delta", BUNDLE_DELTA, base_bytes, 0),
		WRONG("base of the delta", BUNDLE_DELTA, base_bytes, 4095),
		WRONG("base of the delta", BUNDLE_DELTA, base_bytes, 1ull << 44),
		WRONG("base of the delta", BUNDLE_DELTA, base_root_hash[31], 0),
		WRONG("reserved bytes", BUNDLE_FULL, reserved[0], 1),
		WRONG("reserved bytes", BUNDLE_DELTA, reserved[3983], 128),
	};
	struct slot_header header = a_header();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bundle_head head = a_head(cases[i].kind);
		const char *reason = NULL;

		memcpy((uint8_t *)&head + cases[i].offset, &cases[i].value, cases[i].size);
		bundle_head_seal(&head);
		assert_int_equal(bundle_head_check(&head, &header, &reason), -EBADMSG);
		assert_non_null(strstr(reason, cases[i].reason));
	}
}

static void what_is_just_allowed_is_accepted(void **state)
{
	static const struct wrong cases[] = {
		WRONG("", BUNDLE_FULL, stream_bytes, FULL_MAX),
		WRONG("", BUNDLE_DELTA, stream_bytes, DELTA_MAX),
		WRONG("", BUNDLE_DELTA, base_bytes, (1ull << 44) - 4096),
		WRONG("", BUNDLE_FULL, stream_sha256[31], 255),
	};
	struct slot_header header = a_header();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bundle_head head = a_head(cases[i].kind);

		memcpy((uint8_t *)&head + cases[i].offset, &cases[i].value, cases[i].size);
		bundle_head_seal(&head);
		assert_int_equal(bundle_head_check(&head, &header, NULL), 0);
	}
}

/* The largest sizes that a checked header may have. */
static void the_largest_header_overflows_nothing(void **state)
{
	struct slot_header header = {.data_blocks = 1ull << 36, .hash_blocks = 1ull << 36};
	struct bundle_head head = a_head(BUNDLE_FULL);

	(void)state;
	head.unpacked_bytes = 1ull << 49;
	head.frame_bytes = 4096;
	head.stream_bytes = (1ull << 49) + (1ull << 46) + 4096 + (1ull << 37) * (8 + 4096);
	bundle_head_seal(&head);
	assert_int_equal(bundle_head_check(&head, &header, NULL), 0);
	head.stream_bytes++;
	bundle_head_seal(&head);
	assert_int_equal(bundle_head_check(&head, &header, NULL), -EBADMSG);
}

static void every_changed_bit_is_noticed(void **state)
{
	struct slot_header header = a_header();
	struct bundle_head head = a_head(BUNDLE_DELTA);

	(void)state;
	for (size_t bit = 0; bit < sizeof(head) * 8; bit++) {
		const char *reason = NULL;
		bool version = bit / 32 == offsetof(struct bundle_head, version) / 4;

		((uint8_t *)&head)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(bundle_head_check(&head, &header, &reason),
				 version ? -EPROTONOSUPPORT : -EBADMSG);
		assert_non_null(reason);
		((uint8_t *)&head)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(bundle_head_check(&head, &header, NULL), 0);
}

static void frames_fill_the_content(void **state)
{
	struct bundle_head head = a_head(BUNDLE_FULL);

	(void)state;
	assert_int_equal(bundle_frame_content(&head, 0), 4 << 20);
	assert_int_equal(bundle_frame_content(&head, 4 << 20), 4 << 20);
	assert_int_equal(bundle_frame_content(&head, 8 << 20), 2582 * 4096 - (8 << 20));
	assert_int_equal(bundle_frame_content(&head, 2582 * 4096), 0);
	assert_int_equal(bundle_frame_content(&head, UINT64_MAX), 0);
}

static void a_frame_is_no_larger_than_its_content_grown(void **state)
{
	static const struct {
		enum bundle_kind kind;
		struct bundle_frame frame;
		int error;
	} cases[] = {
		{BUNDLE_FULL, {1, 0}, 0},
		{BUNDLE_FULL, {8192 + 1024 + 4096, 0}, 0},
		{BUNDLE_FULL, {0, 0}, -EBADMSG},
		{BUNDLE_FULL, {8192 + 1024 + 4096 + 1, 0}, -EBADMSG},
		{BUNDLE_FULL, {UINT32_MAX, 0}, -EBADMSG},
		{BUNDLE_FULL, {1, 1}, -EBADMSG},
		{BUNDLE_DELTA, {1, 0}, 0},
		{BUNDLE_DELTA, {1, 512}, 0},
		{BUNDLE_DELTA, {1, 513}, -EBADMSG},
		{BUNDLE_DELTA, {1, UINT32_MAX}, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bundle_head head = a_head(cases[i].kind);
		const char *reason = NULL;

		assert_int_equal(bundle_frame_check(&head, &cases[i].frame, 8192, &reason),
				 cases[i].error);
		assert_true((reason != NULL) == (cases[i].error != 0));
	}
}

static void ranges_lie_in_the_base_and_fill_no_more_than_the_prefix(void **state)
{
	static const struct {
		struct bundle_range ranges[2];
		uint32_t prefix_bytes; /* 0: refused */
	} cases[] = {
		{{{0, 1}, {1999, 1}}, 8192},
		{{{0, 1000}, {100, 536}}, 1536 * 4096},
		{{{0, 1000}, {100, 537}}, 0},
		{{{0, 1}, {1999, 2}}, 0},
		{{{0, 1}, {2000, 1}}, 0},
		{{{0, 1}, {5, 0}}, 0},
		{{{UINT32_MAX, UINT32_MAX}, {1, 1}}, 0},
		{{{1, UINT32_MAX}, {1, 1}}, 0},
	};
	struct bundle_head head = a_head(BUNDLE_DELTA);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t prefix_bytes = 0;
		const char *reason = NULL;
		int error = bundle_ranges_check(&head, cases[i].ranges, 2, &prefix_bytes, &reason);

		assert_int_equal(error, cases[i].prefix_bytes ? 0 : -EBADMSG);
		assert_int_equal(prefix_bytes, cases[i].prefix_bytes);
		assert_true((reason != NULL) == (error != 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sealed_head_is_accepted),
		cmocka_unit_test(a_wrong_field_is_refused_with_its_name),
		cmocka_unit_test(what_is_just_allowed_is_accepted),
		cmocka_unit_test(the_largest_header_overflows_nothing),
		cmocka_unit_test(every_changed_bit_is_noticed),
		cmocka_unit_test(frames_fill_the_content),
		cmocka_unit_test(a_frame_is_no_larger_than_its_content_grown),
		cmocka_unit_test(ranges_lie_in_the_base_and_fill_no_more_than_the_prefix),
	};

	return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
