/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/group_signal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "svc/cgroup.h"
#include "svc/fd.h"

struct walk {
	const char *path;
	int number;
	uint32_t seen;
	uint32_t sent;
	int error; /* the first */
};

/*
 * The pidfd is open when the group is looked at: a process that ended after its number was read may
 * have left the number to a stranger, who is in another group.
 */
static int signal_one(struct walk *walk, int pid)
{
	char path[CGROUP_PATH_BYTES];
	owned_fd int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd < 0 || cgroup_of_process(pid, path) != 0 || !cgroup_contains(walk->path, path))
		return 0;
	if (syscall(SYS_pidfd_send_signal, fd, walk->number, NULL, 0) < 0)
		return errno == ESRCH ? 0 : -errno;
	walk->sent++;
	return 0;
}

static void keep(struct walk *walk, int error)
{
	if (walk->error == 0)
		walk->error = error;
}

/* Every line of cgroup.procs; pids that fork meanwhile are seen or are children of who was told. */
static void signal_group(struct walk *walk, int group)
{
	owned_fd int procs = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[4096];
	ssize_t size;
	int pid = 0;

	if (procs < 0) {
		keep(walk, -errno);
		return;
	}
	while ((size = read(procs, text, sizeof text)) > 0) {
		for (ssize_t i = 0; i < size; i++) {
			if (text[i] != '\n') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			if (++walk->seen > GROUP_SIGNAL_MAX) {
				keep(walk, -E2BIG);
				return;
			}
			keep(walk, signal_one(walk, pid));
			pid = 0;
		}
	}
	if (size < 0 && errno != EOPNOTSUPP) /* a threaded group has no processes of its own */
		keep(walk, -errno);
}

/* struct linux_dirent64 of getdents64(2): opendir(3) would allocate. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t record_bytes;
	uint8_t type;
	char name[];
};

static void signal_tree(struct walk *walk, int group, uint32_t depth)
{
	_Alignas(struct entry) char buffer[1024];
	owned_fd int fd = openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long size;

	signal_group(walk, group);
	if (fd < 0 || depth == GROUP_SIGNAL_DEPTH)
		return;
	while ((size = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0) {
		for (long at = 0; at < size;) {
			const struct entry *entry = (const void *)(buffer + at);

			at += entry->record_bytes;
			if (entry->type != DT_DIR || entry->name[0] == '.')
				continue;
			owned_fd int below = openat(
				fd, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (below >= 0)
				signal_tree(walk, below, depth + 1);
		}
	}
}

int group_signal(int group, const char *path, int number)
{
	struct walk walk = {.path = path, .number = number};

	if (group < 0)
		return -ESRCH;
	signal_tree(&walk, group, 0);
	if (walk.error != 0)
		return walk.error;
	return walk.sent == 0 ? -ESRCH : 0;
}
