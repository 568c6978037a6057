/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/model.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/small_world.h"

struct model model;

static const struct plan_service *plan_of(uint32_t index)
{
	return plan_service(&model.plan, index);
}

static struct world_service *state_of(uint32_t index)
{
	return &model.world->services[index];
}

/* ---- telling ---- */

#define HISTORY ((uint32_t)(sizeof model.history / sizeof model.history[0]))

void model_note(const char *what, uint32_t index)
{
	model.history[model.steps % HISTORY].what = what;
	model.history[model.steps++ % HISTORY].index = index;
}

static void show(uint32_t index)
{
	static const char *const kinds[] = {"", "daemon", "oneshot", "timer"};
	static const char *const edges[] = {"", "requires", "wants", "after", "conflicts"};
	const struct plan_service *service = plan_of(index);
	const struct world_service *state = state_of(index);

	print_error("# %u: %s %s wanted %u (%u) flags %#x;", index, kinds[service->kind],
		    service_state_name(state->state), state->wanted, model.ghosts[index].wish,
		    state->flags);
	for (uint32_t k = 0; k < service->needs.count; k++) {
		const struct plan_edge *edge = plan_edge(&model.plan, service->needs.first + k);

		print_error(" %s %u", edges[edge->kind], edge->to);
	}
	print_error("\n");
}

void rule(bool holds, const char *what, uint32_t index)
{
	if (holds)
		return;
	print_error("# service %u: %s\n#", index, what);
	for (uint32_t i = model.steps < HISTORY ? 0 : model.steps - HISTORY; i < model.steps; i++)
		print_error(" %s(%u)", model.history[i % HISTORY].what,
			    model.history[i % HISTORY].index);
	print_error("\n");
	for (uint32_t i = 0; i < model.count; i++)
		show(i);
	fail();
}

/* ---- the rules ---- */

/* It runs, or its work has been done; a timer between two runs does nobody any harm. */
static bool occupied(uint32_t index)
{
	uint32_t state = state_of(index)->state;

	return service_is_active(state) || state == SERVICE_DONE;
}

/* Calls `visit` for each that conflicts with `index`. */
static void each_rival(uint32_t index, void (*visit)(uint32_t index, uint32_t rival))
{
	for (uint32_t i = 0; i < plan_count(&model.plan, PLAN_EDGES) / 2; i++) {
		const struct plan_edge *edge = plan_edge(&model.plan, i);

		if (edge->kind == PLAN_EDGE_CONFLICTS && edge->from == index)
			visit(index, edge->to);
		if (edge->kind == PLAN_EDGE_CONFLICTS && edge->to == index)
			visit(index, edge->from);
	}
}

static void rival_is_free(uint32_t index, uint32_t rival)
{
	rule(!occupied(rival), "runs beside what it conflicts with", index);
}

static void rival_is_unwanted(uint32_t index, uint32_t rival)
{
	rule(!state_of(rival)->wanted, "and what it conflicts with are both wanted", index);
}

static bool requirements_are_up(uint32_t index)
{
	struct plan_list needs = plan_of(index)->needs;

	for (uint32_t k = 0; k < needs.count; k++) {
		const struct plan_edge *edge = plan_edge(&model.plan, needs.first + k);

		if (edge->kind == PLAN_EDGE_REQUIRES && !service_is_up(state_of(edge->to)->state))
			return false;
	}
	return true;
}

/* It comes up by itself if nothing goes wrong. */
static bool comes(uint32_t index)
{
	const struct world_service *state = state_of(index);
	struct plan_list needs = plan_of(index)->needs;

	if (!model.ghosts[index].wish)
		return false;
	if (state->state == SERVICE_STARTING || state->state == SERVICE_STOPPING)
		return true;
	if (state->state == SERVICE_UP || state->state == SERVICE_DONE)
		return (state->flags & SERVICE_MARK_STOP) != 0;
	if (state->state != SERVICE_WAITING)
		return false;
	for (uint32_t k = 0; k < needs.count; k++) {
		const struct plan_edge *edge = plan_edge(&model.plan, needs.first + k);
		const struct world_service *to = state_of(edge->to);
		bool stays = service_is_up(to->state) && !(to->flags & SERVICE_MARK_STOP);

		if (edge->kind == PLAN_EDGE_REQUIRES && !stays && !comes(edge->to))
			return false;
	}
	return true;
}

