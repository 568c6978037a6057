/* SPDX-License-Identifier: Apache-2.0 */
#include "init/switchroot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "mount/sys.h"

#define DEPTH_MAX 16u

struct entry64 { /* struct linux_dirent64 of getdents64(2) */
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

static void empty_directory(int fd, dev_t device, unsigned int depth);

/* Delete `name` in `directory`; a directory on another device is a mount: left alone. */
static void delete_entry(int directory, const char *name, dev_t device, unsigned int depth)
{
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != device)
		return;
	if (!S_ISDIR(st.st_mode)) {
		unlinkat(directory, name, 0);
		return;
	}
	if (depth == DEPTH_MAX)
		return;

	cleanup_fd fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	empty_directory(fd, device, depth + 1);
	unlinkat(directory, name, AT_REMOVEDIR);
}

/* ramfs and tmpfs may skip entries when others go while reading: read again until none is left. */
static void empty_directory(int fd, dev_t device, unsigned int depth)
{
	_Alignas(struct entry64) char buffer[1024];

	for (;;) {
		long n = syscall(SYS_getdents64, fd, buffer, sizeof(buffer));

		if (n <= 0)
			return;
		for (long at = 0; at < n;) {
			const struct entry64 *entry = (const void *)(buffer + at);

			delete_entry(fd, entry->name, device, depth);
			at += entry->reclen;
		}
	}
}

static bool in_memory(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       ((unsigned long)fs.f_type == RAMFS_MAGIC || (unsigned long)fs.f_type == TMPFS_MAGIC);
}

static int move_into(const char *root, const char *mount_point)
{
	char target[64];
	size_t length = strlen(root);

	if (length + strlen(mount_point) >= sizeof(target))
		return -ENAMETOOLONG;
	memcpy(target, root, length);
	memcpy(target + length, mount_point, strlen(mount_point) + 1);
	return mount(mount_point, target, NULL, MS_MOVE, NULL) < 0 ? -errno : 0;
}

int switch_root(const char *root, const char **step)
{
	static const char *const moved[] = {"/dev", "/proc", "/sys"};
	cleanup_fd old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int error;

	*step = "open /";
	if (old < 0 || fstat(old, &st) < 0)
		return -errno;
	*step = "/ is not an initramfs";
	if (!in_memory(old))
		return -EBUSY;
	for (size_t i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
		*step = moved[i];
		error = move_into(root, moved[i]);
		if (error)
			return error;
	}
	*step = "enter the new root";
	if (chdir(root) < 0)
		return -errno;
	empty_directory(old, st.st_dev, 0);
	*step = "move the new root to /";
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}
