/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel of an image: of its package only the kernel itself and the modules that the spec
 * names, with what those need. The slot's kernel lies in the root; the storage modules go into the
 * initramfs.
 */
#ifndef KEELSON_KERNEL_H
#define KEELSON_KERNEL_H

#include "rootfs-spec/diagnostics.h"
#include "rootfs-spec/lock.h"
#include "rootfs-spec/modules.h"
#include "rootfs-spec/sha256.h"
#include "rootfs-spec/spec.h"
#include "rootfs-spec/tree.h"

/* The kernel as it lies in the cache. */
struct kernel {
	const char *package;          /* that brings it */
	const char *release;          /* "6.1.0-56-cloud-amd64"; NULL: the image has no kernel */
	const char *vmlinuz;          /* path on the builder's machine */
	const char *modules;          /* its module directory there */
	const char *cmdline;          /* the word of every image, then the spec's */
	uint8_t sha256[SHA256_BYTES]; /* of what lies at SLOT_KERNEL_PATH */
	struct module_list storage;   /* what the initramfs loads, below `modules`; kernel_free() */
};

/* Kernel packages, and those that only depend on one, are not unpacked into the root. */
bool kernel_is_package(const struct package *package);

/*
 * Find the kernel of the set and resolve the storage modules: those of the spec and those that
 * every image needs. Unknown modules are told in `diagnostics`: -EINVAL with the rest filled.
 */
int kernel_find(const struct spec *spec, struct pool *pool, const struct package_set *set,
		struct diagnostics *diagnostics, struct kernel *kernel);

/* Kernel, modules and command line into the tree. */
int kernel_add(const struct spec *spec, const struct kernel *kernel,
	       struct diagnostics *diagnostics, struct tree *tree);

/* Index the modules below the directory `root`: modules.dep and its relatives. */
int kernel_index(const struct kernel *kernel, const char *root);

void kernel_free(struct kernel *kernel);

#endif
