/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random graphs of two to twelve services and random events in all their detail: leftovers, `pre`
 * and `post`, processes that do not end when told, timeouts of every state, bursts, exit statuses,
 * bad luck in every spawn, people. Now and then the world is left alone with processes that behave,
 * and has to come to rest; in the end the node goes down.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/model.h"

#define EVENTS 1000000u
#define EVENTS_ALL 10000000u
#define EVENTS_A_GRAPH 200u
#define FINAL_STATUS 78

static uint32_t random_state;
static bool benign;

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

static const struct plan_service *plan_of(uint32_t index)
{
	return plan_service(&model.plan, index);
}

static struct world_service *state_of(uint32_t index)
{
	return &model.world->services[index];
}

/* ---- fates ---- */

static enum outcome fate(uint32_t index)
{
	(void)index;
	if (benign || chance(80))
		return OUTCOME_RUNS;
	return (enum outcome)(OUTCOME_NO_ROOM + below(3));
}

static enum service_event verdict(uint32_t index)
{
	return service_verdict(plan_of(index), state_of(index));
}

/* ---- what may happen ---- */

/* Nothing of it runs any more, or only `post` has not been run. */
static void gone(uint32_t index)
{
	const struct world_service *state = state_of(index);

	model.ghosts[index].main_runs = model.ghosts[index].others_run = false;
	if (service_needs_cleanup(plan_of(index), state))
		model_deliver(NULL, index, SERVICE_CLEANUP);
	else
		model_ended(index, verdict(index));
}

static void main_ends(uint32_t index, bool well, bool leaves_others)
{
	struct ghost *ghost = &model.ghosts[index];
	struct world_service *state = state_of(index);
	bool killed = !well && chance(50);

	state->last_death = (struct world_death){
		.code = killed ? CLD_KILLED : CLD_EXITED,
		.status = well         ? 0
			  : killed     ? SIGKILL
			  : chance(20) ? FINAL_STATUS
				       : 1,
	};
	model_note(well ? "ends" : "crashes", index);
	ghost->main_runs = false;
	ghost->others_run = leaves_others;
	if (leaves_others)
		model_deliver(NULL, index, SERVICE_LEFTOVERS);
	else
		gone(index);
}

static void person(uint32_t index)
{
	model_request((enum graph_request)(GRAPH_START + below(3)), index);
}

static void timer(uint32_t index)
{
	struct world_service *state = state_of(index);

	if (state->deadline_ns == 0)
		return;
	if (model.now_ns < state->deadline_ns)
		model.now_ns = state->deadline_ns;
	model_deliver(NULL, index, SERVICE_TIMEOUT);
}

static void unwell(uint32_t index)
{
	struct world_service *state = state_of(index);

	if (state->state == SERVICE_UP) {
		state->reason = WORLD_REASON_LIVENESS;
		model_deliver(NULL, index, SERVICE_SICK);
	}
}

static void process(uint32_t index)
{
	const struct plan_service *service = plan_of(index);
	const struct world_service *state = state_of(index);
	struct ghost *ghost = &model.ghosts[index];

	if (ghost->post_runs) {
		if (chance(50))
			model_ended(index, verdict(index));
	} else if (ghost->others_run) {
		if (chance(50))
			gone(index);
	} else if (!ghost->main_runs) {
		return;
	} else if (chance(50)) {
		if (service->kind == PLAN_SERVICE_DAEMON && state->state == SERVICE_STARTING)
			model_deliver(NULL, index, SERVICE_READY);
	} else if (chance(15)) {
		model_deliver(NULL, index, SERVICE_ENDING);
	} else {
		main_ends(index, chance(50), service->kill == PLAN_KILL_CGROUP && chance(30));
	}
}

/* An event that makes no sense in this state, or comes too late: it must do no harm. */
static void nonsense(uint32_t index)
{
	static const enum service_event events[] = {SERVICE_GO, SERVICE_READY, SERVICE_SICK,
						    SERVICE_ENDING, SERVICE_SCHEDULE};
	uint32_t state = state_of(index)->state;
	enum service_event event = events[below(5)];

	if (service_next((enum service_state)state, event).state == state)
		model_deliver(NULL, index, event);
}

static void step(void)
{
	uint32_t index = below(model.count), what = below(100);

	model.delivered = 0;
	if (what < 20 && !model.ending)
		person(index);
	else if (what < 45)
		timer(index);
	else if (what < 50)
		unwell(index);
	else if (what < 53)
		nonsense(index);
	else
		process(index);
	model_act();
}

