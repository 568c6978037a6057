/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kernel's Landlock can deny, by its ABI (Documentation/userspace-api/landlock.rst,
 * "Landlock ABI versions"): headers of the builder's machine may know less, so the numbers are here.
 * Pure.
 *
 *     1 (5.13)  13 rights on files   4 (6.7)   TCP ports
 *     2 (5.19)  refer                5 (6.10)  ioctl on devices
 *     3 (6.2)   truncate             6 (6.12)  abstract sockets, signals
 */
#ifndef KEELSON_LANDLOCK_H
#define KEELSON_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"

/* struct landlock_ruleset_attr of ABI 6. */
struct landlock_handled {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

/* Everything that `abi` can handle; nothing for one below 1. */
struct landlock_handled landlock_known(int32_t abi);

/*
 * What is handled for `policy` on a kernel of `abi` (a negative errno: it has no Landlock). False: the
 * policy wants what this kernel cannot give, and is not content with less.
 */
bool landlock_choose(const struct plan_policy *policy, int32_t abi,
		     struct landlock_handled *handled);

/* Landlock rules are to be loaded for it: it has some, and is not just learning. */
static inline bool landlock_wanted(const struct plan_policy *policy)
{
	return policy && (policy->flags & PLAN_POLICY_LANDLOCK) &&
	       policy->mode == PLAN_MODE_ENFORCE;
}

#endif
