/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes that keelson itself lays out in an image: digests, archives, headers, the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rootfs-spec/cpio.h"
#include "rootfs-spec/disk.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/header.h"
#include "rootfs-spec/identity.h"
#include "rootfs-spec/lock.h"
#include "rootfs-spec/oci.h"
#include "rootfs-spec/sha256.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- SHA-256: the examples of FIPS 180-2, appendix B, and the lengths around a block ---- */

static void digests_are_those_of_the_standard(void **state)
{
	static const struct {
		const char *text;
		size_t repeat;
		const char *digest;
	} cases[] = {
		{"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
		{"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
		{"a", 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sha256 hash;
		uint8_t digest[SHA256_BYTES];
		char text[SHA256_TEXT_BYTES];

		sha256_begin(&hash);
		for (size_t n = 0; n < cases[i].repeat; n++)
			sha256_add(&hash, cases[i].text, strlen(cases[i].text));
		sha256_end(&hash, digest);
		sha256_text(digest, text);
		assert_string_equal(text, cases[i].digest);
	}
}

/* ---- cpio ---- */

static unsigned long hex(const char *field)
{
	char digits[9] = {0};

	memcpy(digits, field, 8);
	return strtoul(digits, NULL, 16);
}

/* The fields of a newc header, by buffer-format.rst. */
enum {
	MODE = 14,
	UID = 22,
	GID = 30,
	MTIME = 46,
	FILESIZE = 54,
	RMAJOR = 78,
	RMINOR = 86,
	NAMESIZE = 94,
	HEADER = 110
};

static void a_cpio_archive_is_what_the_kernel_reads(void **state)
{
	static const struct {
		const char *name;
		unsigned long mode;
		const char *content;
		unsigned long minor;
	} expected[] = {
		{"dev", 040755, "", 0},        {"dev/console", 020600, "", 1},
		{"init", 0100755, "12345", 0}, {"link", 0120777, "target", 0},
		{"TRAILER!!!", 0, "", 0},
	};
	struct cpio cpio = {0};
	const char *at;

	(void)state;
	cpio_directory(&cpio, "dev", 0755);
	cpio_character_device(&cpio, "dev/console", 0600, 5, 1);
	cpio_file(&cpio, "init", 0755, "12345", 5);
	cpio_symlink(&cpio, "link", "target");
	cpio_end(&cpio);
	at = (const char *)cpio.archive.data;
	for (size_t i = 0; i < COUNT(expected); i++) {
		size_t name_bytes = hex(at + NAMESIZE);
		size_t size = hex(at + FILESIZE);
		const char *data = at + (HEADER + name_bytes + 3) / 4 * 4;

		assert_memory_equal(at, "070701", 6);
		assert_int_equal(hex(at + MODE), expected[i].mode);
		assert_int_equal(hex(at + UID) | hex(at + GID) | hex(at + MTIME), 0);
		assert_int_equal(hex(at + RMINOR), expected[i].minor);
		assert_int_equal(hex(at + RMAJOR), expected[i].minor != 0 ? 5 : 0);
		assert_string_equal(at + HEADER, expected[i].name);
		assert_int_equal(size, strlen(expected[i].content));
		assert_memory_equal(data, expected[i].content, size);
		at = data + (size + 3) / 4 * 4;
	}
	assert_ptr_equal(at, cpio.archive.data + cpio.archive.size);
	bytes_free(&cpio.archive);
}

/* ---- OCI ---- */

/* The member's content in a ustar archive, or NULL. */
static const char *member(const struct bytes *tar, const char *name, size_t *size)
{
	for (size_t at = 0; at + 512 <= tar->size;) {
		const char *header = (const char *)tar->data + at;

		*size = strtoul(header + 124, NULL, 8);
		if (strcmp(header, name) == 0)
			return header + 512;
		at += 512 + (*size + 511) / 512 * 512;
	}
	return NULL;
}

/* The blob that `key` of a JSON text names by "sha256:...", checked against its digest. */
static const char *blob(const struct bytes *tar, const char *json, const char *key, size_t *size)
{
	const char *digest = strstr(strstr(json, key), "sha256:") + 7;
	char name[128];
	char text[SHA256_TEXT_BYTES];
	uint8_t bytes[SHA256_BYTES];
	const char *content;

	snprintf(name, sizeof(name), "blobs/sha256/%.64s", digest);
	content = member(tar, name, size);
	assert_non_null(content);
	sha256_bytes(content, *size, bytes);
	sha256_text(bytes, text);
	assert_memory_equal(text, digest, 64);
	return content;
}

static void a_container_image_is_whole(void **state)
{
	static const char program[] = "\177ELF and so on";
	const struct oci_image image = {.name = "localhost/keelson/pause:1",
					.architecture = "amd64",
					.program_name = "keelson-pause",
					.program = program,
					.program_bytes = sizeof(program)};
	struct bytes tar = {0};
	struct bytes again = {0};
	const char *layout;
	const char *index;
	const char *manifest;
	const char *config;
	struct bytes layer = {0};
	size_t size;

	(void)state;
	oci_pack(&image, &tar);
	assert_int_equal(tar.size % 512, 0);
	layout = member(&tar, "oci-layout", &size);
	assert_memory_equal(layout, "{\"imageLayoutVersion\":\"1.0.0\"}", size);
	index = member(&tar, "index.json", &size);
	assert_non_null(index);
	assert_non_null(
		strstr(index, "\"io.containerd.image.name\":\"localhost/keelson/pause:1\""));
	assert_non_null(strstr(index, "\"org.opencontainers.image.ref.name\":\"1\""));
	manifest = blob(&tar, index, "manifests", &size);
	config = blob(&tar, manifest, "\"config\"", &size);
	assert_non_null(strstr(config, "\"Entrypoint\":[\"/keelson-pause\"]"));
	layer.data = (uint8_t *)(uintptr_t)blob(&tar, manifest, "\"layers\"", &layer.size);
	assert_memory_equal(member(&layer, "keelson-pause", &size), program, sizeof(program));
	assert_int_equal(size, sizeof(program));
	/* The layer is not compressed: its digest is its diff id. */
	assert_ptr_equal(blob(&tar, config, "diff_ids", &size), layer.data);

	oci_pack(&image, &again);
	assert_int_equal(again.size, tar.size);
	assert_memory_equal(again.data, tar.data, tar.size);
	bytes_free(&tar);
	bytes_free(&again);
}

/* ---- lock files ---- */

#define D64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void a_lock_file_reads_back(void **state)
{
	static const char text[] = "# keelson lock 1\nrequest " D64 "\n"
				   "containerd 1.6.20~ds1-1+deb12u3 amd64 " D64 "\n"
				   "zlib1g 1:1.2.13.dfsg-1 amd64 " D64 "\n";
	struct pool pool = {0};
	struct package_set set;
	struct bytes again = {0};
	size_t line;

	(void)state;
	assert_int_equal(lock_parse(text, &pool, &set, &line), 0);
	assert_int_equal(set.count, 2);
	assert_string_equal(set.list[1].version, "1:1.2.13.dfsg-1");
	lock_format(&set, &again);
	assert_string_equal((char *)again.data, text);
	bytes_free(&again);
	pool_free(&pool);
}

static void a_damaged_lock_file_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text;
		size_t line;
	} cases[] = {
		{"", 1},
		{"# keelson lock 2\n", 1},
		{"# keelson lock 1\n", 2},
		{"# keelson lock 1", 1},
		{"# keelson lock 1\nrequest 12\n", 2},
		{"# keelson lock 1\nrequest " D64 "x\n", 2},
		{"# keelson lock 1\nrequest " D64 "\nrunc 1 amd64\n", 3},
		{"# keelson lock 1\nrequest " D64 "\nrunc  amd64 " D64 "\n", 3},
		{"# keelson lock 1\nrequest " D64 "\nrunc 1 amd64 " D64 " more\n", 3},
		{"# keelson lock 1\nrequest " D64 "\nrunc 1 amd64 " D64, 3},
		{"# keelson lock 1\nrequest " D64 "\n\n", 3},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pool pool = {0};
		struct package_set set;
		size_t line;

		print_message("# case %zu\n", i);
		assert_int_equal(lock_parse(cases[i].text, &pool, &set, &line), -74);
		assert_int_equal(line, cases[i].line);
		pool_free(&pool);
	}
}

/* ---- headers ---- */

static struct header_facts facts_of(const struct verity_tree *tree, const uint8_t *build_id)
{
	return (struct header_facts){.name = "minimal",
				     .version = "0.1.0",
				     .root_type = "erofs",
				     .build_id = build_id,
				     .tree = tree,
				     .security_epoch = 9,
				     .kernel_bytes = 14};
}

static void a_filled_header_passes_the_nodes_check(void **state)
{
	static const uint8_t build_id[32] = {7};
	const struct verity_tree tree = {
		.data_blocks = 100, .hash_blocks = 2, .root_hash = {1}, .salt = {2}};
	const struct signer signer = {
		.certificate = {.id = {3}, .name = "name of the key", .signature_bytes = 256}};
	struct header_facts facts = facts_of(&tree, build_id);
	struct slot_header header;
	const char *reason = "";

	(void)state;
	assert_int_equal(header_fill(&facts, &signer, &header), 0);
	assert_int_equal(slot_header_check(&header, &reason), 0);
	assert_int_equal(header.data_blocks, 100);
	assert_int_equal(header.hash_offset_blocks, 1);
	assert_int_equal(header.hash_blocks, 2);
	assert_int_equal(header.salt_bytes, 32);
	assert_int_equal(header.signature_bytes, 256);
	assert_int_equal(header.security_epoch, 9);
	assert_memory_equal(header.root_hash, tree.root_hash, 32);
	assert_memory_equal(header.build_id, build_id, 32);
	assert_memory_equal(header.key_id, signer.certificate.id, 32);
	assert_string_equal((char *)header.key_name, "name of the key");
}

static void a_name_that_does_not_fit_a_header_is_refused(void **state)
{
	static const char name[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	static const uint8_t build_id[32];
	const struct verity_tree tree = {.data_blocks = 1, .hash_blocks = 2};
	const struct signer signer = {0};
	struct header_facts facts = facts_of(&tree, build_id);
	struct slot_header header;

	(void)state;
	facts.name = name; /* 64 bytes: one more than there is room for beside the NUL */
	assert_int_equal(header_fill(&facts, &signer, &header), -36);
	facts.name = name + 1;
	assert_int_equal(header_fill(&facts, &signer, &header), 0);
}

static void a_tree_takes_the_room_it_was_given(void **state)
{
	/* Blocks of data, blocks of the tree with its superblock. */
	static const struct {
		uint64_t data;
		uint64_t blocks;
	} cases[] = {{1, 2}, {2, 2}, {128, 2}, {129, 4}, {16384, 130}, {16385, 1 + 129 + 2 + 1}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(verity_tree_bytes(cases[i].data), cases[i].blocks * 4096);
}

/* ---- the disk ---- */

static void a_disk_holds_two_slots_and_the_state(void **state)
{
	static const struct {
		const char *name;
		uint64_t mib;
		uint64_t size_mib;
		uint32_t priority;
	} expected[] = {
		{"esp", 1, 64, 0},
		{"root-a", 65, 128, 2},
		{"root-a-verity", 193, 2, 0},
		{"root-a-header", 195, 1, 0},
		{"root-b", 196, 128, 1},
		{"root-b-verity", 324, 2, 0},
		{"root-b-header", 326, 1, 0},
		{"state", 327, 256, 0},
	};
	static const uint8_t build_id[32] = {1};
	char root[] = "/tmp/keelson-root.XXXXXX";
	int fd = mkstemp(root);
	struct disk disk = {.build_id = build_id,
			    .root = root,
			    .esp_bytes = 64 << 20,
			    .state_bytes = 256 << 20,
			    .tries = 3,
			    .fill_both = true};
	struct disk_layout layout;
	struct bytes script = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8192), 0);
	close(fd);
	assert_int_equal(disk_plan(&disk, &layout), 0);
	assert_int_equal(layout.count, COUNT(expected));
	for (size_t i = 0; i < layout.count; i++) {
		const struct disk_partition *partition = &layout.partitions[i];

		assert_string_equal(partition->name, expected[i].name);
		assert_int_equal(partition->offset_bytes, expected[i].mib << 20);
		assert_int_equal(partition->size_bytes, expected[i].size_mib << 20);
		assert_int_equal(partition->priority, expected[i].priority);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(partition->uuid, layout.partitions[j].uuid);
	}
	assert_int_equal(layout.size_bytes, 584u << 20);
	disk_script(&disk, &layout, &script);
	/* Priority 2 is bit 49, priority 1 bit 48, three tries bits 52 and 53. */
	assert_non_null(strstr((char *)script.data,
			       "name=\"root-a\", attrs=\"GUID:49 GUID:52 GUID:53\"\n"));
	assert_non_null(strstr((char *)script.data,
			       "name=\"root-b\", attrs=\"GUID:48 GUID:52 GUID:53\"\n"));
	assert_non_null(strstr((char *)script.data, "name=\"state\"\n"));
	bytes_free(&script);

	/* Slot b may be left empty: the same places, nothing in them, never booted. */
	disk.fill_both = false;
	assert_int_equal(disk_plan(&disk, &layout), 0);
	assert_int_equal(layout.count, COUNT(expected));
	for (size_t i = 0; i < layout.count; i++) {
		const struct disk_partition *partition = &layout.partitions[i];
		bool slot_b = i >= 4 && i <= 6;

		assert_int_equal(partition->offset_bytes, expected[i].mib << 20);
		assert_int_equal(partition->empty, slot_b);
		if (slot_b)
			assert_null(partition->content);
		assert_int_equal(partition->priority | partition->tries, i == 1 ? 2 | 3 : 0);
	}

	/* An image that does not fit is refused before anything is made. */
	disk.slot_bytes = 4096;
	assert_int_equal(disk_plan(&disk, &layout), -22);
	unlink(root);
}

static void identifiers_depend_on_build_and_label(void **state)
{
	static const uint8_t one[32] = {1};
	static const uint8_t two[32] = {2};
	char first[UUID_TEXT_BYTES];
	char other[UUID_TEXT_BYTES];

	(void)state;
	identity_uuid(one, "root-a", first);
	assert_int_equal(strlen(first), 36);
	assert_int_equal(first[14], '8'); /* the version */
	assert_non_null(strchr("89ab", first[19]));
	identity_uuid(one, "root-a", other);
	assert_string_equal(first, other);
	identity_uuid(one, "root-b", other);
	assert_string_not_equal(first, other);
	identity_uuid(two, "root-a", other);
	assert_string_not_equal(first, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_those_of_the_standard),
		cmocka_unit_test(a_cpio_archive_is_what_the_kernel_reads),
		cmocka_unit_test(a_container_image_is_whole),
		cmocka_unit_test(a_lock_file_reads_back),
		cmocka_unit_test(a_damaged_lock_file_is_refused_with_its_line),
		cmocka_unit_test(a_filled_header_passes_the_nodes_check),
		cmocka_unit_test(a_name_that_does_not_fit_a_header_is_refused),
		cmocka_unit_test(a_tree_takes_the_room_it_was_given),
		cmocka_unit_test(a_disk_holds_two_slots_and_the_state),
		cmocka_unit_test(identifiers_depend_on_build_and_label),
	};

	return cmocka_run_group_tests_name("image_formats", tests, NULL, NULL);
}
