/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk that carries the slots: found by looking at every disk's partition table until one has
 * a slot, waiting for devices until a deadline.
 */
#ifndef KEELSON_DISK_H
#define KEELSON_DISK_H

#include "mount/devices.h"
#include "mount/slots.h"

/* About 34 KiB: static storage. */
struct disk {
	struct device device;
	struct gpt gpt;
	struct slot_table slots;
	const char *mended; /* what was wrong with the primary table before it was mended, or NULL */
};

#define DISKS_PASSED_MAX 8u

/* Disks that were looked at and have no slot to boot, by their kernel names. */
struct disks_passed {
	uint32_t count;
	char names[DISKS_PASSED_MAX][DEVICE_NAME_BYTES];
};

/*
 * Find the first disk (in the order of devices_disks(), those in `passed` left out) with at least
 * one slot, all of whose partitions the kernel shows; wait for it until CLOCK_BOOTTIME reaches
 * `deadline_ns`. 0 or -ENODEV; then what `disk` holds is no disk.
 *
 * A disk with a valid primary table goes before one without. A disk whose primary is damaged has no
 * partitions for the kernel: it is mended here, before anything is chosen or used. At the deadline a
 * disk will do of whose slots only one is shown.
 */
int disk_find(const struct disks_passed *passed, uint64_t deadline_ns, struct disk *disk);

/*
 * Read the table of a disk known by name again (for blessing, after switch root). -ESTALE when its
 * disk GUID is not `guid`.
 */
int disk_reread(const char *name, const uint8_t guid[GPT_GUID_BYTES], struct disk *disk);

/*
 * Take the lock under which everybody writes the table, the slots' headers and their marks: flock(2),
 * LOCK_EX, on the whole disk's node, never on a partition's. It is the block device locking of
 * systemd (https://systemd.io/BLOCK_DEVICE_LOCKING), so sfdisk(8) with --lock, systemd-repart(8) and
 * `udevadm lock` keep out of the way, too. Read the table again once it is held: disk_reread().
 *
 * It is held for one change, never while an image is written: a blessing waits for seconds only.
 * Returns a descriptor whose close(2) gives the lock back (so does the end of the process), opened
 * for reading: a write-protected disk can be locked. -ETIMEDOUT at `deadline_ns` of CLOCK_BOOTTIME;
 * a deadline that has passed tries once. It sleeps: for children and programs, never for PID 1.
 */
int disk_lock(const char *name, uint64_t deadline_ns);

/* The partition of the disk `name` whose GPT name is `partition`: as the kernel says, or the table. */
int disk_partition_named(const char *name, const char *partition, struct device *device);

/*
 * The disk may have grown since its table was made: move the backup table to the end, only then,
 * and let partition `number` (0: none), if it is the last on the disk, reach up to it; the kernel
 * then shows its new size, also while other partitions are used. Takes the lock. 0: done, or nothing
 * to do; negative errno with `*step`: the partition is as large as it was, which is no reason not to
 * use it.
 */
int disk_grow(const char *name, uint32_t number, uint64_t deadline_ns, const char **step);

/*
 * Write the bits of both slots (an absent slot's are ignored) into the table and to the disk;
 * nothing is written when nothing changes. 0 or negative errno with `*step`.
 */
int disk_write_bits(struct disk *disk, const struct gpt_slot_bits bits[SLOT_COUNT],
		    const char **step);

#endif
