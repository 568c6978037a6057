/* SPDX-License-Identifier: Apache-2.0 */
/* A plan of a few services, finished, verified, and with a fresh world: for tests of what walks both. */
#ifndef KEELSON_TEST_SMALL_WORLD_H
#define KEELSON_TEST_SMALL_WORLD_H

#include <stdlib.h>

#include "rootfs-spec/plan_write.h"
#include "svc/world.h"

/* Ends the writer. `*bytes`, which hold the plan, and the world are the caller's to free. */
static inline struct world *small_world(struct plan_writer *writer, struct plan *plan, void **bytes)
{
	struct plan_system *system = plan_write_system(writer);
	struct plan_fault fault;
	size_t size;

	system->name = plan_write_string(writer, "test");
	system = plan_write_system(writer);
	system->shutdown_timeout_ns = 1;
	if (plan_write_finish(writer, NULL, bytes, &size, &fault) != 0)
		fail_msg("%s: %s", plan_section_name(fault.section), fault.reason);
	plan_write_free(writer);
	if (plan_verify(*bytes, size, PLAN_KIND_NODE, plan, &fault) != 0)
		fail_msg("%s: %s", plan_section_name(fault.section), fault.reason);
	uint32_t count = plan_count(plan, PLAN_SERVICES);
	size = world_size(count, plan_count(plan, PLAN_PROBES));
	struct world *world = calloc(1, size);

	assert_int_equal(world_init(world, size, plan), 0);
	return world;
}

#endif
