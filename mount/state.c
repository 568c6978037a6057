/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/state.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "mount/child.h"
#include "mount/gpt_io.h"
#include "mount/sys.h"
#include "rootfs-spec/plan.h"
#include "rootfs-spec/state_mark.h"

/* Offsets in the superblock: Documentation/filesystems/ext4/super.rst. */
enum {
	AT_BLOCKS_LOW = 0x4,
	AT_LOG_BLOCK = 0x18,
	AT_MAGIC = 0x38,
	AT_STATE = 0x3a,
	AT_INCOMPATIBLE = 0x60,
	AT_UUID = 0x68,
	AT_LABEL = 0x78,
	AT_BLOCKS_HIGH = 0x150
};

#define EXT4_MAGIC 0xef53u
#define STATE_VALID 0x1u
#define STATE_ERRORS 0x2u
#define INCOMPATIBLE_RECOVER 0x4u
#define INCOMPATIBLE_64BIT 0x80u
#define LOG_BLOCK_MAX 6u /* 64 KiB */

/* Other file systems and containers keep their marks further in: look at this much for zeros. */
#define EMPTY_BYTES (256u << 10)

#define IOC_RESIZE_FS _IOW('f', 16, uint64_t) /* EXT4_IOC_RESIZE_FS, fs/ext4/ext4.h */

/* e2fsck(8): 1 and 2 say that errors were corrected, 4 and above that they were not. */
#define E2FSCK_UNCORRECTED 4

static const char mkfs[] = "/usr/sbin/mkfs.ext4";
static const char e2fsck[] = "/usr/sbin/e2fsck";

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) | get16(at + 2) << 16;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

void ext4_probe(const uint8_t start[STATE_PROBE_BYTES], struct ext4_summary *summary)
{
	const uint8_t *super = start + EXT4_SUPERBLOCK_OFFSET_BYTES;
	uint32_t log_block = get32(super + AT_LOG_BLOCK);
	uint32_t incompatible = get32(super + AT_INCOMPATIBLE);
	uint64_t blocks = get32(super + AT_BLOCKS_LOW);

	*summary = (struct ext4_summary){.presence = EXT4_FOREIGN, .anew = state_mark_is(start)};
	if (is_zero(start, STATE_PROBE_BYTES))
		summary->presence = EXT4_EMPTY;
	if (get16(super + AT_MAGIC) != EXT4_MAGIC || log_block > LOG_BLOCK_MAX)
		return;
	if (incompatible & INCOMPATIBLE_64BIT)
		blocks |= (uint64_t)get32(super + AT_BLOCKS_HIGH) << 32;
	summary->block_bytes = 1024u << log_block;
	if (blocks == 0 || blocks > INT64_MAX / summary->block_bytes)
		return;
	summary->presence = EXT4_PRESENT;
	summary->clean = get16(super + AT_STATE) & STATE_VALID;
	summary->errors = get16(super + AT_STATE) & STATE_ERRORS;
	summary->journal_replay = incompatible & INCOMPATIBLE_RECOVER;
	summary->size_bytes = blocks * summary->block_bytes;
	memcpy(summary->uuid, super + AT_UUID, sizeof(summary->uuid));
	memcpy(summary->label, super + AT_LABEL, sizeof(summary->label) - 1);
}

static int probe_device(const char *device, struct ext4_summary *summary)
{
	cleanup_fd fd = open(device, O_RDONLY | O_CLOEXEC);
	uint8_t bytes[STATE_PROBE_BYTES] = {0};
	int error;

	if (fd < 0)
		return -errno;
	error = disk_read(fd, bytes, sizeof(bytes), 0);
	if (error)
		return error;
	ext4_probe(bytes, summary);
	for (uint64_t at = sizeof(bytes); at < EMPTY_BYTES && summary->presence == EXT4_EMPTY;
	     at += sizeof(bytes)) {
		error = disk_read(fd, bytes, sizeof(bytes), at);
		if (error)
			return error;
		if (!is_zero(bytes, sizeof(bytes)))
			summary->presence = EXT4_FOREIGN;
	}
	return 0;
}

static int write_start(int fd, const uint8_t bytes[STATE_MARK_BYTES])
{
	ssize_t n = pwrite(fd, bytes, STATE_MARK_BYTES, 0);

	if (n != (ssize_t)STATE_MARK_BYTES)
		return n < 0 ? -errno : -EIO;
	return fsync(fd) < 0 ? -errno : 0;
}

/* The functions below run in children: the disk may hang. Their argument is the device's path. */

static int write_mark(void *device)
{
	uint8_t mark[STATE_MARK_BYTES];
	int fd = open(device, O_RDWR | O_CLOEXEC);

	state_mark_fill(mark);
	return fd < 0 ? -errno : write_start(fd, mark);
}

