/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rootfs-spec/root_path.h"

int root_path_open(int root_fd, const char *path, int flags)
{
	struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT};

	/* A device or a pipe in a root must not make the builder wait. */
	if (!(flags & O_PATH))
		how.flags |= O_NONBLOCK | O_NOCTTY;
	/* "" would be an error, "/" is the root. */
	long fd = syscall(SYS_openat2, root_fd, *path ? path : "/", &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}
