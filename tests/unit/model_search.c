/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every graph of three services, and everything that can happen to it in every order.
 *
 * A graph is a kind for each service (daemon, oneshot, timer) and for each pair nothing, requires,
 * wants, after, or conflicts. From the boot on every state that any order of events reaches is
 * visited once: a person's start, stop and restart of each service, the shutdown, and what processes
 * and timers do. The restart policy is part of what may happen: each end of a process is taken as
 * well, to be restarted, and for good, whatever was so before. So is the fate of each spawn: it
 * runs, there is no room for it, it fails at once, there is nothing to do.
 *
 * What makes no difference to the graph is left out of the state: who is still there of a service
 * that is stopping (its main process, leftovers, `post`), the stable period, how it was told.
 *
 * "Nothing gets stuck" is proved on the graph of states. A kind event is a daemon that comes up, a
 * oneshot that ends well, a stopping service that ends, a wait that is over. Kind events alone never
 * lead back to a state, so after finitely many of them, in any order, none is left; and where none
 * is left everything that is wanted is up, or why not can be told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/model.h"

#define COUNT 3u
#define STATES_MAX (1u << 15) /* six times what any graph has: the tables stay in the cache */
#define KIND_MAX COUNT        /* kind events in one state */
#define NO_STATE UINT32_MAX

static uint64_t states[STATES_MAX];         /* packed, in the order in which they were found */
static uint32_t kind[STATES_MAX][KIND_MAX]; /* where the kind events lead */
static uint32_t slots[STATES_MAX * 2];      /* hash of packed state to its number + 1 */
static uint8_t colour[STATES_MAX];          /* of the walk over kind events */
static uint32_t used_slots[STATES_MAX];
static uint32_t state_count, most_states;
static uint64_t total_states, total_events;

/* ---- packing ---- */

static uint64_t pack(void)
{
	uint64_t packed = model.ending;

	for (uint32_t i = 0; i < COUNT; i++) {
		const struct world_service *state = &model.world->services[i];
		const struct ghost *ghost = &model.ghosts[i];
		uint32_t flags = state->flags;
		bool skipped = state->state == SERVICE_DONE && (flags & SERVICE_MARK_SKIPPED);

		packed = packed << 4 | state->state;
		packed = packed << 1 | state->wanted;
		packed = packed << 1 | !!(flags & SERVICE_MARK_STOP);
		packed = packed << 1 | !!(flags & SERVICE_MARK_ON_WAY);
		packed = packed << 1 | !!(flags & SERVICE_MARK_AGAIN);
		packed = packed << 1 | !!(flags & SERVICE_MARK_NOW);
		packed = packed << 1 | skipped;
		packed = packed << 1 | ghost->wish;
		packed = packed << 1 | ghost->asked_while_stopping;
	}
	return packed;
}

static uint32_t take(uint64_t *packed, uint32_t bits)
{
	uint32_t value = (uint32_t)(*packed & ((1u << bits) - 1));

	*packed >>= bits;
	return value;
}

static void unpack(uint64_t packed)
{
	for (uint32_t i = COUNT; i-- > 0;) {
		struct world_service *state = &model.world->services[i];
		struct ghost *ghost = &model.ghosts[i];

		*ghost = (struct ghost){0};
		ghost->asked_while_stopping = take(&packed, 1);
		ghost->wish = take(&packed, 1);
		state->flags = take(&packed, 1) ? SERVICE_MARK_SKIPPED : 0;
		state->flags |= take(&packed, 1) ? SERVICE_MARK_NOW : 0;
		state->flags |= take(&packed, 1) ? SERVICE_MARK_AGAIN : 0;
		state->flags |= take(&packed, 1) ? SERVICE_MARK_ON_WAY : 0;
		state->flags |= take(&packed, 1) ? SERVICE_MARK_STOP : 0;
		state->wanted = take(&packed, 1);
		state->state = take(&packed, 4);
		state->burst = 0;
		state->backoff_ns = 0;
		state->deadline_ns = 1;
		ghost->main_runs = service_is_active(state->state);
	}
	model.ending = take(&packed, 1);
	model.steps = 0;
	model.delivered = 0;
	model.now_ns = 1;
}

/* The number of a packed state; `*fresh` if nobody was there before. */
static uint32_t number(uint64_t packed, bool *fresh)
{
	uint64_t hash = packed * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t at = (uint32_t)(hash >> 48);

	_Static_assert(STATES_MAX * 2 == 1u << 16, "the hash's upper bits are a slot");
	for (; slots[at] != 0; at = (at + 1) % (STATES_MAX * 2))
		if (states[slots[at] - 1] == packed)
			return slots[at] - 1;
	assert_true(state_count < STATES_MAX);
	*fresh = true;
	states[state_count] = packed;
	used_slots[state_count] = at;
	slots[at] = ++state_count;
	return state_count - 1;
}

static void forget_all(void)
{
	for (uint32_t i = 0; i < state_count; i++)
		slots[used_slots[i]] = 0;
	memset(colour, 0, state_count);
	state_count = 0;
}

/* ---- choices: the fates of the spawns in one graph_act() ---- */

