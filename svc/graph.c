/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/graph.h"

#include "svc/fault_point.h"

/* The i-th edge from `service` to what it needs, and to `service` from who needs it. */
static const struct plan_edge *need(const struct plan *plan, const struct plan_service *service,
				    uint32_t i)
{
	return plan_edge(plan, service->needs.first + i);
}

static const struct plan_edge *needed_by(const struct plan *plan,
					 const struct plan_service *service, uint32_t i)
{
	return plan_edge(plan, service->needed_by.first + i);
}

/* A requirement that is not up, or is about to go down, takes whoever runs on it along. */
static bool lost_requirement(const struct plan *plan, const struct world *world, uint32_t index)
{
	const struct plan_service *service = plan_service(plan, index);

	for (uint32_t k = 0; k < service->needs.count; k++) {
		const struct plan_edge *edge = need(plan, service, k);
		const struct world_service *to = &world->services[edge->to];

		if (edge->kind == PLAN_EDGE_REQUIRES &&
		    (!service_is_up(to->state) || (to->flags & SERVICE_MARK_STOP)))
			return true;
	}
	return false;
}

/* A timer's run that is cut short is made again when the requirement is back. */
static void spread_stop(const struct plan *plan, struct world *world)
{
	for (uint32_t i = 0; i < world->service_count; i++) {
		struct world_service *state = &world->services[i];

		if ((state->state != SERVICE_STARTING && state->state != SERVICE_UP) ||
		    (state->flags & SERVICE_MARK_STOP) || !lost_requirement(plan, world, i))
			continue;
		state->flags |= SERVICE_MARK_STOP;
		state->reason = WORLD_REASON_REQUIREMENT;
		if (plan_service(plan, i)->kind == PLAN_SERVICE_TIMER)
			state->flags |= SERVICE_MARK_NOW;
	}
}

/*
 * Nothing that needs `index` and goes down too still runs. What waits to be started takes nothing
 * from anybody, and must not start meanwhile.
 */
static bool may_stop(const struct plan *plan, const struct world *world, uint32_t index)
{
	const struct plan_service *service = plan_service(plan, index);
	uint32_t state = world->services[index].state;

	if (!service_is_active(state) && !service_is_up(state))
		return true;
	for (uint32_t k = 0; k < service->needed_by.count; k++) {
		const struct plan_edge *edge = needed_by(plan, service, k);
		const struct world_service *from = &world->services[edge->from];

		if (edge->kind == PLAN_EDGE_CONFLICTS)
			continue;
		if (from->state == SERVICE_STOPPING ||
		    (service_is_active(from->state) && (from->flags & SERVICE_MARK_STOP)))
			return false;
	}
	return true;
}

/* The first service that `index` conflicts with and that runs or counts as up; PLAN_NONE: none. */
static uint32_t rival(const struct plan *plan, const struct world *world, uint32_t index)
{
	const struct plan_service *service = plan_service(plan, index);

	for (uint32_t k = 0; k < service->needs.count; k++) {
		const struct plan_edge *edge = need(plan, service, k);
		uint32_t state = world->services[edge->to].state;

		if (edge->kind == PLAN_EDGE_CONFLICTS &&
		    (service_is_active(state) || service_is_up(state)))
			return edge->to;
	}
	for (uint32_t k = 0; k < service->needed_by.count; k++) {
		const struct plan_edge *edge = needed_by(plan, service, k);
		uint32_t state = world->services[edge->from].state;

		if (edge->kind == PLAN_EDGE_CONFLICTS &&
		    (service_is_active(state) || service_is_up(state)))
			return edge->from;
	}
	return PLAN_NONE;
}

uint32_t graph_blocker(const struct plan *plan, const struct world *world, uint32_t index)
{
	const struct plan_service *service = plan_service(plan, index);

	for (uint32_t k = 0; k < service->needs.count; k++) {
		const struct plan_edge *edge = need(plan, service, k);
		const struct world_service *to = &world->services[edge->to];
		bool up = service_is_up(to->state) && !(to->flags & SERVICE_MARK_STOP);

		if (edge->kind == PLAN_EDGE_CONFLICTS)
			continue;
		if (edge->kind == PLAN_EDGE_REQUIRES ? !up : (to->flags & SERVICE_MARK_ON_WAY) != 0)
			return edge->to;
	}
	return rival(plan, world, index);
}