/* Something that a waiting `index` has to wait for. */
static bool has_to_wait(uint32_t index)
{
	for (uint32_t i = 0; i < plan_count(&model.plan, PLAN_EDGES) / 2; i++) {
		const struct plan_edge *edge = plan_edge(&model.plan, i);
		uint32_t other = edge->from == index ? edge->to : edge->from;
		const struct world_service *state = state_of(other);

		if (edge->kind == PLAN_EDGE_CONFLICTS &&
		    (edge->from == index || edge->to == index)) {
			if (service_is_active(state->state) || service_is_up(state->state))
				return true;
		} else if (edge->from == index && edge->kind == PLAN_EDGE_REQUIRES) {
			if (!service_is_up(state->state) || (state->flags & SERVICE_MARK_STOP))
				return true;
		} else if (edge->from == index && comes(other)) {
			return true;
		}
	}
	return false;
}

static void check_spawn(uint32_t index)
{
	const struct ghost *ghost = &model.ghosts[index];
	struct plan_list needs = plan_of(index)->needs;

	rule(!model.ending, "is started while the node goes down", index);
	rule(!ghost->main_runs && !ghost->others_run && !ghost->post_runs,
	     "is started while it runs", index);
	rule(ghost->wish, "is started though nobody wishes it", index);
	rule(requirements_are_up(index), "is started without its requirements", index);
	rule(!(state_of(index)->flags & SERVICE_MARK_STOP), "is started to be stopped", index);
	each_rival(index, rival_is_free);
	for (uint32_t k = 0; k < needs.count; k++) {
		const struct plan_edge *edge = plan_edge(&model.plan, needs.first + k);

		if (edge->kind == PLAN_EDGE_WANTS || edge->kind == PLAN_EDGE_AFTER)
			rule(!comes(edge->to), "is started before what it comes after", index);
	}
}

static void check_stop(uint32_t index)
{
	struct plan_list needed_by = plan_of(index)->needed_by;

	for (uint32_t k = 0; k < needed_by.count; k++) {
		const struct plan_edge *edge = plan_edge(&model.plan, needed_by.first + k);
		const struct world_service *from = state_of(edge->from);
		bool goes = from->state == SERVICE_STOPPING || (from->flags & SERVICE_MARK_STOP);

		if (edge->kind == PLAN_EDGE_CONFLICTS)
			continue;
		rule(!service_is_active(from->state) || !goes,
		     "is stopped before what needs it and goes down too", index);
		rule(edge->kind != PLAN_EDGE_REQUIRES || !service_is_active(from->state),
		     "is stopped under what requires it", index);
	}
}

static void check_state(uint32_t i)
{
	const struct world_service *state = state_of(i);
	const struct ghost *ghost = &model.ghosts[i];
	bool runs = state->state == SERVICE_STARTING || state->state == SERVICE_UP;
	bool exists = ghost->main_runs || ghost->others_run || ghost->post_runs;
	bool timed = state->state == SERVICE_BACKOFF || state->state == SERVICE_STARTING ||
		     state->state == SERVICE_STOPPING || state->state == SERVICE_SCHEDULED;

	rule(!runs || requirements_are_up(i) || (state->flags & SERVICE_MARK_STOP),
	     "goes on without its requirements", i);
	rule(service_is_active(state->state) == exists,
	     "is active and nothing runs, or the reverse", i);
	rule(state->wanted == ghost->wish, "is wanted and nobody wishes it, or the reverse", i);
	rule(state->state != SERVICE_DOWN || !state->wanted, "is wanted and stays down", i);
	rule(!timed || state->deadline_ns, "waits for no timer", i);
	rule(!(state->flags & SERVICE_MARK_PULL), "was pulled and not started", i);
	rule(state->state != SERVICE_WAITING || has_to_wait(i), "waits for nothing", i);
	rule(!service_is_active(state->state) || state->wanted ||
		     state->state == SERVICE_STOPPING || (state->flags & SERVICE_MARK_STOP),
	     "goes on though nobody wants it", i);
	if (state->wanted)
		each_rival(i, rival_is_unwanted);
	if (occupied(i))
		each_rival(i, rival_is_free);
}