#define SPAWNS_MAX 16u

static uint32_t fates[SPAWNS_MAX], fate_count, fate_at;

enum fate { FATE_RUNS, FATE_NO_ROOM, FATE_FAILED, FATE_SKIPPED, FATE_COUNT };

static enum outcome next_fate(uint32_t index)
{
	static const enum outcome outcomes[] = {OUTCOME_RUNS, OUTCOME_NO_ROOM, OUTCOME_ENDED,
						OUTCOME_SKIPPED};

	(void)index;
	assert_true(fate_at < SPAWNS_MAX);
	if (fate_at == fate_count)
		fates[fate_count++] = FATE_RUNS;
	return outcomes[fates[fate_at++]];
}

/* The next row of fates; false when all were had. */
static bool turn_fate(void)
{
	while (fate_count > 0 && ++fates[fate_count - 1] == FATE_COUNT)
		fate_count--;
	fate_at = 0;
	return fate_count > 0;
}

static bool fates_are_kind(void)
{
	for (uint32_t i = 0; i < fate_count; i++)
		if (fates[i] != FATE_RUNS)
			return false;
	return true;
}

/* A spawn that fails at once is not tried again: trying again is what NO_ROOM is for here. */
static enum service_event fail_for_good(uint32_t index)
{
	struct plan_service service = *plan_service(&model.plan, index);

	service.restart = PLAN_RESTART_NEVER;
	return service_verdict(&service, &model.world->services[index]);
}

/* ---- events ---- */

enum happening {
	HAPPENS_START,
	HAPPENS_STOP,
	HAPPENS_RESTART,
	HAPPENS_READY,
	HAPPENS_TIMEOUT, /* of starting, a backoff, or between two runs of a timer */
	HAPPENS_SICK,
	HAPPENS_ENDS_WELL,
	HAPPENS_ENDS_TO_RETRY,
	HAPPENS_ENDS_FOR_GOOD,
	HAPPENS_COUNT
};

/* The verdict of an end under the policy that makes the most of it. */
static enum service_event verdict(uint32_t index, enum happening how)
{
	struct plan_service service = *plan_service(&model.plan, index);
	struct world_service state = model.world->services[index];

	state.flags |= SERVICE_MARK_READY;
	state.last_death = (struct world_death){.code = CLD_EXITED,
						.status = how == HAPPENS_ENDS_WELL ? 0 : 1};
	service.restart = how == HAPPENS_ENDS_WELL       ? PLAN_RESTART_FAILURE
			  : how == HAPPENS_ENDS_TO_RETRY ? PLAN_RESTART_ALWAYS
							 : PLAN_RESTART_NEVER;
	return service_verdict(&service, &state);
}

/* Let it happen; false if it cannot in this state, or is the same as another. */
static bool happen(uint32_t index, enum happening what)
{
	uint32_t state = model.world->services[index].state;
	bool daemon = plan_service(&model.plan, index)->kind == PLAN_SERVICE_DAEMON;

	switch (what) {
	case HAPPENS_START:
	case HAPPENS_STOP:
	case HAPPENS_RESTART:
		if (model.ending)
			return false;
		model_request(GRAPH_START + (what - HAPPENS_START), index);
		return true;
	case HAPPENS_READY:
		if (state != SERVICE_STARTING || !daemon)
			return false;
		model_deliver(NULL, index, SERVICE_READY);
		return true;
	case HAPPENS_TIMEOUT:
		if (state != SERVICE_STARTING && state != SERVICE_BACKOFF &&
		    state != SERVICE_SCHEDULED)
			return false;
		model_deliver(NULL, index, SERVICE_TIMEOUT);
		return true;
	case HAPPENS_SICK:
		if (state != SERVICE_UP)
			return false;
		model_deliver(NULL, index, SERVICE_SICK);
		return true;
	default:
		if (!service_is_active(state))
			return false;
		enum service_event event = verdict(index, what);

		if (what != HAPPENS_ENDS_WELL && event == verdict(index, HAPPENS_ENDS_WELL))
			return false;
		if (what == HAPPENS_ENDS_FOR_GOOD && event == verdict(index, HAPPENS_ENDS_TO_RETRY))
			return false;
		model_ended(index, event);
		return true;
	}
}

/* Part of a world in which processes behave and time passes. */
static bool is_kind(uint32_t index, enum happening what)
{
	uint32_t state = model.world->services[index].state;
	bool daemon = plan_service(&model.plan, index)->kind == PLAN_SERVICE_DAEMON;

	switch (what) {
	case HAPPENS_READY: return state == SERVICE_STARTING;
	case HAPPENS_TIMEOUT: return state == SERVICE_BACKOFF;
	case HAPPENS_ENDS_WELL:
		return state == SERVICE_STOPPING || (state == SERVICE_STARTING && !daemon);
	default: return false;
	}
}

/* ---- the search ---- */

