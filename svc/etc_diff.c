/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/etc_diff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "svc/fd.h"

#define PATH_BYTES 4096u
#define DEPTH_MAX 64u
#define PERMISSIONS 07777u

const char *etc_change_name(enum etc_change change)
{
	static const char *const names[ETC_CHANGE_COUNT] = {
		"same", "identical", "added", "changed", "removed", "type-changed", "opaque"};

	return names[change];
}

enum etc_change etc_compare(const struct etc_entry *upper, const struct etc_entry *lower,
			    bool same_content)
{
	bool same_owner = ((upper->mode ^ lower->mode) & PERMISSIONS) == 0 &&
			  upper->uid == lower->uid && upper->gid == lower->gid;

	if (!upper->exists)
		return lower->exists ? ETC_REMOVED : ETC_SAME;
	if (upper->whiteout)
		return lower->exists ? ETC_REMOVED : ETC_IDENTICAL;
	if (!lower->exists)
		return ETC_ADDED;
	if ((upper->mode & S_IFMT) != (lower->mode & S_IFMT))
		return ETC_TYPE;
	if (S_ISDIR(upper->mode))
		return upper->opaque ? ETC_OPAQUE : same_owner ? ETC_SAME : ETC_CHANGED;
	if ((S_ISCHR(upper->mode) || S_ISBLK(upper->mode)) && upper->rdev != lower->rdev)
		return ETC_CHANGED;
	return same_owner && same_content ? ETC_IDENTICAL : ETC_CHANGED;
}

/* ---- one name ---- */

/* overlayfs marks with "trusted." attributes, or with "user." ones when mounted with userxattr. */
static bool has_mark(int fd, const char *name, char value)
{
	static const char *const spaces[] = {"trusted", "user"};
	char attribute[64], found;

	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		snprintf(attribute, sizeof(attribute), "%s.overlay.%s", spaces[i], name);
		if (fgetxattr(fd, attribute, &found, 1) == 1 && found == value)
			return true;
	}
	return false;
}

/* `directory` may be -1: nothing is there. */
static int look(int directory, const char *name, struct etc_entry *entry)
{
	struct stat st;

	*entry = (struct etc_entry){0};
	if (directory < 0)
		return 0;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	*entry = (struct etc_entry){
		.exists = true,
		.whiteout = S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0),
		.mode = st.st_mode,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.rdev = S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? st.st_rdev : 0,
	};
	return 0;
}

