/* SPDX-License-Identifier: Apache-2.0 */
/* A plan from its file into this process: mapped read-only for ever, verified once. */
#ifndef KEELSON_PLAN_MAP_H
#define KEELSON_PLAN_MAP_H

#include "rootfs-spec/plan.h"

/*
 * Map and verify the plan at `path`; the mapping is never undone. A refusal is logged here with the
 * section and the record that are wrong. 0, or negative errno (open(2), mmap(2), plan_verify()).
 */
int plan_map(const char *path, enum plan_kind kind, struct plan *plan);

#endif