/* Nothing before this was ordered: first all that mkfs wrote, then away with the mark. */
static int erase_mark(void *device)
{
	static const uint8_t nothing[STATE_MARK_BYTES];
	uint8_t bytes[STATE_PROBE_BYTES] = {0};
	struct ext4_summary summary = {0};
	int fd = open(device, O_RDWR | O_CLOEXEC);
	int error = fd < 0 || fsync(fd) < 0 ? -errno : disk_read(fd, bytes, sizeof(bytes), 0);

	if (error)
		return error;
	ext4_probe(bytes, &summary);
	return summary.presence == EXT4_PRESENT ? write_start(fd, nothing) : -EIO;
}

static int in_child(int (*work)(void *device), const char *device, uint64_t timeout_ns)
{
	/* run_timed() takes an argument that its work may change; this work does not. */
	return run_timed(work, (void *)(uintptr_t)device, timeout_ns);
}

int state_mark(const char *device, uint64_t timeout_ns)
{
	return in_child(write_mark, device, timeout_ns);
}

static int make(const char *device, bool marked, int output, uint64_t timeout_ns, const char **step)
{
	/*
	 * No discard: on a thin disk it is a surprise of seconds, on a fresh one it frees nothing.
	 * Force: it must not ask about what is there, which does not count.
	 */
	const char *const argv[] = {mkfs, "-q", "-F", "-E", "nodiscard", device, NULL};
	int status;

	*step = "mark";
	status = marked ? 0 : state_mark(device, timeout_ns);
	if (status)
		return status;
	*step = mkfs;
	status = run_program(argv, output, timeout_ns);
	if (status)
		return status > 0 ? -EIO : status;
	*step = "erase the mark";
	status = in_child(erase_mark, device, timeout_ns);
	return status ? status : STATE_MADE;
}

/* First what repairs itself without a question; then, as nobody is there to ask, everything. */
static int check(const char *device, int output, uint64_t timeout_ns, const char **step)
{
	const char *const safe[] = {e2fsck, "-p", device, NULL};
	const char *const all[] = {e2fsck, "-y", device, NULL};
	int status;

	*step = "e2fsck -p";
	status = run_program(safe, output, timeout_ns);
	if (status >= E2FSCK_UNCORRECTED) {
		*step = "e2fsck -y";
		status = run_program(all, output, timeout_ns);
	}
	if (status == -ENOENT || status == -ETIMEDOUT)
		return STATE_UNCHECKED;
	if (status < 0)
		return status;
	return status >= E2FSCK_UNCORRECTED ? -EUCLEAN : 0;
}

int state_prepare(const char *device, uint32_t flags, int output, uint64_t timeout_ns,
		  const char **step)
{
	struct ext4_summary summary = {0};
	int error;

	*step = "read superblock";
	error = probe_device(device, &summary);
	if (error)
		return error;
	if (flags & PLAN_MOUNT_MAKE && (summary.anew || summary.presence == EXT4_EMPTY))
		return make(device, summary.anew, output, timeout_ns, step);
	switch (summary.presence) {
	case EXT4_EMPTY: *step = "no file system"; return -EMEDIUMTYPE;
	case EXT4_FOREIGN: *step = "not an ext4 file system"; return -EMEDIUMTYPE;
	case EXT4_PRESENT: break;
	}
	if (!(flags & PLAN_MOUNT_CHECK) ||
	    (summary.clean && !summary.errors && !summary.journal_replay))
		return 0;
	return check(device, output, timeout_ns, step);
}

struct growth {
	const char *target;
	uint64_t blocks;
};

static int grow(void *argument)
{
	struct growth *growth = argument;
	int fd = open(growth->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : sys_ioctl(fd, IOC_RESIZE_FS, &growth->blocks);
}

int state_grow(const char *target, const char *device, uint64_t timeout_ns, const char **step)
{
	cleanup_fd fd = open(device, O_RDONLY | O_CLOEXEC);
	uint8_t bytes[STATE_PROBE_BYTES] = {0};
	struct ext4_summary summary = {0};
	struct growth growth = {.target = target};
	uint64_t size_bytes = 0;
	int error;

	*step = "size of the partition";
	error = fd < 0 ? -errno : sys_ioctl(fd, BLKGETSIZE64, &size_bytes);
	if (error)
		return error;
	*step = "read superblock";
	error = disk_read(fd, bytes, sizeof(bytes), 0);
	if (error)
		return error;
	ext4_probe(bytes, &summary);
	if (summary.presence != EXT4_PRESENT)
		return -EMEDIUMTYPE;
	growth.blocks = size_bytes / summary.block_bytes;
	if (growth.blocks <= summary.size_bytes / summary.block_bytes)
		return 0;
	*step = "EXT4_IOC_RESIZE_FS";
	return run_timed(grow, &growth, timeout_ns);
}
