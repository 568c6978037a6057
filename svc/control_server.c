/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/control_server.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "svc/control_answer.h"
#include "svc/fd.h"
#include "svc/graph.h"
#include "svc/service.h"

#define GENERATION_MASK 0xffffffu
#define BACKLOG 64

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);

	if (length >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length + 1);
	owned_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	/* Closed to others before anybody can connect: that takes listen(2). */
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || chmod(path, 0600) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -errno;
	return fd_take(&fd);
}

int control_server_open(struct control_server *server, const char *path)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = server->listen_key};

	server->listen_fd = -1;
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		server->clients[i].fd = -1;
	owned_fd int fd = listen_at(path);

	if (fd < 0)
		return fd;
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	server->listen_fd = fd_take(&fd);
	return 0;
}

/* Out of epoll by hand: a child that has not executed yet may hold a copy. */
static void drop(struct control_server *server, int *fd)
{
	if (*fd >= 0)
		epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
	fd_close(fd);
}

/* While there is no room for another client, those who connect wait in the kernel's queue. */
static void listen_for_more(struct control_server *server, bool room)
{
	struct epoll_event event = {.events = room ? EPOLLIN : 0, .data.u64 = server->listen_key};

	if (server->listen_fd >= 0)
		epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->listen_fd, &event);
}

static void drop_client(struct control_server *server, struct control_client *client)
{
	drop(server, &client->fd);
	client->generation = (client->generation + 1) & GENERATION_MASK;
	server->resume_ns = 0;
	listen_for_more(server, true);
}

void control_server_close(struct control_server *server)
{
	drop(server, &server->listen_fd);
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		drop_client(server, &server->clients[i]);
}

static int watch(struct control_server *server, struct control_client *client, int operation,
		 uint32_t events)
{
	uint32_t index = (uint32_t)(client - server->clients);
	struct epoll_event event = {
		.events = events,
		.data.u64 = server->client_key | (uint64_t)client->generation << 32 | index,
	};

	return epoll_ctl(server->epoll_fd, operation, client->fd, &event) < 0 ? -errno : 0;
}

static void enter(struct control_server *server, struct control_client *client,
		  enum client_phase phase, uint64_t now_ns)
{
	static const uint32_t events[] = {
		[CLIENT_READ] = EPOLLIN,
		[CLIENT_WAIT] = 0, /* hanging up is always told; nothing it says is listened to */
		[CLIENT_SEND] = EPOLLOUT,
	};

	client->phase = phase;
	client->deadline_ns = phase == CLIENT_WAIT ? UINT64_MAX : now_ns + CONTROL_IDLE_NS;
	if (watch(server, client, EPOLL_CTL_MOD, events[phase]) != 0)
		drop_client(server, client);
}

