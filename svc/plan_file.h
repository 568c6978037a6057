/* SPDX-License-Identifier: Apache-2.0 */
/* The node's plan, for programs beside PID 1. */
#ifndef KEELSON_PLAN_FILE_H
#define KEELSON_PLAN_FILE_H

#include "rootfs-spec/plan.h"

/*
 * Map and verify the plan at `path`; the mapping lives as long as the program. 0, or a negative errno,
 * which `who` ("keelctl") has told on standard error.
 */
int plan_file_map(const char *who, const char *path, struct plan *plan);

/* The index of the service of that name; PLAN_NONE: there is none. */
uint32_t plan_file_service(const struct plan *plan, const char *name);

#endif
