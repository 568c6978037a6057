/* SPDX-License-Identifier: Apache-2.0 */
#include "init/health.h"

#include "svc/service.h"

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint32_t find_critical(const struct plan *plan, const struct world *world)
{
	for (uint32_t i = 0; i < world->service_count; i++)
		if ((plan_service(plan, i)->flags & PLAN_SERVICE_CRITICAL) &&
		    world->services[i].state == SERVICE_FAILED)
			return i;
	return PLAN_NONE;
}

struct health_view health_look(const struct plan *plan, const struct world *world, bool from_slot)
{
	struct plan_list healthy = plan->system->healthy;
	struct health_view view = {
		.from_slot = from_slot,
		.blessed = world->blessed_ns != 0,
		.blessed_ns = world->blessed_ns,
		.critical = find_critical(plan, world),
		.missing = PLAN_NONE,
		.met = true,
		.for_ns = plan->system->healthy_for_ns,
		.deadline_ns = plan->system->healthy_deadline_ns,
	};

	if (healthy.count == 0) {
		view.met = world->up_ns != 0;
		view.met_since_ns = world->up_ns;
	}
	for (uint32_t i = 0; i < healthy.count; i++) {
		uint32_t index = *plan_ref(plan, healthy.first + i);
		const struct world_service *service = &world->services[index];

		if (!service_is_up(service->state)) {
			view.met = false;
			view.missing = index;
			return view;
		}
		view.met_since_ns = later(view.met_since_ns, service->state_since_ns);
	}
	return view;
}

struct health_decision health_step(const struct health_view *view, uint64_t now_ns)
{
	uint64_t held_ns = view->met_since_ns + view->for_ns;
	uint64_t wake_ns = view->deadline_ns;

	if (view->critical != PLAN_NONE)
		return (struct health_decision){HEALTH_CRITICAL, 0};
	if (!view->from_slot || (view->blessed && view->refilled))
		return (struct health_decision){HEALTH_SETTLED, 0};
	if (view->blessed && now_ns >= view->blessed_ns + HEALTH_STABLE_NS)
		return (struct health_decision){HEALTH_REFILL, 0};
	if (view->blessed)
		return (struct health_decision){HEALTH_SETTLED,
						view->blessed_ns + HEALTH_STABLE_NS};
	if (view->met && now_ns >= held_ns)
		return (struct health_decision){HEALTH_BLESS, 0};
	if (view->deadline_ns != 0 && now_ns >= view->deadline_ns)
		return (struct health_decision){HEALTH_OVERDUE, 0};
	if (view->met && (wake_ns == 0 || held_ns < wake_ns))
		wake_ns = held_ns;
	return (struct health_decision){HEALTH_WAIT, wake_ns};
}
