/* SPDX-License-Identifier: Apache-2.0 */
/* The header partition on a disk: rootfs-spec/slot_header.h over pread(2), pwrite(2), fsync(2). */
#ifndef KEELSON_HEADER_IO_H
#define KEELSON_HEADER_IO_H

#include "rootfs-spec/slot_header.h"

/* The first 4096 bytes of the partition. */
struct slot_header_block {
	struct slot_header header;
	uint8_t signature[SLOT_HEADER_SIGNATURE_MAX];
};

/* Read the signed region and its signature; nothing is checked. 0 or negative errno. */
int slot_header_read(int fd, struct slot_header_block *block);

/* Read both copies of the marks; nothing is checked (slot_marks_newest() does). */
int slot_marks_read(int fd, struct slot_marks copies[2]);

/*
 * Seal `next` as the successor of the newest of `copies`, write it over the other one, flush, and
 * update `copies`. A power cut leaves the old marks or the new. 0 or negative errno.
 */
int slot_marks_write(int fd, struct slot_marks *next, struct slot_marks copies[2]);

#endif
