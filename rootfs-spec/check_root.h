/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks that need the composed root: what would fail only at boot elsewhere.
 */
#ifndef KEELSON_CHECK_ROOT_H
#define KEELSON_CHECK_ROOT_H

#include "rootfs-spec/spec.h"

/*
 * Look into the root directory `root` (never outside: links are followed as the node would) for
 * every service's program, its interpreter and shared libraries; every kernel module; every mount
 * point; every sysctl. Programs that the image builder itself adds must be there already. Reports
 * to `diagnostics`; 0, -EINVAL with errors told, or the negative errno of opening `root`.
 */
int check_root(const struct spec *spec, const char *root, struct diagnostics *diagnostics);

/*
 * The kernel's module directory below `root`, "usr/lib/modules/VERSION", from `pool`; NULL when
 * there is not exactly one.
 */
const char *check_root_modules(const char *root, struct pool *pool);

#endif
