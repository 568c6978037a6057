// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/files.h"

#include "rootfs-spec/report.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2 /* linux/fs.h, which does not go with every libc's headers */
#endif

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define cleanup_fd __attribute__((cleanup(close_fd)))

bool file_exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

int file_make_directories(const char *path)
{
	char part[PATH_MAX];
	size_t length = strlen(path);

	if (length >= sizeof(part))
		return report_errno(ENAMETOOLONG, "make directory %s", path);
	memcpy(part, path, length + 1);
	for (size_t i = 1; i <= length; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return report_errno(errno, "make directory %s", part);
		if (i < length)
			part[i] = '/';
	}
	return 0;
}

int file_read(const char *path, struct bytes *content)
{
	char buffer[1 << 14];
	ssize_t n;
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return report_errno(errno, "read %s", path);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		bytes_add(content, buffer, (size_t)n);
	if (n < 0)
		return report_errno(errno, "read %s", path);
	bytes_add(content, "", 0);
	return 0;
}

int file_stream(const char *path, uint64_t offset, uint64_t size, file_sink sink, void *context)
{
	static uint8_t buffer[1 << 20];
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return report_errno(errno, "read %s", path);
	while (size > 0 && error == 0) {
		size_t want = size < sizeof(buffer) ? (size_t)size : sizeof(buffer);
		ssize_t n = pread(fd, buffer, want, (off_t)offset);

		if (n < 0)
			return report_errno(errno, "read %s", path);
		if (n == 0)
			return report_refusal("%s ends too early", path);
		error = sink(context, buffer, (size_t)n);
		offset += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return error;
}

static int add_portion(void *context, const void *bytes, size_t size)
{
	bytes_add(context, bytes, size);
	return 0;
}

int file_read_part(const char *path, uint64_t offset, size_t size, struct bytes *content)
{
	return file_stream(path, offset, size, add_portion, content);
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int file_write_part(const char *path, uint64_t offset, const void *data, size_t size)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = fd < 0 || lseek(fd, (off_t)offset, SEEK_SET) < 0 ? -errno
								     : write_all(fd, data, size);

	if (error == 0 && fsync(fd) < 0)
		error = -errno;
	return error < 0 ? report_errno(-error, "write %s", path) : 0;
}

/* A device or a pipe is written to: a rename would put a file into its place. */
static int write_into(const char *path, const void *data, size_t size)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	int error = fd < 0 ? -errno : write_all(fd, data, size);

	return error < 0 ? report_errno(-error, "write %s", path) : 0;
}

int file_write(const char *path, const void *data, size_t size, mode_t mode)
{
	char temporary[PATH_MAX];
	struct stat status;
	int error;

	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return write_into(path, data, size);
	if (snprintf(temporary, sizeof(temporary), "%s.new%d", path, (int)getpid()) >=
	    (int)sizeof(temporary))
		return report_errno(ENAMETOOLONG, "write %s", path);
	cleanup_fd int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return report_errno(errno, "write %s", temporary);
	error = write_all(fd, data, size);
	if (error == 0 && fchmod(fd, mode) < 0)
		error = -errno;
	if (error == 0 && rename(temporary, path) < 0)
		error = -errno;
	if (error < 0) {
		unlink(temporary);
		return report_errno(-error, "write %s", path);
	}
	return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)walk;
	return type == FTW_DP || type == FTW_DNR ? rmdir(path) : unlink(path);
}

/* A package may hold a directory that its owner cannot write or search. */
static int open_up(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)walk;
	if ((type == FTW_D || type == FTW_DNR) && (status->st_mode & 0700) != 0700)
		return chmod(path, (status->st_mode & 07777) | 0700);
	return 0;
}

int file_remove_tree(const char *path)
{
	if (!file_exists(path))
		return 0;
	if (nftw(path, open_up, 32, FTW_PHYS) != 0 ||
	    nftw(path, remove_entry, 32, FTW_PHYS | FTW_DEPTH) != 0)
		return report_errno(errno, "remove %s", path);
	return 0;
}

int file_copy(const char *from, const char *to, mode_t mode)
{
	cleanup_fd int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return report_errno(errno, "copy %s", from);
	cleanup_fd int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return report_errno(errno, "copy %s to %s", from, to);
	for (;;) {
		ssize_t n = copy_file_range(in, NULL, out, NULL, 1u << 30, 0);

		if (n < 0 &&
		    (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
			char buffer[1 << 14];

			n = read(in, buffer, sizeof(buffer));
			if (n > 0 && write_all(out, buffer, (size_t)n) < 0)
				n = -1;
		}
		if (n < 0)
			return report_errno(errno, "copy %s to %s", from, to);
		if (n == 0)
			break;
	}
	if (fchmod(out, mode) < 0)
		return report_errno(errno, "copy %s to %s", from, to);
	return 0;
}

int file_rename(const char *from, const char *to)
{
	if (rename(from, to) < 0)
		return report_errno(errno, "rename %s to %s", from, to);
	return 0;
}

int file_replace_tree(const char *from, const char *to)
{
	char old[PATH_MAX];
	int error;

	if (!file_exists(to))
		return file_rename(from, to);
	if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0)
		return file_remove_tree(from);
	if (snprintf(old, sizeof(old), "%s.old", to) >= (int)sizeof(old))
		return report_errno(ENAMETOOLONG, "replace %s", to);
	error = file_remove_tree(old);
	if (error == 0)
		error = file_rename(to, old);
	if (error == 0)
		error = file_rename(from, to);
	return error < 0 ? error : file_remove_tree(old);
}

int64_t file_size(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return report_errno(errno, "size of %s", path);
	return status.st_size;
}

int file_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return report_errno(errno, "lock %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		report_step("waiting for another keelson that holds %s", path);
		if (flock(fd, LOCK_EX) < 0) {
			int error = errno;

			close(fd);
			return report_errno(error, "lock %s", path);
		}
	}
	return fd;
}
