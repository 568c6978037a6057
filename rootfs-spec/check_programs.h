/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of a composed root: are they there, executable, and is there all that they need? */
#ifndef KEELSON_CHECK_PROGRAMS_H
#define KEELSON_CHECK_PROGRAMS_H

#include "rootfs-spec/spec.h"

/*
 * Look up every service's program, its interpreter and shared libraries in the root open as
 * `root_fd`. What other programs of the root lack is a warning.
 */
void check_programs(const struct spec *spec, int root_fd, struct diagnostics *diagnostics);

/* Suggest, for the newest diagnostic, the name beside `path` that is nearest to it. */
void check_suggest_beside(int root_fd, const char *path, struct diagnostics *diagnostics);

#endif
