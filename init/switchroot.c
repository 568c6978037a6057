/* SPDX-License-Identifier: Apache-2.0 */
#include "init/switchroot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "mount/directory.h"
#include "mount/sys.h"

#define DEPTH_MAX 16u

static void empty_directory(int fd, dev_t device, unsigned int depth);

/* Delete `name` in `directory`; a directory on another device is a mount: left alone. */
static void delete_entry(int directory, const char *name, dev_t device, unsigned int depth)
{
	struct stat st;

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

static void empty_directory(int fd, dev_t device, unsigned int depth)
{
	struct directory directory = {.fd = fd};
	const char *name;

	while ((name = directory_next(&directory)))
		delete_entry(fd, name, device, depth);
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
