// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/disk.h"

#include "rootfs-spec/boot_entry.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/gpt_types.h"
#include "rootfs-spec/identity.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/rootimage.h"
#include "rootfs-spec/run.h"
#include "rootfs-spec/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int make_sparse(const char *path, uint64_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int error = 0;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		error = report_errno(errno, "make %s", path);
	if (fd >= 0)
		close(fd);
	return error;
}

static const char *const epoch_environment[] = {"SOURCE_DATE_EPOCH=" IMAGE_EPOCH_TEXT,
						"E2FSPROGS_FAKE_TIME=" IMAGE_EPOCH_TEXT, NULL};

static int run_step(const char *step, const char *const *argv)
{
	struct run call = {.step = step, .argv = argv, .environment = epoch_environment};

	return run(&call);
}

/* What lies on the ESP, and how it is called there. */
struct esp_names {
	char vmlinuz[BOOT_ENTRY_NAME_BYTES];
	char initramfs[BOOT_ENTRY_NAME_BYTES];
};

static int name_files(const struct disk *disk, struct esp_names *names)
{
	uint8_t sha256[SHA256_BYTES];
	int error = sha256_file(disk->initramfs, sha256);

	if (error < 0)
		return report_errno(-error, "read %s", disk->initramfs);
	boot_entry_vmlinuz(names->vmlinuz, disk->kernel_sha256);
	boot_entry_initramfs(names->initramfs, sha256);
	return 0;
}

static int write_boot_entry(const struct disk *disk, const struct esp_names *names,
			    const char *path)
{
	char text[BOOT_ENTRY_BYTES];
	const struct boot_entry entry = {.name = disk->name,
					 .version = disk->version,
					 .vmlinuz = names->vmlinuz,
					 .initramfs = names->initramfs,
					 .options = disk->cmdline};

	if (boot_entry_format(text, sizeof(text), &entry, NULL) < 0)
		return report_refusal("the kernel's command line is too long");
	return file_write(path, text, strlen(text), 0644);
}

static int copy_to_esp(struct pool *pool, const char *image, const char *from, const char *to)
{
	const char *copy[] = {"mcopy", "-i", image, from, pool_printf(pool, "::/%s", to), NULL};

	return run_step("fill the EFI system partition", copy);
}

static int fill_esp(const struct disk *disk, struct pool *pool, const char *image)
{
	const char *entry = pool_printf(pool, "%s/keelson.conf", disk->scratch);
	static const char directory[] = "::/" BOOT_ENTRY_DIRECTORY;
	const char *mkdir[] = {"mmd", "-i", image, directory, "::/loader", "::/loader/entries",
			       NULL};
	struct esp_names names;
	int error = name_files(disk, &names);

	if (error == 0)
		error = write_boot_entry(disk, &names, entry);
	if (error == 0)
		error = run_step("fill the EFI system partition", mkdir);
	if (error == 0)
		error = copy_to_esp(pool, image, disk->vmlinuz,
				    pool_printf(pool, BOOT_ENTRY_DIRECTORY "/%s", names.vmlinuz));
	if (error == 0)
		error = copy_to_esp(pool, image, disk->initramfs,
				    pool_printf(pool, BOOT_ENTRY_DIRECTORY "/%s", names.initramfs));
	return error < 0 ? error : copy_to_esp(pool, image, entry, BOOT_ENTRY_PATH);
}

static int make_esp(const struct disk *disk, struct pool *pool, const char *image)
{
	char serial[9];
	int error;

	identity_serial(disk->build_id, "esp", serial);
	const char *mkfs[] = {"mkfs.vfat", "--invariant", "-i",  serial,
			      "-n",        "KEELSON",     image, NULL};

	error = make_sparse(image, disk->esp_bytes);
	if (error == 0)
		error = run_step("make the EFI system partition", mkfs);
	return error < 0 || disk->vmlinuz == NULL ? error : fill_esp(disk, pool, image);
}

