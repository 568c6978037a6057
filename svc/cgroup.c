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

/*
 * Steps into, out of and over the groups below one that is removed, at a time: tens of milliseconds.
 * Each call begins at the top, so groups nested deeper than that are in the way for ever.
 */
#define REMOVE_STEPS 4096u

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

int cgroup_enter_leaf(int root)
{
	if (mkdirat(root, CGROUP_INIT_LEAF, 0755) < 0 && errno != EEXIST)
		return -errno;
	return cgroup_write(root, CGROUP_INIT_LEAF "/cgroup.procs", "0");
}

/*
 * One write each: a write that names several controllers fails as a whole when one is missing.
 */
int cgroup_enable(int group, const char *controllers, char missing[static CGROUP_LIST_BYTES])
{
	size_t used = 0;
	int first_error = 0;

	missing[0] = '\0';
	while (*controllers) {
		size_t length = strcspn(controllers, " ");
		char word[32];

		format_text(word, sizeof word, "%.*s", (int)length, controllers);
		int error = cgroup_write(group, "cgroup.subtree_control", word);

		/* Not given to this group, or not there at all. */
		if (error == -ENOENT || error == -EINVAL)
			used += format_text(missing + used, CGROUP_LIST_BYTES - used, " %s",
					    word + 1); /* without its "+" */
		else if (first_error == 0)
			first_error = error;
		controllers += length + strspn(controllers + length, " ");
	}
	return first_error;
}

/* Make the group `path`[0..length) in `at` and open it. */
static int make_one(int at, const char *path, size_t length)
{
	char name[256];

	if (length == 0 || length >= sizeof name)
		return -EINVAL;
	memcpy(name, path, length);
	name[length] = '\0';
	if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	int fd = openat(at, name, DIRECTORY_FLAGS);

	return fd < 0 ? -errno : fd;
}

/* Every group above the last of `path`. */
static int make_parents(int root, const char *path, const char *controllers)
{
	char missing[CGROUP_LIST_BYTES]; /* at the root too, and was told there */
	owned_fd int at = -1;

	for (size_t length; path[length = strcspn(path, "/")] != '\0'; path += length + 1) {
		int next = make_one(at < 0 ? root : at, path, length);

		if (next < 0)
			return next;
		fd_close(&at);
		at = next;
		(void)cgroup_enable(at, controllers, missing);
	}
	return 0;
}

/* Two groups lie in one. */
static bool same_parent(const char *a, const char *b)
{
	const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
	size_t length = slash_a ? (size_t)(slash_a - a) : 0;

	return length == (slash_b ? (size_t)(slash_b - b) : 0) && strncmp(a, b, length) == 0;
}

int cgroup_make_parents(int root, const struct plan *plan)
{
	const char *controllers = plan_string(plan, plan->system->controllers);
	const char *last = ""; /* lies in the root, which is ready */
	int first_error = 0;

	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES); i++) {
		const char *path = plan_string(plan, plan_service(plan, i)->cgroup);
		int error = same_parent(path, last) ? 0 : make_parents(root, path, controllers);

		last = path;
		if (first_error == 0)
			first_error = error;
	}
	return first_error;
}

int cgroup_make(int root, const char *path, const char *controllers, bool *existed)
{
	int error = mkdirat(root, path, 0755) < 0 ? -errno : 0;

	if (error == -ENOENT) { /* somebody removed a parent since */
		error = make_parents(root, path, controllers);
		if (error == 0 && mkdirat(root, path, 0755) < 0)
			error = -errno;
	}
	if (error != 0 && error != -EEXIST)
		return error;
	if (existed)
		*existed = error == -EEXIST;
	int fd = openat(root, path, DIRECTORY_FLAGS);

	return fd < 0 ? -errno : fd;
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

	lseek(fd, 0, SEEK_SET);
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

/* Step into a group, or out of it (".."). */
static int step(int *at, const char *name)
{
	int next = openat(*at, name, DIRECTORY_FLAGS);

	if (next < 0)
		return -errno;
	fd_close(at);
	*at = next;
	return 0;
}

/*
 * From the leaves up, by descriptors: whoever has a group of his own may nest others in it deeper
 * than any path is long. One that refuses is stepped into; one with nothing in it that still refuses
 * has processes.
 */
int cgroup_remove(int root, const char *path)
{
	bool removed = true;
	uint32_t depth = 0;
	char name[256];

	if (unlinkat(root, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	owned_fd int at = openat(root, path, DIRECTORY_FLAGS);

	if (at < 0)
		return -errno;
	for (uint32_t n = 0; n < REMOVE_STEPS; n++) {
		int error = first_directory(at, name, sizeof name);

		if (error == 0 && unlinkat(at, name, AT_REMOVEDIR) == 0) {
			removed = true;
		} else if (error == 0) {
			error = step(&at, name);
			removed = false;
			depth++;
		} else if (error == -ENOENT && removed && depth > 0) {
			error = step(&at, "..");
			depth--;
		} else if (error == -ENOENT) {
			return depth == 0 && unlinkat(root, path, AT_REMOVEDIR) == 0 ? 0 : -EBUSY;
		}
		if (error != 0)
			return error;
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
