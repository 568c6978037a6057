/* SPDX-License-Identifier: Apache-2.0 */
#include <libmount/libmount.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>

#include "rootfs-spec/mount_options.h"
#include "rootfs-spec/nearest.h"
#include "rootfs-spec/view.h"

/* Newer than some kernel headers. */
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define OPERATION (MS_BIND | MS_MOVE | MS_REMOUNT)

/* What the kernel keeps for a mount, in both of its interfaces. */
static const struct {
	unsigned long flag;
	uint64_t attribute;
} attributes[] = {
	{MS_RDONLY, MOUNT_ATTR_RDONLY},         {MS_NOSUID, MOUNT_ATTR_NOSUID},
	{MS_NODEV, MOUNT_ATTR_NODEV},           {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
	{MS_NOATIME, MOUNT_ATTR_NOATIME},       {MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
	{MS_NODIRATIME, MOUNT_ATTR_NODIRATIME}, {MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
};

/* What it keeps for the file system: fsconfig(2) knows these by name. */
#define SUPERBLOCK (MS_SYNCHRONOUS | MS_DIRSYNC | MS_MANDLOCK | MS_LAZYTIME)

/* Options of file systems whose options are few; a wrong one would fail only at boot. */
static const struct {
	const char *type;
	const char *options[16];
} known[] = {
	{"tmpfs",
	 {"size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "huge", "mpol", "inode32",
	  "inode64", "noswap", NULL}},
	{"proc", {"hidepid", "gid", "subset", NULL}},
	{"sysfs", {NULL}},
	{"devtmpfs", {"size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "huge", NULL}},
	{"devpts", {"uid", "gid", "mode", "ptmxmode", "newinstance", "max", NULL}},
	{"cgroup2",
	 {"nsdelegate", "favordynmods", "memory_localevents", "memory_recursiveprot",
	  "memory_hugetlb_accounting", "pids_localevents", NULL}},
	{"bpf",
	 {"mode", "uid", "gid", "delegate_cmds", "delegate_maps", "delegate_progs",
	  "delegate_attachs", NULL}},
	{"hugetlbfs", {"pagesize", "size", "min_size", "nr_inodes", "mode", "uid", "gid", NULL}},
	{"debugfs", {"mode", "uid", "gid", NULL}},
	{"tracefs", {"mode", "uid", "gid", NULL}},
	{"securityfs", {NULL}},
	{"mqueue", {NULL}},
	{"ramfs", {"mode", NULL}},
};

struct reading {
	const char *type;
	struct pool *pool;
	struct diagnostics *diagnostics;
	struct mount_options *result;
};

static const struct libmnt_optmap *find_option(int map, const char *name, size_t length)
{
	const struct libmnt_optmap *entry = mnt_get_builtin_optmap(map);

	for (; entry && entry->name; entry++) {
		size_t own = strcspn(entry->name, "=[");
		if (own == length && strncmp(entry->name, name, length) == 0)
			return entry;
	}
	return NULL;
}

static void offer_map(struct nearest *nearest, int map, struct pool *pool)
{
	const struct libmnt_optmap *entry = mnt_get_builtin_optmap(map);

	for (; entry && entry->name; entry++)
		nearest_offer(nearest, pool_copy(pool, entry->name, strcspn(entry->name, "=[")));
}

/* An option for the file system: is it one, as far as that can be told here? */
static void check_known(const struct reading *reading, struct where where, const char *name)
{
	struct nearest nearest = {.name = name};

	if (strcmp(reading->type, "bind") == 0) {
		diagnose(reading->diagnostics, where, "a bind mount has no option '%s'", name);
		offer_map(&nearest, MNT_LINUX_MAP, reading->pool);
		diagnose_suggest(reading->diagnostics, nearest.best);
		return;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].type, reading->type) != 0)
			continue;
		for (size_t j = 0; known[i].options[j]; j++) {
			if (strcmp(known[i].options[j], name) == 0)
				return;
			nearest_offer(&nearest, known[i].options[j]);
		}
		offer_map(&nearest, MNT_LINUX_MAP, reading->pool);
		diagnose(reading->diagnostics, where, "%s has no option '%s'", reading->type, name);
		diagnose_suggest(reading->diagnostics, nearest.best);
	}
}

static void add_pair(const struct reading *reading, const char *name, const char *value)
{
	struct texts *pairs = &reading->result->pairs;

	texts_add(pairs, (struct text){.text = name}, reading->pool);
	texts_add(pairs, (struct text){.text = value}, reading->pool);
}

static void read_flag(struct reading *reading, struct where where, const char *name,
		      const struct libmnt_optmap *entry)
{
	unsigned long flag = (unsigned long)entry->id;

	if (flag & PROPAGATION) {
		diagnose(reading->diagnostics, where,
			 "'%s' is no option: it is the mount's 'propagation'", name);
	} else if (flag & OPERATION) {
		diagnose(reading->diagnostics, where, "'%s' is no option of a mount in a spec%s",
			 name, flag & MS_BIND ? ": say 'type: bind'" : "");
	} else if (entry->mask & MNT_INVERT) {
		reading->result->mount_flags &= ~flag;
	} else {
		if (flag & (MS_NOATIME | MS_RELATIME | MS_STRICTATIME))
			reading->result->mount_flags &= ~(uint64_t)(MS_NOATIME | MS_RELATIME |
								    MS_STRICTATIME);
		reading->result->mount_flags |= flag;
		if (flag & SUPERBLOCK)
			add_pair(reading, name, "");
	}
}

static void read_option(struct reading *reading, struct where where, const char *name,
			const char *value)
{
	size_t length = strlen(name);
	const struct libmnt_optmap *entry = find_option(MNT_LINUX_MAP, name, length);

	if (entry && entry->id && !value) {
		read_flag(reading, where, name, entry);
		return;
	}
	if (strcmp(name, "defaults") == 0 && !value)
		return;
	if (find_option(MNT_USERSPACE_MAP, name, length) || strncmp(name, "x-", 2) == 0 ||
	    strncmp(name, "X-", 2) == 0) {
		diagnose(reading->diagnostics, where,
			 "'%s' is for mount(8) and fstab(5); it means nothing to a node", name);
		return;
	}
	check_known(reading, where, name);
	add_pair(reading, name, value ? value : "");
	reading->result->data = pool_printf(reading->pool, "%s%s%s%s%s", reading->result->data,
					    reading->result->data[0] ? "," : "", name,
					    value ? "=" : "", value ? value : "");
}

void mount_options_read(const struct texts *options, const char *type, struct pool *pool,
			struct diagnostics *diagnostics, struct mount_options *result)
{
	struct reading reading = {type, pool, diagnostics, result};

	*result = (struct mount_options){.data = ""};
	for (size_t i = 0; i < options->count; i++) {
		struct where where = options->list[i].where;
		char *rest = pool_strdup(pool, options->list[i].text), *name, *value;
		size_t name_length, value_length;
		int status;
		while ((status = mnt_optstr_next_option(&rest, &name, &name_length, &value,
							&value_length)) == 0)
			read_option(&reading, where, pool_copy(pool, name, name_length),
				    value ? pool_copy(pool, value, value_length) : NULL);
		if (status < 0)
			diagnose(diagnostics, where, "'%s' is not an option",
				 options->list[i].text);
	}
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if (result->mount_flags & attributes[i].flag)
			result->attributes |= attributes[i].attribute;
}

uint64_t mount_propagation_flags(const char *name)
{
	const struct libmnt_optmap *entry = name ? find_option(MNT_LINUX_MAP, name, strlen(name))
						 : NULL;

	return entry ? (uint64_t)(unsigned)entry->id : 0;
}
