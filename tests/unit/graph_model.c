/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service table and the graph together, against random graphs, people and processes: small plans
 * of two to five services, and whatever may happen to them in any order. After every step the rules
 * of service.h and graph.h have to hold; when the world is then left alone with processes that
 * behave and timers that fire, nothing may stay stuck.
 *
 * A process is modelled by what the supervisor knows of it: it runs or not, it left others behind or
 * not, it was told to stop, it was killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "svc/graph.h"
#include "tests/unit/small_world.h"

#define SERVICES_MAX 5u
#define GRAPHS 2500u
#define STEPS 100u /* a graph */

struct ghost {
	bool main_runs, others_run;
	bool told, killed;
	bool asked_while_stopping; /* a start that has to happen after the stop */
	bool stopped;              /* a person stopped it, and nobody started it since */
};

static void *bytes;
static struct plan plan;
static struct world *world;
static uint32_t count;
static struct ghost ghosts[SERVICES_MAX];
static uint64_t now_ns;
static uint32_t random_state, graph_number;
static uint32_t delivered; /* in this graph_act() */
static bool ending, benign;
static char history[4096];

static uint32_t below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % limit;
}

static bool chance(uint32_t percent)
{
	return below(100) < percent;
}

static void note(const char *what, uint32_t index)
{
	size_t length = strlen(history);

	if (length > sizeof history - 64) {
		memmove(history, history + length / 2, length - length / 2 + 1);
		length = strlen(history);
	}
	snprintf(history + length, sizeof history - length, " %s(%u)", what, index);
}

/* ---- what must hold ---- */

static void show_world(void)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct plan_service *service = plan_service(&plan, i);
		const struct world_service *state = &world->services[i];

		print_error("# %u: %s wanted %u flags %#x;", i, service_state_name(state->state),
			    state->wanted, state->flags);
		for (uint32_t k = 0; k < service->needs.count; k++) {
			const struct plan_edge *edge = plan_edge(&plan, service->needs.first + k);

			print_error(" %s %u",
				    (const char *[]){"", "requires", "wants", "after"}[edge->kind],
				    edge->to);
		}
		print_error("\n");
	}
}

static void rule(bool holds, const char *what, uint32_t index)
{
	if (holds)
		return;
	print_error("# graph %u, service %u: %s\n#%s\n", graph_number, index, what, history);
	show_world();
	fail();
}

static bool requirements_are_up(uint32_t index)
{
	const struct plan_service *service = plan_service(&plan, index);

	for (uint32_t k = 0; k < service->needs.count; k++) {
		const struct plan_edge *edge = plan_edge(&plan, service->needs.first + k);

		if (edge->kind == PLAN_EDGE_REQUIRES &&
		    !service_is_up(world->services[edge->to].state))
			return false;
	}
	return true;
}

static void check_spawn(uint32_t index)
{
	const struct ghost *ghost = &ghosts[index];

	rule(!ending, "is started while the node goes down", index);
	rule(!ghost->main_runs && !ghost->others_run, "is started while it runs", index);
	rule(!ghost->stopped, "is started though it was stopped by name", index);
	rule(requirements_are_up(index), "is started without its requirements", index);
	rule(world->services[index].wanted, "is started though nobody wants it", index);
	rule(!(world->services[index].flags & SERVICE_MARK_STOP), "is started to be stopped",
	     index);
}

static void check_signal(uint32_t index, enum service_event event)
{
	const struct plan_service *service = plan_service(&plan, index);

	if (event != SERVICE_STOP)
		return;
	for (uint32_t k = 0; k < service->needed_by.count; k++) {
		const struct plan_edge *edge = plan_edge(&plan, service->needed_by.first + k);
		const struct world_service *from = &world->services[edge->from];
		bool goes = from->state == SERVICE_STOPPING || (from->flags & SERVICE_MARK_STOP);

		rule(!service_is_active(from->state) || !goes,
		     "is stopped before what needs it and goes down too", index);
		rule(edge->kind != PLAN_EDGE_REQUIRES || !service_is_active(from->state),
		     "is stopped under what requires it", index);
	}
}

