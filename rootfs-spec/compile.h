/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a checked spec to the plans of plan.h. Names become numbers, seccomp lists become BPF, edges
 * an order. The same spec gives the same bytes.
 *
 * `*bytes` is malloc'ed and belongs to the caller. 0, -EINVAL with the reason in `diagnostics`, or
 * another negative errno.
 */
#ifndef KEELSON_COMPILE_H
#define KEELSON_COMPILE_H

#include "rootfs-spec/spec.h"

/*
 * The node plan. `root` is the composed root, where the order of kernel modules is found; it may be
 * NULL when the spec loads none. `build_id` may be NULL: then it is the SHA-256 of the spec's text.
 */
int compile_node_plan(const struct spec *spec, const char *root, const uint8_t build_id[32],
		      struct diagnostics *diagnostics, void **bytes, size_t *size);

/* What the boot plan says of the initramfs that it is for. */
struct boot_facts {
	const char *const *modules;    /* absolute paths in the initramfs, in load order */
	const char *const *parameters; /* of each, or NULL */
	size_t module_count;
	const char *const *keys; /* absolute paths of certificates there */
	size_t key_count;
	const char *kernel_release; /* NULL: not known */
	const char *kernel_cmdline;
	const uint8_t *kernel_sha256;
};

int compile_boot_plan(const struct spec *spec, const struct boot_facts *facts,
		      const uint8_t build_id[32], struct diagnostics *diagnostics, void **bytes,
		      size_t *size);

/*
 * How a stored module is loaded: parameters by module name for compile_boot_plan(); "" for none.
 * `path` is "kernel/drivers/block/virtio_blk.ko" or any path that ends so.
 */
const char *compile_module_parameters(const struct spec_module *modules, size_t count,
				      const char *path);

#endif
