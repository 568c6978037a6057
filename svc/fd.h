/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that close themselves: `owned_fd int fd = open(...);` closes on every path. */
#ifndef KEELSON_FD_H
#define KEELSON_FD_H

#include <unistd.h>

/* Close and forget; -1 is nothing to close. */
static inline void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Hand a descriptor on: the cleanup finds nothing to close. */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define owned_fd __attribute__((cleanup(fd_close)))

#endif
