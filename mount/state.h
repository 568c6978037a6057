/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state partition's file system (ext4): made when the partition is empty or marked to be made
 * anew (rootfs-spec/state_mark.h), checked when it was not unmounted cleanly, grown when the
 * partition has grown. The superblock is read here (kernel
 * documentation, filesystems/ext4/super.rst); making and checking is e2fsprogs' work, as programs.
 */
#ifndef KEELSON_STATE_H
#define KEELSON_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXT4_SUPERBLOCK_OFFSET_BYTES 1024u
#define EXT4_SUPERBLOCK_BYTES 1024u
#define STATE_PROBE_BYTES 4096u /* what ext4_probe() looks at: the start of the partition */

enum ext4_presence {
	EXT4_EMPTY,   /* only zeros: nobody's, may be made into a file system */
	EXT4_FOREIGN, /* something else: never touched */
	EXT4_PRESENT
};

struct ext4_summary {
	enum ext4_presence presence;
	bool anew;           /* marked: what is there does not count */
	bool clean;          /* unmounted cleanly */
	bool errors;         /* the kernel saw errors */
	bool journal_replay; /* the journal holds transactions: mounting replays it */
	uint64_t size_bytes;
	uint32_t block_bytes;
	uint8_t uuid[16];
	char label[17];
};

/* Summarise the first STATE_PROBE_BYTES bytes of a partition. Pure. */
void ext4_probe(const uint8_t start[STATE_PROBE_BYTES], struct ext4_summary *summary);

/* A file system was made: nothing of an earlier boot is in it. */
#define STATE_MADE 2

/*
 * e2fsck is not in the image, or was not done in time: a large file system may take longer than a
 * boot may. The kernel may mount it all the same, as it does after a power cut; a node that refused
 * to would refuse at every boot, from either slot.
 */
#define STATE_UNCHECKED 1

/*
 * Before mounting: with PLAN_MOUNT_MAKE make a file system on a partition that is empty or marked,
 * with PLAN_MOUNT_CHECK run e2fsck -p unless it is clean. `flags` are PLAN_MOUNT_*. `output` takes
 * the programs' messages (-1: nowhere). Power that fails, and a mkfs that is killed at its timeout,
 * leave a partition that is empty or marked. 0; STATE_MADE; STATE_UNCHECKED; -EUCLEAN: e2fsck could not repair it;
 * -EMEDIUMTYPE: another file system or data is there; else negative errno. `*step` is a constant text.
 */
int state_prepare(const char *device, uint32_t flags, int output, uint64_t timeout_ns,
		  const char **step);

/*
 * Mark the partition, whatever it holds: the next state_prepare() with PLAN_MOUNT_MAKE makes a file
 * system. On the disk when it returns 0. In a timed child.
 */
int state_mark(const char *device, uint64_t timeout_ns);

/*
 * After mounting: grow the file system mounted at `target` to the size of its device, online
 * (EXT4_IOC_RESIZE_FS, in a timed child). 0: grown or nothing to do; negative errno is no reason to
 * stop the boot.
 */
int state_grow(const char *target, const char *device, uint64_t timeout_ns, const char **step);

#endif
