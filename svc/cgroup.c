/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "svc/fd.h"
#include "svc/format.h"

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* A group that is removed has at most so many groups below it; more are left to their owner. */
#define REMOVE_MAX 4096u

int cgroup_open(const char *root)
{
	owned_fd int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return -ENOTSUP;
	return fd_take(&fd);
}

int cgroup_write(int group, const char *file, const char *value)
{
	owned_fd int fd = openat(group, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

/*
 * One write each: a write that names several controllers fails as a whole when one is missing.
 */
static int enable_controllers(int group, const char *controllers)
{
	int first_error = 0;

	while (*controllers) {
		size_t length = strcspn(controllers, " ");
		char word[32];

		if (length > 0 && length < sizeof word) {
			memcpy(word, controllers, length);
			word[length] = '\0';
			int error = cgroup_write(group, "cgroup.subtree_control", word);

			if (error != 0 && first_error == 0)
				first_error = error;
		}
		controllers += length + strspn(controllers + length, " ");
	}
	return first_error;
}

int cgroup_init(int root, const char *controllers)
{
	if (mkdirat(root, CGROUP_INIT_LEAF, 0755) < 0 && errno != EEXIST)
		return -errno;
	int error = cgroup_write(root, CGROUP_INIT_LEAF "/cgroup.procs", "0");

	return error != 0 ? error : enable_controllers(root, controllers);
}

int cgroup_make(int root, const char *path, const char *controllers)
{
	owned_fd int at = fcntl(root, F_DUPFD_CLOEXEC, 0);

	while (at >= 0) {
		size_t length = strcspn(path, "/");
		char name[256];

		if (length == 0 || length >= sizeof name)
			return -EINVAL;
		memcpy(name, path, length);
		name[length] = '\0';
		if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
			return -errno;
		int next = openat(at, name, DIRECTORY_FLAGS);

		if (next < 0)
			return -errno;
		fd_close(&at);
		at = next;
		path += length;
		if (*path == '\0')
			return fd_take(&at);
		/* What is missing here was missing at the root, and was told there. */
		(void)enable_controllers(at, controllers);
		path++;
	}
	return -errno;
}

int cgroup_kill(int group)
{
	return cgroup_write(group, "cgroup.kill", "1");
}

int cgroup_open_events(int group)
{
	int fd = openat(group, "cgroup.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

int cgroup_populated(int events)
{
	char text[256];
	ssize_t size = pread(events, text, sizeof text, 0);

	return size < 0 ? -errno : cgroup_parse_populated(text, (size_t)size);
}

/* struct linux_dirent64 of getdents64(2): opendir(3) would allocate. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t record_bytes;
	uint8_t type;
	char name[];
};

/* The name of some directory in `fd`. 0, -ENOENT, or another negative errno. */
static int first_directory(int fd, char *name, size_t name_size)
{
	_Alignas(struct entry) char buffer[1024];

	for (;;) {
		long size = syscall(SYS_getdents64, fd, buffer, sizeof buffer);

		if (size < 0)
			return -errno;
		if (size == 0)
			return -ENOENT;
		for (long at = 0; at < size;) {
			const struct entry *entry = (const void *)(buffer + at);
			size_t length = strlen(entry->name);

			at += entry->record_bytes;
			if (entry->type != DT_DIR || entry->name[0] == '.')
				continue;
			if (length >= name_size)
				return -ENAMETOOLONG;
			memcpy(name, entry->name, length + 1);
			return 0;
		}
	}
}

/* Extend `path` to a deepest group below it. */
static int descend(int root, char *path, size_t size)
{
	for (;;) {
		size_t length = strlen(path);
		owned_fd int fd = openat(root, path, DIRECTORY_FLAGS);

		if (fd < 0)
			return -errno;
		if (length + 2 >= size)
			return -ENAMETOOLONG;
		int error = first_directory(fd, path + length + 1, size - length - 1);

		if (error == -ENOENT)
			return 0;
		if (error != 0)
			return error;
		path[length] = '/';
	}
}

int cgroup_remove(int root, const char *path)
{
	if (unlinkat(root, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	/* Busy: groups or processes below. Remove from the leaves up until one refuses. */
	for (unsigned n = 0; n < REMOVE_MAX; n++) {
		char deepest[2 * CGROUP_PATH_BYTES];

		if (format_text(deepest, sizeof deepest, "%s", path) != strlen(path))
			return -ENAMETOOLONG;
		int error = descend(root, deepest, sizeof deepest);

		if (error != 0)
			return error;
		if (unlinkat(root, deepest, AT_REMOVEDIR) < 0)
			return -errno;
		if (strcmp(deepest, path) == 0)
			return 0;
	}
	return -EBUSY;
}

int cgroup_of_process(int pid, char path[static CGROUP_PATH_BYTES])
{
	char text[4096];

	format_text(text, sizeof text, "/proc/%d/cgroup", pid);
	owned_fd int fd = open(text, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t size = read(fd, text, sizeof text);

	return size < 0 ? -errno : cgroup_parse_path(text, (size_t)size, path);
}
