/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cpio archive in the "newc" form that the kernel unpacks as initramfs
 * (Documentation/driver-api/early-userspace/buffer-format.rst), written in memory. The cpio program
 * cannot do this for an ordinary user: entries must belong to root, and one is a device node.
 *
 * The same calls give the same bytes: inode numbers count up, times are zero. Paths have no leading
 * slash; a directory must come before what is in it, as the kernel makes no parents.
 */
#ifndef KEELSON_CPIO_H
#define KEELSON_CPIO_H

#include "rootfs-spec/pool.h"

#include <sys/types.h>

struct cpio {
	struct bytes archive; /* the caller's to free */
	uint32_t next_inode;
};

void cpio_directory(struct cpio *cpio, const char *path, mode_t mode);
void cpio_file(struct cpio *cpio, const char *path, mode_t mode, const void *data, size_t size);
void cpio_symlink(struct cpio *cpio, const char *path, const char *target);
void cpio_character_device(struct cpio *cpio, const char *path, mode_t mode, uint32_t major,
			   uint32_t minor);

/* The trailer; nothing may be added after it. */
void cpio_end(struct cpio *cpio);

#endif