static int open_directory(int above, const char *name)
{
	return openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool same_link(int upper, int lower, const char *name)
{
	char targets[2][PATH_BYTES];
	ssize_t n = readlinkat(upper, name, targets[0], PATH_BYTES);
	ssize_t m = readlinkat(lower, name, targets[1], PATH_BYTES);

	return n >= 0 && n == m && memcmp(targets[0], targets[1], (size_t)n) == 0;
}

/* A file is read no further than where it differs. A pipe put in its place must not block. */
static bool same_file(int upper, int lower, const char *name)
{
	static char bytes[2][65536];
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	owned_fd int one = openat(upper, name, flags);
	owned_fd int other = openat(lower, name, flags);
	struct stat sizes[2];
	off_t at = 0;

	if (one < 0 || other < 0 || fstat(one, &sizes[0]) < 0 || fstat(other, &sizes[1]) < 0 ||
	    !S_ISREG(sizes[0].st_mode) || !S_ISREG(sizes[1].st_mode) ||
	    sizes[0].st_size != sizes[1].st_size)
		return false;
	while (at < sizes[0].st_size) {
		ssize_t n = pread(one, bytes[0], sizeof(bytes[0]), at);

		if (n <= 0 || pread(other, bytes[1], (size_t)n, at) != n ||
		    memcmp(bytes[0], bytes[1], (size_t)n) != 0)
			return false;
		at += n;
	}
	return true;
}

static bool same_content(int upper, int lower, const char *name, uint32_t mode)
{
	if (lower < 0)
		return false;
	if (S_ISLNK(mode))
		return same_link(upper, lower, name);
	return !S_ISREG(mode) || same_file(upper, lower, name);
}

/* ---- names of a directory ---- */

struct names {
	char **list;
	size_t count;
};

static void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

static int names_add(struct names *names, const char *name)
{
	char **list = realloc(names->list, (names->count + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	names->list = list;
	list[names->count] = strdup(name);
	return list[names->count] ? (names->count++, 0) : -ENOMEM;
}

static int names_read(int directory, struct names *names)
{
	int fd = open_directory(directory, ".");
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int error = dir ? 0 : -errno;

	if (!dir && fd >= 0)
		close(fd);
	while (!error) {
		errno = 0;
		struct dirent *entry = readdir(dir);

		if (!entry) {
			error = -errno;
			break;
		}
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			error = names_add(names, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return error;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- the walk ---- */

struct walk {
	etc_visit visit;
	void *context;
	char path[PATH_BYTES];
	unsigned depth;
};

static int walk_directory(struct walk *walk, int upper, int lower, bool opaque);

static int walk_below(struct walk *walk, int upper, int lower, const char *name,
		      const struct etc_entry *entry, const struct etc_entry *below)
{
	owned_fd int in_upper = open_directory(upper, name);
	owned_fd int in_lower = below->exists && S_ISDIR(below->mode) ? open_directory(lower, name)
								      : -1;

	if (in_upper < 0)
		return -errno;
	return walk_directory(walk, in_upper, in_lower, entry->opaque);
}

static int walk_name(struct walk *walk, int upper, int lower, const char *name)
{
	struct etc_entry entry, below;
	int error = look(upper, name, &entry);

	if (!error)
		error = look(lower, name, &below);
	if (error)
		return error;
	if (entry.exists && S_ISDIR(entry.mode)) {
		owned_fd int fd = open_directory(upper, name);

		entry.opaque = fd >= 0 && has_mark(fd, "opaque", 'y');
	}
	struct etc_difference difference = {
		.change = etc_compare(&entry, &below,
				      entry.exists && same_content(upper, lower, name, entry.mode)),
		.path = walk->path,
		.upper = &entry,
		.lower = &below,
	};

	if (difference.change != ETC_SAME)
		error = walk->visit(walk->context, &difference);
	if (error || !entry.exists || !S_ISDIR(entry.mode))
		return error;
	return walk_below(walk, upper, lower, name, &entry, &below);
}

static int walk_directory(struct walk *walk, int upper, int lower, bool opaque)
{
	struct names names = {0};
	size_t length = strlen(walk->path);
	int error = names_read(upper, &names);

	/* What an opaque directory hides is gone as if every name had a whiteout. */
	if (!error && opaque && lower >= 0)
		error = names_read(lower, &names);
	if (!error && ++walk->depth > DEPTH_MAX)
		error = -ELOOP;
	if (names.count)
		qsort(names.list, names.count, sizeof(*names.list), by_name);
	for (size_t i = 0; i < names.count && !error; i++) {
		if (i > 0 && strcmp(names.list[i], names.list[i - 1]) == 0)
			continue;
		if ((size_t)snprintf(walk->path + length, PATH_BYTES - length, "%s%s",
				     length ? "/" : "", names.list[i]) >= PATH_BYTES - length)
			error = -ENAMETOOLONG;
		else
			error = walk_name(walk, upper, lower, names.list[i]);
		if (!error)
			walk->path[length] = '\0';
	}
	names_free(&names);
	walk->depth--;
	return error;
}

int etc_walk(int upper, int lower, etc_visit visit, void *context, const char **failed)
{
	static struct walk walk;

	walk = (struct walk){.visit = visit, .context = context};
	*failed = walk.path;
	return walk_directory(&walk, upper, lower, has_mark(upper, "opaque", 'y'));
}

/* ---- removing ---- */

static int remove_all(int directory, unsigned depth);

static int remove_name(int directory, const char *name, unsigned depth)
{
	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;

	owned_fd int below = open_directory(directory, name);

	if (below < 0)
		return -errno;
	int error = depth < DEPTH_MAX ? remove_all(below, depth + 1) : -ELOOP;

	if (error)
		return error;
	return unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

static int remove_all(int directory, unsigned depth)
{
	struct names names = {0};
	int error = names_read(directory, &names);

	for (size_t i = 0; i < names.count && !error; i++)
		error = remove_name(directory, names.list[i], depth);
	names_free(&names);
	return error;
}

int etc_remove(int layer, const char *path)
{
	owned_fd int at = open_directory(layer, ".");
	char name[PATH_BYTES];

	if (at < 0)
		return -errno;
	if (strcmp(path, ".") == 0)
		return remove_all(at, 0);
	for (;;) {
		size_t length = strcspn(path, "/");

		if (length == 0 || length > 255 || (length <= 2 && memcmp(path, "..", length) == 0))
			return -EINVAL;
		memcpy(name, path, length);
		name[length] = '\0';
		if (path[length] == '\0')
			return remove_name(at, name, 0);
		path += length + 1;
		int below = open_directory(at, name);

		if (below < 0)
			return errno == ENOENT ? 0 : -errno;
		fd_close(&at);
		at = below;
	}
}
