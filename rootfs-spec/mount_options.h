/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options as mount(8) writes them, turned into numbers and names with libmount's own tables
 * (mnt_get_builtin_optmap(3)): what the kernel keeps for each mount, what it keeps for the file
 * system, and what the file system itself reads.
 */
#ifndef KEELSON_MOUNT_OPTIONS_H
#define KEELSON_MOUNT_OPTIONS_H

#include "rootfs-spec/spec.h"

struct mount_options {
	uint64_t attributes;  /* MOUNT_ATTR_* */
	uint64_t mount_flags; /* MS_* */
	struct texts pairs;   /* key, value, key, value: fsconfig(2); value "" for a flag */
	const char *data;     /* what only the file system reads, in mount(2)'s form */
};

/* Tells what cannot be in a plan, with the nearest name. `type` is the file system's. */
void mount_options_read(const struct texts *options, const char *type, struct pool *pool,
			struct diagnostics *diagnostics, struct mount_options *result);

/* "private", "rshared", ...: MS_PRIVATE, MS_SHARED | MS_REC; 0 for NULL. */
uint64_t mount_propagation_flags(const char *name);

#endif
