/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle read once, from a pipe or a file, whole, from a frame on, cut, damaged. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zstd.h>

#include "rootfs-spec/bundle_stream.h"

#define BLOCKS 40u
#define CONTENT_BYTES (BLOCKS * BUNDLE_BLOCK_BYTES)
#define FRAME_BYTES (12 * BUNDLE_BLOCK_BYTES) /* three frames, and a shorter one */
#define FRAMES 4u
#define BASE_BYTES (8 * BUNDLE_BLOCK_BYTES)

static uint8_t content[CONTENT_BYTES + 1];
static uint8_t base[BASE_BYTES];
static uint8_t bundle[BUNDLE_STREAM_OFFSET + 2 * CONTENT_BYTES];
static size_t bundle_bytes;
static size_t frame_at[FRAMES + 1]; /* in the bundle */

struct fault {
	int last_frame_bytes; /* so many more of content in the last frame */
	size_t more;          /* bytes behind it, which the head counts, too */
	bool random;          /* content that does not compress */
};

static void fill_content(bool random)
{
	uint32_t seed = 7;

	for (size_t i = 0; i < sizeof(content); i++) {
		seed = seed * 1664525 + 1013904223;
		content[i] = random ? (uint8_t)(seed >> 24) : (uint8_t)(i * i >> 7);
	}
	for (size_t i = 0; i < sizeof(base); i++) {
		seed = seed * 1664525 + 1013904223;
		base[i] = (uint8_t)(seed >> 24);
	}
	/* Something of the base in every frame. */
	for (size_t i = 0; i < FRAMES; i++)
		memcpy(content + i * FRAME_BYTES + 100, base + 5 * BUNDLE_BLOCK_BYTES,
		       BUNDLE_BLOCK_BYTES);
}

/* Append the frame of content from `from` on; a delta's has block 5 and then blocks 1 and 2 of the base. */
static void put_frame(enum bundle_kind kind, size_t from, size_t size)
{
	static const struct bundle_range ranges[] = {{5, 1}, {1, 2}};
	static uint8_t prefix[3 * BUNDLE_BLOCK_BYTES];
	struct bundle_frame frame = {.range_count = kind == BUNDLE_DELTA ? 2 : 0};
	ZSTD_CCtx *context = ZSTD_createCCtx();
	uint8_t *at = bundle + bundle_bytes + sizeof(frame) + frame.range_count * sizeof(ranges[0]);
	size_t packed;

	memcpy(prefix, base + 5 * BUNDLE_BLOCK_BYTES, BUNDLE_BLOCK_BYTES);
	memcpy(prefix + BUNDLE_BLOCK_BYTES, base + BUNDLE_BLOCK_BYTES, 2 * BUNDLE_BLOCK_BYTES);
	if (frame.range_count)
		ZSTD_CCtx_refPrefix(context, prefix, sizeof(prefix));
	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	packed = ZSTD_compress2(context, at, sizeof(bundle) - (size_t)(at - bundle), content + from,
				size);
	assert_false(ZSTD_isError(packed));
	ZSTD_freeCCtx(context);
	frame.packed_bytes = (uint32_t)packed;
	memcpy(bundle + bundle_bytes, &frame, sizeof(frame));
	memcpy(bundle + bundle_bytes + sizeof(frame), ranges,
	       frame.range_count * sizeof(ranges[0]));
	bundle_bytes = (size_t)(at - bundle) + packed;
}

static void make(enum bundle_kind kind, const struct fault *fault)
{
	struct slot_header header = {.version = SLOT_HEADER_VERSION,
				     .size_bytes = SLOT_HEADER_BYTES,
				     .signature_bytes = 256,
				     .machine = 62,
				     .name = "test",
				     .image_version = "1",
				     .root_type = "erofs",
				     .data_blocks = BLOCKS - 2,
				     .hash_offset_blocks = 1,
				     .hash_blocks = 2,
				     .block_bytes = BUNDLE_BLOCK_BYTES};
	struct bundle_head head = {
		.kind = kind, .frame_bytes = FRAME_BYTES, .unpacked_bytes = CONTENT_BYTES};

	if (kind == BUNDLE_DELTA) {
		head.base_bytes = BASE_BYTES;
		head.base_root_hash[0] = 1;
	}
	fill_content(fault->random);
	memset(bundle, 0, sizeof(bundle));
	memcpy(header.magic, SLOT_HEADER_MAGIC, sizeof(header.magic));
	bundle_bytes = BUNDLE_STREAM_OFFSET;
	for (size_t i = 0; i < FRAMES; i++) {
		frame_at[i] = bundle_bytes;
		put_frame(kind, i * FRAME_BYTES,
			  i < FRAMES - 1 ? FRAME_BYTES
					 : (size_t)((int)(CONTENT_BYTES - i * FRAME_BYTES) +
						    fault->last_frame_bytes));
	}
	frame_at[FRAMES] = bundle_bytes;
	bundle_bytes += fault->more;
	head.stream_bytes = bundle_bytes - BUNDLE_STREAM_OFFSET;
	bundle_head_seal(&head);
	memcpy(bundle, &header, sizeof(header));
	memcpy(bundle + BUNDLE_HEAD_OFFSET, &head, sizeof(head));
}

