/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that somebody else made and sent (SCM_RIGHTS, unix(7)). Closing one may take as long
 * as its maker likes: a socket with SO_LINGER waits for a peer that never reads (socket(7)), a file
 * of a FUSE file system for a daemon that never answers (fuse's FUSE_FLUSH). PID 1 waits for neither.
 */
#ifndef KEELSON_FOREIGN_H
#define KEELSON_FOREIGN_H

#include <stddef.h>

/*
 * Close all `count` of them without waiting: pipes at once, sockets after their lingering was turned
 * off, anything else from a child that shares the descriptors (CLONE_FILES) and ends after that. It
 * is reaped like any orphan.
 */
void foreign_close(const int *fds, size_t count);

#endif