/* Send what there is to send, as far as there is room. */
static void send_answer(struct control_server *server, struct control_client *client,
			uint64_t now_ns)
{
	union control_packet packet;
	bool last = false;

	while (client->fd >= 0) {
		uint32_t cursor = client->cursor;
		size_t size = control_answer_next(server, client, now_ns, &packet, &last);

		if (size == 0) {
			enter(server, client, CLIENT_WAIT, now_ns);
			return;
		}
		if (send(client->fd, packet.bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			client->cursor = cursor;
			if (errno == EAGAIN)
				enter(server, client, CLIENT_SEND, now_ns);
			else
				drop_client(server, client);
			return;
		}
		if (last)
			drop_client(server, client);
	}
}

/* What else a request moves, by the marks it left. */
static void note_affected(const struct control_server *server, struct control_client *client)
{
	const struct world *world = server->world;
	bool start = client->request.verb == CONTROL_VERB_START;

	memset(client->affected, 0, sizeof client->affected);
	for (uint32_t i = 0; i < world->service_count; i++) {
		const struct world_service *state = &world->services[i];
		bool moves = start ? (state->flags & SERVICE_MARK_PULL) &&
					     !service_is_up(state->state) &&
					     !service_is_active(state->state)
				   : (state->flags & SERVICE_MARK_STOP) &&
					     service_is_active(state->state);

		if (moves && i != client->service)
			client->affected[i / 8] |= (uint8_t)(1u << i % 8);
	}
}

static int find_service(const struct control_server *server, struct control_client *client)
{
	for (uint32_t i = 0; i < server->world->service_count; i++) {
		if (strcmp(server->world->services[i].name, client->request.name) == 0) {
			client->service = i;
			return 0;
		}
	}
	return -ENOENT;
}

static bool may_wait(const struct control_server *server)
{
	uint32_t waiting = 0;

	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		waiting += server->clients[i].fd >= 0 && !server->clients[i].settled &&
			   server->clients[i].phase != CLIENT_READ;
	return waiting < CONTROL_WAITERS;
}

static int begin_change(struct control_server *server, struct control_client *client)
{
	const struct control_calls *calls = server->calls;
	int error = find_service(server, client);

	if (error != 0)
		return error;
	client->starts = server->world->services[client->service].starts;
	error = calls->request(calls->context, (enum control_verb)client->request.verb,
			       client->service);
	if (error == 0)
		note_affected(server, client);
	client->settled = (client->request.flags & CONTROL_NO_WAIT) != 0;
	if (error == 0 && !client->settled && !may_wait(server))
		error = -EBUSY;
	return error;
}

static int begin_request(struct control_server *server, struct control_client *client)
{
	const struct control_calls *calls = server->calls;

	client->settled = 1;
	switch (client->request.verb) {
	case CONTROL_VERB_START:
	case CONTROL_VERB_STOP:
	case CONTROL_VERB_RESTART: return begin_change(server, client);
	case CONTROL_VERB_SERVICE: return find_service(server, client);
	case CONTROL_VERB_POWER:
		return calls->power(calls->context, (enum control_power)client->request.argument);
	default: return 0;
	}
}

/* One byte more than a request has: a longer packet is seen to be longer. */
static void read_request(struct control_server *server, struct control_client *client,
			 uint64_t now_ns)
{
	uint8_t bytes[sizeof client->request + 1];
	ssize_t size = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (size < 0 && errno == EAGAIN)
		return;
	if (size <= 0) {
		drop_client(server, client);
		return;
	}
	client->cursor = 0;
	/* Others than root get their refusal only now: a socket that is closed with a packet unread
	 * takes the answer down with it (unix(7)). */
	if (client->error == 0)
		client->error = control_request_parse(bytes, (size_t)size, &client->request);
	if (client->error == 0)
		client->error = begin_request(server, client);
	send_answer(server, client, now_ns);
}

void control_server_handle(struct control_server *server, uint32_t index, uint32_t generation,
			   uint64_t now_ns)
{
	if (index >= CONTROL_CLIENTS)
		return;
	struct control_client *client = &server->clients[index];

	if (client->fd < 0 || client->generation != generation)
		return;
	switch (client->phase) {
	case CLIENT_READ: read_request(server, client, now_ns); break;
	case CLIENT_SEND: send_answer(server, client, now_ns); break;
	default: drop_client(server, client); break; /* it hung up */
	}
}

static struct control_client *free_client(struct control_server *server)
{
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		if (server->clients[i].fd < 0)
			return &server->clients[i];
	return NULL;
}

static bool peer_is_root(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

static void take_client(struct control_server *server, struct control_client *client, int fd,
			uint64_t now_ns)
{
	client->fd = fd;
	client->phase = CLIENT_READ;
	client->deadline_ns = now_ns + CONTROL_IDLE_NS;
	client->error = peer_is_root(fd) ? 0 : -EPERM;
	if (watch(server, client, EPOLL_CTL_ADD, EPOLLIN) != 0)
		drop_client(server, client);
}

void control_server_accept(struct control_server *server, uint64_t now_ns)
{
	struct control_client *client;

	while ((client = free_client(server)) != NULL) {
		int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED) {
			/* Out of descriptors or memory: the queue would be told for ever. */
			server->resume_ns = now_ns + CONTROL_ROOM_NS;
			break;
		}
		if (fd < 0)
			return;
		take_client(server, client, fd, now_ns);
	}
	listen_for_more(server, false);
}

int control_outcome(const struct world *world, enum control_verb verb, uint32_t service,
		    uint32_t starts)
{
	const struct world_service *state = &world->services[service];
	bool marked = state->flags & (SERVICE_MARK_STOP | SERVICE_MARK_PULL);

	if (marked || state->state == SERVICE_STARTING || state->state == SERVICE_STOPPING)
		return -EINPROGRESS;
	if (verb == CONTROL_VERB_STOP) {
		if (state->wanted)
			return -ECANCELED;
		return 0;
	}
	if (!state->wanted && !service_is_up(state->state) && state->state != SERVICE_FAILED)
		return -ECANCELED;
	switch (state->state) {
	case SERVICE_WAITING:
		return state->flags & SERVICE_MARK_ON_WAY ? -EINPROGRESS : -EHOSTUNREACH;
	case SERVICE_BACKOFF:
		/* No room for a process is no failure: it is tried again in a moment. */
		return state->starts == starts ? -EINPROGRESS : -EIO;
	case SERVICE_FAILED: return -EIO;
	case SERVICE_UP:
	case SERVICE_DONE: return 0;
	default: return -EINPROGRESS;
	}
}

void control_server_settle(struct control_server *server, uint64_t now_ns)
{
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &server->clients[i];

		if (client->fd < 0 || client->phase == CLIENT_READ || client->settled)
			continue;
		int outcome = control_outcome(server->world,
					      (enum control_verb)client->request.verb,
					      client->service, client->starts);

		if (outcome == -EINPROGRESS)
			continue;
		client->settled = 1;
		client->error = outcome;
		send_answer(server, client, now_ns);
	}
}

void control_server_tick(struct control_server *server, uint64_t now_ns)
{
	if (server->resume_ns != 0 && server->resume_ns <= now_ns) {
		server->resume_ns = 0;
		listen_for_more(server, true);
	}
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &server->clients[i];

		if (client->fd >= 0 && client->deadline_ns <= now_ns)
			drop_client(server, client);
	}
}

uint64_t control_server_deadline_ns(const struct control_server *server)
{
	uint64_t deadline = server->resume_ns != 0 ? server->resume_ns : UINT64_MAX;

	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		if (server->clients[i].fd >= 0 && server->clients[i].deadline_ns < deadline)
			deadline = server->clients[i].deadline_ns;
	return deadline;
}
