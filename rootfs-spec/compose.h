/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes where in the root: packages, the kernel and the modules that the spec names, keelson's
 * own programs, `files:`, images for pods, mount points.
 */
#ifndef KEELSON_COMPOSE_H
#define KEELSON_COMPOSE_H

#include "rootfs-spec/diagnostics.h"
#include "rootfs-spec/kernel.h"
#include "rootfs-spec/lock.h"
#include "rootfs-spec/programs.h"
#include "rootfs-spec/spec.h"
#include "rootfs-spec/tree.h"

/*
 * Fill `tree` and finish it, and find the `kernel` (which is the caller's to free even on error).
 * What is wrong in the spec is told in `diagnostics`, the rest is reported; a negative errno either
 * way.
 */
int compose(const struct spec *spec, const struct package_set *set, const struct programs *programs,
	    struct diagnostics *diagnostics, struct kernel *kernel, struct tree *tree);

/* Write the tree to the new directory `root` and index the kernel modules there. */
int compose_write(const struct tree *tree, const struct kernel *kernel, const char *root);

#endif
