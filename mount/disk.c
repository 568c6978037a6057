/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

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

/* Does the kernel show every partition of every slot? */
static bool has_partitions(const struct disk *disk)
{
	struct device device;

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		const struct slot_parts *slot = &disk->slots.slot[i];

		if (slot->present &&
		    (devices_partition(disk->device.name, slot->root.number, &device) ||
		     devices_partition(disk->device.name, slot->hash.number, &device) ||
		     devices_partition(disk->device.name, slot->header.number, &device)))
			return false;
	}
	return true;
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
		partition.start = (long long)(entry.first_lba * gpt->sector_bytes);
		partition.length =
			(long long)((entry.last_lba - entry.first_lba + 1) * gpt->sector_bytes);
		sys_ioctl(fd, BLKPG, &argument);
	}
}

/*
 * Without a valid primary the kernel shows no partitions at all, unless it was started with `gpt`
 * and the disk has not grown (block/partitions/efi.c). So the primary is mended and the disk read
 * again; if it cannot be written, the kernel is told of the partitions one by one.
 */
static void show_partitions(struct disk *disk)
{
	cleanup_fd fd = open_disk(&disk->device, O_RDWR);
	cleanup_fd read_only = fd < 0 ? open_disk(&disk->device, O_RDONLY) : -1;
	const char *fault = disk->gpt.primary_fault;
	const char *step;

	if (fd >= 0 && gpt_write(fd, &disk->gpt, &step) == 0 && !disk->gpt.from_backup) {
		disk->mended = fault;
		sys_ioctl(fd, BLKRRPART, NULL);
	}
	if (!has_partitions(disk))
		add_partitions(fd >= 0 ? fd : read_only, &disk->gpt);
}

/* Look once at every disk; true when `disk` holds the one. */
static bool look(const char *name, struct disk *disk)
{
	struct device disks[DEVICES_MAX];
	int count = devices_disks(disks, DEVICES_MAX);

	for (int i = 0; i < count; i++) {
		if (name && strcmp(name, disks[i].name) != 0)
			continue;
		disk->device = disks[i];
		disk->mended = NULL;
		if (read_table(disk) != 0 || disk->slots.count == 0)
			continue;
		if (disk->gpt.from_backup && !has_partitions(disk))
			show_partitions(disk);
		if (has_partitions(disk))
			return true;
	}
	return false;
}

int disk_find(const char *name, uint64_t deadline_ns, struct disk *disk)
{
	/* Listening before looking: what appears in between is an event. */
	cleanup_fd events = devices_listen();

	do {
		if (look(name, disk))
			return 0;
	} while (devices_wait(events, deadline_ns) == 0);
	return -ENODEV;
}

/* Read the table of the disk of this name. */
static int read_disk(const char *name, struct disk *disk)
{
	struct device disks[DEVICES_MAX];
	int count = devices_disks(disks, DEVICES_MAX);

	for (int i = 0; i < count; i++) {
		if (strcmp(name, disks[i].name) != 0)
			continue;
		disk->device = disks[i];
		return read_table(disk);
	}
	return count < 0 ? count : -ENODEV;
}

int disk_reread(const char *name, const uint8_t guid[GPT_GUID_BYTES], struct disk *disk)
{
	int error = read_disk(name, disk);

	if (error)
		return error;
	return gpt_guid_equal(disk->gpt.header.disk_guid, guid) ? 0 : -ESTALE;
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

int disk_write_bits(struct disk *disk, const struct gpt_slot_bits bits[SLOT_COUNT],
		    const char **step)
{
	bool change = false;
	int error = 0;

	*step = "change slot bits";
	for (uint32_t i = 0; i < SLOT_COUNT && !error; i++) {
		struct slot_parts *slot = &disk->slots.slot[i];

		if (!slot->present ||
		    (slot->bits.priority == bits[i].priority && slot->bits.tries == bits[i].tries &&
		     slot->bits.successful == bits[i].successful))
			continue;
		change = true;
		slot->bits = bits[i];
		error = slots_set_bits(&disk->gpt, slot, bits[i]);
	}
	if (error || !change)
		return error;

	cleanup_fd fd = open_disk(&disk->device, O_RDWR);

	*step = "open disk for writing";
	return fd < 0 ? fd : gpt_write(fd, &disk->gpt, step);
}
