/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of a node, as far as its composed root and its spec tell: is it there, or made at boot? The
 * root is open as `root_fd`.
 */
#ifndef KEELSON_CHECK_PATHS_H
#define KEELSON_CHECK_PATHS_H

#include "rootfs-spec/spec.h"

/* The mount that `path` lies on, not counting one at `path` itself; NULL: the root. */
const struct spec_mount *check_mount_of(const struct spec *spec, const char *path);

/* Made at boot by `paths:`, itself or as the parent of one. */
bool check_made_at_boot(const struct spec *spec, const char *path);

/* In the image; links are followed. */
bool check_in_root(int root_fd, const char *path);

/* Below what PID 1 mounts itself, before anything of the plan. */
bool check_is_runtime(const char *path);

/*
 * What each service sees differently is there, and reached without a symbolic link, which the node
 * does not follow (svc/sandbox.h).
 */
void check_sandboxes(const struct spec *spec, int root_fd, struct diagnostics *diagnostics);

#endif