/* Made here so that a node's first boot need not do it. */
static int make_state(const struct disk *disk, struct pool *pool, uint64_t size, const char *image)
{
	char uuid[UUID_TEXT_BYTES];
	char seed[UUID_TEXT_BYTES];
	int error = make_sparse(image, size);

	identity_uuid(disk->build_id, "state file system", uuid);
	identity_uuid(disk->build_id, "state hash seed", seed);
	const char *argv[] = {"mkfs.ext4",
			      "-q",
			      "-F",
			      "-b",
			      "4096",
			      "-L",
			      "state",
			      "-m",
			      "0",
			      "-U",
			      uuid,
			      "-E",
			      pool_printf(pool,
					  "hash_seed=%s,root_owner=0:0,lazy_itable_init=0,"
					  "lazy_journal_init=0,nodiscard",
					  seed),
			      image,
			      NULL};
	return error < 0 ? error : run_step("make the state file system", argv);
}

static int write_at(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
	while (size > 0) {
		ssize_t n = pwrite(fd, data, size, (off_t)offset);

		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* One stretch of data, from `at` to `end` in the file. */
static int copy_stretch(int disk, int fd, uint64_t offset, uint64_t at, uint64_t end)
{
	static uint8_t buffer[1 << 20];

	while (at < end) {
		size_t want = end - at < sizeof(buffer) ? (size_t)(end - at) : sizeof(buffer);
		ssize_t n = pread(fd, buffer, want, (off_t)at);
		int error;

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		error = write_at(disk, buffer, (size_t)n, offset + at);
		if (error < 0)
			return error;
		at += (uint64_t)n;
	}
	return 0;
}

/* Holes stay holes: lseek(2), SEEK_DATA. */
static int copy_into(int disk, const char *path, uint64_t offset)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t at = 0;
	int error = fd < 0 ? -errno : 0;

	while (error == 0 && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(fd, at, SEEK_HOLE);

		error = end < 0 ? -errno
				: copy_stretch(disk, fd, offset, (uint64_t)at, (uint64_t)end);
		at = end;
	}
	if (error == 0 && errno != ENXIO) /* ENXIO: no data behind `at` */
		error = -errno;
	if (fd >= 0)
		close(fd);
	return error < 0 ? report_errno(-error, "copy %s into the disk", path) : 0;
}

static int fill(const struct disk *disk, const struct disk_layout *layout)
{
	int fd = open(disk->path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return report_errno(errno, "open %s", disk->path);
	for (size_t i = 0; i < layout->count && error == 0; i++) {
		const struct disk_partition *partition = &layout->partitions[i];

		if (partition->content != NULL)
			error = copy_into(fd, partition->content, partition->offset_bytes);
	}
	if (close(fd) < 0 && error == 0)
		error = report_errno(errno, "write %s", disk->path);
	return error;
}

static int make_contents(const struct disk *disk, struct pool *pool, struct disk_layout *layout)
{
	int error = 0;

	for (size_t i = 0; i < layout->count && error == 0; i++) {
		struct disk_partition *partition = &layout->partitions[i];

		if (partition->content != NULL || partition->empty)
			continue;
		partition->content = pool_printf(pool, "%s/%s.img", disk->scratch, partition->name);
		if (strcmp(partition->name, GPT_NAME_ESP) == 0)
			error = make_esp(disk, pool, partition->content);
		else
			error = make_state(disk, pool, partition->size_bytes, partition->content);
	}
	return error;
}

static int partition_disk(const struct disk *disk, const struct disk_layout *layout)
{
	/* No re-reading, no locking: it is a file, and nobody else's. */
	const char *argv[] = {"sfdisk",           "--quiet",  "--no-reread",
			      "--no-tell-kernel", disk->path, NULL};
	struct bytes script = {0};
	struct run call = {.step = "partition the disk", .argv = argv};
	int error;

	disk_script(disk, layout, &script);
	call.input = script.data;
	call.input_bytes = script.size;
	error = run(&call);
	bytes_free(&script);
	return error;
}

int disk_make(const struct disk *disk, struct pool *pool)
{
	struct disk_layout layout;
	int error = disk_plan(disk, &layout);

	if (error == 0)
		error = make_contents(disk, pool, &layout);
	if (error == 0)
		error = make_sparse(disk->path, layout.size_bytes);
	if (error == 0)
		error = partition_disk(disk, &layout);
	return error < 0 ? error : fill(disk, &layout);
}
