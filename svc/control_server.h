/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of control.h, driven by PID 1's loop. Nothing here waits for a client: sockets
 * are non-blocking, an answer that does not fit the socket's buffer goes on when there is room, a
 * client that neither asks nor reads within CONTROL_IDLE_NS is closed, and there are at most
 * CONTROL_CLIENTS at a time; further ones wait in the kernel's queue. A client that waits for
 * something to end may wait as long as it likes, but at most CONTROL_WAITERS do, and of these
 * CONTROL_FOLLOWERS follow the events: one more is told -EBUSY after its request was done, so that
 * somebody can always ask what takes so long.
 *
 * A follower has a cursor into the world's ring of events and no queue of its own: one that reads
 * slower than things happen loses what the ring forgot meanwhile, and nobody waits for it.
 *
 * Connections do not live through a re-exec of PID 1; the listening socket does
 * (world->control_fd), so whoever connects meanwhile waits in its queue.
 */
#ifndef KEELSON_CONTROL_SERVER_H
#define KEELSON_CONTROL_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"
#include "svc/control.h"
#include "svc/graph.h"
#include "svc/world.h"

#define CONTROL_CLIENTS 16u
#define CONTROL_WAITERS 12u
#define CONTROL_FOLLOWERS 6u
#define CONTROL_IDLE_NS 5000000000ull
#define CONTROL_ROOM_NS 200000000ull /* no descriptor for a client: wait so long */

/*
 * What the server asks of the supervisor. Each only marks or takes note; what follows from it
 * happens after control_server_handle() returned. 0 or a negative errno as control.h says.
 */
struct control_calls {
	void *context;
	/* START, STOP, RESTART (graph.h). */
	int (*request)(void *context, enum control_verb verb, uint32_t service);
	/* 0: it is done; -EINPROGRESS: control_server_reloaded() will tell. */
	int (*reload)(void *context, uint32_t service);
	int (*kill)(void *context, uint32_t service, int signal, bool main_only);
	int (*power)(void *context, enum control_power action, bool force);
	int (*reexec)(void *context);
	/* Begin to bless the slot that runs: 0, -ENODATA, -EALREADY, -EKEYREJECTED, -ESHUTDOWN. */
	int (*bless)(void *context);
	/* 0: `status` is filled; -EINPROGRESS: control_server_slots() will tell. */
	int (*slot_status)(void *context, struct control_slot_status *status);
};

enum client_phase { CLIENT_READ = 1, CLIENT_WAIT, CLIENT_SEND };

/* What has to happen before END may be sent. */
enum client_wait {
	WAIT_NOTHING,
	WAIT_SETTLED,  /* START, STOP, RESTART: the service has settled */
	WAIT_RELOADED, /* RELOAD: it is over */
	WAIT_SLOTS,    /* SLOTS: the disk answered, or CONTROL_IDLE_NS passed */
	WAIT_EVENTS    /* EVENTS: never */
};

struct control_client {
	int fd;               /* -1: free */
	uint32_t generation;  /* in the event key */
	uint32_t phase;       /* enum client_phase */
	uint32_t waits;       /* enum client_wait */
	uint32_t service;     /* index, of verbs with one */
	uint32_t starts;      /* the service's `starts` when the request came */
	int32_t error;        /* of END */
	uint32_t rights;      /* enum peer_rights */
	uint64_t cursor;      /* next packet of the answer; EVENTS: number of the next event */
	uint64_t deadline_ns; /* READ, SEND: then it is closed; WAIT_SLOTS: then it is told */
	struct control_request request;
	struct graph_moves moves; /* START, STOP, RESTART */
};

struct control_server {
	const struct plan *plan;
	struct world *world;
	const struct control_calls *calls;
	int epoll_fd;
	uint64_t listen_key; /* epoll_data.u64 of the listening socket */
	uint64_t client_key; /* or'ed with generation << 32 and the client's index */
	uint64_t resume_ns;  /* clients are taken again from then on; 0: they are taken */
	struct control_slot_status slots; /* the disk's last answer */
	struct control_client clients[CONTROL_CLIENTS];
};

/*
 * Listen at `path` (replaced if it exists, mode 0600), or go on with world->control_fd if there is
 * one. Fill plan, world, calls, epoll_fd and the keys before. 0 or negative errno.
 */
int control_server_open(struct control_server *server, const char *path);
void control_server_close(struct control_server *server);

/* Take new clients. */
void control_server_accept(struct control_server *server, uint64_t now_ns);

/* An event of client `index`, meant for its `generation`. */
void control_server_handle(struct control_server *server, uint32_t index, uint32_t generation,
			   uint64_t now_ns);

/* States may have changed: answer the clients whose service has settled. */
void control_server_settle(struct control_server *server, uint64_t now_ns);

/* The reload of `service` is over: 0, -EIO, -ETIMEDOUT or -ECANCELED. */
void control_server_reloaded(struct control_server *server, uint32_t service, int error,
			     uint64_t now_ns);

/* The disk answered: `status`, or an error. */
void control_server_slots(struct control_server *server, int error,
			  const struct control_slot_status *status, uint64_t now_ns);

/* Close clients that are too slow, and tell those who follow what happened. Call in every turn. */
void control_server_tick(struct control_server *server, uint64_t now_ns);
uint64_t control_server_deadline_ns(const struct control_server *server);

/* ---- control_begin.c ---- */

/*
 * Do what client->request asks for: sets what it waits for, its cursor, and the error of END, which
 * is returned.
 */
int control_begin(struct control_server *server, struct control_client *client);

/*
 * Pure: how a START, STOP or RESTART of `service` stands: 0 done, negative errno as control.h says,
 * or -EINPROGRESS. `starts` is what the service had when the request was made.
 */
int control_outcome(const struct world *world, enum control_verb verb, uint32_t service,
		    uint32_t starts);

/* Pure: the number of the oldest event that `world` still has. */
uint64_t control_oldest_event(const struct world *world);

#endif
