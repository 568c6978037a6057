/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/mount_table.h"

#include <string.h>

#include "mount/mountinfo.h"
#include "mount/sys.h"

#define TARGETS_BYTES (64u << 10)
#define LINE_BYTES (32u << 10) /* an overlay of many layers has a long line */

/* Touched at shutdown only; until then these are pages that nobody has. */
static struct mount_table table;
static size_t targets_used;
static char targets[TARGETS_BYTES];
static char text[LINE_BYTES];

/* A file read line by line through one static buffer. */
struct lines {
	int fd;
	size_t used;
	size_t at;
	bool end;
};

/*
 * The next line without its newline, until the next call; NULL at the end. The rest of a line that
 * is too long is dropped.
 */
static char *next_line(struct lines *lines)
{
	bool skip = false;

	for (;;) {
		char *line = text + lines->at;
		char *newline = memchr(line, '\n', lines->used - lines->at);

		if (newline) {
			*newline = '\0';
			lines->at = (size_t)(newline - text) + 1;
			if (!skip)
				return line;
			skip = false;
			continue;
		}
		if (lines->end)
			return NULL;
		memmove(text, line, lines->used - lines->at);
		lines->used -= lines->at;
		lines->at = 0;
		if (lines->used == sizeof(text)) {
			lines->used = 0;
			skip = true;
		}

		ssize_t n = read(lines->fd, text + lines->used, sizeof(text) - lines->used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			lines->end = true;
		else
			lines->used += (size_t)n;
	}
}

int mount_table_lines(const char *path, bool (*visit)(void *context, char *line), void *context)
{
	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	struct lines lines = {.fd = fd};
	char *line;

	if (fd < 0)
		return -errno;
	while ((line = next_line(&lines)))
		if (!visit(context, line))
			break;
	return 0;
}

bool mount_table_is_below(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(path, prefix, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

struct reading {
	const char *const *keep;
	size_t keep_count;
	int total;
	int skip; /* so many come before the first one that is remembered */
	bool count_only;
};

static bool is_kept(const struct reading *reading, const char *target)
{
	if (strcmp(target, "/") == 0)
		return true;
	for (size_t i = 0; i < reading->keep_count; i++)
		if (mount_table_is_below(target, reading->keep[i]))
			return true;
	return false;
}

static void remember(const struct mountinfo *info)
{
	size_t size = strlen(info->target) + 1;

	if (table.count == MOUNT_TABLE_MAX || size > TARGETS_BYTES - targets_used)
		return;
	memcpy(targets + targets_used, info->target, size);
	table.mounts[table.count++] = (struct mount_entry){
		.id = info->id,
		.major = info->major,
		.minor = info->minor,
		.read_only = strncmp(info->super_options, "ro", 2) == 0 &&
			     (info->super_options[2] == ',' || info->super_options[2] == '\0'),
		.error = -ETIMEDOUT, /* until it is tried */
		.target = targets + targets_used,
	};
	targets_used += size;
}

static bool visit(void *context, char *line)
{
	struct reading *reading = context;
	struct mountinfo info;

	if (mountinfo_parse(line, &info) != 0 || is_kept(reading, info.target))
		return true;
	if (!reading->count_only && reading->total >= reading->skip)
		remember(&info);
	reading->total++;
	return true;
}

/* Of more than fit, the last ones: they must go first. The first round only counts. */
int mount_table_read(const char *const *keep, size_t keep_count, struct mount_table **read)
{
	struct reading reading = {.keep = keep, .keep_count = keep_count, .count_only = true};
	int error = mount_table_lines("/proc/self/mountinfo", visit, &reading);

	*read = &table;
	table.count = 0;
	targets_used = 0;
	if (error)
		return error;
	if (reading.total > (int)MOUNT_TABLE_MAX)
		reading.skip = reading.total - (int)MOUNT_TABLE_MAX;
	reading.total = 0;
	reading.count_only = false;
	error = mount_table_lines("/proc/self/mountinfo", visit, &reading);
	return error ? error : reading.total;
}
