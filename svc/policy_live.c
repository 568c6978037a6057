/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/policy_live.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "svc/fd.h"
#include "svc/keelctl.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define SECCOMP_GET_FILTER 0x420c /* PTRACE_SECCOMP_GET_FILTER */
#define STOPPED_BY_PTRACE 128     /* PTRACE_EVENT_STOP */
#define FILTERS_MAX 64u

/* ---- the program ---- */

static uint64_t both(const struct vfs_cap_data *caps, bool permitted)
{
	uint64_t low = permitted ? caps->data[0].permitted : caps->data[0].inheritable;
	uint64_t high = permitted ? caps->data[1].permitted : caps->data[1].inheritable;

	return high << 32 | low;
}

/* Attributes that count on a file system without nosuid. */
static void read_file(int pid, struct exec_file *file)
{
	struct ns_caps {
		struct vfs_cap_data caps;
		uint32_t root; /* of revision 3 */
	} value;
	struct statvfs fs;
	struct stat status;
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0 || fstatvfs(fd, &fs) < 0 || fs.f_flag & ST_NOSUID)
		return;
	file->uid = status.st_uid;
	file->gid = status.st_gid;
	file->is_setuid = (status.st_mode & S_ISUID) != 0;
	file->is_setgid = (status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
	if (fgetxattr(fd, "security.capability", &value, sizeof value) < (ssize_t)sizeof value.caps)
		return;
	file->has_caps = true;
	file->cap_effective = (value.caps.magic_etc & VFS_CAP_FLAGS_EFFECTIVE) != 0;
	file->cap_permitted = both(&value.caps, true);
	file->cap_inheritable = both(&value.caps, false);
}

/* ---- namespaces, group, mounts ---- */

static void read_namespaces(int pid, bool own[NS_COUNT])
{
	static const char *const names[NS_COUNT] = {
		[NS_MOUNT] = "mnt", [NS_IPC] = "ipc",       [NS_UTS] = "uts",   [NS_NET] = "net",
		[NS_PID] = "pid",   [NS_CGROUP] = "cgroup", [NS_USER] = "user",
	};

	for (unsigned i = 0; i < NS_COUNT; i++) {
		char path[64], pid1[64] = "", its[64] = "";

		snprintf(path, sizeof path, "/proc/1/ns/%s", names[i]);
		ssize_t a = readlink(path, pid1, sizeof pid1 - 1);

		snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, names[i]);
		ssize_t b = readlink(path, its, sizeof its - 1);

		own[i] = a > 0 && b > 0 && strcmp(pid1, its) != 0;
	}
}

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0, room = 0;

	while (file && !feof(file) && !ferror(file)) {
		if (room - size < 4096) {
			char *more = realloc(text, room += 65536);

			if (!more)
				break;
			text = more;
		}
		size += fread(text + size, 1, room - size - 1, file);
	}
	if (file)
		fclose(file);
	if (text)
		text[size] = '\0';
	return text;
}

static bool exists(const void *context, const char *path)
{
	const struct policy_live *live = context;
	char there[PLAN_MAX_PATH + 64];

	snprintf(there, sizeof there, "/proc/%d/root%s", live->pid, path);
	return access(there, F_OK) == 0;
}

/* Below the node's root, which is where PID 1's leaf is: keelctl may be in another cgroup namespace. */
static void read_group(int pid, char group[static CGROUP_PATH_BYTES])
{
	char path[CGROUP_PATH_BYTES], leaf[CGROUP_PATH_BYTES];
	size_t root = 0;

	group[0] = '\0';
	if (cgroup_of_process(pid, path) != 0)
		return;
	if (cgroup_of_process(1, leaf) == 0) {
		size_t length = strlen(leaf), own = strlen(CGROUP_INIT_LEAF);

		if (length >= own && strcmp(leaf + length - own, CGROUP_INIT_LEAF) == 0)
			root = length - own;
	}
	if (strncmp(path, leaf, root) != 0)
		root = 0;
	memcpy(group, path + root, strlen(path + root) + 1);
}

static int count_programs(const char *cgroup)
{
	char path[PLAN_MAX_PATH + 64];

	snprintf(path, sizeof path, CGROUP_ROOT "/%s", cgroup);
	owned_fd int group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return group < 0 ? -errno : cgroup_device_programs(group);
}

/* ---- filters ---- */

/* Instructions, written to `to` unless it is NULL; -1 and errno. libc's ptrace(3) has its own types. */
static long get_filter(int pid, unsigned long number, struct sock_filter *to)
{
	return syscall(SYS_ptrace, SECCOMP_GET_FILTER, pid, number, to);
}

/* It is stopped: is one of its filters this one? */
static int find_filter(int pid, const struct sock_filter *program, size_t length)
{
	static struct sock_filter seen[PLAN_MAX_FILTER];

	for (unsigned long i = 0; i < FILTERS_MAX; i++) {
		long count = get_filter(pid, i, NULL);

		if (count < 0)
			return errno == ENOENT ? POLICY_OTHER : -errno;
		if ((size_t)count != length)
			continue;
		if (get_filter(pid, i, seen) < 0)
			return -errno;
		if (memcmp(seen, program, length * sizeof seen[0]) == 0)
			return 0;
	}
	return POLICY_OTHER;
}

static int compare_filter(int pid, const struct sock_filter *program, size_t length)
{
	int status, result;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return -errno;
	/* Should it end meanwhile the wait ends, too. */
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) < 0 ||
	    !WIFSTOPPED(status))
		return -ESRCH;
	result = find_filter(pid, program, length);
	/* A signal that came first is its own. */
	ptrace(PTRACE_DETACH, pid, NULL,
	       (void *)(long)(status >> 16 == STOPPED_BY_PTRACE ? 0 : WSTOPSIG(status)));
	return result;
}

int policy_live_read(struct policy_live *live, int pid, const char *cgroup, const struct plan *plan,
		     const struct plan_filter *filter)
{
	char path[64];

	memset(live, 0, sizeof *live);
	live->pid = pid;
	live->exists = exists;
	live->context = live;
	live->filter = POLICY_NOT_ASKED;
	if (!process_read(pid, &live->process) || !process_read(1, &live->pid1))
		return -ESRCH;
	read_file(pid, &live->file);
	read_namespaces(pid, live->own);
	read_group(pid, live->group);
	live->device_programs = count_programs(cgroup);
	snprintf(path, sizeof path, "/proc/%d/mountinfo", pid);
	live->mountinfo = read_whole(path);
	if (filter)
		live->filter =
			compare_filter(pid, plan_bytes(plan, filter->program),
				       filter->program.size_bytes / sizeof(struct sock_filter));
	return 0;
}

void policy_live_free(struct policy_live *live)
{
	free((void *)(uintptr_t)live->mountinfo);
}
