/* SPDX-License-Identifier: Apache-2.0 */
/* The hash tree: sizes, superblock, table, and a tree that veritysetup made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "mount/hash.h"
#include "mount/verity.h"
#include "rootfs-spec/sha256.h"
#include "rootfs-spec/verity_format.h"

#define BLOCK 4096ull

static const char *reason;

static struct slot_header signed_header(void)
{
	struct slot_header header = {
		.magic = {'K', 'E', 'E', 'L', 'S', 'L', 'O', 'T'},
		.version = SLOT_HEADER_VERSION,
		.size_bytes = SLOT_HEADER_BYTES,
		.signature_bytes = 256,
		.name = "test",
		.image_version = "1",
		.root_type = "erofs",
		.data_blocks = 1000,
		.hash_offset_blocks = 1,
		.hash_blocks = 10,
		.salt_bytes = 2,
		.salt = {0xab, 0xcd},
		.block_bytes = 4096,
	};

	for (uint32_t i = 0; i < SLOT_DIGEST_BYTES; i++)
		header.root_hash[i] = (uint8_t)i;
	return header;
}

static void a_tree_has_as_many_blocks_as_its_levels_need(void **state)
{
	static const uint64_t cases[][2] = {
		{2, 1},
		{128, 1},
		{129, 3},
		{1000, 9},
		{16384, 129},
		{16385, 132},
		{1ull << 36, (1ull << 29) + (1ull << 22) + (1ull << 15) + 256 + 2 + 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(verity_tree_blocks(cases[i][0]) == cases[i][1]);
}

static void sizes_must_fit_the_partitions(void **state)
{
	struct slot_header header = signed_header();

	(void)state;
	assert_int_equal(verity_check_sizes(&header, 1000 * BLOCK, 10 * BLOCK, &reason), 0);
	assert_int_equal(verity_check_sizes(&header, 1000 * BLOCK - 1, 10 * BLOCK, &reason),
			 -EBADMSG);
	assert_int_equal(verity_check_sizes(&header, 1000 * BLOCK, 10 * BLOCK - 1, &reason),
			 -EBADMSG);
	header.hash_blocks = 9;
	assert_int_equal(verity_check_sizes(&header, 1000 * BLOCK, 10 * BLOCK, &reason), -EBADMSG);
	header.data_blocks = UINT64_MAX;
	assert_int_equal(verity_check_sizes(&header, UINT64_MAX, UINT64_MAX, &reason), -EBADMSG);
}

static void the_table_is_what_the_target_expects(void **state)
{
	struct slot_header header = signed_header();
	char table[VERITY_TABLE_BYTES];
	char long_name[VERITY_TABLE_BYTES];

	(void)state;
	assert_true(verity_table(&header, "/dev/vda2", "/dev/vda3", true, table) > 0);
	assert_string_equal(table,
			    "1 /dev/vda2 /dev/vda3 4096 4096 1000 1 sha256 "
			    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f "
			    "abcd 1 panic_on_corruption");
	header.salt_bytes = 0;
	assert_true(verity_table(&header, "8:2", "8:3", false, table) > 0);
	assert_string_equal(table,
			    "1 8:2 8:3 4096 4096 1000 1 sha256 "
			    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f "
			    "-");
	memset(long_name, 'x', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(verity_table(&header, long_name, "8:3", true, table), -ENAMETOOLONG);
}

/* ---- a real tree ---- */

#define DATA_BLOCKS 300u /* two levels */

static char directory[] = "/tmp/keelson-verity-XXXXXX";
static struct slot_header real;
static int tree_fd = -1;

