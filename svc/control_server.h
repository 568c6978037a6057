/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of control.h, driven by PID 1's loop. Nothing here waits for a client: sockets
 * are non-blocking, an answer that does not fit the socket's buffer goes on when there is room, a
 * client that neither asks nor reads within CONTROL_IDLE_NS is closed, and there are at most
 * CONTROL_CLIENTS at a time; further ones wait in the kernel's queue. A client that waits for a
 * service to settle may wait as long as it likes, but at most CONTROL_WAITERS do: one more is told
 * -EBUSY after its request was done, so that somebody can always ask what takes so long.
 */
#ifndef KEELSON_CONTROL_SERVER_H
#define KEELSON_CONTROL_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"
#include "svc/control.h"
#include "svc/world.h"

#define CONTROL_CLIENTS 16u
#define CONTROL_WAITERS 12u
#define CONTROL_IDLE_NS 5000000000ull
#define CONTROL_ROOM_NS 200000000ull /* no descriptor for a client: wait so long */

/* What the server asks of the supervisor. */
struct control_calls {
	void *context;
	/* START, STOP, RESTART: mark (graph.h); act when the handler has returned. 0 or errno. */
	int (*request)(void *context, enum control_verb verb, uint32_t service);
	int (*power)(void *context, enum control_power action);
	int (*slot_status)(void *context, struct control_slot_status *status);
};

enum client_phase { CLIENT_READ = 1, CLIENT_WAIT, CLIENT_SEND };

struct control_client {
	int fd;               /* -1: free */
	uint32_t generation;  /* in the event key */
	uint32_t phase;       /* enum client_phase */
	uint32_t cursor;      /* next packet of the answer */
	uint32_t service;     /* index, of verbs with one */
	uint32_t starts;      /* the service's `starts` when the request came */
	int32_t error;        /* of END */
	uint32_t settled;     /* START, STOP, RESTART: END may be sent */
	uint64_t deadline_ns; /* READ, SEND: then it is closed */
	struct control_request request;
	uint8_t affected[PLAN_MAX_SERVICES / 8]; /* bit per service */
};

struct control_server {
	const struct plan *plan;
	struct world *world;
	const struct control_calls *calls;
	int epoll_fd;
	int listen_fd;       /* -1: none */
	uint64_t listen_key; /* epoll_data.u64 of the listening socket */
	uint64_t client_key; /* or'ed with generation << 32 and the client's index */
	uint64_t resume_ns;  /* clients are taken again from then on; 0: they are taken */
	struct control_client clients[CONTROL_CLIENTS];
};

/*
 * Listen at `path` (replaced if it exists, mode 0600). Fill plan, world, calls, epoll_fd and the
 * keys before. 0 or negative errno.
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

/* Close clients that are too slow. */
void control_server_tick(struct control_server *server, uint64_t now_ns);
uint64_t control_server_deadline_ns(const struct control_server *server);

/*
 * Pure: how a START, STOP or RESTART of `service` stands: 0 done, negative errno as control.h says,
 * or -EINPROGRESS. `starts` is what the service had when the request was made.
 */
int control_outcome(const struct world *world, enum control_verb verb, uint32_t service,
		    uint32_t starts);

#endif
