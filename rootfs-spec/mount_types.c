/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "rootfs-spec/mount_types.h"
#include "rootfs-spec/nearest.h"

static const struct {
	const char *name;
	enum mount_type type;
} types[] = {
	{"autofs", MOUNT_TYPE_VIRTUAL},     {"binfmt_misc", MOUNT_TYPE_VIRTUAL},
	{"bpf", MOUNT_TYPE_VIRTUAL},        {"cgroup", MOUNT_TYPE_VIRTUAL},
	{"cgroup2", MOUNT_TYPE_VIRTUAL},    {"configfs", MOUNT_TYPE_VIRTUAL},
	{"debugfs", MOUNT_TYPE_VIRTUAL},    {"devpts", MOUNT_TYPE_VIRTUAL},
	{"devtmpfs", MOUNT_TYPE_VIRTUAL},   {"efivarfs", MOUNT_TYPE_VIRTUAL},
	{"fusectl", MOUNT_TYPE_VIRTUAL},    {"hugetlbfs", MOUNT_TYPE_VIRTUAL},
	{"mqueue", MOUNT_TYPE_VIRTUAL},     {"nfsd", MOUNT_TYPE_VIRTUAL},
	{"proc", MOUNT_TYPE_VIRTUAL},       {"pstore", MOUNT_TYPE_VIRTUAL},
	{"ramfs", MOUNT_TYPE_VIRTUAL},      {"resctrl", MOUNT_TYPE_VIRTUAL},
	{"rpc_pipefs", MOUNT_TYPE_VIRTUAL}, {"securityfs", MOUNT_TYPE_VIRTUAL},
	{"selinuxfs", MOUNT_TYPE_VIRTUAL},  {"smackfs", MOUNT_TYPE_VIRTUAL},
	{"sysfs", MOUNT_TYPE_VIRTUAL},      {"tmpfs", MOUNT_TYPE_VIRTUAL},
	{"tracefs", MOUNT_TYPE_VIRTUAL},    {"btrfs", MOUNT_TYPE_DEVICE},
	{"erofs", MOUNT_TYPE_DEVICE},       {"exfat", MOUNT_TYPE_DEVICE},
	{"ext4", MOUNT_TYPE_DEVICE},        {"ext3", MOUNT_TYPE_DEVICE},
	{"ext2", MOUNT_TYPE_DEVICE},        {"f2fs", MOUNT_TYPE_DEVICE},
	{"gfs2", MOUNT_TYPE_DEVICE},        {"iso9660", MOUNT_TYPE_DEVICE},
	{"jfs", MOUNT_TYPE_DEVICE},         {"msdos", MOUNT_TYPE_DEVICE},
	{"nilfs2", MOUNT_TYPE_DEVICE},      {"ntfs3", MOUNT_TYPE_DEVICE},
	{"ocfs2", MOUNT_TYPE_DEVICE},       {"romfs", MOUNT_TYPE_DEVICE},
	{"squashfs", MOUNT_TYPE_DEVICE},    {"udf", MOUNT_TYPE_DEVICE},
	{"vfat", MOUNT_TYPE_DEVICE},        {"xfs", MOUNT_TYPE_DEVICE},
	{"9p", MOUNT_TYPE_OTHER},           {"afs", MOUNT_TYPE_OTHER},
	{"bind", MOUNT_TYPE_OTHER},         {"ceph", MOUNT_TYPE_OTHER},
	{"cifs", MOUNT_TYPE_OTHER},         {"fuse", MOUNT_TYPE_OTHER},
	{"fuseblk", MOUNT_TYPE_OTHER},      {"nfs", MOUNT_TYPE_OTHER},
	{"nfs4", MOUNT_TYPE_OTHER},         {"overlay", MOUNT_TYPE_OTHER},
	{"smb3", MOUNT_TYPE_OTHER},         {"ubifs", MOUNT_TYPE_OTHER},
	{"virtiofs", MOUNT_TYPE_OTHER},     {"zfs", MOUNT_TYPE_OTHER},
};

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

enum mount_type mount_type_of(const char *name)
{
	for (size_t i = 0; i < TYPE_COUNT; i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	return MOUNT_TYPE_UNKNOWN;
}

const char *mount_type_nearest(const char *name)
{
	struct nearest nearest = {.name = name};

	for (size_t i = 0; i < TYPE_COUNT; i++)
		nearest_offer(&nearest, types[i].name);
	return nearest.best;
}
