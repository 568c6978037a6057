/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <time.h>

#include "mount/gpt_io.h"
#include "mount/sys.h"

static int open_disk(const struct device *device, int flags)
{
	char path[DEVICE_PATH_BYTES];
	int error = device_path(device->name, path);
	int fd;

	if (error)
		return error;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_table(struct disk *disk)
{
	cleanup_fd fd = open_disk(&disk->device, O_RDONLY);
	int error;

	if (fd < 0)
		return fd;
	if (disk->device.sector_bytes == 0)
		return -EBADMSG;
	error = gpt_read(fd, disk->device.sector_bytes,
			 disk->device.size_bytes / disk->device.sector_bytes, &disk->gpt);
	if (error)
		return error;
	slots_find(&disk->gpt, &disk->slots);
	return 0;
}

/* How many slots are there of which the kernel shows every partition? */
static uint32_t shown_slots(const struct disk *disk)
{
	struct device device;
	uint32_t shown = 0;

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		const struct slot_parts *slot = &disk->slots.slot[i];

		if (slot->present &&
		    devices_partition(disk->device.name, slot->root.number, &device) == 0 &&
		    devices_partition(disk->device.name, slot->hash.number, &device) == 0 &&
		    devices_partition(disk->device.name, slot->header.number, &device) == 0)
			shown++;
	}
	return shown;
}

static bool shows_all(const struct disk *disk)
{
	uint32_t slots = disk->slots.count < SLOT_COUNT ? disk->slots.count : SLOT_COUNT;

	return shown_slots(disk) == slots;
}

/* Tell the kernel of every partition of the table (BLKPG of linux/blkpg.h), as partx(8) does. */
static void add_partitions(int fd, const struct gpt *gpt)
{
	struct gpt_entry entry;

	for (uint32_t i = 0; i < gpt->header.entry_count; i++) {
		struct blkpg_partition partition = {.pno = (int)(i + 1)};
		struct blkpg_ioctl_arg argument = {
			.op = BLKPG_ADD_PARTITION,
			.datalen = sizeof(partition),
			.data = &partition,
		};

		if (gpt_entry(gpt, i, &entry) != 0)
			continue;
		/* No more than INT64_MAX: gpt_header_parse() took a disk of at most that. */
		partition.start = (long long)entry.first_lba * gpt->sector_bytes;
		partition.length = (long long)(entry.last_lba - entry.first_lba + 1) *
				   gpt->sector_bytes;
		sys_ioctl(fd, BLKPG, &argument);
	}
}

/* Does the disk still say that it has such a table, and not that it is used otherwise now? */
static bool is_protected(int fd)
{
	uint8_t sector[GPT_MBR_BYTES];

	return disk_read(fd, sector, sizeof(sector), 0) == 0 && gpt_mbr_protects(sector);
}

/*
 * Without a valid primary the kernel shows no partitions at all, unless it was started with `gpt`
 * and the disk has not grown (block/partitions/efi.c). So the primary is mended and the disk read
 * again by the kernel; if it cannot be written, the kernel is told of the partitions one by one.
 * That is also what is done with a disk that has lost its protective MBR: what lies where the
 * primary would be may be somebody else's data, and a backup at the end of a disk outlives the use
 * that it was made for.
 */
static void show_partitions(struct disk *disk)
{
	cleanup_fd fd = open_disk(&disk->device, O_RDWR);
	cleanup_fd read_only = fd < 0 ? open_disk(&disk->device, O_RDONLY) : -1;
	const char *fault = disk->gpt.primary_fault;
	const char *step;

	if (fault && fd >= 0 && is_protected(fd) && gpt_write(fd, &disk->gpt, &step) == 0 &&
	    !disk->gpt.from_backup) {
		disk->mended = fault;
		sys_ioctl(fd, BLKRRPART, NULL);
	}
	if (!shows_all(disk))
		add_partitions(fd >= 0 ? fd : read_only, &disk->gpt);
}

/* What a disk must have to be taken: each is tried with all disks before the next. */
enum demand {
	DEMAND_PRIMARY, /* a valid primary, every slot shown by the kernel */
	DEMAND_BACKUP,  /* the primary may be damaged */
	DEMAND_ONE_SLOT /* at the deadline: the kernel may not show all, if only one slot is whole */
};

/* Is the disk in `disk->device` one? Then `disk` holds it. */
static bool fits(struct disk *disk, enum demand demand)
{
	disk->mended = NULL;
	if (read_table(disk) != 0 || disk->slots.count == 0)
		return false;
	if (shows_all(disk))
		return !disk->gpt.primary_fault || demand >= DEMAND_BACKUP;
	if (demand == DEMAND_ONE_SLOT || (demand == DEMAND_BACKUP && disk->gpt.primary_fault))
		show_partitions(disk);
	return shows_all(disk) || (demand == DEMAND_ONE_SLOT && shown_slots(disk) > 0);
}

static bool is_passed(const struct disks_passed *passed, const char *name)
{
	for (uint32_t i = 0; i < passed->count; i++)
		if (strcmp(passed->names[i], name) == 0)
			return true;
	return false;
}

/* Look once at every disk; true when `disk` holds the one. */
static bool look(const struct disks_passed *passed, enum demand demand, struct disk *disk)
{
	struct device disks[DEVICES_MAX];
	int count = devices_disks(disks, DEVICES_MAX);

	for (int i = 0; i < count; i++) {
		disk->device = disks[i];
		if (!is_passed(passed, disks[i].name) && fits(disk, demand))
			return true;
	}
	return false;
}

