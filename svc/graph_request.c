/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request reaches: first everything is selected, on the stack, then it is marked (or only
 * told). So what a preview says is what the request does.
 */
#include <string.h>

#include "svc/graph.h"

struct selection {
	struct graph_set wanted;    /* the service that was asked for, and what it pulls in */
	struct graph_set displaced; /* conflicts with one of these */
	struct graph_set going;     /* goes down: displaced, asked to, or requires one that does */
};

static void drop(struct graph_set *set, uint32_t index)
{
	set->bits[index / 64] &= ~(UINT64_C(1) << (index % 64));
}

/* Spread from the top down: what is needed comes first in the plan. */
static void select_needs(const struct plan *plan, struct graph_set *wanted)
{
	for (uint32_t i = plan_count(plan, PLAN_SERVICES); i-- > 0;) {
		struct plan_list needs = plan_service(plan, i)->needs;

		for (uint32_t k = 0; graph_set_has(wanted, i) && k < needs.count; k++) {
			const struct plan_edge *edge = plan_edge(plan, needs.first + k);

			if (edge->kind == PLAN_EDGE_REQUIRES || edge->kind == PLAN_EDGE_WANTS)
				graph_set_add(wanted, edge->to);
		}
	}
}

static void displace(struct selection *selection, uint32_t index)
{
	drop(&selection->wanted, index);
	graph_set_add(&selection->displaced, index);
	graph_set_add(&selection->going, index);
}

/* Everything that conflicts with a wanted `index` gives way to it. */
static void select_conflicts_of(const struct plan *plan, struct selection *selection,
				uint32_t index)
{
	const struct plan_service *service = plan_service(plan, index);

	if (!graph_set_has(&selection->wanted, index))
		return;
	for (uint32_t k = 0; k < service->needs.count; k++) {
		const struct plan_edge *edge = plan_edge(plan, service->needs.first + k);

		if (edge->kind == PLAN_EDGE_CONFLICTS)
			displace(selection, edge->to);
	}
	for (uint32_t k = 0; k < service->needed_by.count; k++) {
		const struct plan_edge *edge = plan_edge(plan, service->needed_by.first + k);

		if (edge->kind == PLAN_EDGE_CONFLICTS)
			displace(selection, edge->from);
	}
}

/* From the top down: what was asked for comes after all that it pulls in, and is judged first. */
static void select_conflicts(const struct plan *plan, struct selection *selection)
{
	for (uint32_t i = plan_count(plan, PLAN_SERVICES); i-- > 0;)
		select_conflicts_of(plan, selection, i);
}

/* Whoever runs and requires one that goes down goes along. */
static void select_dependents(const struct plan *plan, const struct world *world,
			      struct graph_set *going)
{
	for (uint32_t i = 0; i < world->service_count; i++) {
		struct plan_list needs = plan_service(plan, i)->needs;
		uint32_t state = world->services[i].state;

		if (state != SERVICE_STARTING && state != SERVICE_UP)
			continue;
		for (uint32_t k = 0; k < needs.count; k++) {
			const struct plan_edge *edge = plan_edge(plan, needs.first + k);

			if (edge->kind == PLAN_EDGE_REQUIRES && graph_set_has(going, edge->to))
				graph_set_add(going, i);
		}
	}
}

static void select_request(const struct plan *plan, const struct world *world,
			   enum graph_request request, uint32_t index, struct selection *selection)
{
	memset(selection, 0, sizeof *selection);
	if (request != GRAPH_STOP) {
		graph_set_add(&selection->wanted, index);
		select_needs(plan, &selection->wanted);
		select_conflicts(plan, selection);
	}
	if (request != GRAPH_START)
		graph_set_add(&selection->going, index);
	select_dependents(plan, world, &selection->going);
}

/* Nothing brings it up as things are. */
static bool rests(const struct world_service *state)
{
	return !state->wanted ||
	       (!service_is_up(state->state) && !(state->flags & SERVICE_MARK_ON_WAY));
}

void graph_preview(const struct plan *plan, const struct world *world, enum graph_request request,
		   uint32_t index, struct graph_moves *moves)
{
	struct selection selection;

	memset(moves, 0, sizeof *moves);
	select_request(plan, world, request, index, &selection);
	for (uint32_t i = 0; i < world->service_count; i++) {
		const struct world_service *state = &world->services[i];

		if (i == index)
			continue;
		if (graph_set_has(&selection.wanted, i) && rests(state))
			graph_set_add(&moves->start, i);
		if (graph_set_has(&selection.going, i) && state->state != SERVICE_DOWN &&
		    !(state->flags & SERVICE_MARK_STOP))
			graph_set_add(&moves->stop, i);
	}
}

