/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a root with its hash tree belong to a slot header? Fed with the root's blocks and then the
 * hash partition's, in any portions, as they lie in a directory, a bundle or a disk. The tree is
 * computed and compared: every byte is looked at, those of the tree's superblock, too (but for its
 * UUID, which means nothing).
 */
#ifndef KEELSON_VERITY_CHECK_H
#define KEELSON_VERITY_CHECK_H

#include "rootfs-spec/pool.h"
#include "rootfs-spec/slot_header.h"

struct verity_check {
	const struct slot_header *header;
	struct bytes tree;    /* digests of the data, then the whole hash partition as it must be */
	uint64_t taken_bytes; /* so far */
	uint8_t block[4096];
	const char *fault; /* NULL: none yet; else a constant text */
};

/* `header` was checked (slot_header_check()) and stays where it is. */
void verity_check_begin(struct verity_check *check, const struct slot_header *header);

/* 0, or -EBADMSG from the first wrong byte on. What lies behind the last block is one. */
int verity_check_add(struct verity_check *check, const void *bytes, size_t size);

/* 0 when everything came and was right, else -EBADMSG. `*fault` (may be NULL): what is wrong. */
int verity_check_end(struct verity_check *check, const char **fault);

#endif
