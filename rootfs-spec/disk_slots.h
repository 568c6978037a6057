/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slots of a disk image, on the builder's machine: where they lie, by sfdisk(8), and whether
 * what lies there is sound. Errors are reported.
 */
#ifndef KEELSON_DISK_SLOTS_H
#define KEELSON_DISK_SLOTS_H

#include "rootfs-spec/image_dir.h"

struct disk_slot {
	struct disk_part {
		uint64_t offset_bytes;
		uint64_t size_bytes;
	} root, tree, header;
};

struct disk_slots {
	struct disk_slot list[2];
	size_t count; /* a, then b; one at least */
};

int disk_slots_read(const char *path, struct disk_slots *slots);

/* The header of a slot; `*empty` when there is none, which is no error. */
int disk_slot_header(const char *path, const struct disk_slot *slot, const char *name,
		     union slot_header_block *block, bool *empty);

/* Header, signature, sizes, every block of root and tree. */
int disk_slot_check(const char *path, const struct disk_slot *slot, const char *name,
		    const union slot_header_block *block, const struct trust *trust);

/* In every slot that holds the same image: put this header, with another signature, there. */
int disk_slots_sign(const char *path, const union slot_header_block *block);

#endif
