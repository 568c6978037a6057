/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount namespace of a service's own, and what differs in it: /proc and /dev as its policy says,
 * then the paths (PLAN_SANDBOX) of its policy, then its own. These are steps of a child that confines
 * itself (confine.h), before it gives any right away.
 *
 * - The namespace is a slave of the node's, all the way down: what the node mounts or unmounts later
 *   is seen, nothing that is done in here is seen outside.
 * - Or it stays a peer of the node's (PLAN_POLICY_SHARED_MOUNTS): what the service mounts, as a
 *   kubelet does, reaches the node and its pods. Then the mount on which something is to be covered
 *   becomes private first, and only that one: what is mounted on it later by either side stays there.
 * - Sources of binds are taken first, as the node has them; then each entry takes effect in the
 *   plan's order. So a bind after a read-only entry is an exception from it.
 * - No path is followed through a symbolic link (openat2(2), RESOLVE_NO_SYMLINKS): whoever can write
 *   to a directory on the way cannot send a mount elsewhere. Such a path is -ELOOP.
 * - Read-only holds for everything that is mounted at the path and below now (mount_setattr(2),
 *   AT_RECURSIVE), on a copy of these mounts. What the node mounts there later comes as it is.
 * - Hidden is an empty directory or file that nobody may read and that cannot be changed, whatever
 *   was there. A private tmp is a tmpfs of mode 01777 whose pages count as the service's memory and
 *   which holds at most a tenth of the machine's.
 * - A private /dev is a tmpfs that holds the nodes of the policy, as far as the node has them, bound
 *   one by one, with a devpts, a shm and the usual links of its own. Nothing can be made in it that
 *   works as a device.
 * - A /proc of its own, or any /proc in a pid namespace of its own, is another mount of proc(5).
 * - It binds who has no CAP_SYS_ADMIN: whoever keeps that can unmount, too.
 * - An optional entry whose path or source does not exist is left out.
 *
 * All of it by raw system calls: no libc, no allocation, nothing but this struct.
 */
#ifndef KEELSON_SANDBOX_H
#define KEELSON_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"

struct sandbox {
	const struct plan *plan;
	const struct plan_policy *policy; /* NULL: none */
	struct plan_list lists[2];        /* of the policy, of the service */
	bool own;                         /* it has a mount namespace of its own */
	bool shared;                      /* ... that stays a peer of the node's */
	int sources[PLAN_MAX_SANDBOX];    /* of binds: detached mounts */
	long store; /* a mount that holds what hides; -1: not made. Never with `shared` */
};

/* It needs a mount namespace: by what is covered, or because its policy says so. Pure. */
bool sandbox_is_needed(const struct plan_policy *policy, const struct plan_service *service);

/* Make the namespace, if one is needed. Each of these returns 0 or a negative errno. */
long sandbox_begin(struct sandbox *sandbox, const struct plan *plan,
		   const struct plan_service *service);

/* Then take the sources of binds. On failure `item` is the entry of PLAN_SANDBOX. */
long sandbox_sources(struct sandbox *sandbox, uint32_t *item);

/* Then mount /proc and /dev. */
long sandbox_proc(struct sandbox *sandbox);
long sandbox_dev(struct sandbox *sandbox);

/* Then the entries. On failure `item` is the one that failed. */
long sandbox_enter(struct sandbox *sandbox, uint32_t *item);

#endif
