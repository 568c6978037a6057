/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/unmount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mount/child.h"
#include "mount/devices.h"
#include "mount/directory.h"
#include "mount/mountinfo.h"
#include "mount/sys.h"

#define MOUNTS_MAX 256u /* looked at in one pass; the newest of them */
#define TARGETS_BYTES (64u << 10)
#define LINE_BYTES (32u << 10) /* an overlay of many layers has a long line */
#define HUNG_MAX 64u
#define PASSES_MAX 64u

/* Touched at shutdown only; until then these are pages that nobody has. */
static struct {
	uint32_t count;
	uint32_t targets_used;
	struct {
		uint32_t id;
		uint32_t major;
		uint32_t target; /* offset into `targets` */
		int error;
	} mounts[MOUNTS_MAX];
	char targets[TARGETS_BYTES];
	char line[LINE_BYTES];
} table;

/* Mounts whose call hung: never touched again. */
static struct {
	uint32_t count;
	uint32_t ids[HUNG_MAX];
} hung;

struct budget {
	uint64_t step_ns;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC */
};

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* How long the next call may take; 0: nothing is left. */
static uint64_t next_step_ns(const struct budget *budget)
{
	uint64_t now_ns = monotonic_ns();

	if (now_ns >= budget->deadline_ns)
		return 0;
	return budget->deadline_ns - now_ns < budget->step_ns ? budget->deadline_ns - now_ns
							      : budget->step_ns;
}

/* A file read line by line through one static buffer. */
struct lines {
	int fd;
	size_t used;
	size_t at;
	bool end;
};

/*
 * The next line without its newline, in table.line, until the next call; NULL at the end. The rest
 * of a line that is too long is dropped.
 */
