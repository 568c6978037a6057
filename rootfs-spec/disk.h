/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk: a GPT with an ESP, two slots of three partitions each (root, hash tree, header) that
 * follow each other, and the state. Types and names are in gpt_types.h. Both slots are filled with
 * the same image, a at priority 2 and b at 1, neither blessed: a node has a second slot to fall
 * back to from its first boot on. Or b is empty, at priority 0. The file is sparse.
 */
#ifndef KEELSON_DISK_H
#define KEELSON_DISK_H

#include "rootfs-spec/pool.h"

#include <stdbool.h>
#include <stdint.h>

struct disk {
	const char *path;    /* the file to make */
	const char *scratch; /* a directory for parts that go into it */
	const uint8_t *build_id;
	const char *name; /* of the image, for the boot entry */
	const char *version;
	const char *cmdline; /* kernel command line of the boot entry */
	const uint8_t *kernel_sha256;
	const char *root; /* files of the slots */
	const char *verity;
	const char *header;
	const char *vmlinuz; /* of the ESP; NULL: an image without a kernel */
	const char *initramfs;
	uint64_t esp_bytes;  /* 0: no ESP */
	uint64_t slot_bytes; /* of a root partition; 0: chosen by the image */
	uint64_t state_bytes;
	uint32_t tries;
	bool fill_both; /* slot b holds the image, too */
};

struct disk_partition {
	const char *name;
	const char *type;
	uint64_t offset_bytes;
	uint64_t size_bytes;
	const char *content; /* file to copy there, or NULL */
	bool empty;          /* nothing is to be there */
	uint32_t priority;   /* of a slot's root */
	uint32_t tries;
	char uuid[40];
};

struct disk_layout {
	struct disk_partition partitions[8];
	size_t count;
	uint64_t size_bytes;
};

/* Where everything goes; pure but for the sizes of the files. */
int disk_plan(const struct disk *disk, struct disk_layout *layout);

/* Append the script for sfdisk(8). */
void disk_script(const struct disk *disk, const struct disk_layout *layout, struct bytes *script);

int disk_make(const struct disk *disk, struct pool *pool);

#endif
