/* SPDX-License-Identifier: Apache-2.0 */
#include "init/esp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/directory.h"
#include "mount/sys.h"
#include "rootfs-spec/boot_entry.h"
#include "rootfs-spec/slot_header.h"

/* No loader reads an entry of this name. */
#define ENTRY_NEW "loader/entries/keelson.new"
#define PIECE_BYTES (1u << 20)
#define PATH_BYTES 96u

void (*esp_before_change)(void);

struct esp {
	int fd;
	const struct esp_image *image;
	char *step;
	char vmlinuz[BOOT_ENTRY_NAME_BYTES];
	char initramfs[BOOT_ENTRY_NAME_BYTES];
	char before[BOOT_ENTRY_BYTES]; /* the present entry, as it is found */
	char text[BOOT_ENTRY_BYTES];   /* the new one */
};

static int failed(const struct esp *esp, const char *object, const char *step, int error)
{
	snprintf(esp->step, ESP_STEP_BYTES, "%s: %s", object, step);
	return error;
}

static void change(void)
{
	if (esp_before_change)
		esp_before_change();
}

/* syncfs(2) does not empty the disk's own cache for FAT, fsync(2) does. */
static int flush(const struct esp *esp)
{
	return syncfs(esp->fd) < 0 || fsync(esp->fd) < 0 ? failed(esp, "ESP", "flush", -errno) : 0;
}

/* ---- texts ---- */

/* The whole file, NUL-terminated. A longer one or one with a NUL is nobody's entry: -EFBIG. */
static int read_text(int directory, const char *path, char *text, size_t size)
{
	cleanup_fd fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, text + length, size - length)) > 0)
		length += (size_t)n;
	if (n < 0)
		return -errno;
	if (length == size || memchr(text, '\0', length))
		return -EFBIG;
	text[length] = '\0';
	return 0;
}

/* The first block of a file; 0: there is none, or the file system does not tell (FIBMAP). */
static int first_block(const struct esp *esp, const char *path)
{
	cleanup_fd fd = openat(esp->fd, path, O_RDONLY | O_CLOEXEC);
	int block = 0;

	return fd < 0 || sys_ioctl(fd, FIBMAP, &block) < 0 ? 0 : block;
}

/*
 * The directory entries of a rename may lie in two sectors. A cut between both leaves one file with
 * two names, and to delete one would free what the other holds: only fsck.vfat(8) tells them apart.
 */
static int check_names(const struct esp *esp)
{
	int left = first_block(esp, ENTRY_NEW);

	if (left && (left == first_block(esp, BOOT_ENTRY_PATH) ||
		     left == first_block(esp, BOOT_ENTRY_PREVIOUS_PATH)))
		return failed(esp, ENTRY_NEW, "one file with two names, fsck.vfat repairs that",
			      -EUCLEAN);
	return 0;
}

/*
 * What is replaced stays open until the rename is on the disk: its clusters are freed after that, and
 * the entry never names free ones.
 */
