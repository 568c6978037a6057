// SPDX-License-Identifier: Apache-2.0
/*
 * vm-choose DISK SECTOR_BYTES SIGNED... - what would boot from a disk image, by the node's own code.
 *
 * For each line on its input one line of JSON: which slot the next boot of DISK would choose, why, and
 * what it finds in both. The table is read, the slots are examined and the choice is made by what PID 1
 * is made of. Three things differ. There are no devices: the start of each partition is copied into a
 * memory file whose path stands for the device. SHA-256 is this program's. And nobody verifies RSA:
 * the headers that count as signed are those of the files SIGNED (4096 bytes, `header.bin` of an
 * image), byte for byte with their signatures, which the caller has verified.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/slot.h"
#include "mount/gpt_io.h"
#include "mount/slot_verify.h"
#include "rootfs-spec/sha256.h"

#define SIGNED_MAX 8
#define START_BYTES 65536u /* marks and header; superblock and root block of the tree */

static struct slot_header_block believed[SIGNED_MAX];
static int believed_count;

/* ---- in place of the kernel ---- */

int hash_sha256(int hash, const struct iovec *parts, size_t count, uint8_t digest[HASH_BYTES])
{
	struct sha256 sha;

	(void)hash;
	sha256_begin(&sha);
	for (size_t i = 0; i < count; i++)
		sha256_add(&sha, parts[i].iov_base, parts[i].iov_len);
	sha256_end(&sha, digest);
	return 0;
}

int keyring_verify(const struct keyring *keyring, const uint8_t key_id[HASH_BYTES],
		   const uint8_t digest[HASH_BYTES], const void *signature, size_t size)
{
	uint8_t good[HASH_BYTES];

	(void)keyring;
	for (int i = 0; i < believed_count; i++) {
		const struct slot_header_block *block = &believed[i];

		sha256_bytes(&block->header, sizeof(block->header), good);
		if (memcmp(good, digest, sizeof(good)) == 0 &&
		    memcmp(block->header.key_id, key_id, HASH_BYTES) == 0 &&
		    memcmp(block->signature, signature, size) == 0)
			return 0;
	}
	return -EKEYREJECTED;
}

/* ---- the disk ---- */

static struct gpt gpt;
static struct slot_table table;
static struct slot_examination examinations[SLOT_COUNT];

static int fail(const char *object, const char *step)
{
	fprintf(stderr, "vm-choose: %s: %s: %s\n", object, step, strerror(errno));
	return 1;
}

struct device_file {
	int fd;
	char path[32];
};

/* The start of a partition as a file of its own. */
static int copy_start(int disk, uint32_t number, struct device_file *file)
{
	static uint8_t start[START_BYTES];
	struct gpt_entry entry;
	int error = gpt_entry(&gpt, number - 1, &entry);

	if (error)
		return error;
	error = disk_read(disk, start, sizeof(start), entry.first_lba * gpt.sector_bytes);
	if (error)
		return error;
	snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
	return disk_write(file->fd, start, sizeof(start), 0);
}

static int judge(int disk, uint32_t sector_bytes, uint64_t size_bytes, struct slot_view *views)
{
	static struct device_file tree = {.fd = -1}, header = {.fd = -1};
	int error = gpt_read(disk, sector_bytes, size_bytes / sector_bytes, &gpt);

	if (tree.fd < 0)
		tree.fd = memfd_create("tree", MFD_CLOEXEC);
	if (header.fd < 0)
		header.fd = memfd_create("header", MFD_CLOEXEC);
	memset(examinations, 0, sizeof(examinations));
	memset(&table, 0, sizeof(table));
	if (!error)
		slots_find(&gpt, &table);
	for (uint32_t i = 0; i < SLOT_COUNT && !error; i++) {
		const struct slot_parts *parts = &table.slot[i];

		if (!parts->present)
			continue;
		error = copy_start(disk, parts->hash.number, &tree);
		if (!error)
			error = copy_start(disk, parts->header.number, &header);
		if (!error)
			slot_examine(parts, tree.path, header.path, NULL, -1, &examinations[i]);
	}
	if (!error)
		slot_judge(&table, examinations, views);
	return error;
}

static void tell(int error, const struct slot_view views[SLOT_COUNT])
{
	struct slot_choice choice;

	if (error) {
		printf("{\"boot\": null, \"why\": \"no table: %s\"}\n", strerror(-error));
		return;
	}
	choice = slot_choose(views, -1);
	printf("{\"boot\": ");
	if (choice.boot < 0)
		printf("null");
	else
		printf("\"%c\"", slot_letter((uint32_t)choice.boot));
	printf(", \"why\": \"%s\", \"damaged\": %s, \"slots\": {", slot_why_text(choice.why),
	       gpt.primary_fault || gpt.backup_fault || gpt.differ ? "true" : "false");
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		const struct slot_examination *found = &examinations[i];

		printf("%s\"%c\": {\"sound\": %s, \"version\": \"%.64s\", \"priority\": %d, "
		       "\"tries\": %d, \"successful\": %s}",
		       i ? ", " : "", slot_letter(i),
		       views[i].verdict == SLOT_SOUND ? "true" : "false",
		       found->header_verified ? (const char *)found->block.header.image_version
					      : "",
		       views[i].bits.priority, views[i].bits.tries,
		       views[i].bits.successful ? "true" : "false");
	}
	printf("}}\n");
}

int main(int argc, char **argv)
{
	struct slot_view views[SLOT_COUNT];
	struct stat status;
	char line[16];
	int disk;

	if (argc < 4 || argc - 3 > SIGNED_MAX) {
		fputs("usage: vm-choose DISK SECTOR_BYTES SIGNED...\n", stderr);
		return 2;
	}
	for (; believed_count < argc - 3; believed_count++) {
		const char *path = argv[3 + believed_count];
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || slot_header_read(fd, &believed[believed_count]) != 0)
			return fail(path, "read header");
		close(fd);
	}
	disk = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (disk < 0 || fstat(disk, &status) < 0)
		return fail(argv[1], "open disk");
	while (fgets(line, sizeof(line), stdin)) {
		memset(views, 0, sizeof(views));
		tell(judge(disk, (uint32_t)atoi(argv[2]), (uint64_t)status.st_size, views), views);
		fflush(stdout);
	}
	return 0;
}