int disk_find(const struct disks_passed *passed, uint64_t deadline_ns, struct disk *disk)
{
	/* Listening before looking: what appears in between is an event. */
	cleanup_fd events = devices_listen();

	do {
		if (look(passed, DEMAND_PRIMARY, disk) || look(passed, DEMAND_BACKUP, disk))
			return 0;
	} while (devices_wait(events, deadline_ns) == 0);
	return look(passed, DEMAND_ONE_SLOT, disk) ? 0 : -ENODEV;
}

/* Read the table of the disk of this name. */
static int read_disk(const char *name, struct disk *disk)
{
	int error = devices_disk(name, &disk->device);

	return error ? error : read_table(disk);
}

int disk_reread(const char *name, const uint8_t guid[GPT_GUID_BYTES], struct disk *disk)
{
	int error = read_disk(name, disk);

	if (error)
		return error;
	return gpt_guid_equal(disk->gpt.header.disk_guid, guid) ? 0 : -ESTALE;
}

static uint64_t boottime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int disk_lock(const char *name, uint64_t deadline_ns)
{
	/* No call waits for a lock until a deadline, and a signal to do it with is not ours here. */
	static const struct timespec pause = {.tv_nsec = 10000000};
	struct device device = {0};
	size_t length = strnlen(name, sizeof(device.name));

	if (length == sizeof(device.name))
		return -ENAMETOOLONG;
	memcpy(device.name, name, length);

	cleanup_fd fd = open_disk(&device, O_RDONLY);

	if (fd < 0)
		return fd;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (boottime_ns() >= deadline_ns)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return give_fd(&fd);
}

int disk_partition_named(const char *name, const char *partition, struct device *device)
{
	static struct disk disk;
	int error = devices_partition_named(name, partition, device);
	int entry;

	if (error != -ENOENT)
		return error;
	/* Partitions that PID 1 told the kernel of have no name there. */
	error = read_disk(name, &disk);
	if (error)
		return error;
	entry = gpt_find_name(&disk.gpt, partition);
	return entry < 0 ? entry : devices_partition(name, (uint32_t)entry + 1, device);
}

static int tell_size(int fd, const struct gpt *gpt, uint32_t number)
{
	struct gpt_entry entry;
	struct blkpg_partition partition = {.pno = (int)number};
	struct blkpg_ioctl_arg argument = {
		.op = BLKPG_RESIZE_PARTITION,
		.datalen = sizeof(partition),
		.data = &partition,
	};
	int error = gpt_entry(gpt, number - 1, &entry);

	if (error)
		return error;
	partition.start = (long long)entry.first_lba * gpt->sector_bytes;
	partition.length = (long long)(entry.last_lba - entry.first_lba + 1) * gpt->sector_bytes;
	return sys_ioctl(fd, BLKPG, &argument);
}

/* Other tools complain of a protective record that is too short; nothing depends on it. */
static void grow_mbr(int fd, const struct gpt *gpt)
{
	uint8_t sector[GPT_SECTOR_MAX_BYTES];

	if (disk_read(fd, sector, gpt->sector_bytes, 0) == 0 &&
	    gpt_mbr_resize(sector, gpt->disk_sectors) &&
	    disk_write(fd, sector, gpt->sector_bytes, 0) == 0)
		fsync(fd);
}

int disk_grow(const char *name, uint32_t number, uint64_t deadline_ns, const char **step)
{
	static struct disk disk;
	int error;

	*step = "lock the disk";

	cleanup_fd lock = disk_lock(name, deadline_ns);

	if (lock < 0)
		return lock;
	*step = "read partition table";
	error = read_disk(name, &disk);
	if (error)
		return error;
	*step = "open disk for writing";

	cleanup_fd fd = open_disk(&disk.device, O_RDWR);

	if (fd < 0)
		return fd;
	if (!is_protected(fd))
		return 0;
	/* First what is there is whole again: growing relies on a primary that can be written. */
	if (disk.gpt.from_backup || disk.gpt.differ)
		error = gpt_write(fd, &disk.gpt, step);
	if (error)
		return error;
	*step = "grow partition table";
	error = gpt_grow(&disk.gpt, number ? number - 1 : GPT_NO_ENTRY);
	if (error <= 0)
		return error;
	error = gpt_write_grown(fd, &disk.gpt, step);
	if (error)
		return error;
	grow_mbr(fd, &disk.gpt);
	if (number == 0)
		return 0;
	*step = "tell the kernel the partition's new size";
	return tell_size(fd, &disk.gpt, number);
}

static bool same_bits(struct gpt_slot_bits a, struct gpt_slot_bits b)
{
	return a.priority == b.priority && a.tries == b.tries && a.successful == b.successful;
}

static int set_bits(struct disk *disk, const struct gpt_slot_bits bits[SLOT_COUNT])
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		struct slot_parts *slot = &disk->slots.slot[i];
		int error = slot->present ? slots_set_bits(&disk->gpt, slot, bits[i]) : 0;

		if (error)
			return error;
		if (slot->present)
			slot->bits = bits[i];
	}
	return 0;
}

static int write_table(struct disk *disk, const char **step)
{
	cleanup_fd fd = open_disk(&disk->device, O_RDWR);

	*step = "open disk for writing";
	return fd < 0 ? fd : gpt_write(fd, &disk->gpt, step);
}

int disk_write_bits(struct disk *disk, const struct gpt_slot_bits bits[SLOT_COUNT],
		    const char **step)
{
	struct gpt_slot_bits before[SLOT_COUNT];
	bool change = false;
	int error = 0;

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		before[i] = disk->slots.slot[i].bits;
		if (disk->slots.slot[i].present && !same_bits(before[i], bits[i]))
			change = true;
	}
	if (!change)
		return 0;
	*step = "change slot bits";
	error = set_bits(disk, bits);
	if (!error)
		error = write_table(disk, step);
	if (error)
		/* What the next call compares with is what the disk says. */
		set_bits(disk, before);
	return error;
}
