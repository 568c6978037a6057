/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of a node, opened in its root directory on the builder's machine. */
#ifndef KEELSON_ROOT_PATH_H
#define KEELSON_ROOT_PATH_H

/*
 * Open `path` with the root being the directory `root_fd`: absolute links and ".." stay inside
 * (openat2(2), RESOLVE_IN_ROOT). CLOEXEC. A descriptor or a negative errno.
 */
int root_path_open(int root_fd, const char *path, int flags);

#endif
