/* SPDX-License-Identifier: Apache-2.0 */
#include "init/groups.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "mount/directory.h"
#include "mount/sys.h"
#include "svc/cgroup.h"

#define DEPTH_MAX 16u

/* Called for every directory in a group; `child` is open and stays the walker's. */
typedef void child_visitor(int child, const char *name, unsigned int depth, void *context);

static int open_group(int above, const char *name)
{
	return openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void for_each_child(int group, unsigned int depth, child_visitor *visit, void *context)
{
	struct directory directory = {.fd = group};
	const char *name;

	if (depth >= DEPTH_MAX)
		return;
	while ((name = directory_next(&directory))) {
		if (directory.type != DT_DIR)
			continue;

		cleanup_fd child = open_group(group, name);

		if (child >= 0)
			visit(child, name, depth + 1, context);
	}
}

static bool populated(int group)
{
	cleanup_fd fd = openat(group, "cgroup.events", O_RDONLY | O_CLOEXEC);
	char text[128];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return strstr(text, "populated 1") != NULL;
}

bool groups_populated(const char *group)
{
	cleanup_fd fd = open_group(AT_FDCWD, group);

	return fd >= 0 && populated(fd);
}

int groups_kill(const char *group)
{
	cleanup_fd fd = open_group(AT_FDCWD, group);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return cgroup_kill(fd);
}

/* ---- signals ---- */

struct signal_walk {
	int signal;
	unsigned int sent;
};

static void signal_process(pid_t pid, struct signal_walk *walk)
{
	cleanup_fd pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd >= 0 && sys_pidfd_send_signal(pidfd, walk->signal) == 0)
		walk->sent++;
}

/* Numbers, one in a line; one may be cut by the end of a read. */
static void signal_listed(int procs, struct signal_walk *walk)
{
	char text[512];
	pid_t pid = 0;
	ssize_t n;

	while ((n = read(procs, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			if (pid > 1) /* 0: a process of another pid namespace */
				signal_process(pid, walk);
			pid = 0;
		}
	}
}

static void signal_branch(int group, const char *name, unsigned int depth, void *context)
{
	cleanup_fd procs = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);

	(void)name;
	if (procs >= 0)
		signal_listed(procs, context);
	for_each_child(group, depth, signal_branch, context);
}

unsigned int groups_signal(const char *group, int signal)
{
	cleanup_fd fd = open_group(AT_FDCWD, group);
	struct signal_walk walk = {.signal = signal};

	if (fd >= 0)
		signal_branch(fd, group, 0, &walk);
	return walk.sent;
}

/* ---- everything but ---- */

struct others {
	const char *keep; /* what is left of the path that is kept, at this level */
	bool kill;
	bool populated;
};

/*
 * Is `name` the first part of `path`? NULL: no; else what follows it: "" when it is the whole path.
 */
static const char *step_into(const char *path, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(path, name, length) != 0)
		return NULL;
	if (path[length] == '/')
		return path + length + 1;
	return path[length] == '\0' ? path + length : NULL;
}

static void visit_other(int group, const char *name, unsigned int depth, void *context)
{
	struct others *others = context;
	const char *below = step_into(others->keep, name);

	if (depth == 1 && strcmp(name, CGROUP_INIT_LEAF) == 0)
		return;
	if (below) {
		struct others inner = {below, others->kill, false};

		if (*below != '\0')
			for_each_child(group, depth, visit_other, &inner);
		others->populated |= inner.populated;
		return;
	}
	if (!populated(group))
		return;
	others->populated = true;
	if (others->kill)
		cgroup_kill(group);
}

static bool walk_others(const char *root, const char *keep, bool kill)
{
	cleanup_fd fd = open_group(AT_FDCWD, root);
	struct others others = {keep, kill, false};

	if (fd >= 0)
		for_each_child(fd, 0, visit_other, &others);
	return others.populated;
}

void groups_kill_others(const char *root, const char *keep)
{
	walk_others(root, keep, true);
}

bool groups_is_machine(const char *root)
{
	struct stat st;

	/* kernfs numbers the root of a tree 1, and nothing else. */
	return stat(root, &st) == 0 && st.st_ino == 1;
}

bool groups_others_populated(const char *root, const char *keep)
{
	return walk_others(root, keep, false);
}
