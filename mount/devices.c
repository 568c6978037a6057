/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "mount/directory.h"
#include "mount/sys.h"
#include "mount/text.h"

#define SYS_BLOCK "/sys/class/block"
#define ATTRIBUTE_PATH_BYTES 128u
#define SYSFS_SECTOR_BYTES 512u /* sysfs counts in these whatever the disk's sector is */

/* Virtual devices, drives of removable media: never what a node boots from. */
static const char *const ignored[] = {"loop", "ram", "zram", "md", "dm-", "sr", "fd", "nbd"};

/* Open an attribute "DEVICE/NAME" or "DEVICE/CHILD/NAME" below /sys/class/block. */
static int open_attribute(const char *device, const char *child, const char *name)
{
	char path[ATTRIBUTE_PATH_BYTES];
	struct text text = {.bytes = path, .size = sizeof(path)};
	int fd;

	text_string(&text, SYS_BLOCK "/");
	text_string(&text, device);
	text_char(&text, '/');
	if (child) {
		text_string(&text, child);
		text_char(&text, '/');
	}
	text_string(&text, name);
	if (text_end(&text) < 0)
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Read an attribute as text, without its newline. Its length or negative errno. */
static ssize_t read_attribute(const char *device, const char *child, const char *name, char *value,
			      size_t size)
{
	cleanup_fd fd = open_attribute(device, child, name);
	ssize_t n = fd < 0 ? fd : read(fd, value, size - 1);

	if (fd < 0)
		return fd;
	if (n < 0)
		return -errno;
	if (n > 0 && value[n - 1] == '\n')
		n--;
	value[n] = '\0';
	return n;
}

/* Parse decimal digits up to the first other character; false when there are none or too many. */
static bool parse_number(const char **at, uint64_t *number)
{
	const char *p = *at;

	*number = 0;
	while (*p >= '0' && *p <= '9') {
		if (*number > (UINT64_MAX - 9) / 10)
			return false;
		*number = *number * 10 + (uint64_t)(*p++ - '0');
	}
	if (p == *at)
		return false;
	*at = p;
	return true;
}

static int number_attribute(const char *device, const char *child, const char *name,
			    uint64_t *number)
{
	char value[32];
	const char *at = value;
	ssize_t n = read_attribute(device, child, name, value, sizeof(value));

	if (n < 0)
		return (int)n;
	return parse_number(&at, number) && *at == '\0' ? 0 : -EBADMSG;
}

/* "8:1" */
static int device_numbers(const char *device, const char *child, struct device *found)
{
	char value[32];
	const char *at = value;
	uint64_t major;
	uint64_t minor;
	ssize_t n = read_attribute(device, child, "dev", value, sizeof(value));

	if (n < 0)
		return (int)n;
	if (!parse_number(&at, &major) || *at++ != ':' || !parse_number(&at, &minor))
		return -EBADMSG;
	found->major = (uint32_t)major;
	found->minor = (uint32_t)minor;
	return 0;
}

static int copy_name(char to[DEVICE_NAME_BYTES], const char *name)
{
	struct text text = {.bytes = to, .size = DEVICE_NAME_BYTES};

	text_string(&text, name);
	return text_end(&text) < 0 ? -ENAMETOOLONG : 0;
}

/* What a disk (child NULL) or a partition of it has in common. */
static int describe(const char *disk, const char *child, struct device *found)
{
	uint64_t sectors;
	uint64_t read_only = 0;
	int error;

	*found = (struct device){0};
	error = copy_name(found->name, child ? child : disk);
	if (!error)
		error = device_numbers(disk, child, found);
	if (!error)
		error = number_attribute(disk, child, "size", &sectors);
	if (error)
		return error;
	if (sectors > UINT64_MAX / SYSFS_SECTOR_BYTES)
		return -EBADMSG;
	found->size_bytes = sectors * SYSFS_SECTOR_BYTES;
	number_attribute(disk, child, "ro", &read_only);
	found->read_only = read_only != 0;
	return 0;
}

static bool is_ignored(const char *name)
{
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (strncmp(name, ignored[i], strlen(ignored[i])) == 0)
			return true;
	return false;
}

/* Fill `found` when `name` is a disk of a size, that is neither a partition nor hidden. */
static bool describe_disk(const char *name, struct device *found)
{
	uint64_t number;

	if (is_ignored(name) || number_attribute(name, NULL, "partition", &number) == 0)
		return false;
	if (number_attribute(name, NULL, "hidden", &number) == 0 && number)
		return false;
	if (describe(name, NULL, found) || found->size_bytes == 0)
		return false;
	if (number_attribute(name, "queue", "logical_block_size", &number))
		return false;
	found->sector_bytes = (uint32_t)number;
	return true;
}

/* vda before vdb, vdz before vdaa. */
static bool sorts_before(const struct device *a, const struct device *b)
{
	size_t length_a = strlen(a->name);
	size_t length_b = strlen(b->name);

	return length_a != length_b ? length_a < length_b : strcmp(a->name, b->name) < 0;
}

int devices_disks(struct device *disks, size_t max)
{
	cleanup_fd fd = open(SYS_BLOCK, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct directory directory = {.fd = fd};
	struct device found;
	const char *name;
	size_t count = 0;

	if (fd < 0)
		return -errno;
	while (max && (name = directory_next(&directory))) {
		size_t at;

		if (!describe_disk(name, &found))
			continue;
		if (count == max && !sorts_before(&found, &disks[max - 1]))
			continue;
		at = count < max ? count++ : max - 1;
		for (; at > 0 && sorts_before(&found, &disks[at - 1]); at--)
			disks[at] = disks[at - 1];
		disks[at] = found;
	}
	return (int)count;
}

int devices_disk(const char *name, struct device *device)
{
	return describe_disk(name, device) ? 0 : -ENODEV;
}

int device_path(const char *name, char path[DEVICE_PATH_BYTES])
{
	struct text text = {.bytes = path, .size = DEVICE_PATH_BYTES};

	text_string(&text, "/dev/");
	text_string(&text, name);
	return text_end(&text) < 0 ? -ENAMETOOLONG : 0;
}

/* A sysfs entry comes a moment before devtmpfs's node. */
static bool has_node(const char *name)
{
	char path[DEVICE_PATH_BYTES];
	struct stat st;

	return device_path(name, path) == 0 && stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

static bool is_number(const char *disk, const char *child, const void *wanted)
{
	uint64_t number;

	return number_attribute(disk, child, "partition", &number) == 0 &&
	       number == *(const uint32_t *)wanted;
}

/* Is there a line "PARTNAME=wanted" in the partition's uevent file? */
static bool is_named(const char *disk, const char *child, const void *wanted)
{
	static const char key[] = "PARTNAME=";
	char value[512];
	const char *name;
	size_t length = strlen(wanted);

	if (read_attribute(disk, child, "uevent", value, sizeof(value)) < 0)
		return false;
	for (name = value; (name = strstr(name, key)); name++) {
		if (name != value && name[-1] != '\n')
			continue;
		name += sizeof(key) - 1;
		return strncmp(name, wanted, length) == 0 &&
		       (name[length] == '\n' || name[length] == '\0');
	}
	return false;
}

/* Describe the partition `name` of `disk`; -ENOENT until it has its node. */
static int describe_partition(const char *disk, const char *name, struct device *device)
{
	uint64_t number = 0;
	int error = describe(disk, name, device);

	if (!error)
		error = number_attribute(disk, name, "partition", &number);
	if (error)
		return error;
	device->partition = (uint32_t)number;
	return has_node(name) ? 0 : -ENOENT;
}

/* The partition of `disk` for which `match` holds. */
static int find_partition(const char *disk,
			  bool (*match)(const char *disk, const char *child, const void *wanted),
			  const void *wanted, struct device *device)
{
	cleanup_fd fd = open_attribute(disk, NULL, "");
	struct directory directory = {.fd = fd};
	const char *name;

	if (fd < 0)
		return fd;
	while ((name = directory_next(&directory)))
		if (strncmp(name, disk, strlen(disk)) == 0 && match(disk, name, wanted))
			return describe_partition(disk, name, device);
	return -ENOENT;
}

/* The name that the kernel gives: sda1, but nvme0n1p1 (disk_name() in block/partitions/core.c). */
static bool usual_name(const char *disk, uint32_t number, char name[DEVICE_NAME_BYTES])
{
	struct text text = {.bytes = name, .size = DEVICE_NAME_BYTES};
	size_t length = strlen(disk);

	text_string(&text, disk);
	if (length && disk[length - 1] >= '0' && disk[length - 1] <= '9')
		text_char(&text, 'p');
	text_number(&text, number);
	return text_end(&text) > 0;
}

int devices_partition(const char *disk, uint32_t number, struct device *device)
{
	char name[DEVICE_NAME_BYTES];

	/* Looked at first, because the other way opens a file for each partition. */
	if (usual_name(disk, number, name) && is_number(disk, name, &number))
		return describe_partition(disk, name, device);
	return find_partition(disk, is_number, &number, device);
}

int devices_partition_named(const char *disk, const char *name, struct device *device)
{
	return find_partition(disk, is_named, name, device);
}
