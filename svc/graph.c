/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/graph.h"

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

static void want(struct world_service *state)
{
	state->wanted = 1;
	state->flags |= SERVICE_MARK_PULL;
	/* A stop that has not begun is called off; it is marked again if a requirement goes down. */
	if (state->state != SERVICE_STOPPING)
		state->flags &= ~SERVICE_MARK_STOP;
}

/* Spread PULL to everything needed hard or softly: from the top down, what is needed comes first. */
static void spread_pull(const struct plan *plan, struct world *world)
{
	for (uint32_t i = world->service_count; i-- > 0;) {
		const struct plan_service *service = plan_service(plan, i);

		if (!(world->services[i].flags & SERVICE_MARK_PULL))
			continue;
		for (uint32_t k = 0; k < service->needs.count; k++) {
			const struct plan_edge *edge = need(plan, service, k);

			if (edge->kind != PLAN_EDGE_AFTER)
				want(&world->services[edge->to]);
		}
	}
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

static void spread_stop(const struct plan *plan, struct world *world)
{
	for (uint32_t i = 0; i < world->service_count; i++) {
		struct world_service *state = &world->services[i];

		if ((state->state == SERVICE_STARTING || state->state == SERVICE_UP) &&
		    !(state->flags & SERVICE_MARK_STOP) && lost_requirement(plan, world, i))
			state->flags |= SERVICE_MARK_STOP;
	}
}

void graph_mark_boot(const struct plan *plan, struct world *world)
{
	for (uint32_t i = 0; i < world->service_count; i++)
		if (!(plan_service(plan, i)->flags & PLAN_SERVICE_MANUAL))
			want(&world->services[i]);
	spread_pull(plan, world);
}

void graph_mark_start(const struct plan *plan, struct world *world, uint32_t index)
{
	want(&world->services[index]);
	spread_pull(plan, world);
}

static void mark_down(struct world_service *state)
{
	state->flags &= ~SERVICE_MARK_PULL;
	if (state->state != SERVICE_DOWN)
		state->flags |= SERVICE_MARK_STOP;
}

void graph_mark_stop(const struct plan *plan, struct world *world, uint32_t index)
{
	world->services[index].wanted = 0;
	mark_down(&world->services[index]);
	spread_stop(plan, world);
}

void graph_mark_restart(const struct plan *plan, struct world *world, uint32_t index)
{
	graph_mark_start(plan, world, index);
	mark_down(&world->services[index]);
	spread_stop(plan, world);
}

void graph_mark_shutdown(const struct plan *plan, struct world *world)
{
	for (uint32_t i = 0; i < world->service_count; i++) {
		world->services[i].wanted = 0;
		mark_down(&world->services[i]);
	}
	spread_stop(plan, world);
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
		const struct world_service *from =
			&world->services[needed_by(plan, service, k)->from];

		if (from->state == SERVICE_STOPPING ||
		    (service_is_active(from->state) && (from->flags & SERVICE_MARK_STOP)))
			return false;
	}
	return true;
}

uint32_t graph_blocker(const struct plan *plan, const struct world *world, uint32_t index)
{
	const struct plan_service *service = plan_service(plan, index);

	for (uint32_t k = 0; k < service->needs.count; k++) {
		const struct plan_edge *edge = need(plan, service, k);
		const struct world_service *to = &world->services[edge->to];
		bool hard = edge->kind == PLAN_EDGE_REQUIRES;
		bool up = service_is_up(to->state) && !(to->flags & SERVICE_MARK_STOP);

		if (hard ? !up : (to->flags & SERVICE_MARK_ON_WAY) != 0)
			return edge->to;
	}
	return PLAN_NONE;
}

/* Whether `index` comes up by itself if all goes well; what it needs has been judged before. */
static bool on_way(const struct plan *plan, const struct world *world, uint32_t index)
{
	const struct plan_service *service = plan_service(plan, index);
	const struct world_service *state = &world->services[index];

	switch (state->state) {
	case SERVICE_STARTING: return !(state->flags & SERVICE_MARK_STOP) || state->wanted;
	case SERVICE_UP: return (state->flags & SERVICE_MARK_STOP) && state->wanted;
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
	return true;
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

static bool act_start(const struct plan *plan, struct world *world, uint32_t index,
		      graph_deliver *deliver, void *context)
{
	struct world_service *state = &world->services[index];
	bool moved = false;

	if (state->flags & SERVICE_MARK_PULL) {
		state->flags &= ~SERVICE_MARK_PULL;
		deliver(context, index, SERVICE_START);
		moved = true;
	}
	if (state->state == SERVICE_DOWN && state->wanted) {
		deliver(context, index, SERVICE_START);
		moved = true;
	}
	if (state->state == SERVICE_WAITING && graph_blocker(plan, world, index) == PLAN_NONE) {
		deliver(context, index, SERVICE_GO);
		moved = true;
	}
	return moved;
}

void graph_act(const struct plan *plan, struct world *world, graph_deliver *deliver, void *context)
{
	bool moved = true;

	while (moved) {
		spread_stop(plan, world);
		moved = act_stops(plan, world, deliver, context);
		for (uint32_t i = 0; i < world->service_count; i++) {
			struct world_service *state = &world->services[i];

			moved |= act_start(plan, world, i, deliver, context);
			state->flags &= ~SERVICE_MARK_ON_WAY;
			if (on_way(plan, world, i))
				state->flags |= SERVICE_MARK_ON_WAY;
		}
	}
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