/* A world in which daemons come up, oneshots do their work and whoever is told to end ends. */
static void behave(uint32_t i)
{
	const struct world_service *state = state_of(i);
	struct ghost *ghost = &model.ghosts[i];
	bool daemon = plan_of(i)->kind == PLAN_SERVICE_DAEMON;

	model.delivered = 0;
	if (ghost->post_runs)
		model_ended(i, verdict(i));
	else if (ghost->others_run && ghost->killed)
		gone(i);
	else if (ghost->main_runs &&
		 (ghost->told || ghost->killed || ghost->stop_began_by == SERVICE_ENDING) &&
		 state->state == SERVICE_STOPPING)
		main_ends(i, !ghost->killed, false);
	else if (state->state == SERVICE_STARTING && !daemon)
		main_ends(i, true, false);
	else if (state->state == SERVICE_STARTING)
		model_deliver(NULL, i, SERVICE_READY);
	else if (state->state != SERVICE_SCHEDULED)
		timer(i);
	model_act();
}

static void let_it_be(void)
{
	benign = true;
	for (uint32_t round = 0; round < 30 + 10 * model.count; round++) {
		for (uint32_t i = 0; i < model.count; i++)
			behave(i);
		if (round > 2 && graph_settled(model.world))
			break;
	}
	benign = false;
	rule(graph_settled(model.world), "nothing comes to rest", 0);
	model_check_rest();
}

/* ---- graphs ---- */

static const uint32_t edges[] = {PLAN_EDGE_REQUIRES, PLAN_EDGE_REQUIRES, PLAN_EDGE_WANTS,
				 PLAN_EDGE_AFTER, PLAN_EDGE_CONFLICTS};

static void add_service(struct plan_writer *writer, uint32_t kind, const char *name)
{
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_service service = plan_write_service_defaults(writer, name, argv);
	struct plan_command command = {.argv = service.argv, .timeout_ns = 1};

	service.kind = kind;
	service.restart = PLAN_RESTART_NEVER + below(3);
	service.kill = chance(50) ? PLAN_KILL_CGROUP : PLAN_KILL_MAIN;
	service.burst = below(4);
	service.exits_final[FINAL_STATUS / 64] = UINT64_C(1) << FINAL_STATUS % 64;
	if (service.kind == PLAN_SERVICE_TIMER) {
		service.timer_first_ns = 1000;
		service.timer_every_ns = chance(80) ? 1000 : 0;
	}
	if (chance(20))
		service.flags |= PLAN_SERVICE_MANUAL;
	if (chance(30))
		service.post = (struct plan_list){plan_write_command(writer, &command), 1};
	plan_write_service(writer, &service);
}

static void make_graph(void)
{
	static const char *const names[MODEL_SERVICES] = {"a", "b", "c", "d", "e", "f",
							  "g", "h", "i", "j", "k", "l"};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	uint32_t count = 2 + below(MODEL_SERVICES - 1), density = 10 + below(60);
	uint32_t kinds[MODEL_SERVICES];

	for (uint32_t i = 0; i < count; i++) {
		kinds[i] = chance(25)   ? PLAN_SERVICE_ONESHOT
			   : chance(15) ? PLAN_SERVICE_TIMER
					: PLAN_SERVICE_DAEMON;
		add_service(writer, kinds[i], names[i]);
	}
	for (uint32_t from = 1; from < count; from++) {
		for (uint32_t to = 0; to < from; to++) {
			uint32_t edge = edges[below(5)];

			if (chance(density) &&
			    (edge != PLAN_EDGE_REQUIRES || kinds[to] != PLAN_SERVICE_TIMER))
				plan_write_edge(writer, from, to, (enum plan_edge_kind)edge);
		}
	}
	model_open(writer);
}

static void shut_down(void)
{
	model_shutdown();
	model_act();
	for (uint32_t i = 0; i < 10; i++)
		step();
	let_it_be();
	for (uint32_t i = 0; i < model.count; i++)
		rule(state_of(i)->state == SERVICE_DOWN, "is not down at the end", i);
}

void a_million_events_on_bigger_graphs(void **state)
{
	uint32_t events = getenv("KEELSON_TEST_ALL") ? EVENTS_ALL : EVENTS;

	(void)state;
	model.outcome = fate;
	model.verdict = verdict;
	model.reasons = true;
	for (uint32_t graph = 0; graph < events / EVENTS_A_GRAPH; graph++) {
		random_state = 2463534242u + graph * 2654435761u;
		random_state += random_state == 0;
		make_graph();
		model_boot();
		model_act();
		for (uint32_t i = 0; i < EVENTS_A_GRAPH; i++) {
			step();
			if (i % 50 == 49)
				let_it_be();
		}
		shut_down();
		model_close();
	}
}
