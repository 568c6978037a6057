/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One mount of the plan, made. The new mount API where it reaches: options one by one, attributes
 * set before the mount is attached, so there is never a moment in which a read-only mount can be
 * written. mount(2) where it does not: an option longer than fsconfig(2)'s 255 bytes (a long
 * lowerdir), or a file system that does not take its options that way (overlay before Linux 6.5).
 *
 * Failures are negative errno with `*step`, a constant text such as "fsconfig" or "make target".
 */
#ifndef KEELSON_APPLY_H
#define KEELSON_APPLY_H

#include <stdbool.h>

#include "rootfs-spec/plan.h"

struct mount_context {
	const char *disk;            /* kernel name of the booted disk, for PLAN_SOURCE_PARTITION */
	int output;                  /* where mkfs and fsck write, -1: nowhere */
	uint64_t timeout_ns;         /* for each of them, and for growing */
	uint64_t device_deadline_ns; /* CLOCK_BOOTTIME until which a device may appear */
	const char *slot;            /* "a", "b" or SLOT_LAYER_NO_SLOT: for PLAN_MOUNT_SLOT_LAYER */
	bool make_anew; /* file systems that the plan makes are made, whatever is there */
	bool *made;     /* set to true when one was; or NULL */
	/* What was left undone though the mount was made: a constant text, else unchanged; or NULL. */
	const char **passed_over;
};

/*
 * Make mount `index` of the plan: target (and for an overlay upper and work) made where missing and
 * possible, file system prepared as the mount's flags say, mounted, propagation set, grown.
 */
int mount_apply(const struct plan *plan, uint32_t index, const struct mount_context *context,
		const char **step);

/*
 * Mount a file system of `type` from `source` ("" for none) at the existing directory `target`, by
 * the new API. `attributes`: MOUNT_ATTR_*; MOUNT_ATTR_RDONLY makes the superblock read-only too.
 * `options`: pairs key, value (value "": a flag), ended by NULL; or NULL.
 */
int mount_filesystem(const char *type, const char *source, const char *target, uint64_t attributes,
		     const char *const *options, const char **step);

/* Set the propagation (MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE, | MS_REC) of a mount. */
int mount_propagation(const char *target, uint64_t propagation);

/* Make a directory and the missing ones above it, 0755. Exists: 0. */
int make_directories(const char *path);

#endif