static void check_states(void)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct world_service *state = &world->services[i];
		const struct ghost *ghost = &ghosts[i];
		bool runs = state->state == SERVICE_STARTING || state->state == SERVICE_UP;

		rule(!runs || requirements_are_up(i) || (state->flags & SERVICE_MARK_STOP),
		     "goes on without its requirements", i);
		rule(service_is_active(state->state) || (!ghost->main_runs && !ghost->others_run),
		     "is at rest and runs", i);
		rule(!service_is_active(state->state) || ghost->main_runs || ghost->others_run,
		     "is active and nothing of it runs", i);
		rule(!ghost->stopped || !state->wanted, "was stopped by name and is wanted", i);
		rule(state->state != SERVICE_DOWN || !state->wanted, "is wanted and stays down", i);
		rule(state->state != SERVICE_BACKOFF || state->deadline_ns, "waits for no timer",
		     i);
		rule(state->state != SERVICE_STARTING || state->deadline_ns, "has no timeout", i);
		rule(state->state != SERVICE_STOPPING || state->deadline_ns, "has no timeout", i);
		rule(!(state->flags & SERVICE_MARK_PULL), "was pulled and not started", i);
	}
}

/* ---- what the supervisor would do ---- */

static void ended(uint32_t index);

static void deliver(void *context, uint32_t index, enum service_event event)
{
	struct world_service *state = &world->services[index];
	struct ghost *ghost = &ghosts[index];
	uint32_t before = state->state;
	uint32_t actions;

	(void)context;
	note(service_event_name(event), index);
	rule(++delivered < 40 * SERVICES_MAX, "the graph does not come to rest", index);
	if (event == SERVICE_START && before == SERVICE_STOPPING)
		ghost->asked_while_stopping = state->wanted;
	actions = service_apply(plan_service(&plan, index), state, event, ++now_ns, below(1024));
	if (before == SERVICE_STOPPING && state->state != SERVICE_STOPPING) {
		rule(!ghost->asked_while_stopping ||
			     (state->wanted &&
			      (state->state == SERVICE_DOWN || state->state == SERVICE_DONE)),
		     "forgot a start", index);
		ghost->asked_while_stopping = false;
	}
	if (actions & SERVICE_ACT_SIGNAL) {
		check_signal(index, event);
		ghost->told = true;
	}
	if (actions & SERVICE_ACT_KILL)
		ghost->killed = true;
	if (actions & SERVICE_ACT_RELEASE)
		rule(!ghost->main_runs && !ghost->others_run, "is released while it runs", index);
	if (!(actions & SERVICE_ACT_SPAWN))
		return;
	check_spawn(index);
	if (!benign && chance(8)) {
		deliver(NULL, index, SERVICE_NO_ROOM);
	} else if (!benign && chance(8)) {
		state->last_death = (struct world_death){.error = -2};
		ended(index);
	} else {
		*ghost = (struct ghost){.main_runs = true};
	}
}

static void ended(uint32_t index)
{
	deliver(NULL, index, service_verdict(plan_service(&plan, index), &world->services[index]));
}

static void act(void)
{
	delivered = 0;
	graph_act(&plan, world, deliver, NULL);
	check_states();
}

/* ---- what may happen ---- */

static void main_ends(uint32_t index, bool well, bool leaves_others)
{
	struct ghost *ghost = &ghosts[index];
	struct world_service *state = &world->services[index];

	state->last_death = (struct world_death){
		.code = well || chance(50) ? CLD_EXITED : CLD_KILLED,
		.status = well ? 0 : SIGKILL,
	};
	note(well ? "ends" : "crashes", index);
	ghost->main_runs = false;
	ghost->others_run = leaves_others;
	if (leaves_others)
		deliver(NULL, index, SERVICE_LEFTOVERS);
	else
		ended(index);
}

static void group_empties(uint32_t index)
{
	ghosts[index].others_run = false;
	ended(index);
}

/* Everybody that a start reaches is no longer stopped by name. */
static void forgive(uint32_t index)
{
	const struct plan_service *service = plan_service(&plan, index);

	ghosts[index].stopped = false;
	for (uint32_t k = 0; k < service->needs.count; k++) {
		const struct plan_edge *edge = plan_edge(&plan, service->needs.first + k);

		if (edge->kind != PLAN_EDGE_AFTER)
			forgive(edge->to);
	}
}

static void person(uint32_t index)
{
	switch (below(3)) {
	case 0:
		note("start", index);
		forgive(index);
		graph_mark_start(&plan, world, index);
		break;
	case 1:
		note("stop", index);
		ghosts[index].stopped = true;
		ghosts[index].asked_while_stopping = false;
		graph_mark_stop(&plan, world, index);
		break;
	default:
		note("restart", index);
		forgive(index);
		graph_mark_restart(&plan, world, index);
	}
}

static void timer(uint32_t index)
{
	struct world_service *state = &world->services[index];

	if (state->deadline_ns == 0)
		return;
	if (now_ns < state->deadline_ns)
		now_ns = state->deadline_ns;
	deliver(NULL, index, SERVICE_TIMEOUT);
}

