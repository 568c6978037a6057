/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of supervisor.h. supervisor_open.c makes what lives as long as the node, supervisor.c
 * is the loop, hear.c listens to sd_notify(3); life.c is one service's life, from life_start.c to
 * life_end.c.
 */
#ifndef KEELSON_SUPERVISOR_STATE_H
#define KEELSON_SUPERVISOR_STATE_H

#include "svc/confine.h"
#include "svc/control_server.h"
#include "svc/output.h"
#include "svc/ready.h"
#include "svc/service.h"
#include "svc/supervisor.h"

/* Top byte of an event key; then 24 bits of generation and 32 of index. */
enum supervisor_source {
	SOURCE_LISTEN = 0x80,
	SOURCE_CLIENT,
	SOURCE_NOTIFY,
	SOURCE_PROBE,
	SOURCE_REPORT,
	SOURCE_GROUP
};

#define SUPERVISOR_GENERATION_MASK 0xffffffu

static inline uint64_t source_key(enum supervisor_source source)
{
	return (uint64_t)source << 56;
}

/* What a service has open beyond what the world remembers. */
struct life {
	int cgroup_fd;                /* -1: nothing runs */
	int events_fd;                /* cgroup.events; -1: not watched */
	int report_fd;                /* -1: executed, or nothing runs */
	uint32_t generation;          /* of this life, in event keys */
	bool no_room;                 /* the last attempt to start found none, and that was said */
	struct confine_report report; /* step CONFINE_NONE: no step failed */
};

struct supervisor {
	struct supervisor_config config;
	const struct plan *plan;
	struct world *world;
	int cgroup_root;      /* -1: no cgroups */
	int notify_fd;        /* -1: none */
	uint64_t descriptors; /* soft limit of open files that services get */
	uint32_t last_capability;
	uint32_t random;
	bool dirty;  /* a state or mark changed: graph_act() is due */
	bool ending; /* people's requests are refused */
	struct output output;
	struct ready ready;
	struct control_calls calls;
	struct control_server control;
	struct life *lives; /* one for each service */
	int *passed;        /* scratch: descriptors for the logger */
	char notify_environment[128];
};

static inline const struct plan_service *plan_of(const struct supervisor *supervisor,
						 uint32_t index)
{
	return plan_service(supervisor->plan, index);
}

static inline struct world_service *state_of(struct supervisor *supervisor, uint32_t index)
{
	return &supervisor->world->services[index];
}

/* ---- supervisor.c: control_calls, `context` is the supervisor ---- */

int supervisor_call_request(void *context, enum control_verb verb, uint32_t service);
int supervisor_call_power(void *context, enum control_power action);
int supervisor_call_slot_status(void *context, struct control_slot_status *status);

/* ---- hear.c ---- */

/* Take some of the messages that services sent; epoll tells again if there are more. */
void hear_messages(struct supervisor *supervisor);

/* ---- life.c ---- */

void life_init(struct supervisor *supervisor);

/* graph_deliver, `context` is the supervisor: an event happens, and what follows from it is done. */
void life_deliver(void *context, uint32_t index, enum service_event event);

/* The main process ended as `info` says; it is not reaped yet, and is when this returns. */
void life_main_ended(struct supervisor *supervisor, uint32_t index, const siginfo_t *info);

/* The report pipe or cgroup.events of this `generation` has something to say. */
void life_report(struct supervisor *supervisor, uint32_t index, uint32_t generation);
void life_group_changed(struct supervisor *supervisor, uint32_t index, uint32_t generation);

/* Some probe was met: the service may be ready. */
void life_check_ready(struct supervisor *supervisor, uint32_t index);

/* ---- life_start.c, life_end.c ---- */

/*
 * Make the cgroup, spawn the main process, watch both. What goes wrong is an event of the service:
 * NO_ROOM, or an end.
 */
void life_start(struct supervisor *supervisor, uint32_t index);

/* Stop signal (and SIGCONT) to the main process; SIGKILL to what the service calls its own. */
void life_ask_to_stop(struct supervisor *supervisor, uint32_t index);
void life_kill(struct supervisor *supervisor, uint32_t index);

/* Forget the process, stop probing, close what belongs to this life, remove the cgroup. */
void life_release(struct supervisor *supervisor, uint32_t index);

/* Close a watched descriptor of this life, and forget it. */
void life_unwatch(struct supervisor *supervisor, int *fd);

#endif