/* Whether `index` comes up by itself if all goes well; what it needs has been judged before. */
static bool on_way(const struct plan *plan, const struct world *world, uint32_t index)
{
	const struct plan_service *service = plan_service(plan, index);
	const struct world_service *state = &world->services[index];

	switch (state->state) {
	case SERVICE_STARTING: return !(state->flags & SERVICE_MARK_STOP) || state->wanted;
	case SERVICE_UP:
	case SERVICE_DONE: return (state->flags & SERVICE_MARK_STOP) && state->wanted;
	case SERVICE_STOPPING: return state->wanted != 0;
	case SERVICE_WAITING: break;
	default: return false;
	}
	for (uint32_t k = 0; k < service->needs.count; k++) {
		const struct plan_edge *edge = need(plan, service, k);
		const struct world_service *to = &world->services[edge->to];
		bool up = service_is_up(to->state) && !(to->flags & SERVICE_MARK_STOP);

		if (edge->kind == PLAN_EDGE_REQUIRES && !up && !(to->flags & SERVICE_MARK_ON_WAY))
			return false;
	}
	uint32_t other = rival(plan, world, index);

	return other == PLAN_NONE || !world->services[other].wanted;
}

static bool act_stops(const struct plan *plan, struct world *world, graph_deliver *deliver,
		      void *context)
{
	bool moved = false;

	for (uint32_t i = world->service_count; i-- > 0;) {
		struct world_service *state = &world->services[i];

		if (!(state->flags & SERVICE_MARK_STOP) || state->state == SERVICE_STOPPING ||
		    !may_stop(plan, world, i))
			continue;
		deliver(context, i, SERVICE_STOP);
		moved = true;
	}
	return moved;
}

/* A timer is started to wait for its first run, unless somebody asked for a run now. */
static enum service_event start_event(const struct plan *plan, const struct world *world,
				      uint32_t index)
{
	bool timer = plan_service(plan, index)->kind == PLAN_SERVICE_TIMER;

	return timer && !(world->services[index].flags & SERVICE_MARK_NOW) ? SERVICE_SCHEDULE
									   : SERVICE_START;
}

static bool act_start(const struct plan *plan, struct world *world, uint32_t index,
		      graph_deliver *deliver, void *context, uint32_t *starts)
{
	struct world_service *state = &world->services[index];
	bool moved = false;

	if (state->flags & SERVICE_MARK_PULL) {
		state->flags &= ~SERVICE_MARK_PULL;
		deliver(context, index, start_event(plan, world, index));
		moved = true;
	}
	if (state->state == SERVICE_DOWN && state->wanted) {
		deliver(context, index, start_event(plan, world, index));
		moved = true;
	}
	if (state->state == SERVICE_WAITING && *starts != 0 &&
	    graph_blocker(plan, world, index) == PLAN_NONE) {
		--*starts;
		deliver(context, index, SERVICE_GO);
		moved = true;
	}
	return moved;
}

bool graph_act_some(const struct plan *plan, struct world *world, graph_deliver *deliver,
		    void *context, uint32_t starts)
{
	bool moved = true;

	while (moved) {
		fault_point("graph: act");
		spread_stop(plan, world);
		moved = act_stops(plan, world, deliver, context);
		for (uint32_t i = 0; i < world->service_count; i++) {
			struct world_service *state = &world->services[i];

			moved |= act_start(plan, world, i, deliver, context, &starts);
			state->flags &= ~SERVICE_MARK_ON_WAY;
			if (on_way(plan, world, i))
				state->flags |= SERVICE_MARK_ON_WAY;
		}
	}
	return starts == 0;
}

void graph_act(const struct plan *plan, struct world *world, graph_deliver *deliver, void *context)
{
	graph_act_some(plan, world, deliver, context, UINT32_MAX);
}

bool graph_settled(const struct world *world)
{
	for (uint32_t i = 0; i < world->service_count; i++) {
		const struct world_service *state = &world->services[i];

		if (state->flags & (SERVICE_MARK_STOP | SERVICE_MARK_PULL | SERVICE_MARK_ON_WAY))
			return false;
		if (state->state == SERVICE_STARTING || state->state == SERVICE_STOPPING ||
		    state->state == SERVICE_BACKOFF)
			return false;
	}
	return true;
}

bool graph_all_up(const struct world *world)
{
	for (uint32_t i = 0; i < world->service_count; i++)
		if (world->services[i].wanted && !service_is_up(world->services[i].state))
			return false;
	return true;
}