static void process(uint32_t index)
{
	const struct plan_service *service = plan_service(&plan, index);

	if (!ghosts[index].main_runs) {
		if (ghosts[index].others_run && chance(50))
			group_empties(index);
	} else if (chance(50)) {
		if (service->kind == PLAN_SERVICE_DAEMON &&
		    world->services[index].state == SERVICE_STARTING)
			deliver(NULL, index, SERVICE_READY);
	} else {
		main_ends(index, chance(50), service->kill == PLAN_KILL_CGROUP && chance(30));
	}
}

static void step(void)
{
	uint32_t index = below(count);

	delivered = 0;
	if (chance(25) && !ending)
		person(index);
	else if (chance(30))
		timer(index);
	else
		process(index);
	act();
}

/* A world in which daemons come up, oneshots do their work and whoever is told to end ends. */
static void let_it_be(void)
{
	benign = true;
	for (uint32_t round = 0; round < 60; round++) {
		for (uint32_t i = 0; i < count; i++) {
			const struct world_service *state = &world->services[i];
			const struct ghost *ghost = &ghosts[i];
			bool oneshot = plan_service(&plan, i)->kind == PLAN_SERVICE_ONESHOT;

			delivered = 0;
			if (ghost->main_runs && (ghost->told || ghost->killed))
				main_ends(i, !ghost->killed, false);
			else if (ghost->others_run && ghost->killed)
				group_empties(i);
			else if (state->state == SERVICE_STARTING && oneshot)
				main_ends(i, true, false);
			else if (state->state == SERVICE_STARTING)
				deliver(NULL, i, SERVICE_READY);
			else
				timer(i);
			act();
		}
	}
	benign = false;
}

static bool may_wait(uint32_t index)
{
	uint32_t blocker = graph_blocker(&plan, world, index);
	const struct world_service *state = &world->services[blocker];

	if (blocker == PLAN_NONE)
		return false;
	return state->state == SERVICE_FAILED || state->state == SERVICE_DOWN ||
	       (state->state == SERVICE_WAITING && may_wait(blocker));
}

static void check_rest(void)
{
	rule(graph_settled(world), "nothing comes to rest", 0);
	for (uint32_t i = 0; i < count; i++) {
		const struct world_service *state = &world->services[i];

		if (!state->wanted)
			rule(state->state == SERVICE_DOWN, "nobody wants it and it is not down", i);
		else
			rule(service_is_up(state->state) || state->state == SERVICE_FAILED ||
				     (state->state == SERVICE_WAITING && may_wait(i)),
			     "is stuck", i);
	}
}

static void check_shutdown(void)
{
	ending = true;
	graph_mark_shutdown(&plan, world);
	for (uint32_t i = 0; i < count; i++)
		ghosts[i].asked_while_stopping = false;
	act();
	for (uint32_t i = 0; i < 10; i++)
		step();
	let_it_be();
	for (uint32_t i = 0; i < count; i++)
		rule(world->services[i].state == SERVICE_DOWN, "is not down at the end", i);
	ending = false;
}

/* ---- graphs ---- */

static void make_graph(void)
{
	static const char *const names[SERVICES_MAX] = {"a", "b", "c", "d", "e"};
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);

	count = 2 + below(SERVICES_MAX - 1);
	for (uint32_t i = 0; i < count; i++) {
		struct plan_service service = plan_write_service_defaults(writer, names[i], argv);

		service.kind = chance(25) ? PLAN_SERVICE_ONESHOT : PLAN_SERVICE_DAEMON;
		service.restart = PLAN_RESTART_NEVER + below(3);
		service.kill = chance(50) ? PLAN_KILL_CGROUP : PLAN_KILL_MAIN;
		service.burst = below(4);
		if (chance(20))
			service.flags |= PLAN_SERVICE_MANUAL;
		plan_write_service(writer, &service);
	}
	for (uint32_t from = 1; from < count; from++)
		for (uint32_t to = 0; to < from; to++)
			if (chance(45))
				plan_write_edge(writer, from, to, PLAN_EDGE_REQUIRES + below(3));
	world = small_world(writer, &plan, &bytes);
	memset(ghosts, 0, sizeof ghosts);
	history[0] = '\0';
	now_ns = 1;
}

static void no_order_of_events_breaks_a_rule_or_leaves_anything_stuck(void **state)
{
	(void)state;
	for (graph_number = 0; graph_number < GRAPHS; graph_number++) {
		random_state = 2463534242u + graph_number * 2654435761u;
		random_state += random_state == 0;
		make_graph();
		graph_mark_boot(&plan, world);
		act();
		for (uint32_t i = 0; i < STEPS; i++) {
			step();
			if (i % 25 == 24) {
				let_it_be();
				check_rest();
			}
		}
		check_shutdown();
		free(world);
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_order_of_events_breaks_a_rule_or_leaves_anything_stuck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
