/* SPDX-License-Identifier: Apache-2.0 */
/* The paths of the plan: directories, links, files and copies that exist before services start. */
#ifndef KEELSON_PATHS_H
#define KEELSON_PATHS_H

#include "rootfs-spec/plan.h"

/*
 * Make one path and what is missing above it. What exists already, of whatever kind, is left
 * alone: it is the node's state. 0 or negative errno (mkdir(2), symlink(2), open(2), write(2)).
 */
int path_make(const struct plan *plan, const struct plan_path *path);

#endif
