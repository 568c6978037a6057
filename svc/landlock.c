/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/landlock.h"

#define FS_ABI_1 0x1fffull
#define FS_REFER (1ull << 13)
#define FS_TRUNCATE (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)

struct landlock_handled landlock_known(int32_t abi)
{
	struct landlock_handled known = {0};

	if (abi >= 1)
		known.fs = FS_ABI_1;
	if (abi >= 2)
		known.fs |= FS_REFER;
	if (abi >= 3)
		known.fs |= FS_TRUNCATE;
	if (abi >= 4)
		known.net = PLAN_LANDLOCK_NET_KNOWN;
	if (abi >= 5)
		known.fs |= FS_IOCTL_DEV;
	if (abi >= 6)
		known.scoped = PLAN_LANDLOCK_SCOPE_KNOWN;
	return known;
}

bool landlock_choose(const struct plan_policy *policy, int32_t abi,
		     struct landlock_handled *handled)
{
	const struct landlock_handled known = landlock_known(abi);

	handled->fs = policy->landlock_fs & known.fs;
	handled->net = policy->landlock_net & known.net;
	handled->scoped = policy->landlock_scoped & known.scoped;
	return (policy->flags & PLAN_POLICY_LANDLOCK_IF_SUPPORTED) != 0 ||
	       (handled->fs == policy->landlock_fs && handled->net == policy->landlock_net &&
		handled->scoped == policy->landlock_scoped);
}
