/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "svc/fd.h"
#include "svc/format.h"

#define NAME_BYTES (PATH_MAX + 16)

static int make_parents(const char *path)
{
	char directory[PATH_MAX];

	if (strlen(path) >= sizeof directory)
		return -ENAMETOOLONG;
	strcpy(directory, path);
	for (char *slash = strchr(directory + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(directory, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* Does the file end within a line? A logger that died may have left it so. */
static bool ends_a_line(int fd, off_t size)
{
	char last;

	return size == 0 || pread(fd, &last, 1, size - 1) != 1 || last == '\n';
}

int logfile_open(struct logfile *file)
{
	int error = make_parents(file->path);

	if (error != 0)
		return error;
	owned_fd int fd = open(file->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
			       0640);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	file->size_bytes = (uint64_t)status.st_size;
	file->line_start = ends_a_line(fd, status.st_size);
	file->fd = fd_take(&fd);
	return 0;
}

void logfile_close(struct logfile *file)
{
	fd_close(&file->fd);
}

static void numbered(const struct logfile *file, uint32_t number, char name[static NAME_BYTES])
{
	if (number == 0)
		format_text(name, NAME_BYTES, "%s", file->path);
	else
		format_text(name, NAME_BYTES, "%s.%u", file->path, number);
}

int logfile_rotate_if_due(struct logfile *file)
{
	char from[NAME_BYTES], to[NAME_BYTES];

	if (file->max_bytes == 0 || file->size_bytes < file->max_bytes || !file->line_start)
		return 0;
	logfile_close(file);
	if (file->keep == 0 && unlink(file->path) < 0 && errno != ENOENT)
		return -errno;
	for (uint32_t n = file->keep; n > 0; n--) {
		numbered(file, n - 1, from);
		numbered(file, n, to);
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return logfile_open(file);
}

int logfile_append(struct logfile *file, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = write(file->fd, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		file->size_bytes += (uint64_t)written;
		file->line_start = bytes[written - 1] == '\n';
		bytes += written;
		size -= (size_t)written;
	}
	return 0;
}
