/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a wish spreads over the plan's edges: two phases, no recursion, no memory.
 *
 *   mark   A request sets `wanted` and marks. Because the plan's services are in topological order
 *          (whoever is needed comes first), one walk down the array reaches everything that a start
 *          pulls in, and one walk up everything that a stop takes down.
 *   act    graph_act() delivers events to the services that may move now, again and again until none
 *          may. It derives everything from states and marks: whoever lost a requirement goes down
 *          whatever the reason was, whoever is down and wanted goes on to waiting. Call it after
 *          any change of state.
 *
 * Order
 *   A service starts when each service that it requires is up, each that it merely wants or comes
 *   after has settled, and nothing that it conflicts with runs or counts as up. Settled is whoever is
 *   not about to come up by itself (one that failed, waits for a retry or for somebody who failed is
 *   settled: soft needs never hold a node back).
 *   A service stops when everything that needs it, softly or hard, and goes down too, is down.
 *
 * Conflicts
 *   A request displaces whatever conflicts with the service that was asked for, or with anything that
 *   this one pulls in: that is stopped as if by name, with what requires it. Where the request itself
 *   would pull in both, the later one of the plan stays: the one that was asked for always does.
 *
 * Pure: no system calls.
 */
#ifndef KEELSON_GRAPH_H
#define KEELSON_GRAPH_H

#include <stdbool.h>

#include "rootfs-spec/plan.h"
#include "svc/service.h"
#include "svc/world.h"

/* Some of the services. */
struct graph_set {
	uint64_t bits[PLAN_MAX_SERVICES / 64];
};

static inline bool graph_set_has(const struct graph_set *set, uint32_t index)
{
	return set->bits[index / 64] >> (index % 64) & 1;
}

static inline void graph_set_add(struct graph_set *set, uint32_t index)
{
	set->bits[index / 64] |= UINT64_C(1) << (index % 64);
}

enum graph_request { GRAPH_START = 1, GRAPH_STOP, GRAPH_RESTART };

/* What a request for one service would move besides that service. */
struct graph_moves {
	struct graph_set start; /* pulled in: not on its way up now, and would be */
	struct graph_set stop;  /* goes down: requires what stops, or conflicts with what starts */
};

/*
 * Say what `request` for `index` would move, now, without moving it. What goes down with a RESTART,
 * or as what requires a displaced service, is still wanted: it comes back when its requirement does.
 */
void graph_preview(const struct plan *plan, const struct world *world, enum graph_request request,
		   uint32_t index, struct graph_moves *moves);

/* Mark what the boot wants: every service that is not manual, and what these require or want. */
void graph_mark_boot(const struct plan *plan, struct world *world);

/*
 * Mark `index`, and what it requires or wants, directly or not, to be started. A service that had
 * nothing to do (SERVICE_MARK_SKIPPED) is looked at again, unless something that runs requires it.
 */
void graph_mark_start(const struct plan *plan, struct world *world, uint32_t index);

/*
 * Mark `index` to stop and stay stopped, and everything that requires it to go down with it. Those
 * stay wanted: they come back when `index` is started again.
 */
void graph_mark_stop(const struct plan *plan, struct world *world, uint32_t index);

/* The same for all of `services`, in one pass. */
void graph_mark_stop_set(const struct plan *plan, struct world *world,
			 const struct graph_set *services);

/* Mark `index` to go down, with everything that requires it, and all of them to come back. */
void graph_mark_restart(const struct plan *plan, struct world *world, uint32_t index);

/* Mark everything to stop and stay stopped. */
void graph_mark_shutdown(const struct plan *plan, struct world *world);

/* Deliver an event: service_apply() and what it leaves to do. May not call graph_act(). */
typedef void graph_deliver(void *context, uint32_t index, enum service_event event);

/* Deliver what the marks and states call for, until nothing may move. Bounded by the states. */
void graph_act(const struct plan *plan, struct world *world, graph_deliver *deliver, void *context);

/*
 * The same, but at most `starts` services leave WAITING for STARTING. True: there may be more; they
 * wait, on their way, until this is called again.
 */
bool graph_act_some(const struct plan *plan, struct world *world, graph_deliver *deliver,
		    void *context, uint32_t starts);

/*
 * The first service that keeps a waiting `index` from starting: one that it needs and that is not up
 * yet, or one that it conflicts with and that is not down yet. PLAN_NONE: none.
 */
uint32_t graph_blocker(const struct plan *plan, const struct world *world, uint32_t index);

/* Nothing moves by itself: every service is at rest, up, or waits for one that is at rest. */
bool graph_settled(const struct world *world);

/* Every wanted service is up or done. */
bool graph_all_up(const struct world *world);

#endif
