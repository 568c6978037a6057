/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/unmount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mount/child.h"
#include "mount/detach.h"
#include "mount/mount_table.h"
#include "mount/sys.h"

#define HUNG_MAX 64u
#define DEVICES_MAX 64u
#define PASSES_MAX 64u
#define SYSRQ "/proc/sysrq-trigger"
#define EMERGENCY_WAIT_NS \
	3000000000ull /* for the kernel's emergency remount, which is a work item */
#define EMERGENCY_LOOK_NS 50000000l
#define EMERGENCY_CALL_NS 1000000000ull /* to ask for it, whatever is left: nothing there waits */

/* Of call_end(): somebody somewhere writes to the file system. No umount2(2) says this. */
#define STILL_WRITTEN (-ETXTBSY)

/* A disk of which something is known. */
struct device {
	uint32_t major, minor;
	uint32_t hangs; /* calls that hung since it was forced last */
	bool unclean;   /* written to, or hung: it may live on though no mount of it is seen here */
};

struct unmounting {
	const char *const *keep;
	size_t keep_count;
	bool machine;
	struct detach_budget budget;
	struct unmount_report *report;
	struct mount_table *table;
	uint32_t hung_count; /* mounts whose call hung: left alone until they were forced */
	uint32_t hung[HUNG_MAX];
	bool unclean; /* as of a device, where there is no room for one more */
	uint32_t device_count;
	struct device devices[DEVICES_MAX];
};

/*
 * Superblocks and loop devices belong to the machine, not to a namespace: an init of a container
 * leaves them alone. The inode is PROC_PID_INIT_INO of include/linux/proc_ns.h.
 */
static bool owns_machine(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == 0xeffffffc && getpid() == 1;
}

/* ---- in a child ---- */

