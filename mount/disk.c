/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/disk.h"

#include <errno.h>
#include <fcntl.h>

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

static bool same_name(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Look once at every disk; true when `disk` holds the one. */
static bool look(const char *name, struct disk *disk)
{
	struct device disks[DEVICES_MAX];
	int count = devices_disks(disks, DEVICES_MAX);

	for (int i = 0; i < count; i++) {
		if (name && !same_name(name, disks[i].name))
			continue;
		disk->device = disks[i];
		if (read_table(disk) == 0 && disk->slots.count > 0 && has_partitions(disk))
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

int disk_reread(const char *name, const uint8_t guid[GPT_GUID_BYTES], struct disk *disk)
{
	struct device disks[DEVICES_MAX];
	int count = devices_disks(disks, DEVICES_MAX);
	int error;

	for (int i = 0; i < count; i++) {
		if (!same_name(name, disks[i].name))
			continue;
		disk->device = disks[i];
		error = read_table(disk);
		if (error)
			return error;
		return gpt_guid_equal(disk->gpt.header.disk_guid, guid) ? 0 : -ESTALE;
	}
	return count < 0 ? count : -ENODEV;
}

int disk_write_bits(struct disk *disk, const struct gpt_slot_bits bits[SLOT_COUNT],
		    const char **step)
{
	bool change = false;
	int error = 0;

	*step = "change slot bits";
	for (uint32_t i = 0; i < SLOT_COUNT && !error; i++) {
		struct slot_parts *slot = &disk->slots.slot[i];

		if (!slot->present || (slot->bits.priority == bits[i].priority &&
				       slot->bits.tries == bits[i].tries &&
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