void model_act(void)
{
	model.delivered = 0;
	graph_act(&model.plan, model.world, model_deliver, NULL);
	for (uint32_t i = 0; i < model.count; i++)
		check_state(i);
}

/* A wanted one may wait for ever: for one that failed or that nobody wants. */
static bool may_wait(uint32_t index)
{
	struct plan_list needs = plan_of(index)->needs;

	for (uint32_t k = 0; k < needs.count; k++) {
		const struct plan_edge *edge = plan_edge(&model.plan, needs.first + k);
		const struct world_service *to = state_of(edge->to);

		if (edge->kind == PLAN_EDGE_REQUIRES &&
		    (to->state == SERVICE_FAILED || !model.ghosts[edge->to].wish ||
		     (to->state == SERVICE_WAITING && may_wait(edge->to))))
			return true;
	}
	return false;
}

void model_check_rest(void)
{
	for (uint32_t i = 0; i < model.count; i++) {
		const struct world_service *state = state_of(i);

		if (!model.ghosts[i].wish)
			rule(state->state == SERVICE_DOWN, "nobody wants it and it is not down", i);
		else
			rule(service_is_up(state->state) || state->state == SERVICE_FAILED ||
				     (state->state == SERVICE_WAITING && may_wait(i)),
			     "is stuck", i);
	}
}

/* ---- reasons ---- */

static void check_reason(uint32_t index, bool told_to_stop, enum service_event ended)
{
	const struct ghost *ghost = &model.ghosts[index];
	uint32_t reason = state_of(index)->last_death.reason;
	bool good;

	if (!model.reasons || ended == SERVICE_NO_ROOM ||
	    (state_of(index)->flags & SERVICE_MARK_SKIPPED))
		return;
	switch (told_to_stop ? ghost->stop_began_by : SERVICE_ENDED_DOWN) {
	case SERVICE_STOP:
		good = reason == WORLD_REASON_REQUEST || reason == WORLD_REASON_REQUIREMENT ||
		       reason == WORLD_REASON_CONFLICT || reason == WORLD_REASON_STOP_TIMEOUT ||
		       reason == WORLD_REASON_SHUTDOWN;
		good = good && (reason != WORLD_REASON_CONFLICT || ghost->displaced);
		good = good && (reason != WORLD_REASON_SHUTDOWN || model.ending);
		break;
	case SERVICE_TIMEOUT: good = reason == WORLD_REASON_START_TIMEOUT; break;
	case SERVICE_SICK: good = reason == WORLD_REASON_LIVENESS; break;
	case SERVICE_ENDING:
		good = reason == WORLD_REASON_ITSELF || reason == WORLD_REASON_STOP_TIMEOUT;
		break;
	default: good = reason == WORLD_REASON_ITSELF || reason == WORLD_REASON_SPAWN;
	}
	if (!good)
		model_note(world_reason_name(reason), index);
	rule(good, "ended for another reason", index);
}

/* ---- what the supervisor would do ---- */

void model_ended(uint32_t index, enum service_event verdict)
{
	struct ghost *ghost = &model.ghosts[index];

	ghost->main_runs = ghost->others_run = ghost->post_runs = false;
	model_deliver(NULL, index, verdict);
}