static void arrive(uint32_t from, bool kind_event)
{
	bool fresh = false;
	uint32_t to;

	total_events++;
	to = number(pack(), &fresh);
	if (fresh)
		for (uint32_t i = 0; i < KIND_MAX; i++)
			kind[to][i] = NO_STATE;
	if (!kind_event || from == NO_STATE)
		return;
	for (uint32_t i = 0; i < KIND_MAX; i++) {
		if (kind[from][i] == NO_STATE || kind[from][i] == to) {
			kind[from][i] = to;
			return;
		}
	}
	rule(false, "has more kind events than services", 0);
}

static void try_all(uint32_t from)
{
	bool moves_kindly = false;

	for (uint32_t i = 0; i < COUNT; i++) {
		for (uint32_t what = 0; what < HAPPENS_COUNT; what++) {
			fate_count = fate_at = 0;
			do {
				unpack(states[from]);
				bool kind_event = is_kind(i, (enum happening)what);

				if (!happen(i, (enum happening)what))
					break;
				moves_kindly |= kind_event;
				model_act();
				arrive(from, kind_event && fates_are_kind());
			} while (turn_fate());
		}
	}
	unpack(states[from]);
	rule(graph_settled(model.world) == !moves_kindly, "is settled and moves, or neither", 0);
	if (!moves_kindly)
		model_check_rest();
	if (!model.ending) {
		model_shutdown();
		model_act();
		arrive(from, false);
	}
}

/* Depth first over the kind events: one that leads back to a state on the path is a circle. */
static void check_no_circle(void)
{
	static uint32_t path[STATES_MAX];

	for (uint32_t start = 0; start < state_count; start++) {
		uint32_t depth = 0;

		if (colour[start] != 0)
			continue;
		path[0] = start;
		colour[start] = 1;
		while (depth != UINT32_MAX) {
			uint32_t at = path[depth], next = NO_STATE;

			for (uint32_t i = 0; i < KIND_MAX && next == NO_STATE; i++) {
				uint32_t to = kind[at][i];

				if (to == NO_STATE || colour[to] == 2)
					continue;
				unpack(states[at]);
				rule(colour[to] == 0, "goes round in circles", 0);
				next = to;
			}
			if (next == NO_STATE) {
				colour[at] = 2;
				depth--;
			} else {
				colour[next] = 1;
				path[++depth] = next;
			}
		}
	}
}

static void search_graph(void)
{
	forget_all();
	fate_count = fate_at = 0;
	do {
		unpack(0);
		model_boot();
		model_act();
		arrive(NO_STATE, false);
	} while (turn_fate());
	for (uint32_t i = 0; i < state_count; i++)
		try_all(i);
	check_no_circle();
	total_states += state_count;
	if (state_count > most_states)
		most_states = state_count;
}

/* ---- graphs ---- */

#define PAIR_EDGES 5u /* none, and enum plan_edge_kind */

/* False for a graph that no plan can hold: nothing requires a timer. */
static bool make_graph(uint32_t kinds, uint32_t edges)
{
	static const char *const names[COUNT] = {"a", "b", "c"};
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	uint32_t kind_of[COUNT];

	for (uint32_t i = 0; i < COUNT; i++, kinds /= 3) {
		struct plan_service service = plan_write_service_defaults(writer, names[i], argv);

		kind_of[i] = service.kind = PLAN_SERVICE_DAEMON + kinds % 3;
		service.timer_every_ns = service.kind == PLAN_SERVICE_TIMER ? 1000 : 0;
		service.burst = 0;
		plan_write_service(writer, &service);
	}
	for (uint32_t from = 1; from < COUNT; from++) {
		for (uint32_t to = 0; to < from; to++, edges /= PAIR_EDGES) {
			uint32_t edge = edges % PAIR_EDGES;

			if (edge == PLAN_EDGE_REQUIRES && kind_of[to] == PLAN_SERVICE_TIMER) {
				plan_write_free(writer);
				return false;
			}
			if (edge != 0)
				plan_write_edge(writer, from, to, (enum plan_edge_kind)edge);
		}
	}
	model_open(writer);
	return true;
}

/* The sanitizers make it ten times as slow, and find what they find in a part of it. */
#ifdef __SANITIZE_ADDRESS__
#define EVERY 23u
#else
#define EVERY 1u
#endif

static uint32_t timers(uint32_t kinds)
{
	return (kinds % 3) / 2 + (kinds / 3 % 3) / 2 + kinds / 9 / 2;
}

/* Two timers are left to the long run: nothing may require one, so they hardly meet. */
void every_order_of_events_on_three_services(void **state)
{
	bool every = getenv("KEELSON_TEST_ALL") != NULL;
	uint32_t graphs = 0;

	(void)state;
	model.outcome = next_fate;
	model.verdict = fail_for_good;
	model.reasons = false;
	for (uint32_t kinds = 0; kinds < 27; kinds++) {
		for (uint32_t edges = 0; edges < 125; edges++) {
			if ((kinds * 125 + edges) % EVERY != 0 || (timers(kinds) > 1 && !every))
				continue;
			if (!make_graph(kinds, edges))
				continue;
			graphs++;
			search_graph();
			model_close();
		}
	}
	print_message("# %u graphs, %llu states (at most %u in one), %llu events\n", graphs,
		      (unsigned long long)total_states, most_states,
		      (unsigned long long)total_events);
}
