/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes where in the root: packages, the kernel and the modules that the spec names, keelson's
 * own programs, `files:`, images for pods, mount points.
 */
#ifndef KEELSON_COMPOSE_H
#define KEELSON_COMPOSE_H

#include "rootfs-spec/diagnostics.h"
#include "rootfs-spec/lock.h"
#include "rootfs-spec/modules.h"
#include "rootfs-spec/programs.h"
#include "rootfs-spec/spec.h"
#include "rootfs-spec/tree.h"

/* The kernel as it lies in the cache. */
struct kernel {
	const char *package;        /* that brings it */
	const char *release;        /* "6.1.0-56-cloud-amd64"; NULL: the image has no kernel */
	const char *vmlinuz;        /* path on the builder's machine */
	const char *modules;        /* its module directory there */
	struct module_list storage; /* what the initramfs loads, below `modules` */
};

/* Find the kernel of the set and resolve the spec's storage modules. */
int compose_kernel(const struct spec *spec, struct pool *pool, const struct package_set *set,
		   struct diagnostics *diagnostics, struct kernel *kernel);

/*
 * Fill `tree` and finish it. What is wrong in the spec is told in `diagnostics`, the rest is
 * reported; a negative errno either way.
 */
int compose(const struct spec *spec, const struct package_set *set, const struct kernel *kernel,
	    const struct programs *programs, struct diagnostics *diagnostics, struct tree *tree);

/* Write the tree to the new directory `root` and index the kernel modules there. */
int compose_write(const struct tree *tree, const struct kernel *kernel, const char *root);

#endif
