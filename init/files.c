/* SPDX-License-Identifier: Apache-2.0 */
#include "init/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h> /* rename(2) */
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/apply.h"
#include "mount/sys.h"

#define TEMPORARY_SUFFIX ".keelson-new"

int file_write(const char *path, const char *text)
{
	cleanup_fd fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	size_t size = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, size);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

ssize_t file_read(const char *path, char *text, size_t size)
{
	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t have = 0;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	while (have < size) {
		ssize_t n = read(fd, text + have, size - have);

		if (n <= 0) {
			text[have] = '\0';
			return n < 0 ? -errno : (ssize_t)have;
		}
		have += (size_t)n;
	}
	text[size - 1] = '\0';
	return -EFBIG;
}

/* The name under which a file is written before it is whole. */
static int temporary_name(const char *path, char name[PATH_MAX])
{
	size_t length = strlen(path);

	if (length + sizeof(TEMPORARY_SUFFIX) > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(name, path, length);
	memcpy(name + length, TEMPORARY_SUFFIX, sizeof(TEMPORARY_SUFFIX));
	return 0;
}

/* Give the new file at `fd` its owner and mode, flush it and let it appear as `path`. */
static int publish(int fd, const char *name, const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return rename(name, path) < 0 ? -errno : 0;
}

static int fill(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0)
			return -errno;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static int copy(int to, int from)
{
	for (;;) {
		ssize_t n = sendfile(to, from, NULL, 1 << 20);

		if (n <= 0)
			return n < 0 ? -errno : 0;
	}
}

/* `source` < 0: write `bytes`. */
static int create(const char *path, int source, const void *bytes, size_t size, mode_t mode,
		  uid_t uid, gid_t gid)
{
	char name[PATH_MAX];
	struct stat st;
	int error;

	if (lstat(path, &st) == 0)
		return -EEXIST;
	error = temporary_name(path, name);
	if (error)
		return error;
	/* A leftover of a boot that was cut short. */
	unlink(name);

	cleanup_fd fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	error = source < 0 ? fill(fd, bytes, size) : copy(fd, source);
	if (!error)
		error = publish(fd, name, path, mode, uid, gid);
	if (error)
		unlink(name);
	return error;
}

int file_create(const char *path, const void *bytes, size_t size, mode_t mode, uid_t uid, gid_t gid)
{
	return create(path, -1, bytes, size, mode, uid, gid);
}

int file_copy(const char *source, const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	cleanup_fd from = open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return create(path, from, NULL, 0, mode, uid, gid);
}

int directories_above(const char *path)
{
	char above[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;

	if (length == 0)
		return 0;
	if (length >= sizeof(above))
		return -ENAMETOOLONG;
	memcpy(above, path, length);
	above[length] = '\0';
	return make_directories(above);
}
