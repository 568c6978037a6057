/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot examined, from the bytes of its partitions to its verdict. The kernel's part, hashing and
 * the check of a signature, is played by the test: what matters here is what it is asked, and that
 * nobody goes on after a no.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "mount/slot_verify.h"
#include "mount/verity.h"
#include "rootfs-spec/sha256.h"

#if defined(__x86_64__)
#define THIS_MACHINE EM_X86_64
#define OTHER_MACHINE EM_AARCH64
#else
#define THIS_MACHINE EM_AARCH64
#define OTHER_MACHINE EM_X86_64
#endif

#define DATA_BLOCKS 128u /* one block of digests: the root block is the tree */

/* ---- the kernel's part ---- */

static struct {
	int answer; /* of the signature's check */
	uint32_t asked;
	uint8_t key_id[HASH_BYTES];
	uint8_t digest[HASH_BYTES];
	size_t size;
	int hash_error;
} kernel;

int keyring_verify(const struct keyring *keyring, const uint8_t key_id[HASH_BYTES],
		   const uint8_t digest[HASH_BYTES], const void *signature, size_t size)
{
	(void)keyring;
	(void)signature;
	kernel.asked++;
	memcpy(kernel.key_id, key_id, HASH_BYTES);
	memcpy(kernel.digest, digest, HASH_BYTES);
	kernel.size = size;
	return kernel.answer;
}

int hash_sha256(int hash, const struct iovec *parts, size_t count, uint8_t digest[HASH_BYTES])
{
	struct sha256 sha;

	(void)hash;
	sha256_begin(&sha);
	for (size_t i = 0; i < count; i++)
		sha256_add(&sha, parts[i].iov_base, parts[i].iov_len);
	sha256_end(&sha, digest);
	return kernel.hash_error;
}

/* ---- a slot in two files ---- */

static char header_path[] = "/tmp/keelson-header-XXXXXX";
static char tree_path[] = "/tmp/keelson-tree-XXXXXX";
static int header_fd, tree_fd;

static struct slot_header_block block;
static uint8_t tree[2 * VERITY_BLOCK_BYTES]; /* superblock's block, root block */
static struct slot_parts parts;
static struct slot_examination examination;

static int make_files(void **state)
{
	(void)state;
	header_fd = mkstemp(header_path);
	tree_fd = mkstemp(tree_path);
	return header_fd < 0 || tree_fd < 0;
}

static int remove_files(void **state)
{
	(void)state;
	close(header_fd);
	close(tree_fd);
	return unlink(header_path) | unlink(tree_path);
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

/* The superblock and root block of a tree, and the header that is right for them. */
static int good_slot(void **state)
{
	static const uint8_t salt[4] = {1, 2, 3, 4};
	struct slot_header header = {
		.magic = {'K', 'E', 'E', 'L', 'S', 'L', 'O', 'T'},
		.version = SLOT_HEADER_VERSION,
		.size_bytes = SLOT_HEADER_BYTES,
		.signature_bytes = 384,
		.machine = THIS_MACHINE,
		.name = "test",
		.image_version = "1",
		.root_type = "erofs",
		.key_id = {0x77},
		.data_blocks = DATA_BLOCKS,
		.hash_offset_blocks = 1,
		.hash_blocks = 2,
		.salt = {1, 2, 3, 4},
		.salt_bytes = sizeof(salt),
		.block_bytes = VERITY_BLOCK_BYTES,
	};
	struct sha256 sha;

	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	memset(tree, 0, sizeof(tree));
	memcpy(tree, "verity\0\0", 8);
	put32(tree + 8, 1);
	put32(tree + 12, 1);
	memcpy(tree + 32, "sha256", 6);
	put32(tree + 64, VERITY_BLOCK_BYTES);
	put32(tree + 68, VERITY_BLOCK_BYTES);
	put32(tree + 72, DATA_BLOCKS);
	tree[80] = sizeof(salt);
	memcpy(tree + 88, salt, sizeof(salt));
	memset(tree + VERITY_BLOCK_BYTES, 0x5a, VERITY_BLOCK_BYTES);
	sha256_begin(&sha);
	sha256_add(&sha, salt, sizeof(salt));
	sha256_add(&sha, tree + VERITY_BLOCK_BYTES, VERITY_BLOCK_BYTES);
	sha256_end(&sha, header.root_hash);
	block.header = header;
	parts = (struct slot_parts){
		.present = true,
		.root.size_bytes = (uint64_t)DATA_BLOCKS * VERITY_BLOCK_BYTES,
		.hash.size_bytes = sizeof(tree),
	};
	return ftruncate(header_fd, SLOT_MARKS_OFFSET) < 0 ||
	       ftruncate(header_fd, SLOT_MARKS_OFFSET + 2 * SLOT_MARKS_BYTES) < 0 ||
	       ftruncate(tree_fd, 0) < 0;
}

static enum slot_verdict examine(void)
{
	static const struct keyring keyring;

	assert_int_equal(pwrite(header_fd, &block, sizeof(block), 0), sizeof(block));
	assert_int_equal(pwrite(tree_fd, tree, sizeof(tree), 0), sizeof(tree));
	slot_examine(&parts, tree_path, header_path, &keyring, -1, &examination);
	assert_non_null(examination.step);
	assert_int_equal(examination.error == 0, examination.verdict == SLOT_SOUND);
	return examination.verdict;
}

static void a_signed_header_with_its_root_block_is_sound(void **state)
{
	uint8_t digest[HASH_BYTES];

	(void)state;
	assert_int_equal(examine(), SLOT_SOUND);
	assert_true(examination.header_verified);
	/* What was verified is the whole signed region, for the key that it names. */
	sha256_bytes(&block.header, sizeof(block.header), digest);
	assert_int_equal(kernel.asked, 1);
	assert_memory_equal(kernel.digest, digest, sizeof(digest));
	assert_memory_equal(kernel.key_id, block.header.key_id, HASH_BYTES);
	assert_int_equal(kernel.size, 384);
}

static void a_signature_that_is_not_right_makes_a_slot_unsigned(void **state)
{
	static const int answers[] = {-ENOKEY, -EKEYREJECTED, -EBADMSG, -EINVAL, -ENOPKG};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		kernel.answer = answers[i];
		assert_int_equal(examine(), SLOT_UNSIGNED);
		assert_int_equal(examination.error, answers[i]);
		assert_false(examination.header_verified);
	}
}

