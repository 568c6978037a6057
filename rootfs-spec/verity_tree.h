/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dm-verity hash tree of a root image (Documentation/admin-guide/device-mapper/verity.rst),
 * made by veritysetup: SHA-256, blocks of 4096 bytes, superblock in the first block.
 */
#ifndef KEELSON_VERITY_TREE_H
#define KEELSON_VERITY_TREE_H

#include "rootfs-spec/pool.h"

#include <stdint.h>

#define VERITY_BLOCK_BYTES 4096u

struct verity_tree {
	uint64_t data_blocks;
	uint64_t hash_blocks; /* of the tree's file, superblock included */
	uint8_t root_hash[32];
	uint8_t salt[32];
};

/*
 * Make `tree_path` for the image at `image`, whose size is a multiple of the block. `salt` and
 * `uuid` decide the bytes together with the image.
 */
int verity_tree_make(const char *image, const char *tree_path, const uint8_t salt[32],
		     const char *uuid, struct verity_tree *tree);

/* Bytes of the tree with its superblock over so many data blocks. */
uint64_t verity_tree_bytes(uint64_t data_blocks);

#endif
