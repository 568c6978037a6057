/* SPDX-License-Identifier: Apache-2.0 */
#include "init/shutdown.h"

#include <signal.h>
#include <string.h>

#include "svc/service.h"

static bool test(const uint64_t *bits, uint32_t service)
{
	return bits[service / 64] >> (service % 64) & 1;
}

static void set(uint64_t *bits, uint32_t service)
{
	bits[service / 64] |= 1ull << (service % 64);
}

/* Does a service need one with `kill: main`, or one that is known to (`clients`)? */
static bool needs_main(const struct plan *plan, const uint64_t *clients,
		       const struct plan_service *service)
{
	for (uint32_t i = 0; i < service->needs.count; i++) {
		uint32_t to = plan_edge(plan, service->needs.first + i)->to;

		if (test(clients, to) || plan_service(plan, to)->kill == PLAN_KILL_MAIN)
			return true;
	}
	return false;
}

/* Does a service that is known to be of the runtime need this one, in whatever way? */
static bool runtime_needs(const struct plan *plan, const struct shutdown_groups *groups,
			  const struct plan_service *service)
{
	for (uint32_t i = 0; i < service->needed_by.count; i++)
		if (test(groups->runtime, plan_edge(plan, service->needed_by.first + i)->from))
			return true;
	return false;
}

/* Services are in topological order: what a service needs comes before it, what needs it after. */
void shutdown_groups_find(const struct plan *plan, struct shutdown_groups *groups)
{
	uint64_t clients[PLAN_MAX_SERVICES / 64] = {0};
	uint32_t count = plan_count(plan, PLAN_SERVICES);

	for (uint32_t i = 0; i < count; i++)
		if (needs_main(plan, clients, plan_service(plan, i)))
			set(clients, i);
	memset(groups, 0, sizeof(*groups));
	for (uint32_t i = count; i-- > 0;) {
		const struct plan_service *service = plan_service(plan, i);

		if ((service->kill == PLAN_KILL_MAIN && !test(clients, i)) ||
		    runtime_needs(plan, groups, service))
			set(groups->runtime, i);
	}
}

enum shutdown_group shutdown_group_of(const struct plan *plan, const struct shutdown_groups *groups,
				      uint32_t service)
{
	if (plan->system->logger == service)
		return SHUTDOWN_GROUP_LOGGER;
	return test(groups->runtime, service) ? SHUTDOWN_GROUP_RUNTIME : SHUTDOWN_GROUP_FIRST;
}

void shutdown_look(const struct plan *plan, const struct world *world,
		   const struct shutdown_groups *groups, struct shutdown_view *view)
{
	view->first_down = view->runtime_down = view->logger_down = true;
	for (uint32_t i = 0; i < world->service_count; i++) {
		if (!service_is_active(world->services[i].state))
			continue;
		switch (shutdown_group_of(plan, groups, i)) {
		case SHUTDOWN_GROUP_FIRST: view->first_down = false; break;
		case SHUTDOWN_GROUP_RUNTIME: view->runtime_down = false; break;
		case SHUTDOWN_GROUP_LOGGER: view->logger_down = false; break;
		}
	}
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Services may not eat the time that pods were promised, nor pods more than half of it. Where there
 * are none, all of it is for services.
 */
static uint64_t pods_share(const struct shutdown_view *view)
{
	return !view->pods ? 0 : least(view->grace_ns, view->budget_ns / 2);
}

uint64_t shutdown_deadline_ns(enum shutdown_stage stage, const struct shutdown_view *view)
{
	uint64_t end_ns = view->began_ns + view->budget_ns;

	switch (stage) {
	case SHUTDOWN_SERVICES: return end_ns - pods_share(view);
	case SHUTDOWN_PODS_TERM: return view->stage_ns + pods_share(view);
	case SHUTDOWN_RUNTIME: return end_ns;
	case SHUTDOWN_PODS_KILL:
	case SHUTDOWN_LEFTOVERS: return view->stage_ns + SHUTDOWN_KILL_NS;
	case SHUTDOWN_LOGGER: return view->stage_ns + SHUTDOWN_LOGGER_NS;
	case SHUTDOWN_NONE:
	case SHUTDOWN_FINAL:
	case SHUTDOWN_STAGES: break;
	}
	return UINT64_MAX;
}

bool shutdown_has_work(enum shutdown_stage stage, const struct shutdown_view *view)
{
	switch (stage) {
	case SHUTDOWN_SERVICES: return !view->first_down;
	case SHUTDOWN_PODS_TERM:
	case SHUTDOWN_PODS_KILL: return view->pods;
	case SHUTDOWN_RUNTIME: return !view->runtime_down;
	case SHUTDOWN_LEFTOVERS: return view->leftovers;
	case SHUTDOWN_LOGGER: return !view->logger_down;
	case SHUTDOWN_FINAL: return true;
	case SHUTDOWN_NONE:
	case SHUTDOWN_STAGES: break;
	}
	return false;
}

enum shutdown_stage shutdown_next(enum shutdown_stage stage, const struct shutdown_view *view,
				  uint64_t now_ns)
{
	if (view->forced)
		return stage < SHUTDOWN_LEFTOVERS ? SHUTDOWN_LEFTOVERS : SHUTDOWN_FINAL;
	if (shutdown_has_work(stage, view) && now_ns < shutdown_deadline_ns(stage, view))
		return stage;
	return stage == SHUTDOWN_FINAL ? stage : stage + 1;
}

const char *shutdown_service_fault(const struct world_service *service, uint64_t began_ns)
{
	if (service_is_active(service->state))
		return "could not be ended";
	if (service->last_death.at_ns >= began_ns &&
	    service->last_death.reason == WORLD_REASON_STOP_TIMEOUT)
		return "did not stop in time, killed";
	return NULL;
}

int shutdown_exit_status(const struct plan *plan, const struct world *world, bool failed)
{
	for (uint32_t i = 0; failed && i < world->service_count; i++) {
		const struct world_death *death = &world->services[i].last_death;

		if (world->services[i].state != SERVICE_FAILED ||
		    !(plan_service(plan, i)->flags & PLAN_SERVICE_CRITICAL))
			continue;
		if (death->code == CLD_KILLED || death->code == CLD_DUMPED)
			return 128 + death->status;
		if (death->code == CLD_EXITED && death->status != 0)
			return death->status;
	}
	return failed ? SHUTDOWN_EXIT_FAILED : 0;
}

const char *shutdown_stage_name(enum shutdown_stage stage)
{
	static const char *const names[] = {
		[SHUTDOWN_NONE] = "none",
		[SHUTDOWN_SERVICES] = "stop services",
		[SHUTDOWN_PODS_TERM] = "stop pods",
		[SHUTDOWN_PODS_KILL] = "kill pods",
		[SHUTDOWN_RUNTIME] = "stop runtime",
		[SHUTDOWN_LEFTOVERS] = "kill leftovers",
		[SHUTDOWN_LOGGER] = "stop logger",
		[SHUTDOWN_FINAL] = "end",
	};

	return names[stage];
}
