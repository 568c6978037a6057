/* SPDX-License-Identifier: Apache-2.0 */
/* A plan in readable form: `keelson show --plan`. */
#ifndef KEELSON_PLAN_PRINT_H
#define KEELSON_PLAN_PRINT_H

#include "rootfs-spec/plan.h"
#include "rootfs-spec/pool.h"

/* Everything that is in a verified plan, as text in the manner of YAML, appended to `out`. */
void plan_print(const struct plan *plan, struct bytes *out);

#endif