static void a_header_that_is_malformed_is_not_even_verified(void **state)
{
	(void)state;
	block.header.reserved[5] = 1;
	assert_int_equal(examine(), SLOT_UNSIGNED);
	assert_int_equal(kernel.asked, 0);
	assert_false(examination.header_verified);
}

static void what_does_not_fit_its_signed_header_is_unsound(void **state)
{
	(void)state;
#define UNSOUND(change)                                    \
	do {                                               \
		good_slot(NULL);                           \
		change;                                    \
		assert_int_equal(examine(), SLOT_UNSOUND); \
		assert_true(examination.header_verified);  \
	} while (0)
	UNSOUND(block.header.machine = OTHER_MACHINE);
	UNSOUND(block.header.root_hash[31] ^= 1);
	UNSOUND(tree[VERITY_BLOCK_BYTES + 4095] ^= 1);
	UNSOUND(tree[0] ^= 1);  /* superblock: signature */
	UNSOUND(tree[72] ^= 1); /* data blocks */
	UNSOUND(tree[88] ^= 1); /* salt */
	UNSOUND(block.header.salt[0] ^= 1);
	UNSOUND(parts.root.size_bytes--);
	UNSOUND(parts.hash.size_bytes--);
	UNSOUND(block.header.data_blocks++); /* a second level that the tree has not */
#undef UNSOUND
}

static void what_cannot_be_read_is_unreadable_and_absent_is_absent(void **state)
{
	static const struct keyring keyring;

	(void)state;
	assert_int_equal(examine(), SLOT_SOUND);
	slot_examine(&parts, "/nonexistent", header_path, &keyring, -1, &examination);
	assert_int_equal(examination.verdict, SLOT_UNREADABLE);
	assert_int_equal(examination.error, -ENOENT);
	slot_examine(&parts, tree_path, "/nonexistent", &keyring, -1, &examination);
	assert_int_equal(examination.verdict, SLOT_UNREADABLE);
	assert_false(examination.header_verified);
	assert_int_equal(ftruncate(tree_fd, VERITY_BLOCK_BYTES), 0);
	slot_examine(&parts, tree_path, header_path, &keyring, -1, &examination);
	assert_int_equal(examination.verdict, SLOT_UNREADABLE);
	kernel.hash_error = -ENOMEM;
	assert_int_equal(examine(), SLOT_UNREADABLE);
	assert_false(examination.header_verified);
	parts.present = false;
	slot_examine(&parts, tree_path, header_path, &keyring, -1, &examination);
	assert_int_equal(examination.verdict, SLOT_ABSENT);
}

/* An image that cannot be trusted may still have noted what was rejected. */
static void marks_are_read_whatever_the_header_is(void **state)
{
	static struct slot_marks marks;

	(void)state;
	assert_int_equal(examine(), SLOT_SOUND);
	assert_null(slot_examination_marks(&examination));
	marks.security_epoch = 9;
	slot_marks_seal(&marks, NULL);
	assert_int_equal(pwrite(header_fd, &marks, sizeof(marks),
				SLOT_MARKS_OFFSET + SLOT_MARKS_BYTES),
			 sizeof(marks));
	kernel.answer = -ENOKEY;
	assert_int_equal(examine(), SLOT_UNSIGNED);
	assert_non_null(slot_examination_marks(&examination));
	assert_int_equal(slot_examination_marks(&examination)->security_epoch, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_signed_header_with_its_root_block_is_sound, good_slot),
		cmocka_unit_test_setup(a_signature_that_is_not_right_makes_a_slot_unsigned,
				       good_slot),
		cmocka_unit_test_setup(a_header_that_is_malformed_is_not_even_verified, good_slot),
		cmocka_unit_test_setup(what_does_not_fit_its_signed_header_is_unsound, good_slot),
		cmocka_unit_test_setup(what_cannot_be_read_is_unreadable_and_absent_is_absent,
				       good_slot),
		cmocka_unit_test_setup(marks_are_read_whatever_the_header_is, good_slot),
	};

	return cmocka_run_group_tests_name("slot examination", tests, make_files, remove_files);
}