static void spawned(uint32_t index)
{
	struct world_service *state = state_of(index);
	struct ghost *ghost = &model.ghosts[index];

	check_spawn(index);
	ghost->told = ghost->killed = ghost->displaced = false;
	switch (model.outcome(index)) {
	case OUTCOME_NO_ROOM: model_deliver(NULL, index, SERVICE_NO_ROOM); break;
	case OUTCOME_ENDED:
		state->last_death = (struct world_death){.error = -2};
		model_ended(index, model.verdict(index));
		break;
	case OUTCOME_SKIPPED:
		state->flags |= SERVICE_MARK_SKIPPED;
		model_deliver(NULL, index, service_verdict(plan_of(index), state));
		break;
	default: ghost->main_runs = true;
	}
}

static bool is_end(enum service_event event)
{
	return event == SERVICE_ENDED_DONE || event == SERVICE_ENDED_DOWN ||
	       event == SERVICE_ENDED_RETRY || event == SERVICE_ENDED_FAILED ||
	       event == SERVICE_ENDED_SCHEDULED || event == SERVICE_NO_ROOM;
}

/* What the table made of the event, seen from outside. */
static void check_step(uint32_t index, enum service_event event, uint32_t before, uint32_t flags)
{
	const struct world_service *state = state_of(index);
	struct ghost *ghost = &model.ghosts[index];

	if (service_is_active(before) && is_end(event)) {
		check_reason(index, before == SERVICE_STOPPING, event);
		/* An end that nobody asked for, and that is none to regret, ends the wish. */
		if (event == SERVICE_ENDED_DOWN && !(flags & SERVICE_MARK_STOP) &&
		    !ghost->asked_while_stopping)
			ghost->wish = false;
		rule(!ghost->asked_while_stopping || state->state == SERVICE_DOWN ||
			     state->state == SERVICE_DONE,
		     "forgot a start", index);
		ghost->asked_while_stopping = false;
	}
	if (before != SERVICE_STOPPING && state->state == SERVICE_STOPPING) {
		rule(ghost->told || ghost->killed || ghost->post_runs || event == SERVICE_ENDING,
		     "is stopping and was not told", index);
		ghost->stop_began_by = event;
	}
}

void model_deliver(void *context, uint32_t index, enum service_event event)
{
	struct world_service *state = state_of(index);
	struct ghost *ghost = &model.ghosts[index];
	uint32_t before = state->state, flags = state->flags;
	uint32_t actions;

	(void)context;
	model_note(service_event_name(event), index);
	rule(++model.delivered < 40 * MODEL_SERVICES, "the graph does not come to rest", index);
	if (event == SERVICE_START && before == SERVICE_STOPPING)
		ghost->asked_while_stopping = true;
	actions = service_apply(plan_of(index), state, event, ++model.now_ns, model.random++);
	if (actions & SERVICE_ACT_SIGNAL) {
		if (event == SERVICE_STOP)
			check_stop(index);
		ghost->told = true;
	}
	if (actions & SERVICE_ACT_KILL)
		ghost->killed = true;
	if (actions & SERVICE_ACT_POST) {
		rule(!ghost->main_runs && !ghost->others_run, "is cleaned up while it runs", index);
		ghost->post_runs = true;
	}
	if (actions & SERVICE_ACT_RELEASE)
		rule(!ghost->main_runs && !ghost->others_run && !ghost->post_runs,
		     "is released while it runs", index);
	check_step(index, event, before, flags);
	if (actions & SERVICE_ACT_SPAWN)
		spawned(index);
}

/* ---- requests, and what the ghosts make of them ---- */

static void reach(uint32_t index, bool reached[MODEL_SERVICES])
{
	struct plan_list needs = plan_of(index)->needs;

	reached[index] = true;
	for (uint32_t k = 0; k < needs.count; k++) {
		const struct plan_edge *edge = plan_edge(&model.plan, needs.first + k);

		if (edge->kind == PLAN_EDGE_REQUIRES || edge->kind == PLAN_EDGE_WANTS)
			reach(edge->to, reached);
	}
}

