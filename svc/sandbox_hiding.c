/* SPDX-License-Identifier: Apache-2.0 */
/* What hides: made once, copied by whoever hides something. */
#include <errno.h>
#include <sys/stat.h>

#include "svc/sandbox_mount.h"

static bool hides(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan_count(plan, PLAN_SANDBOX); i++)
		if (plan_sandbox(plan, i)->kind == PLAN_SANDBOX_HIDDEN)
			return true;
	return false;
}

static bool is_made(void)
{
	long fd = mount_place(SANDBOX_HIDING "/" HIDING_FILE);

	close_raw(fd);
	return fd >= 0;
}

/* Private, so that a service that shares its mounts with the node has a copy of its own. */
static long put(long hiding)
{
	long error = raw_syscall3(__NR_mkdirat, AT_FDCWD, (long)SANDBOX_HIDING, 0);
	long place = error < 0 && error != -EEXIST ? error : mount_place(SANDBOX_HIDING);

	error = place < 0 ? place : mount_put(hiding, place);
	close_raw(place);
	return error < 0 ? error : mount_make_private(hiding);
}

long sandbox_make_hiding(const struct plan *plan)
{
	static const char *const options[] = {"mode", "700", "size", "64k", NULL};

	if (!hides(plan) || is_made())
		return 0;
	long hiding = mount_make("tmpfs", options,
				 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	long error = hiding;

	if (error >= 0)
		error = raw_syscall3(__NR_mkdirat, hiding, (long)HIDING_DIRECTORY, 0);
	if (error >= 0)
		error = raw_syscall4(__NR_mknodat, hiding, (long)HIDING_FILE, S_IFREG, 0);
	if (error >= 0)
		error = mount_make_read_only(hiding);
	if (error >= 0)
		error = put(hiding);
	close_raw(hiding);
	return error < 0 ? error : 0;
}
