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
#include "svc/fault_point.h"
#include "svc/fd.h"
#include "svc/peer.h"
#include "svc/service.h"

#define GENERATION_MASK 0xffffffu
#define BACKLOG 64
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

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
	/* Nobody has descriptors to send here (foreign.h). An older kernel drops them in PID 1. */
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &(int){0}, sizeof(int));
	/* Closed to others before anybody can connect: that takes listen(2). */
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || chmod(path, 0600) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -errno;
	return fd_take(&fd);
}

int control_server_open(struct control_server *server, const char *path)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = server->listen_key};
	int32_t *fd = &server->world->control_fd;

	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		server->clients[i].fd = -1;
	if (*fd < 0) {
		int made = listen_at(path);

		if (made < 0)
			return made;
		*fd = made;
	}
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, *fd, &event) == 0)
		return 0;
	int error = -errno;

	fd_close(fd);
	return error;
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

	if (server->world->control_fd >= 0)
		epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->world->control_fd, &event);
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
	drop(server, &server->world->control_fd);
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

static uint64_t deadline_of(const struct control_client *client, uint64_t now_ns)
{
	if (client->waits == WAIT_EVENTS)
		return client->phase == CLIENT_WAIT ? UINT64_MAX : now_ns + CONTROL_STUCK_NS;
	if (client->phase == CLIENT_WAIT && client->waits != WAIT_SLOTS)
		return UINT64_MAX;
	return now_ns + CONTROL_IDLE_NS;
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
	client->deadline_ns = deadline_of(client, now_ns);
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
		uint64_t cursor = client->cursor;
		size_t size = control_answer_next(server, client, now_ns, &packet, &last);

		if (size == 0) {
			enter(server, client, CLIENT_WAIT, now_ns);
			return;
		}
		fault_point("control: answer");
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
	/* Who has no right gets the refusal only now: a socket that is closed with a packet unread
	 * takes the answer down with it (unix(7)). */
	if (client->error == 0)
		client->error = control_request_parse(bytes, (size_t)size, &client->request);
	if (client->error == 0 && client->rights != PEER_CHANGE &&
	    control_changes(&client->request))
		client->error = -EACCES;
	if (client->error == 0)
		client->error = control_begin(server, client);
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

static void take_client(struct control_server *server, struct control_client *client, int fd,
			uint64_t now_ns)
{
	client->fd = fd;
	client->phase = CLIENT_READ;
	client->waits = WAIT_NOTHING;
	client->cursor = 0;
	client->deadline_ns = now_ns + CONTROL_IDLE_NS;
	client->rights = peer_rights(server->plan, fd);
	client->error = client->rights == PEER_NOTHING ? -EPERM : 0;
	if (watch(server, client, EPOLL_CTL_ADD, EPOLLIN) != 0)
		drop_client(server, client);
}

void control_server_accept(struct control_server *server, uint64_t now_ns)
{
	struct control_client *client;

	while ((client = free_client(server)) != NULL) {
		int fd = accept4(server->world->control_fd, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

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

/* What `client` waited for has happened. */
static void finish(struct control_server *server, struct control_client *client, int error,
		   uint64_t now_ns)
{
	client->waits = WAIT_NOTHING;
	client->error = error;
	send_answer(server, client, now_ns);
}

static bool waits_for(const struct control_client *client, enum client_wait what)
{
	return client->fd >= 0 && client->phase != CLIENT_READ && client->waits == what;
}

/* How what it waits for stands; -EINPROGRESS: it waits on. */
static int outcome_of(const struct control_server *server, const struct control_client *client)
{
	if (waits_for(client, WAIT_SETTLED))
		return control_outcome(server->world, (enum control_verb)client->request.verb,
				       client->service, client->starts);
	/* What went down reloads no more. */
	if (waits_for(client, WAIT_RELOADED) &&
	    server->world->services[client->service].state != SERVICE_UP)
		return -ECANCELED;
	return -EINPROGRESS;
}

void control_server_settle(struct control_server *server, uint64_t now_ns)
{
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &server->clients[i];
		int outcome = outcome_of(server, client);

		if (outcome != -EINPROGRESS)
			finish(server, client, outcome, now_ns);
	}
}

void control_server_reloaded(struct control_server *server, uint32_t service, int error,
			     uint64_t now_ns)
{
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &server->clients[i];

		if (waits_for(client, WAIT_RELOADED) && client->service == service)
			finish(server, client, error, now_ns);
	}
}

void control_server_slots(struct control_server *server, int error,
			  const struct control_slot_status *status, uint64_t now_ns)
{
	if (error == 0)
		server->slots = *status;
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		if (waits_for(&server->clients[i], WAIT_SLOTS))
			finish(server, &server->clients[i], error, now_ns);
}

static void tick(struct control_server *server, struct control_client *client, uint64_t now_ns)
{
	bool late = client->deadline_ns <= now_ns;

	if (client->phase != CLIENT_WAIT) {
		if (late)
			drop_client(server, client);
	} else if (client->waits == WAIT_SLOTS) {
		if (late)
			finish(server, client, -ETIMEDOUT, now_ns);
	} else if (client->waits == WAIT_EVENTS && client->cursor != server->world->event_count) {
		send_answer(server, client, now_ns);
	}
}

void control_server_tick(struct control_server *server, uint64_t now_ns)
{
	if (server->resume_ns != 0 && server->resume_ns <= now_ns) {
		server->resume_ns = 0;
		listen_for_more(server, true);
	}
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		if (server->clients[i].fd >= 0)
			tick(server, &server->clients[i], now_ns);
}

uint64_t control_server_deadline_ns(const struct control_server *server)
{
	uint64_t deadline = server->resume_ns != 0 ? server->resume_ns : UINT64_MAX;

	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		if (server->clients[i].fd >= 0 && server->clients[i].deadline_ns < deadline)
			deadline = server->clients[i].deadline_ns;
	return deadline;
}