static bool *reached_now;

static void rival_loses(uint32_t index, uint32_t rival)
{
	struct ghost *ghost = &model.ghosts[rival];

	(void)index;
	reached_now[rival] = false;
	ghost->displaced = true;
	ghost->wish = ghost->asked_while_stopping = false;
}

static void wish(bool reached[MODEL_SERVICES], uint32_t first)
{
	reached_now = reached;
	if (first != PLAN_NONE)
		each_rival(first, rival_loses);
	for (uint32_t i = model.count; i-- > 0;)
		if (reached[i])
			each_rival(i, rival_loses);
	for (uint32_t i = 0; i < model.count; i++)
		if (reached[i])
			model.ghosts[i].wish = true;
}

/* Who is told to go down by the request, or pulled up, is who the preview named. */
static void check_preview(const struct graph_moves *moves, const struct world_service *before,
			  uint32_t index)
{
	for (uint32_t i = 0; i < model.count; i++) {
		const struct world_service *now = state_of(i);
		bool goes = (now->flags & SERVICE_MARK_STOP) &&
			    !(before[i].flags & SERVICE_MARK_STOP);
		bool stuck = before[i].state == SERVICE_WAITING &&
			     !(before[i].flags & SERVICE_MARK_ON_WAY);
		bool rested = !before[i].wanted || before[i].state == SERVICE_FAILED ||
			      before[i].state == SERVICE_BACKOFF || stuck;
		bool comes = (now->flags & SERVICE_MARK_PULL) && rested;

		if (i == index)
			continue;
		rule(goes == graph_set_has(&moves->stop, i), "goes down unannounced, or stays", i);
		rule(comes == graph_set_has(&moves->start, i), "is pulled in unannounced, or not",
		     i);
	}
}

void model_request(enum graph_request request, uint32_t index)
{
	static const char *const names[] = {"", "start", "stop", "restart"};
	struct world_service before[MODEL_SERVICES];
	bool reached[MODEL_SERVICES] = {false};
	struct graph_moves moves;

	model_note(names[request], index);
	memcpy(before, model.world->services, model.count * sizeof before[0]);
	graph_preview(&model.plan, model.world, request, index, &moves);
	rule(memcmp(before, model.world->services, model.count * sizeof before[0]) == 0,
	     "a preview moved something", index);
	if (request == GRAPH_STOP) {
		model.ghosts[index].wish = model.ghosts[index].asked_while_stopping = false;
		graph_mark_stop(&model.plan, model.world, index);
	} else {
		reach(index, reached);
		wish(reached, index);
		(request == GRAPH_START ? graph_mark_start
					: graph_mark_restart)(&model.plan, model.world, index);
	}
	check_preview(&moves, before, index);
}

void model_boot(void)
{
	bool reached[MODEL_SERVICES] = {false};

	for (uint32_t i = 0; i < model.count; i++)
		if (!(plan_of(i)->flags & PLAN_SERVICE_MANUAL))
			reach(i, reached);
	wish(reached, PLAN_NONE);
	graph_mark_boot(&model.plan, model.world);
}

void model_shutdown(void)
{
	model_note("shutdown", 0);
	model.ending = true;
	for (uint32_t i = 0; i < model.count; i++)
		model.ghosts[i].wish = model.ghosts[i].asked_while_stopping = false;
	graph_mark_shutdown(&model.plan, model.world);
}

/* ---- graphs ---- */

void model_open(struct plan_writer *writer)
{
	memset(&model.ghosts, 0, sizeof model.ghosts);
	model.world = small_world(writer, &model.plan, &model.bytes);
	model.count = model.world->service_count;
	model.steps = 0;
	model.now_ns = 1;
	model.ending = false;
}

void model_close(void)
{
	free(model.world);
	free(model.bytes);
}
