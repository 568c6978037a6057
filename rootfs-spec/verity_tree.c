// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/verity_tree.h"

#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/run.h"
#include "rootfs-spec/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASHES_PER_BLOCK (VERITY_BLOCK_BYTES / SHA256_BYTES)

uint64_t verity_tree_bytes(uint64_t data_blocks)
{
	uint64_t total = 1; /* the superblock */

	for (uint64_t level = data_blocks; level > 1;) {
		level = (level + HASHES_PER_BLOCK - 1) / HASHES_PER_BLOCK;
		total += level;
	}
	/* A single data block still has one block of hashes. */
	return (data_blocks == 1 ? 2 : total) * VERITY_BLOCK_BYTES;
}

static int parse_root_hash(const struct bytes *output, uint8_t root_hash[SHA256_BYTES])
{
	static const char label[] = "Root hash:";
	const char *at = output->size > 0 ? strstr((char *)output->data, label) : NULL;
	size_t count = 0;

	if (at != NULL)
		at += strlen(label) + strspn(at + strlen(label), " \t");
	for (; at != NULL && count < SHA256_BYTES; count++, at += 2) {
		char digits[3] = {at[0], at[0] != '\0' ? at[1] : '\0', '\0'};
		char *end;

		root_hash[count] = (uint8_t)strtoul(digits, &end, 16);
		if (end != digits + 2)
			break;
	}
	if (count != SHA256_BYTES)
		return report_refusal("make the hash tree: veritysetup told no root hash");
	return 0;
}

int verity_tree_make(const char *image, const char *tree_path, const uint8_t salt[32],
		     const char *uuid, struct verity_tree *tree)
{
	char salt_text[SHA256_TEXT_BYTES];
	char salt_option[16 + SHA256_TEXT_BYTES];
	char uuid_option[64];
	const char *argv[] = {"veritysetup",
			      "format",
			      "--hash=sha256",
			      "--data-block-size=4096",
			      "--hash-block-size=4096",
			      salt_option,
			      uuid_option,
			      image,
			      tree_path,
			      NULL};
	struct bytes output = {0};
	struct run call = {.step = "make the hash tree", .argv = argv, .output = &output};
	int64_t size = file_size(image);
	int64_t tree_size;
	int error;

	if (size < 0)
		return (int)size;
	sha256_text(salt, salt_text);
	snprintf(salt_option, sizeof(salt_option), "--salt=%s", salt_text);
	snprintf(uuid_option, sizeof(uuid_option), "--uuid=%s", uuid);
	*tree = (struct verity_tree){.data_blocks = (uint64_t)size / VERITY_BLOCK_BYTES};
	memcpy(tree->salt, salt, sizeof(tree->salt));
	error = run(&call);
	if (error == 0)
		error = parse_root_hash(&output, tree->root_hash);
	bytes_free(&output);
	if (error < 0)
		return error;
	tree_size = file_size(tree_path);
	if (tree_size < 0)
		return (int)tree_size;
	tree->hash_blocks = (uint64_t)tree_size / VERITY_BLOCK_BYTES;
	return 0;
}
