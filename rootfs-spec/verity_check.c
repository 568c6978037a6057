// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/verity_check.h"

#include <errno.h>
#include <string.h>

#include "rootfs-spec/sha256.h"
#include "rootfs-spec/verity_format.h"
#include "rootfs-spec/verity_tree.h"

#define BLOCK VERITY_BLOCK_BYTES
#define LEVELS_MAX 8 /* 128 to the power of 8 is beyond every size that a header may say */

void verity_check_begin(struct verity_check *check, const struct slot_header *header)
{
	*check = (struct verity_check){.header = header};
	if (header->hash_offset_blocks != 1 ||
	    header->hash_blocks * BLOCK != verity_tree_bytes(header->data_blocks))
		check->fault = "the hash tree is not as large as one of this root";
}

static void digest_block(const struct slot_header *header, const uint8_t *block,
			 uint8_t digest[SHA256_BYTES])
{
	struct sha256 hash;

	sha256_begin(&hash);
	sha256_add(&hash, header->salt, header->salt_bytes);
	sha256_add(&hash, block, BLOCK);
	sha256_end(&hash, digest);
}

/* One level up: a digest of each block of `below`, filled up with zeroes. */
static void climb(const struct slot_header *header, const struct bytes *below, struct bytes *above)
{
	for (size_t at = 0; at < below->size; at += BLOCK) {
		uint8_t digest[SHA256_BYTES];

		digest_block(header, below->data + at, digest);
		bytes_add(above, digest, sizeof(digest));
	}
	bytes_zero(above, (BLOCK - above->size % BLOCK) % BLOCK);
}

static void put_superblock(const struct slot_header *header, struct bytes *tree)
{
	struct verity_superblock superblock = {.signature = "verity",
					       .version = 1,
					       .hash_type = 1,
					       .algorithm = "sha256",
					       .data_block_bytes = BLOCK,
					       .hash_block_bytes = BLOCK,
					       .data_blocks = header->data_blocks,
					       .salt_bytes = (uint16_t)header->salt_bytes};

	memcpy(superblock.salt, header->salt, header->salt_bytes);
	bytes_add(tree, &superblock, sizeof(superblock));
	bytes_zero(tree, BLOCK - sizeof(superblock));
}

/* The digests of all data are there: make of them what the hash partition must hold. */
static void make_tree(struct verity_check *check)
{
	struct bytes level[LEVELS_MAX] = {check->tree};
	struct bytes tree = {0};
	uint8_t root_hash[SHA256_BYTES];
	size_t top = 0;

	bytes_zero(&level[0], (BLOCK - level[0].size % BLOCK) % BLOCK);
	for (; level[top].size > BLOCK; top++)
		climb(check->header, &level[top], &level[top + 1]);
	digest_block(check->header, level[top].data, root_hash);
	if (memcmp(root_hash, check->header->root_hash, sizeof(root_hash)) != 0)
		check->fault = "the root is not the one that the header names";
	put_superblock(check->header, &tree);
	for (size_t i = top + 1; i-- > 0;) {
		bytes_add(&tree, level[i].data, level[i].size);
		bytes_free(&level[i]);
	}
	check->tree = tree;
}

static void take_data(struct verity_check *check)
{
	uint8_t digest[SHA256_BYTES];

	digest_block(check->header, check->block, digest);
	bytes_add(&check->tree, digest, sizeof(digest));
	if (check->taken_bytes == check->header->data_blocks * BLOCK)
		make_tree(check);
}

static void take_hashes(struct verity_check *check)
{
	uint64_t at = check->taken_bytes - (check->header->data_blocks + 1) * BLOCK;
	const size_t uuid = offsetof(struct verity_superblock, uuid);

	if (at == 0)
		memset(check->block + uuid, 0, sizeof(((struct verity_superblock *)NULL)->uuid));
	if (memcmp(check->block, check->tree.data + at, BLOCK) != 0)
		check->fault = "the hash tree is not that of the root";
}

int verity_check_add(struct verity_check *check, const void *bytes, size_t size)
{
	const struct slot_header *header = check->header;
	const uint64_t data_bytes = header->data_blocks * BLOCK;
	const uint64_t all_bytes = data_bytes + header->hash_blocks * BLOCK;
	const uint8_t *from = bytes;

	if (check->fault == NULL && size > all_bytes - check->taken_bytes)
		check->fault = "there is more than the header says";
	while (size > 0 && check->fault == NULL) {
		size_t filled = (size_t)(check->taken_bytes % BLOCK);
		size_t part = BLOCK - filled < size ? BLOCK - filled : size;

		memcpy(check->block + filled, from, part);
		from += part;
		size -= part;
		check->taken_bytes += part;
		if (filled + part < BLOCK)
			break;
		if (check->taken_bytes <= data_bytes)
			take_data(check);
		else
			take_hashes(check);
	}
	return check->fault == NULL ? 0 : -EBADMSG;
}

int verity_check_end(struct verity_check *check, const char **fault)
{
	const struct slot_header *header = check->header;

	if (check->fault == NULL &&
	    check->taken_bytes != (header->data_blocks + header->hash_blocks) * BLOCK)
		check->fault = "there is less than the header says";
	bytes_free(&check->tree);
	if (fault != NULL)
		*fault = check->fault;
	return check->fault == NULL ? 0 : -EBADMSG;
}
