/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world of services without processes: what the supervisor would do with the table of service.h
 * and the walks of graph.h is done to ghosts, and after every step the rules of both have to hold.
 * model_rules.c holds the ghosts and the rules; model_search.c tries everything that can happen to
 * three services, model_random.c much of what can happen to more.
 */
#ifndef KEELSON_TEST_MODEL_H
#define KEELSON_TEST_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan_write.h"
#include "svc/graph.h"

#define MODEL_SERVICES 12u

/* What the rules know of a service apart from the code under test. */
struct ghost {
	bool main_runs, others_run, post_runs;
	bool told, killed;
	bool asked_while_stopping; /* a start that has to happen after the stop */
	bool wish;                 /* somebody wants it up */
	bool displaced;            /* something that it conflicts with was asked for in this life */
	uint32_t stop_began_by;    /* enum service_event that led to stopping */
};

/* What becomes of a spawn. */
enum outcome { OUTCOME_RUNS, OUTCOME_NO_ROOM, OUTCOME_ENDED, OUTCOME_SKIPPED };

struct model {
	struct plan plan;
	struct world *world;
	void *bytes;
	uint32_t count;
	struct ghost ghosts[MODEL_SERVICES];
	uint64_t now_ns;
	bool ending;
	bool reasons;       /* the reasons are worth a look: nothing was left out of the state */
	uint32_t delivered; /* in this graph_act() */
	uint32_t random;    /* for the jitter */
	struct {
		const char *what;
		uint32_t index;
	} history[128];
	uint32_t steps; /* ever noted */
	enum outcome (*outcome)(uint32_t index);
	/* How the main process of `index` ends when OUTCOME_ENDED: fills last_death. */
	enum service_event (*verdict)(uint32_t index);
};

extern struct model model;

/* Make the plan of a writer the model's; every ghost fresh. model_close() frees it. */
void model_open(struct plan_writer *writer);
void model_close(void);

/* Fail with the history unless it holds. */
void rule(bool holds, const char *what, uint32_t index);
void model_note(const char *what, uint32_t index); /* `what` is kept as a pointer */

/* A person's request (checked against its preview), the boot, the shutdown; no graph_act(). */
void model_request(enum graph_request request, uint32_t index);
void model_boot(void);
void model_shutdown(void);

/* Events by themselves; no graph_act(). */
void model_deliver(void *context, uint32_t index, enum service_event event);
void model_ended(uint32_t index, enum service_event verdict);

/* graph_act(), and every rule on what it leaves behind. */
void model_act(void);

/* Everything is at rest: what is wanted is up, or why not can be told. */
void model_check_rest(void);

/* The two halves. */
void every_order_of_events_on_three_services(void **state);
void a_million_events_on_bigger_graphs(void **state);

#endif
