/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash tree of a slot's root (Documentation/admin-guide/device-mapper/verity.rst): superblock,
 * device-mapper table and root block. Everything is checked against the signed header; the
 * superblock on the disk is only compared, never believed.
 *
 * The root block is hashed before the table is loaded, because the target's status is "V" until the
 * first bad read and proves nothing. Format version 1: digest = SHA-256(salt, block), the tree has
 * its root level first.
 */
#ifndef KEELSON_VERITY_H
#define KEELSON_VERITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rootfs-spec/slot_header.h"

#define VERITY_BLOCK_BYTES 4096u
#define VERITY_TABLE_BYTES 512u

/* Blocks of the tree (without superblock) over `data_blocks` blocks: 32-byte digests, 4096 blocks. */
uint64_t verity_tree_blocks(uint64_t data_blocks);

/*
 * Do the sizes in the signed header fit together and into partitions of these sizes? 0 or -EBADMSG
 * with a constant `*reason`.
 */
int verity_check_sizes(const struct slot_header *header, uint64_t root_bytes, uint64_t hash_bytes,
		       const char **reason);

/* Does the superblock (the first 512 bytes of the hash partition) say what the header says? */
int verity_check_superblock(const void *superblock, const struct slot_header *header,
			    const char **reason);

/* Where the tree's root block lies in the hash partition. */
static inline uint64_t verity_root_offset_bytes(const struct slot_header *header)
{
	return header->hash_offset_blocks * VERITY_BLOCK_BYTES;
}

/*
 * The target's parameters for the devices "major:minor" or paths `data` and `hash`, with
 * panic_on_corruption when `panic` is set. Returns the length, or -ENAMETOOLONG.
 */
int verity_table(const struct slot_header *header, const char *data, const char *hash, bool panic,
		 char table[VERITY_TABLE_BYTES]);

/*
 * Read superblock and root block from the hash partition `fd`, hash the root block with the AF_ALG
 * socket `hash` and compare with the signed root hash. 0; -EBADMSG: not the signed tree (`*reason`);
 * else negative errno of reading or hashing.
 */
int verity_check_root(int fd, int hash, const struct slot_header *header, const char **reason);

#endif