static int call_unmount(void *argument)
{
	const struct mount_entry *mount = argument;

	return umount2(mount->target, UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

static int call_force(void *argument)
{
	const struct mount_entry *mount = argument;

	return umount2(mount->target, UMOUNT_NOFOLLOW | MNT_FORCE) < 0 ? -errno : 0;
}

static int call_detach(void *argument)
{
	const struct mount_entry *mount = argument;

	return umount2(mount->target, UMOUNT_NOFOLLOW | MNT_DETACH) < 0 ? -errno : 0;
}

/* The superblock, not the mount: without MS_BIND that is what a remount changes. */
static int call_read_only(void *argument)
{
	const struct mount_entry *entry = argument;

	return mount(NULL, entry->target, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0 ? -errno : 0;
}

/*
 * A file system outlives its last mount here when a process that could not be killed holds it in a mount
 * namespace of its own, as a container's does. So its superblock is made read-only first, which says
 * "busy" as long as anybody anywhere writes to it: then it stays, for step 4.
 */
static int call_end(void *argument)
{
	const struct mount_entry *mount = argument;

	if (mount->major != 0 && !mount->read_only && call_read_only(argument) == -EBUSY)
		return STILL_WRITTEN;
	return call_unmount(argument);
}

static int call_emergency(void *unused)
{
	cleanup_fd fd = open(SYSRQ, O_WRONLY | O_CLOEXEC);

	(void)unused;
	return fd < 0 || write(fd, "u", 1) != 1 ? -errno : 0;
}

static int call_sync(void *unused)
{
	(void)unused;
	sync();
	return 0;
}

/* ---- passes ---- */

static bool is_hung(const struct unmounting *work, uint32_t id)
{
	for (uint32_t i = 0; i < work->hung_count; i++)
		if (work->hung[i] == id)
			return true;
	return false;
}

static int read_table(struct unmounting *work)
{
	return mount_table_read(work->keep, work->keep_count, &work->table);
}

/* What is known of the disk below `mount`; NULL: nothing. */
static struct device *device_of(struct unmounting *work, const struct mount_entry *mount)
{
	for (uint32_t i = 0; i < work->device_count; i++)
		if (work->devices[i].major == mount->major &&
		    work->devices[i].minor == mount->minor)
			return &work->devices[i];
	return NULL;
}

static void note_unclean(struct unmounting *work, const struct mount_entry *mount, bool hung)
{
	struct device *device = device_of(work, mount);

	if (mount->major == 0)
		return;
	if (!device && work->device_count < DEVICES_MAX) {
		device = &work->devices[work->device_count++];
		*device = (struct device){.major = mount->major, .minor = mount->minor};
	}
	if (!device) {
		work->unclean = true;
		return;
	}
	device->unclean = true;
	device->hangs += hung;
}

/* How `call` went. A superblock that became read-only is clean. */
static void note_result(struct unmounting *work, struct mount_entry *mount,
			int (*call)(void *mount))
{
	struct device *device = device_of(work, mount);

	if (mount->error == -ETIMEDOUT) {
		if (work->hung_count < HUNG_MAX)
			work->hung[work->hung_count++] = mount->id;
		note_unclean(work, mount, true);
	} else if (mount->error == STILL_WRITTEN) {
		note_unclean(work, mount, false);
		mount->error = -EBUSY;
	} else if (device && call == call_end && (mount->error == 0 || mount->error == -EBUSY)) {
		device->unclean = false;
	} else if (device && call == call_force) {
		device->hangs = 0; /* it answers again: a FUSE file system that has a disk */
	}
}

/*
 * Try `call` on what is in the table, newest first. How many went, or -ETIMEDOUT. Of a disk that hung one
 * mount waits for its superblock, and that is enough: its others are only unmounted, which asks the disk
 * with the last of them, and when that hangs, too, they are left.
 */
static int pass(struct unmounting *work, int (*call)(void *mount))
{
	int gone = 0;

	for (uint32_t i = work->table->count; i-- > 0;) {
		struct mount_entry *mount = &work->table->mounts[i];
		const struct device *device = device_of(work, mount);
		uint32_t hangs = device ? device->hangs : 0;
		int (*now)(void *mount) = call == call_end && hangs > 0 ? call_unmount : call;
		uint64_t step_ns = detach_step_ns(&work->budget);

		if (step_ns == 0)
			return -ETIMEDOUT;
		mount->error = -ETIMEDOUT;
		if (hangs > 1 || is_hung(work, mount->id))
			continue;
		mount->error = run_timed(now, mount, step_ns);
		if (mount->error == 0)
			gone++;
		note_result(work, mount, now);
	}
	return gone;
}

/* Passes until one changes nothing. What stays is in the table. How many went, or negative errno. */
static int unmount_passes(struct unmounting *work)
{
	int all = 0;

	for (uint32_t n = 0; n < PASSES_MAX; n++) {
		int total = read_table(work);
		int gone = total <= 0 ? total : pass(work, work->machine ? call_end : call_unmount);

		if (gone < 0)
			return gone;
		all += gone;
		work->report->unmounted += (uint32_t)gone;
		if (gone == 0)
			break;
	}
	return all;
}

/*
 * MNT_FORCE says "busy" as long as somebody is there, but it has then ended what they waited for:
 * they were killed before, and now they can die.
 */
static int force(struct unmounting *work)
{
	const struct timespec nap = {.tv_nsec = 100000000};
	int gone, more;

	if (work->table->count == 0)
		return 0;
	work->hung_count = 0;
	for (uint32_t i = 0; i < work->device_count; i++)
		work->devices[i].hangs = work->devices[i].hangs > 0; /* once more */
	gone = pass(work, call_force);
	if (gone < 0)
		return gone;
	work->report->unmounted += (uint32_t)gone;
	nanosleep(&nap, NULL);
	more = unmount_passes(work);
	if (more < 0)
		return more;
	work->report->forced += (uint32_t)(gone + more);
	return 0;
}

/* From the top down, and again: a file on one of them may be below another. */
static int take_apart(struct unmounting *work)
{
	for (;;) {
		int loops, gone;

		(void)detach_mapped(&work->budget);
		loops = detach_loops(&work->budget);
		work->report->loops += (uint32_t)loops;
		gone = unmount_passes(work);
		if (gone < 0 || (gone == 0 && loops == 0))
			return gone;
	}
}

/* ---- what could not go ---- */

/*
 * Is a disk left that is not known to be clean? It need not be seen: MNT_FORCE takes a mount away though
 * somebody elsewhere still writes to its file system.
 */
static bool unclean_disks(struct unmounting *work)
{
	bool unclean = work->unclean;

	if (read_table(work) < 0)
		return true;
	for (uint32_t i = 0; i < work->table->count; i++) {
		const struct mount_entry *mount = &work->table->mounts[i];
		struct device *device = device_of(work, mount);

		unclean |= mount->major != 0 && !mount->read_only;
		if (device && mount->read_only)
			device->unclean = false;
	}
	for (uint32_t i = 0; i < work->device_count; i++)
		unclean |= work->devices[i].unclean;
	return unclean;
}

/*
 * Unlike a remount it does not mind files that are open for writing, asks no path, and finds what is mounted
 * nowhere here (do_emergency_remount() of fs/super.c). Of that one cannot see when it is done.
 */
static void remount_all(struct unmounting *work)
{
	const struct timespec nap = {.tv_nsec = EMERGENCY_LOOK_NS};

	if (run_timed(call_emergency, NULL, EMERGENCY_CALL_NS) != 0)
		return;
	for (uint64_t waited_ns = 0; waited_ns < EMERGENCY_WAIT_NS && unclean_disks(work);
	     waited_ns += EMERGENCY_LOOK_NS)
		nanosleep(&nap, NULL);
}

static void make_read_only(struct unmounting *work)
{
	for (uint32_t i = work->table->count; i-- > 0;) {
		struct mount_entry *mount = &work->table->mounts[i];
		const struct device *device = device_of(work, mount);
		uint64_t step_ns = detach_step_ns(&work->budget);

		if (mount->major == 0 || mount->read_only || step_ns == 0 ||
		    is_hung(work, mount->id) || (device && device->hangs > 0))
			continue;
		mount->error = run_timed(call_read_only, mount, step_ns);
		note_result(work, mount, call_read_only);
	}
	if (unclean_disks(work))
		remount_all(work);
}

/* MNT_DETACH takes everything along that is mounted below. */
static bool holds_kept(const struct unmounting *work, const char *target)
{
	for (size_t i = 0; i < work->keep_count; i++)
		if (mount_table_is_below(work->keep[i], target))
			return true;
	return false;
}

static void detach_rest(struct unmounting *work)
{
	if (read_table(work) <= 0)
		return;
	for (uint32_t i = work->table->count; i-- > 0;) {
		struct mount_entry *mount = &work->table->mounts[i];
		uint64_t step_ns = detach_step_ns(&work->budget);

		if (mount->major == 0 && step_ns && !is_hung(work, mount->id) &&
		    !holds_kept(work, mount->target) && run_timed(call_detach, mount, step_ns) == 0)
			work->report->detached++;
	}
	(void)unmount_passes(work);
}

static void report_left(struct unmount_report *report, const struct mount_entry *mount)
{
	if (report->left < UNMOUNT_LEFT_MAX) {
		char *to = report->lefts[report->left].target;
		size_t length = strnlen(mount->target, UNMOUNT_TARGET_BYTES - 1);

		memcpy(to, mount->target, length);
		to[length] = '\0';
		report->lefts[report->left].error = mount->error ? mount->error : -EBUSY;
	}
	report->left++;
}

static void report_rest(struct unmounting *work)
{
	for (uint32_t i = work->table->count; i-- > 0;) {
		const struct mount_entry *mount = &work->table->mounts[i];

		if (mount->major != 0 && mount->read_only)
			work->report->read_only++;
		else
			report_left(work->report, mount);
	}
}

int unmount_all(const char *const *keep, size_t keep_count, uint64_t step_ns, uint64_t total_ns,
		struct unmount_report *report)
{
	static struct unmounting work; /* too large for PID 1's stack */
	struct timespec now;
	uint64_t now_ns;
	int error;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	memset(report, 0, sizeof(*report));
	work = (struct unmounting){
		.keep = keep,
		.keep_count = keep_count,
		.machine = owns_machine(),
		.budget = {step_ns, now_ns + total_ns / 3 * 2, now_ns, UNMOUNT_HURRIED_NS / 3 * 2},
		.report = report,
	};
	error = unmount_passes(&work);
	if (error >= 0)
		error = force(&work);
	work.budget.deadline_ns = now_ns + total_ns / 6 * 5;
	work.budget.hurried_ns = UNMOUNT_HURRIED_NS / 6 * 5;
	if (work.machine) {
		int later = take_apart(&work);

		error = error ? error : later;
	}
	work.budget.deadline_ns = now_ns + total_ns;
	work.budget.hurried_ns = UNMOUNT_HURRIED_NS;
	if (work.machine)
		make_read_only(&work);
	detach_rest(&work);
	report_rest(&work);
	return error < 0 ? error : 0;
}

int sync_timed(uint64_t timeout_ns)
{
	return run_timed(call_sync, NULL, timeout_ns);
}
