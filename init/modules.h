/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel modules by finit_module(2): the plan holds their paths in load order, so there is nothing
 * to resolve here, and PID 1 needs no modprobe.
 */
#ifndef KEELSON_INIT_MODULES_H
#define KEELSON_INIT_MODULES_H

#include "rootfs-spec/plan.h"
#include "svc/timeline.h"

/*
 * Load the plan's modules in order; each is stamped in the timeline under its path's last part. A
 * module that the kernel has already (EEXIST) is as good as loaded; one whose hardware is not there
 * (ENODEV) is said and passed over. Any other failure is logged, and the rest is still loaded: what
 * is really missing shows at the step that needs it. Returns the first such failure or 0.
 */
int modules_load(const struct plan *plan, struct timeline *timeline);

#endif
