/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/verity.h"

#include <errno.h>
#include <string.h>

#include "mount/gpt_io.h"
#include "mount/hash.h"
#include "mount/text.h"
#include "rootfs-spec/verity_format.h"

#define DIGESTS_PER_BLOCK (VERITY_BLOCK_BYTES / SLOT_DIGEST_BYTES)

uint64_t verity_tree_blocks(uint64_t data_blocks)
{
	uint64_t total = 0;

	for (uint64_t level = data_blocks; level > 1;) {
		level = level / DIGESTS_PER_BLOCK + (level % DIGESTS_PER_BLOCK != 0);
		total += level;
	}
	return total;
}

static int refuse(const char **reason, const char *text)
{
	*reason = text;
	return -EBADMSG;
}

int verity_check_sizes(const struct slot_header *header, uint64_t root_bytes, uint64_t hash_bytes,
		       const char **reason)
{
	if (slot_header_check(header, reason))
		return -EBADMSG;
	if (header->data_blocks > root_bytes / VERITY_BLOCK_BYTES)
		return refuse(reason, "root is larger than its partition");
	if (header->hash_blocks > hash_bytes / VERITY_BLOCK_BYTES)
		return refuse(reason, "hash tree is larger than its partition");
	if (header->hash_blocks - header->hash_offset_blocks <
	    verity_tree_blocks(header->data_blocks))
		return refuse(reason, "hash tree is too small for the root");
	return 0;
}

int verity_check_superblock(const void *superblock, const struct slot_header *header,
			    const char **reason)
{
	struct verity_superblock on_disk;
	static const uint8_t algorithm[32] = "sha256";

	memcpy(&on_disk, superblock, sizeof(on_disk));
	if (memcmp(on_disk.signature, "verity\0\0", sizeof(on_disk.signature)) != 0)
		return refuse(reason, "no verity superblock");
	if (on_disk.version != 1 || on_disk.hash_type != 1)
		return refuse(reason, "verity format");
	if (memcmp(on_disk.algorithm, algorithm, sizeof(algorithm)) != 0)
		return refuse(reason, "verity algorithm");
	if (on_disk.data_block_bytes != header->block_bytes ||
	    on_disk.hash_block_bytes != header->block_bytes)
		return refuse(reason, "verity block size");
	if (on_disk.data_blocks != header->data_blocks)
		return refuse(reason, "verity data size");
	if (on_disk.salt_bytes != header->salt_bytes ||
	    memcmp(on_disk.salt, header->salt, header->salt_bytes) != 0)
		return refuse(reason, "verity salt");
	return 0;
}

int verity_table(const struct slot_header *header, const char *data, const char *hash, bool panic,
		 char table[VERITY_TABLE_BYTES])
{
	struct text text = {.bytes = table, .size = VERITY_TABLE_BYTES};

	text_string(&text, "1 ");
	text_string(&text, data);
	text_char(&text, ' ');
	text_string(&text, hash);
	text_string(&text, " 4096 4096 ");
	text_number(&text, header->data_blocks);
	text_char(&text, ' ');
	text_number(&text, header->hash_offset_blocks);
	text_string(&text, " sha256 ");
	text_hex(&text, header->root_hash, SLOT_DIGEST_BYTES);
	text_char(&text, ' ');
	if (header->salt_bytes)
		text_hex(&text, header->salt, header->salt_bytes);
	else
		text_char(&text, '-');
	if (panic)
		text_string(&text, " 1 panic_on_corruption");
	return text_end(&text);
}

int verity_check_root(int fd, int hash, const struct slot_header *header, const char **reason)
{
	uint8_t block[VERITY_BLOCK_BYTES];
	uint8_t salt[sizeof(header->salt)];
	uint8_t digest[HASH_BYTES];
	int error;

	*reason = "read verity superblock";
	error = disk_read(fd, block, sizeof(struct verity_superblock), 0);
	if (error)
		return error;
	error = verity_check_superblock(block, header, reason);
	if (error)
		return error;
	*reason = "read root block of the hash tree";
	error = disk_read(fd, block, sizeof(block), verity_root_offset_bytes(header));
	if (error)
		return error;

	memcpy(salt, header->salt, sizeof(salt));

	struct iovec parts[] = {
		{.iov_base = salt, .iov_len = header->salt_bytes},
		{.iov_base = block, .iov_len = sizeof(block)},
	};

	*reason = "hash the root block";
	error = hash_sha256(hash, parts, 2, digest);
	if (error)
		return error;
	if (memcmp(digest, header->root_hash, sizeof(digest)) != 0)
		return refuse(reason, "root block does not match the signed root hash");
	return 0;
}