static int make_tree(void **state)
{
	static const char command[] =
		"cd \"$DIR\" && command -v veritysetup >/dev/null && command -v openssl >/dev/null "
		"&&"
		" openssl rand 1228800 >data && veritysetup format data hash --salt=00112233445566 "
		"| sed -n 's/^Root hash:[ \t]*//p' >root";
	char path[sizeof(directory) + 8];
	char hex[65] = "";
	FILE *file;

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	setenv("DIR", directory, 1);
	real = signed_header();
	real.data_blocks = DATA_BLOCKS;
	real.salt_bytes = 7;
	memcpy(real.salt, "\x00\x11\x22\x33\x44\x55\x66", 7);
	if (system(command) != 0)
		return 0;
	snprintf(path, sizeof(path), "%s/root", directory);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%64s", hex) != 1)
		return -1;
	fclose(file);
	for (size_t i = 0; i < SLOT_DIGEST_BYTES; i++) {
		const char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		real.root_hash[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	snprintf(path, sizeof(path), "%s/hash", directory);
	tree_fd = open(path, O_RDWR | O_CLOEXEC);
	return tree_fd < 0;
}

static int remove_tree(void **state)
{
	(void)state;
	if (tree_fd >= 0)
		close(tree_fd);
	return system("rm -rf \"$DIR\"");
}

static void veritysetups_superblock_is_read(void **state)
{
	uint8_t block[sizeof(struct verity_superblock)];
	uint8_t bad[sizeof(struct verity_superblock)];
	static const uint32_t fields[] = {0, 8, 12, 32, 64, 68, 72, 80, 88, 94};

	(void)state;
	if (tree_fd < 0)
		skip();
	assert_int_equal(pread(tree_fd, block, sizeof(block), 0), sizeof(block));
	assert_int_equal(verity_check_superblock(block, &real, &reason), 0);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		memcpy(bad, block, sizeof(bad));
		bad[fields[i]] ^= 1;
		assert_int_equal(verity_check_superblock(bad, &real, &reason), -EBADMSG);
	}
}

static void the_root_block_is_where_we_look_and_hashes_to_the_root_hash(void **state)
{
	uint8_t bytes[7 + VERITY_BLOCK_BYTES];
	uint8_t digest[32];
	uint64_t size;

	(void)state;
	if (tree_fd < 0)
		skip();
	memcpy(bytes, real.salt, 7);
	assert_int_equal(pread(tree_fd, bytes + 7, VERITY_BLOCK_BYTES,
			       (off_t)verity_root_offset_bytes(&real)),
			 VERITY_BLOCK_BYTES);
	sha256_bytes(bytes, sizeof(bytes), digest);
	assert_memory_equal(digest, real.root_hash, sizeof(digest));
	size = (uint64_t)lseek(tree_fd, 0, SEEK_END);
	assert_int_equal(size, (real.hash_offset_blocks + verity_tree_blocks(DATA_BLOCKS)) *
				       VERITY_BLOCK_BYTES);
}

static void a_changed_root_block_or_root_hash_is_refused(void **state)
{
	int hash = hash_open();
	struct slot_header header = real;
	uint8_t byte;

	(void)state;
	if (tree_fd < 0 || hash < 0)
		skip(); /* no veritysetup, or a kernel without AF_ALG hashes */
	assert_int_equal(verity_check_root(tree_fd, hash, &header, &reason), 0);
	header.root_hash[31] ^= 1;
	assert_int_equal(verity_check_root(tree_fd, hash, &header, &reason), -EBADMSG);
	header.root_hash[31] ^= 1;
	assert_int_equal(pread(tree_fd, &byte, 1, 4096 + 77), 1);
	byte ^= 4;
	assert_int_equal(pwrite(tree_fd, &byte, 1, 4096 + 77), 1);
	assert_int_equal(verity_check_root(tree_fd, hash, &header, &reason), -EBADMSG);
	close(hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_has_as_many_blocks_as_its_levels_need),
		cmocka_unit_test(sizes_must_fit_the_partitions),
		cmocka_unit_test(the_table_is_what_the_target_expects),
		cmocka_unit_test(veritysetups_superblock_is_read),
		cmocka_unit_test(the_root_block_is_where_we_look_and_hashes_to_the_root_hash),
		cmocka_unit_test(a_changed_root_block_or_root_hash_is_refused),
	};

	return cmocka_run_group_tests_name("verity", tests, make_tree, remove_tree);
}
