/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block devices by /sys/class/block (Documentation/ABI/stable/sysfs-block) and their appearance by
 * the kernel's uevents (netlink(7), NETLINK_KOBJECT_UEVENT). Needs sysfs and devtmpfs mounted. No
 * heap; names are the kernel's, "vda2", and belong below /dev.
 */
#ifndef KEELSON_DEVICES_H
#define KEELSON_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_NAME_BYTES 32u
#define DEVICE_PATH_BYTES (DEVICE_NAME_BYTES + 8u)
#define DEVICES_MAX 256u

struct device {
	char name[DEVICE_NAME_BYTES];
	uint32_t major;
	uint32_t minor;
	uint32_t partition;    /* its number, 0: a whole disk */
	uint32_t sector_bytes; /* logical sector of the disk; 0 for a partition */
	uint64_t size_bytes;
	bool read_only;
};

/*
 * The whole disks that may carry slots, sorted by name length and name: no loop, ram, zram, md or
 * device-mapper devices, no empty drives. Of more than `max` the first. Returns how many were
 * written, or negative errno.
 */
int devices_disks(struct device *disks, size_t max);

/* The disk of this name, if it may carry slots. 0 or -ENODEV. */
int devices_disk(const char *name, struct device *device);

/* Partition `number` of the disk named `disk`. 0, -ENOENT (not there, or not there yet), ... */
int devices_partition(const char *disk, uint32_t number, struct device *device);

/* The partition of `disk` whose GPT name is `name`, as the kernel read it. */
int devices_partition_named(const char *disk, const char *name, struct device *device);

/* "/dev/" and the name; -ENAMETOOLONG. */
int device_path(const char *name, char path[DEVICE_PATH_BYTES]);

/* A socket on which the kernel tells of devices; the caller closes it. */
int devices_listen(void);

/*
 * Wait until a block device event arrived on `fd` or CLOCK_BOOTTIME reached `deadline_ns`, and
 * drain what is there. 0: look again; -ETIMEDOUT; -EINTR is retried. A negative `fd` sleeps 10 ms.
 */
int devices_wait(int fd, uint64_t deadline_ns);

#endif