static int write_entry(const struct esp *esp, const char *path, const char *text)
{
	size_t length = strlen(text);
	cleanup_fd replaced = openat(esp->fd, path, O_RDONLY | O_CLOEXEC);
	cleanup_fd fd = -1;
	int error;

	change();
	fd = openat(esp->fd, ENTRY_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return failed(esp, ENTRY_NEW, "create", -errno);
	change();
	if (write(fd, text, length) != (ssize_t)length)
		return failed(esp, ENTRY_NEW, "write", -ENOSPC);
	if (fsync(fd) < 0)
		return failed(esp, ENTRY_NEW, "flush", -errno);
	error = flush(esp);
	if (error)
		return error;
	change();
	if (renameat(esp->fd, ENTRY_NEW, esp->fd, path) < 0)
		return failed(esp, path, "rename", -errno);
	return flush(esp);
}

/* ---- files ---- */

static void file_path(char path[PATH_BYTES], const char *name)
{
	snprintf(path, PATH_BYTES, BOOT_ENTRY_DIRECTORY "/%s", name);
}

static int delete (const struct esp *esp, const char *path)
{
	change();
	return unlinkat(esp->fd, path, 0) < 0 && errno != ENOENT
		       ? failed(esp, path, "delete", -errno)
		       : 0;
}

/* Everything in there is keelson's. */
static int delete_unused(const struct esp *esp)
{
	struct directory directory = {
		.fd = openat(esp->fd, BOOT_ENTRY_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	cleanup_fd fd = directory.fd;
	char path[PATH_BYTES];
	const char *name;
	int error = 0;

	if (fd < 0)
		return failed(esp, BOOT_ENTRY_DIRECTORY, "open", -errno);
	while (!error && (name = directory_next(&directory))) {
		if (strlen(name) >= BOOT_ENTRY_NAME_BYTES || boot_entry_uses(esp->before, name))
			continue;
		file_path(path, name);
		error = delete (esp, path);
	}
	return error;
}

static int make_room(const struct esp *esp)
{
	int error = delete (esp, BOOT_ENTRY_PREVIOUS_PATH);

	/* Before the files that it names. */
	if (!error)
		error = flush(esp);
	if (!error)
		error = delete (esp, ENTRY_NEW);
	if (!error)
		error = delete_unused(esp);
	return error ? error : flush(esp);
}

static bool is_there(const struct esp *esp, const char *name, uint64_t size_bytes)
{
	char path[PATH_BYTES];
	struct stat st;

	file_path(path, name);
	return fstatat(esp->fd, path, &st, 0) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == size_bytes;
}

static int copy(int from, int to, uint64_t size_bytes)
{
	while (size_bytes > 0) {
		size_t piece = size_bytes < PIECE_BYTES ? (size_t)size_bytes : PIECE_BYTES;
		ssize_t n;

		change();
		n = sendfile(to, from, NULL, piece);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		size_bytes -= (uint64_t)n;
	}
	return fsync(to) < 0 ? -errno : 0;
}

/* `present`: only say whether it is there. */
static int put_file(const struct esp *esp, const char *source, const char *name, bool *present)
{
	cleanup_fd from = openat(esp->image->root, source + 1, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_fd to = -1;
	char path[PATH_BYTES];
	struct stat st;
	int error;

	if (from < 0 || fstat(from, &st) < 0)
		return failed(esp, source, "open", -errno);
	if (present) {
		*present = *present && is_there(esp, name, (uint64_t)st.st_size);
		return 0;
	}
	if (boot_entry_uses(esp->before, name) && is_there(esp, name, (uint64_t)st.st_size))
		return 0;
	file_path(path, name);
	change();
	to = openat(esp->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (to < 0)
		return failed(esp, path, "create", -errno);
	error = copy(from, to, (uint64_t)st.st_size);
	if (!error)
		return 0;
	failed(esp, path, error == -ENOSPC ? "write, the ESP needs room for two kernels" : "write",
	       error);
	(void)unlinkat(esp->fd, path, 0);
	(void)syncfs(esp->fd);
	return error;
}

static int put_files(const struct esp *esp, bool *present)
{
	int error = put_file(esp, SLOT_KERNEL_PATH, esp->vmlinuz, present);

	return error ? error : put_file(esp, SLOT_INITRAMFS_PATH, esp->initramfs, present);
}

/* ---- the entry ---- */

static int make_text(struct esp *esp)
{
	char options[BOOT_ENTRY_BYTES];
	const struct boot_entry entry = {.name = esp->image->name,
					 .version = esp->image->version,
					 .vmlinuz = esp->vmlinuz,
					 .initramfs = esp->initramfs,
					 .options = options};
	int error = read_text(esp->image->root, SLOT_CMDLINE_PATH + 1, options, sizeof(options));

	if (error)
		return failed(esp, SLOT_CMDLINE_PATH, "read", error);
	options[strcspn(options, "\n")] = '\0';
	boot_entry_vmlinuz(esp->vmlinuz, esp->image->kernel_sha256);
	boot_entry_initramfs(esp->initramfs, esp->image->initramfs_sha256);
	error = boot_entry_format(esp->text, sizeof(esp->text), &entry, esp->before);
	return error ? failed(esp, BOOT_ENTRY_PATH, "write", error) : 0;
}

static int write_entries(const struct esp *esp)
{
	char previous[BOOT_ENTRY_BYTES];
	int error = boot_entry_format_previous(previous, sizeof(previous), esp->before);

	/* Too long for another line: then without a previous one. */
	if (!error)
		error = write_entry(esp, BOOT_ENTRY_PREVIOUS_PATH, previous);
	return error && error != -E2BIG ? error : write_entry(esp, BOOT_ENTRY_PATH, esp->text);
}

int esp_replace(int fd, const struct esp_image *image, char step[ESP_STEP_BYTES])
{
	static struct esp esp;
	bool present = true;
	int error;

	esp = (struct esp){.fd = fd, .image = image, .step = step};
	error = read_text(fd, BOOT_ENTRY_PATH, esp.before, sizeof(esp.before));
	if (error == -ENOENT)
		return ESP_FOREIGN;
	if (error)
		return failed(&esp, BOOT_ENTRY_PATH, "read", error);
	error = make_text(&esp);
	if (!error)
		error = put_files(&esp, &present);
	if (error)
		return error;
	if (present && strcmp(esp.text, esp.before) == 0)
		return ESP_ALREADY;
	error = check_names(&esp);
	if (!error)
		error = make_room(&esp);
	if (!error)
		error = put_files(&esp, NULL);
	if (!error)
		error = flush(&esp);
	if (!error)
		error = write_entries(&esp);
	return error ? error : ESP_REPLACED;
}
