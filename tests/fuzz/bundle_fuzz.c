/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: the head of a bundle, beside a slot header that passed its own check, and then the frames
 * behind it, from a file and with a base that is too short for some ranges.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rootfs-spec/bundle_stream.h"

#define CONTENT_BLOCKS 24u
#define BASE_BYTES (16u * BUNDLE_BLOCK_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_head(const uint8_t *data, size_t size)
{
	static uint8_t file[BUNDLE_STREAM_OFFSET];
	struct slot_header header;
	struct bundle_head head;
	const char *reason = NULL;

	memset(file, 0, sizeof(file));
	memcpy(file, data, size < sizeof(file) ? size : sizeof(file));
	memcpy(&header, file, sizeof(header));
	memcpy(&head, file + BUNDLE_HEAD_OFFSET, sizeof(head));
	if (size & 1) {
		/* No fuzzer guesses a checksum. */
		bundle_head_seal(&head);
		header.data_blocks %= (1ull << 36) + 1;
		header.hash_blocks %= (1ull << 36) + 1;
	} else if (slot_header_check(&header, NULL) < 0) {
		return;
	}
	if (bundle_head_check(&head, &header, &reason) < 0) {
		if (!reason)
			abort();
		return;
	}
	if (reason || head.frame_bytes == 0 || head.frame_bytes > BUNDLE_FRAME_BYTES_MAX ||
	    head.stream_bytes == 0 ||
	    head.unpacked_bytes / BUNDLE_BLOCK_BYTES != header.data_blocks + header.hash_blocks)
		abort();
}

static int memory_file(void)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	return fd;
}

static void put(int fd, const void *bytes, size_t size)
{
	if (pwrite(fd, bytes, size, lseek(fd, 0, SEEK_END)) != (ssize_t)size)
		abort();
}

/* `data` is what follows a head that is right. */
static void try_frames(enum bundle_kind kind, const uint8_t *data, size_t size)
{
	static struct bundle_stream stream;
	static uint8_t zero[BASE_BYTES];
	const struct slot_header header = {.magic = "KEELSLOT",
					   .version = SLOT_HEADER_VERSION,
					   .size_bytes = SLOT_HEADER_BYTES,
					   .signature_bytes = 256,
					   .machine = 62,
					   .name = "fuzz",
					   .image_version = "1",
					   .root_type = "erofs",
					   .data_blocks = CONTENT_BLOCKS - 2,
					   .hash_offset_blocks = 1,
					   .hash_blocks = 2,
					   .block_bytes = BUNDLE_BLOCK_BYTES};
	struct bundle_head head = {.kind = kind,
				   .frame_bytes = 8 * BUNDLE_BLOCK_BYTES,
				   .unpacked_bytes = CONTENT_BLOCKS * BUNDLE_BLOCK_BYTES,
				   .stream_bytes = size};
	int fd = memory_file(), base = memory_file();
	const void *bytes;
	size_t part;
	int error;

	if (kind == BUNDLE_DELTA) {
		head.base_bytes = 2 * BASE_BYTES;
		head.base_root_hash[0] = 1;
	}
	bundle_head_seal(&head);
	put(fd, &header, sizeof(header));
	put(fd, zero, BUNDLE_HEAD_OFFSET - sizeof(header));
	put(fd, &head, sizeof(head));
	put(fd, data, size);
	put(base, zero, sizeof(zero));
	error = bundle_stream_open(fd, &stream);
	if (!error)
		error = bundle_stream_begin(&stream, base);
	if (!error && size % 3 == 0)
		error = bundle_stream_skip(&stream, head.frame_bytes);
	while (!error) {
		error = bundle_stream_next(&stream, &bytes, &part);
		if (error || part == 0)
			break;
		if (part > head.frame_bytes || stream.content > head.unpacked_bytes ||
		    stream.offset > BUNDLE_STREAM_OFFSET + size)
			abort();
	}
	if (!error && bundle_stream_end(&stream) == 0 && stream.content != head.unpacked_bytes)
		abort();
	bundle_stream_close(&stream);
	close(fd);
	close(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	switch (data[0] % 3) {
	case 0: try_head(data + 1, size - 1); break;
	case 1: try_frames(BUNDLE_FULL, data + 1, size - 1); break;
	default: try_frames(BUNDLE_DELTA, data + 1, size - 1); break;
	}
	return 0;
}
