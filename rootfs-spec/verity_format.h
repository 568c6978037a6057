/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first block of a verity hash tree as veritysetup(8) writes it (cryptsetup,
 * lib/verity/verity.c). Little-endian. The builder makes it, the node only compares it with the
 * signed header.
 */
#ifndef KEELSON_VERITY_FORMAT_H
#define KEELSON_VERITY_FORMAT_H

#include <stdint.h>

struct verity_superblock {
	uint8_t signature[8]; /* "verity" and two zeroes */
	uint32_t version;     /* 1 */
	uint32_t hash_type;   /* 1: the salt goes first */
	uint8_t uuid[16];
	uint8_t algorithm[32]; /* "sha256" */
	uint32_t data_block_bytes;
	uint32_t hash_block_bytes;
	uint64_t data_blocks;
	uint16_t salt_bytes;
	uint8_t padding[6];
	uint8_t salt[256];
	uint8_t padding_end[168];
};

_Static_assert(sizeof(struct verity_superblock) == 512, "verity superblock layout");

#endif