static char *next_line(struct lines *lines)
{
	bool skip = false;

	for (;;) {
		char *line = table.line + lines->at;
		char *newline = memchr(line, '\n', lines->used - lines->at);

		if (newline) {
			*newline = '\0';
			lines->at = (size_t)(newline - table.line) + 1;
			if (!skip)
				return line;
			skip = false;
			continue;
		}
		if (lines->end)
			return NULL;
		memmove(table.line, line, lines->used - lines->at);
		lines->used -= lines->at;
		lines->at = 0;
		if (lines->used == sizeof(table.line)) {
			lines->used = 0;
			skip = true;
		}

		ssize_t n = read(lines->fd, table.line + lines->used,
				 sizeof(table.line) - lines->used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			lines->end = true;
		else
			lines->used += (size_t)n;
	}
}

/* Is `path` the directory `prefix` or something below it? */
static bool is_below(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(path, prefix, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static bool is_kept(const char *target, const char *const *keep, size_t keep_count)
{
	if (strcmp(target, "/") == 0)
		return true;
	for (size_t i = 0; i < keep_count; i++)
		if (is_below(target, keep[i]))
			return true;
	return false;
}

static bool is_hung(uint32_t id)
{
	for (uint32_t i = 0; i < hung.count; i++)
		if (hung.ids[i] == id)
			return true;
	return false;
}

static void remember(const struct mountinfo *info)
{
	size_t size = strlen(info->target) + 1;

	if (table.count == MOUNTS_MAX || size > TARGETS_BYTES - table.targets_used)
		return;
	memcpy(table.targets + table.targets_used, info->target, size);
	table.mounts[table.count].id = info->id;
	table.mounts[table.count].major = info->major;
	table.mounts[table.count].target = table.targets_used;
	table.mounts[table.count].error = 0;
	table.targets_used += (uint32_t)size;
	table.count++;
}

/*
 * Read the mounts that are to go, in the kernel's order: parents before children. Of more than fit,
 * the last ones: they must go first. Returns how many there are in all, or negative errno.
 */
static int read_mounts(const char *const *keep, size_t keep_count)
{
	int total = 0;

	/* The first round only counts. */
	for (int round = 0; round < 2; round++) {
		cleanup_fd fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
		struct lines lines = {.fd = fd};
		int skip = total > (int)MOUNTS_MAX ? total - (int)MOUNTS_MAX : 0;
		struct mountinfo info;
		char *line;

		if (fd < 0)
			return -errno;
		total = 0;
		table.count = 0;
		table.targets_used = 0;
		while ((line = next_line(&lines))) {
			if (mountinfo_parse(line, &info) != 0 ||
			    is_kept(info.target, keep, keep_count))
				continue;
			if (round == 1 && total >= skip)
				remember(&info);
			total++;
		}
	}
	return total;
}

/*
 * Superblocks and loop devices belong to the machine, not to a namespace: an init of a container
 * leaves them alone. The inode is PROC_PID_INIT_INO of include/linux/proc_ns.h.
 */
static bool owns_machine(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == 0xeffffffc && getpid() == 1;
}

static int call_unmount(void *target)
{
	return umount2(target, UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

/* The superblock, not the mount: without MS_BIND that is what a remount changes. */
static int call_read_only(void *target)
{
	return mount(NULL, target, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0 ? -errno : 0;
}

static int call_detach(void *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : sys_ioctl(fd, LOOP_CLR_FD, NULL);
}

static int call_sync(void *unused)
{
	(void)unused;
	sync();
	return 0;
}

/* One pass over the table, newest first. How many were unmounted, or -ETIMEDOUT. */
static int unmount_pass(const struct budget *budget)
{
	int gone = 0;

	for (uint32_t i = table.count; i-- > 0;) {
		uint64_t step_ns = next_step_ns(budget);

		if (step_ns == 0)
			return -ETIMEDOUT;
		if (is_hung(table.mounts[i].id)) {
			table.mounts[i].error = -ETIMEDOUT;
			continue;
		}
		table.mounts[i].error = run_timed(call_unmount,
						  table.targets + table.mounts[i].target, step_ns);
		if (table.mounts[i].error == 0)
			gone++;
		else if (table.mounts[i].error == -ETIMEDOUT && hung.count < HUNG_MAX)
			hung.ids[hung.count++] = table.mounts[i].id;
	}
	return gone;
}

/* Passes until one changes nothing. What stays is in the table. 0 or negative errno. */
static int unmount_passes(const char *const *keep, size_t keep_count, const struct budget *budget,
			  struct unmount_report *report)
{
	int gone;

	for (uint32_t pass = 0; pass < PASSES_MAX; pass++) {
		int total = read_mounts(keep, keep_count);

		if (total <= 0)
			return total;
		gone = unmount_pass(budget);
		if (gone < 0)
			return gone;
		if (gone == 0)
			return 0;
		report->unmounted += (uint32_t)gone;
	}
	return 0;
}

/* How many loop devices were bound and are no longer; their partitions go with them. */
static int detach_loops(const struct budget *budget)
{
	cleanup_fd fd = open("/sys/class/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct directory directory = {.fd = fd};
	const char *name;
	int detached = 0;

	while (fd >= 0 && (name = directory_next(&directory))) {
		char path[DEVICE_PATH_BYTES];
		uint64_t step_ns = next_step_ns(budget);

		if (strncmp(name, "loop", 4) != 0 || strchr(name + 4, 'p') || step_ns == 0 ||
		    device_path(name, path) != 0)
			continue;
		if (run_timed(call_detach, path, step_ns) == 0)
			detached++;
	}
	return detached;
}

static void report_left(struct unmount_report *report, const char *target, int error)
{
	if (report->left < UNMOUNT_LEFT_MAX) {
		char *to = report->lefts[report->left].target;
		size_t length = strlen(target);

		if (length >= UNMOUNT_TARGET_BYTES)
			length = UNMOUNT_TARGET_BYTES - 1;
		memcpy(to, target, length);
		to[length] = '\0';
		report->lefts[report->left].error = error;
	}
	report->left++;
}

/* What could not go: a file system on a block device at least becomes read-only, and so clean. */
static void finish_left(const struct budget *budget, bool machine, struct unmount_report *report)
{
	for (uint32_t i = table.count; i-- > 0;) {
		char *target = table.targets + table.mounts[i].target;
		uint64_t step_ns = next_step_ns(budget);
		int error = table.mounts[i].error;

		if (machine && step_ns && table.mounts[i].major && !is_hung(table.mounts[i].id) &&
		    run_timed(call_read_only, target, step_ns) == 0)
			report->read_only++;
		else
			report_left(report, target, error ? error : -ETIMEDOUT);
	}
}

int unmount_all(const char *const *keep, size_t keep_count, uint64_t step_ns, uint64_t total_ns,
		struct unmount_report *report)
{
	struct budget budget = {.step_ns = step_ns, .deadline_ns = monotonic_ns() + total_ns};
	bool machine = owns_machine();
	int error;

	memset(report, 0, sizeof(*report));
	hung.count = 0;
	table.count = 0;
	error = unmount_passes(keep, keep_count, &budget, report);
	if (!error && machine && detach_loops(&budget) > 0)
		error = unmount_passes(keep, keep_count, &budget, report);
	finish_left(&budget, machine, report);
	return error;
}

int sync_timed(uint64_t timeout_ns)
{
	return run_timed(call_sync, NULL, timeout_ns);
}
