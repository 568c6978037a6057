/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a process is, by its cgroup: a service's, a pod's, or nobody's that the plan knows. Pure. */
#ifndef KEELSON_OWNER_H
#define KEELSON_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"

/*
 * Of a process in the group `path` (cgroup v2, no leading slash): the service; for a pod's process,
 * and then `*is_pod`, the service that runs pods and under whose filter they live; or PLAN_NONE.
 */
uint32_t owner_of_group(const struct plan *plan, const char *path, bool *is_pod);

/*
 * Under whose filter a process in the group `path` lives: as above, and `*elsewhere` for a pod's. In a
 * plan with pods a group that is nobody's, but the root and PID 1's own, is taken for the runtime's:
 * containerd puts its shims there, which start every container. That is a guess. Whoever may write
 * cgroup.procs (containerd, kubelet, a privileged pod) can move processes to where it likes.
 */
uint32_t owner_of_filter(const struct plan *plan, const char *path, bool *elsewhere);

/*
 * Who runs pods: in a plan with a group for pods the service whose processes outlive it by design
 * (`kill: main`), one with a policy before others; PLAN_NONE. With a policy, all that it starts
 * inherits it.
 */
uint32_t owner_runtime(const struct plan *plan);

enum owner_kind {
	OWNER_FREE,     /* a service without a policy, or in no group that the plan knows */
	OWNER_CONFINED, /* a service with a policy ... */
	OWNER_ALLOWED,  /* ... that says `control: allow` */
	OWNER_POD
};

enum owner_kind owner_kind_of_group(const struct plan *plan, const char *path);

#endif