static void want(struct world_service *state)
{
	state->wanted = 1;
	state->flags |= SERVICE_MARK_PULL;
	/* A stop that has not begun is called off; it is marked again if a requirement goes down. */
	if (state->state != SERVICE_STOPPING)
		state->flags &= ~SERVICE_MARK_STOP;
}

static void take_down(struct world_service *state, enum world_reason reason)
{
	state->flags &= ~SERVICE_MARK_PULL;
	if (state->state == SERVICE_DOWN)
		return;
	state->flags |= SERVICE_MARK_STOP;
	if (state->state != SERVICE_STOPPING)
		state->reason = reason;
}

static void unwant(struct world_service *state, enum world_reason reason)
{
	state->wanted = 0;
	state->flags &= ~SERVICE_MARK_NOW;
	take_down(state, reason);
}

/* Whoever goes down because of another one; a timer's run that is cut short is made again. */
static void take_along(const struct plan *plan, struct world *world, uint32_t index)
{
	struct world_service *state = &world->services[index];

	if (state->flags & SERVICE_MARK_STOP)
		return;
	state->flags |= SERVICE_MARK_STOP;
	state->reason = WORLD_REASON_REQUIREMENT;
	if (plan_service(plan, index)->kind == PLAN_SERVICE_TIMER)
		state->flags |= SERVICE_MARK_NOW;
}

static void mark(const struct plan *plan, struct world *world, const struct selection *selection)
{
	for (uint32_t i = 0; i < world->service_count; i++) {
		if (graph_set_has(&selection->wanted, i))
			want(&world->services[i]);
		if (graph_set_has(&selection->displaced, i))
			unwant(&world->services[i], WORLD_REASON_CONFLICT);
		else if (graph_set_has(&selection->going, i))
			take_along(plan, world, i);
	}
}

void graph_mark_boot(const struct plan *plan, struct world *world)
{
	struct selection selection = {0};

	for (uint32_t i = 0; i < world->service_count; i++)
		if (!(plan_service(plan, i)->flags & PLAN_SERVICE_MANUAL))
			graph_set_add(&selection.wanted, i);
	select_needs(plan, &selection.wanted);
	select_conflicts(plan, &selection);
	mark(plan, world, &selection);
}

static bool runs_on(const struct plan *plan, const struct world *world, uint32_t index)
{
	struct plan_list needed_by = plan_service(plan, index)->needed_by;

	for (uint32_t k = 0; k < needed_by.count; k++) {
		const struct plan_edge *edge = plan_edge(plan, needed_by.first + k);

		if (edge->kind == PLAN_EDGE_REQUIRES &&
		    service_is_active(world->services[edge->from].state))
			return true;
	}
	return false;
}

void graph_mark_start(const struct plan *plan, struct world *world, uint32_t index)
{
	struct world_service *state = &world->services[index];
	struct selection selection;

	select_request(plan, world, GRAPH_START, index, &selection);
	mark(plan, world, &selection);
	if (plan_service(plan, index)->kind == PLAN_SERVICE_TIMER)
		state->flags |= SERVICE_MARK_NOW;
	if (state->state == SERVICE_DONE && (state->flags & SERVICE_MARK_SKIPPED) &&
	    !runs_on(plan, world, index))
		take_down(state, WORLD_REASON_REQUEST);
}

void graph_mark_stop(const struct plan *plan, struct world *world, uint32_t index)
{
	struct selection selection;

	select_request(plan, world, GRAPH_STOP, index, &selection);
	drop(&selection.going, index);
	unwant(&world->services[index], WORLD_REASON_REQUEST);
	mark(plan, world, &selection);
}

void graph_mark_stop_set(const struct plan *plan, struct world *world,
			 const struct graph_set *services)
{
	struct selection selection = {.going = *services};

	select_dependents(plan, world, &selection.going);
	for (uint32_t i = 0; i < world->service_count; i++) {
		if (!graph_set_has(services, i))
			continue;
		drop(&selection.going, i);
		unwant(&world->services[i], WORLD_REASON_REQUEST);
	}
	mark(plan, world, &selection);
}

void graph_mark_restart(const struct plan *plan, struct world *world, uint32_t index)
{
	struct world_service *state = &world->services[index];
	struct selection selection;

	select_request(plan, world, GRAPH_RESTART, index, &selection);
	drop(&selection.going, index);
	mark(plan, world, &selection);
	if (plan_service(plan, index)->kind == PLAN_SERVICE_TIMER)
		state->flags |= SERVICE_MARK_NOW;
	take_down(state, WORLD_REASON_REQUEST);
}

void graph_mark_shutdown(const struct plan *plan, struct world *world)
{
	(void)plan;
	for (uint32_t i = 0; i < world->service_count; i++)
		unwant(&world->services[i], WORLD_REASON_SHUTDOWN);
}
