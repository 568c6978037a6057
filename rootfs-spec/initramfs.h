/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initramfs: PID 1, the boot plan, the modules that reach the disk, the trusted certificates,
 * and nothing else. Modules are stored uncompressed because the archive is compressed as a whole
 * (zstd: CONFIG_RD_ZSTD).
 */
#ifndef KEELSON_INITRAMFS_H
#define KEELSON_INITRAMFS_H

#include "rootfs-spec/certificate.h"
#include "rootfs-spec/pool.h"

#include <stddef.h>

#define INITRAMFS_MODULES "/keelson/modules"

struct initramfs_file {
	const char *path;   /* absolute, in the initramfs */
	const char *source; /* on the builder's machine */
};

struct initramfs {
	const char *init; /* the program */
	const void *plan;
	size_t plan_bytes;
	const struct initramfs_file *modules; /* in load order */
	size_t module_count;
	const struct trust *trust; /* certificate N is PLAN_BOOT_KEYS "/N.der" */
};

/* Append the compressed archive to `compressed`; `*plain_bytes` is its size unpacked. */
int initramfs_make(const struct initramfs *initramfs, struct bytes *compressed,
		   size_t *plain_bytes);

#endif