/* A file of bytes, or a pipe that a child fills with them. */
static int file_of(const void *bytes, size_t size, bool pipes)
{
	int fd = memfd_create("bundle", MFD_CLOEXEC);
	int ends[2];

	assert_int_equal(write(fd, bytes, size), size);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	if (!pipes)
		return fd;
	close(fd);
	assert_int_equal(pipe(ends), 0);
	if (fork() == 0) {
		signal(SIGPIPE, SIG_IGN);
		close(ends[0]);
		for (size_t at = 0; at < size;) {
			ssize_t n = write(ends[1], (const uint8_t *)bytes + at, size - at);

			if (n < 0)
				break;
			at += (size_t)n;
		}
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

struct taking {
	size_t skip;    /* to this byte of the content */
	size_t jump_at; /* what is given behind the head is the bundle from here on; 0: all of it */
	bool pipes;
	size_t base_bytes; /* what the base has of its own; 0: all */
};

/* Read all of the first `size` bytes: what the first failing step said. */
static int take(size_t size, const struct taking *taking)
{
	static struct bundle_stream stream;
	static uint8_t given[sizeof(bundle)];
	size_t gap = taking->jump_at ? taking->jump_at - BUNDLE_STREAM_OFFSET : 0;
	size_t at = taking->skip;
	int fd, base_fd, error;

	memcpy(given, bundle, BUNDLE_STREAM_OFFSET);
	memcpy(given + BUNDLE_STREAM_OFFSET, bundle + BUNDLE_STREAM_OFFSET + gap,
	       sizeof(bundle) - BUNDLE_STREAM_OFFSET - gap);
	fd = file_of(given, size - gap, taking->pipes);
	base_fd = file_of(base, taking->base_bytes ? taking->base_bytes : sizeof(base), false);
	error = bundle_stream_open(fd, &stream);
	if (!error)
		error = bundle_stream_begin(&stream, base_fd);
	if (!error)
		error = taking->jump_at ? bundle_stream_jump(&stream, at, taking->jump_at)
					: bundle_stream_skip(&stream, at);
	while (!error) {
		const void *bytes;
		size_t part;

		error = bundle_stream_next(&stream, &bytes, &part);
		if (error || part == 0)
			break;
		assert_true(at + part <= CONTENT_BYTES);
		assert_memory_equal(bytes, content + at, part);
		at += part;
		assert_int_equal(stream.content, at);
	}
	if (!error)
		error = bundle_stream_end(&stream);
	if (!error)
		assert_int_equal(at, CONTENT_BYTES);
	bundle_stream_close(&stream);
	close(fd);
	close(base_fd);
	while (taking->pipes && wait(NULL) > 0)
		;
	return error;
}

static const struct fault none = {0};
static const struct taking all = {0};

static void it_unpacks_from_a_file_and_from_a_pipe(void **state)
{
	(void)state;
	for (enum bundle_kind kind = BUNDLE_FULL; kind <= BUNDLE_DELTA; kind++)
		for (int random = 0; random < 2; random++) {
			make(kind, &(struct fault){.random = random});
			assert_int_equal(take(bundle_bytes, &all), 0);
			assert_int_equal(take(bundle_bytes, &(struct taking){.pipes = true}), 0);
		}
}

static void what_follows_on_the_device_is_not_looked_at(void **state)
{
	(void)state;
	make(BUNDLE_FULL, &none);
	assert_int_equal(take(bundle_bytes + 4096, &all), 0);
}

static void cut_anywhere_it_is_cut_off(void **state)
{
	(void)state;
	for (enum bundle_kind kind = BUNDLE_FULL; kind <= BUNDLE_DELTA; kind++) {
		make(kind, &none);
		for (size_t size = 0; size < bundle_bytes;
		     size += size < bundle_bytes - 64 ? 61 : 1)
			assert_int_equal(take(size, &all), -ENODATA);
	}
}

static void it_goes_on_at_every_frame_and_nowhere_else(void **state)
{
	(void)state;
	make(BUNDLE_FULL, &none);
	for (size_t i = 0; i <= FRAMES; i++) {
		size_t at = i < FRAMES ? i * FRAME_BYTES : CONTENT_BYTES;
		struct taking taking = {.skip = at};

		assert_int_equal(take(bundle_bytes, &taking), 0);
		taking.pipes = true;
		assert_int_equal(take(bundle_bytes, &taking), 0);
		taking.jump_at = frame_at[i];
		assert_int_equal(take(bundle_bytes, &taking), 0);
	}
	for (size_t i = 0; i < 3; i++) {
		static const size_t no_frame[] = {BUNDLE_BLOCK_BYTES, CONTENT_BYTES + 1, 1};
		struct taking taking = {.skip = no_frame[i]};

		assert_int_equal(take(bundle_bytes, &taking), -EBADMSG);
		taking.jump_at = frame_at[1];
		assert_int_equal(take(bundle_bytes, &taking), -EBADMSG);
	}
	/* A frame that begins elsewhere is no frame, or ends elsewhere. */
	assert_int_equal(take(bundle_bytes,
			      &(struct taking){.skip = FRAME_BYTES, .jump_at = frame_at[2]}),
			 -EBADMSG);
	assert_int_equal(take(bundle_bytes,
			      &(struct taking){.skip = FRAME_BYTES, .jump_at = frame_at[1] + 1}),
			 -EBADMSG);
}

static void cut_before_the_frame_where_it_goes_on_it_is_cut_off(void **state)
{
	(void)state;
	make(BUNDLE_FULL, &(struct fault){.random = true});
	for (int pipes = 0; pipes < 2; pipes++)
		for (size_t size = BUNDLE_STREAM_OFFSET; size < frame_at[2]; size += 10007)
			assert_int_equal(take(size,
					      &(struct taking){.skip = (size_t)2 * FRAME_BYTES,
							       .pipes = pipes}),
					 -ENODATA);
}

static void a_frame_of_another_length_is_refused(void **state)
{
	static const int lengths[] = {-1, -4096, 1};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		make(BUNDLE_FULL, &(struct fault){.last_frame_bytes = lengths[i]});
		assert_int_equal(take(bundle_bytes, &all), -EBADMSG);
	}
}

static void bytes_behind_the_last_frame_are_refused(void **state)
{
	(void)state;
	make(BUNDLE_FULL, &(struct fault){.more = 5});
	assert_int_equal(take(bundle_bytes, &all), -EBADMSG);
}

/* take() looks at what comes out: refused, or right all the same (a bit that means nothing). */
static void no_flipped_bit_gives_other_content(void **state)
{
	uint32_t seed = 3;
	unsigned int refused = 0;

	(void)state;
	for (enum bundle_kind kind = BUNDLE_FULL; kind <= BUNDLE_DELTA; kind++)
		for (int i = 0; i < 400; i++) {
			size_t frame = (size_t)i % FRAMES;
			size_t size = frame_at[frame + 1] - frame_at[frame];
			size_t at;

			make(kind, &none);
			seed = seed * 1664525 + 1013904223;
			/* Every byte before the first zstd frame, then any. */
			at = i < 24 ? BUNDLE_STREAM_OFFSET + (size_t)i
				    : frame_at[frame] + (seed >> 8) % size;
			bundle[at] ^= (uint8_t)(1u << (i & 7));
			/* The rest of the file is zeroes: a longer frame is damaged, not cut off. */
			refused += take(sizeof(bundle), &all) < 0;
		}
	assert_true(refused > 750);
}

static void a_base_that_is_too_short_or_other_bytes_is_noticed(void **state)
{
	(void)state;
	make(BUNDLE_DELTA, &none);
	assert_int_equal(take(bundle_bytes, &(struct taking){.base_bytes = 4096}), -EIO);
	assert_int_equal(take(bundle_bytes, &all), 0);
	base[5 * BUNDLE_BLOCK_BYTES + 17] ^= 1;
	assert_int_equal(take(bundle_bytes, &all), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_unpacks_from_a_file_and_from_a_pipe),
		cmocka_unit_test(what_follows_on_the_device_is_not_looked_at),
		cmocka_unit_test(cut_anywhere_it_is_cut_off),
		cmocka_unit_test(it_goes_on_at_every_frame_and_nowhere_else),
		cmocka_unit_test(cut_before_the_frame_where_it_goes_on_it_is_cut_off),
		cmocka_unit_test(a_frame_of_another_length_is_refused),
		cmocka_unit_test(bytes_behind_the_last_frame_are_refused),
		cmocka_unit_test(no_flipped_bit_gives_other_content),
		cmocka_unit_test(a_base_that_is_too_short_or_other_bytes_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
