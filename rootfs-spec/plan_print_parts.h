/* SPDX-License-Identifier: Apache-2.0 */
/* What the printers of a plan share, private to them. `name` is what stands before the colon. */
#ifndef KEELSON_PLAN_PRINT_PARTS_H
#define KEELSON_PLAN_PRINT_PARTS_H

#include "rootfs-spec/plan.h"
#include "rootfs-spec/pool.h"

void plan_print_service(const struct plan *plan, uint32_t index, struct bytes *out);

void plan_print_duration(struct bytes *out, const char *name, uint64_t ns);
void plan_print_strings(struct bytes *out, const struct plan *plan, const char *name,
			struct plan_list list);
void plan_print_flags(struct bytes *out, const char *name, uint64_t flags,
		      const char *const *names);
void plan_print_optional(struct bytes *out, const struct plan *plan, const char *name,
			 plan_str text);
void plan_print_sandbox(struct bytes *out, const struct plan *plan, struct plan_list list);

#endif
