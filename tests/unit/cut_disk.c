/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cut_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mount/child.h"
#include "mount/devices.h"
#include "mount/gpt_io.h"
#include "mount/read_back.h"
#include "rootfs-spec/crc32.h"

#define FDS 1024
#define UNITS (CUT_DISK_MAX_BYTES / CUT_UNIT_BYTES)
#define SUBSETS_MAX 256u

struct cut_disk cut_disk;

static uint8_t base[CUT_DISK_MAX_BYTES];
static uint8_t pool[CUT_LOG_BYTES];
static uint32_t pool_used;
static uint32_t dirty[UNITS];
static bool is_dirty[UNITS];
static uint32_t dirty_count;
static int device_of[FDS]; /* 1 + device */
static struct gpt kernel;  /* what the kernel read */
static bool kernel_knows, kernel_shows;

static void refuse(const char *what)
{
	fprintf(stderr, "cut disk: %s\n", what);
	abort();
}

static uint64_t rng(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* ---- the system calls ---- */

static int inode(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = (int)syscall(SYS_memfd_create, "disk", MFD_CLOEXEC);
	return fd;
}

int open(const char *path, int flags, ...)
{
	unsigned int number = 0;
	char own[32];
	int mode;
	int fd;
	va_list arguments;

	va_start(arguments, flags);
	mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
	va_end(arguments);
	/* The lock of an installer; this process is alone. */
	if (strncmp(path, "/run/keelson/", 13) == 0)
		return (int)syscall(SYS_memfd_create, path, MFD_CLOEXEC);
	if (strncmp(path, "/dev/vda", 8) != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (path[8])
		number = (unsigned int)(path[8] - '0');
	/* A description of its own, for flock(2). */
	snprintf(own, sizeof(own), "/proc/self/fd/%d", inode());
	fd = (int)syscall(SYS_openat, AT_FDCWD, own, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0 || fd >= FDS)
		refuse("open");
	device_of[fd] = 1 + (int)number;
	return fd;
}

int close(int fd)
{
	if (fd >= 0 && fd < FDS)
		device_of[fd] = 0;
	return (int)syscall(SYS_close, fd);
}

static bool is_ours(int fd)
{
	return fd >= 0 && fd < FDS && device_of[fd] != 0;
}

static bool touches(uint64_t offset, size_t size, uint64_t from, uint64_t to)
{
	return offset < to && offset + size > from;
}

/* Where on the disk, and how much of it; false: beyond the device's end. */
static bool place(int fd, off_t offset, size_t *size, uint64_t *at)
{
	uint32_t device = (uint32_t)device_of[fd] - 1;
	uint64_t end = cut_disk.size_bytes;

	*at = (uint64_t)offset;
	if (device) {
		*at += cut_disk.partitions[device - 1].offset;
		end = cut_disk.partitions[device - 1].offset + cut_disk.partitions[device - 1].size;
	}
	if (*at >= end)
		return false;
	if (*size > end - *at)
		*size = end - *at;
	return true;
}

ssize_t pread(int fd, void *buf, size_t nbytes, off_t offset)
{
	uint64_t at;

	if (!is_ours(fd))
		return syscall(SYS_pread64, fd, buf, nbytes, offset);
	if (!place(fd, offset, &nbytes, &at))
		return 0;
	if (touches(at, nbytes, cut_disk.unreadable_from, cut_disk.unreadable_to)) {
		errno = EIO;
		return -1;
	}
	memcpy(buf, cut_disk.bytes + at, nbytes);
	return (ssize_t)nbytes;
}

static void put(uint64_t at, const uint8_t *bytes, size_t size)
{
	for (uint64_t unit = at / CUT_UNIT_BYTES; unit * CUT_UNIT_BYTES < at + size; unit++)
		if (!is_dirty[unit]) {
			is_dirty[unit] = true;
			dirty[dirty_count++] = (uint32_t)unit;
		}
	memcpy(cut_disk.bytes + at, bytes, size);
	kernel_knows = false;
}

static void note(uint32_t device, uint64_t at, const void *bytes, size_t size)
{
	struct cut_event *event = &cut_disk.log[cut_disk.count];

	if (!cut_disk.logging)
		return;
	if (cut_disk.count == CUT_LOG_MAX || size > CUT_LOG_BYTES - pool_used)
		refuse("the log is full");
	*event = (struct cut_event){device, (uint32_t)size, at, pool + pool_used};
	if (size)
		memcpy(pool + pool_used, bytes, size);
	pool_used += (uint32_t)size;
	cut_disk.count++;
}

ssize_t pwrite(int fd, const void *buf, size_t nbytes, off_t offset)
{
	uint64_t at;

	if (!is_ours(fd))
		return syscall(SYS_pwrite64, fd, buf, nbytes, offset);
	if (!place(fd, offset, &nbytes, &at)) {
		errno = ENOSPC;
		return -1;
	}
	if (touches(at, nbytes, cut_disk.unwritable_from, cut_disk.unwritable_to)) {
		errno = EIO;
		return -1;
	}
	note((uint32_t)device_of[fd] - 1, at, buf, nbytes);
	put(at, buf, nbytes);
	return (ssize_t)nbytes;
}

int fsync(int fd)
{
	if (!is_ours(fd))
		return (int)syscall(SYS_fsync, fd);
	note((uint32_t)device_of[fd] - 1, 0, NULL, 0);
	return 0;
}

int fdatasync(int fd)
{
	return fsync(fd);
}

int read_back(int fd, uint64_t size, void *buffer)
{
	int error = 0;

	for (uint64_t at = 0; at < size && !error; at += CUT_UNIT_BYTES)
		error = disk_read(fd, buffer, CUT_UNIT_BYTES, at);
	return error;
}

/*
 * Every disk is read several times with all its checksums, and the node's crc32() is made small, not
 * fast: the same sum by a table of 256 words.
 */
uint32_t crc32(uint32_t crc, const void *bytes, size_t size)
{
	static uint32_t table[256];
	const uint8_t *byte = bytes;

	for (uint32_t i = 0; !table[255] && i < 256; i++) {
		uint32_t value = i;

		for (int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? 0xedb88320 : 0);
		table[i] = value;
	}
	crc = ~crc;
	for (size_t i = 0; i < size; i++)
		crc = crc >> 8 ^ table[(crc ^ byte[i]) & 255];
	return ~crc;
}

/* ---- mount/child.h ---- */

pid_t child_start_keeping(int (*work)(void *argument), void *argument, int keep, int *pidfd)
{
	(void)keep;
	return child_start(work, argument, pidfd);
}

pid_t child_start(int (*work)(void *argument), void *argument, int *pidfd)
{
	*pidfd = -1;
	return work(argument) ? -ECHILD : 1;
}

int child_finish(int pidfd, uint64_t timeout_ns)
{
	(void)pidfd;
	(void)timeout_ns;
	return 0;
}

int run_timed(int (*work)(void *argument), void *argument, uint64_t timeout_ns)
{
	(void)timeout_ns;
	return work(argument);
}

/* ---- mount/devices.h: as Linux shows partitions ---- */

static bool shows_partitions(void)
{
	int fd;

	if (kernel_knows)
		return kernel_shows;
	fd = open("/dev/vda", O_RDONLY | O_CLOEXEC);
	kernel_shows = gpt_mbr_protects(cut_disk.bytes) &&
		       gpt_read(fd, cut_disk.sector_bytes,
				cut_disk.size_bytes / cut_disk.sector_bytes, &kernel) == 0 &&
		       !kernel.primary_fault;
	close(fd);
	kernel_knows = true;
	return kernel_shows;
}

int devices_disk(const char *name, struct device *device)
{
	(void)name;
	*device = (struct device){
		.name = "vda",
		.sector_bytes = cut_disk.sector_bytes,
		.size_bytes = cut_disk.size_bytes,
	};
	return 0;
}

int devices_disks(struct device *disks, size_t max)
{
	return max ? 1 + devices_disk("vda", disks) : 0;
}

int devices_partition(const char *disk, uint32_t number, struct device *device)
{
	(void)disk;
	/* Without a primary PID 1 tells the kernel itself, by ioctl(2), which is not replaced. */
	if (number == 0 || number > CUT_PARTITIONS || !cut_disk.partitions[number - 1].size ||
	    (!shows_partitions() && cut_disk.unwritable_to == 0))
		return -ENOENT;
	*device = (struct device){
		.name = {'v', 'd', 'a', (char)('0' + number)},
		.partition = number,
		.size_bytes = cut_disk.partitions[number - 1].size,
	};
	return 0;
}

int devices_partition_named(const char *disk, const char *name, struct device *device)
{
	(void)disk;
	(void)name;
	(void)device;
	return -ENOENT;
}

int device_path(const char *name, char path[DEVICE_PATH_BYTES])
{
	snprintf(path, DEVICE_PATH_BYTES, "/dev/%s", name);
	return 0;
}

int devices_listen(void)
{
	return -1;
}

int devices_wait(int fd, uint64_t deadline_ns)
{
	(void)fd;
	(void)deadline_ns;
	return -ETIMEDOUT;
}

/* ---- replaying ---- */

static void forget_dirty(void)
{
	for (uint32_t i = 0; i < dirty_count; i++)
		is_dirty[dirty[i]] = false;
	dirty_count = 0;
}

void cut_disk_make(uint32_t sector_bytes, uint64_t size_bytes)
{
	memset(&cut_disk, 0, sizeof(cut_disk));
	cut_disk.sector_bytes = sector_bytes;
	cut_disk.size_bytes = size_bytes;
	kernel_knows = false;
	forget_dirty();
}

void cut_disk_start(void)
{
	memcpy(base, cut_disk.bytes, sizeof(base));
	forget_dirty();
	cut_disk.logging = true;
	cut_disk.count = 0;
	pool_used = 0;
}

static void restore(void)
{
	for (uint32_t i = 0; i < dirty_count; i++)
		memcpy(cut_disk.bytes + (size_t)dirty[i] * CUT_UNIT_BYTES,
		       base + (size_t)dirty[i] * CUT_UNIT_BYTES, CUT_UNIT_BYTES);
	forget_dirty();
	kernel_knows = false;
}

struct replay {
	uint32_t cut;
	uint64_t disks;
	void (*check)(uint32_t cut);
	uint32_t pending[CUT_LOG_MAX];
	uint32_t count;
};

/* Units `from` to `to` of a write; a write begins and ends at units. */
static void apply_units(const struct cut_event *event, uint32_t from, uint32_t to)
{
	uint64_t start = (uint64_t)from * CUT_UNIT_BYTES;
	uint64_t end = (uint64_t)to * CUT_UNIT_BYTES;

	if (end > event->size)
		end = event->size;
	if (start < end)
		put(event->offset + start, event->bytes + start, (size_t)(end - start));
}

static uint32_t units_of(const struct cut_event *event)
{
	return (event->size + CUT_UNIT_BYTES - 1) / CUT_UNIT_BYTES;
}

static void apply_whole(uint32_t index)
{
	apply_units(&cut_disk.log[index], 0, units_of(&cut_disk.log[index]));
}

static bool is_durable(uint32_t index, uint32_t cut)
{
	for (uint32_t i = index + 1; i < cut; i++)
		if (cut_disk.log[i].size == 0 &&
		    cut_disk.log[i].device == cut_disk.log[index].device)
			return true;
	return false;
}

/* The disk with everything durable and nothing else. */
static void begin_disk(const struct replay *replay)
{
	restore();
	for (uint32_t i = 0; i < replay->cut; i++)
		if (cut_disk.log[i].size && is_durable(i, replay->cut))
			apply_whole(i);
}

static void end_disk(struct replay *replay)
{
	replay->disks++;
	kernel_knows = false;
	replay->check(replay->cut);
}

static void subsets(struct replay *replay)
{
	uint32_t all = replay->count <= 8 ? 1u << replay->count : SUBSETS_MAX;

	for (uint32_t n = 0; n < all; n++) {
		uint64_t mask = replay->count <= 8 ? n : rng();

		begin_disk(replay);
		for (uint32_t i = 0; i < replay->count; i++)
			if (mask >> i % 64 & 1)
				apply_whole(replay->pending[i]);
		end_disk(replay);
	}
}

static void torn(struct replay *replay, uint32_t which)
{
	const struct cut_event *event = &cut_disk.log[replay->pending[which]];
	uint32_t units = units_of(event);

	for (uint32_t at = 1; at < units; at++)
		for (int tail = 0; tail < 2; tail++) {
			begin_disk(replay);
			for (uint32_t i = 0; i < which; i++)
				apply_whole(replay->pending[i]);
			apply_units(event, tail ? at : 0, tail ? units : at);
			end_disk(replay);
		}
}

static void shuffled(struct replay *replay)
{
	uint32_t order[CUT_LOG_MAX];

	begin_disk(replay);
	for (uint32_t i = 0; i < replay->count; i++) {
		uint32_t j = (uint32_t)(rng() % (i + 1));

		order[i] = order[j];
		order[j] = replay->pending[i];
	}
	for (uint32_t i = 0; i < replay->count; i++) {
		const struct cut_event *event = &cut_disk.log[order[i]];

		for (uint32_t unit = 0; unit < units_of(event); unit++)
			if (rng() & 1)
				apply_units(event, unit, unit + 1);
	}
	end_disk(replay);
}

uint64_t cut_disk_replay(uint32_t random, void (*check)(uint32_t cut))
{
	static struct replay replay;

	replay = (struct replay){.check = check};
	cut_disk.logging = false;
	for (replay.cut = 0; replay.cut <= cut_disk.count; replay.cut++) {
		replay.count = 0;
		for (uint32_t i = 0; i < replay.cut; i++)
			if (cut_disk.log[i].size && !is_durable(i, replay.cut))
				replay.pending[replay.count++] = i;
		subsets(&replay);
		/* The write before the cut; earlier ones were torn at the cuts before this one. */
		if (replay.count && replay.pending[replay.count - 1] + 1 == replay.cut)
			torn(&replay, replay.count - 1);
		for (uint32_t i = 0; i < random && replay.count; i++)
			shuffled(&replay);
	}
	restore();
	return replay.disks;
}
