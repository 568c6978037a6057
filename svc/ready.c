/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/ready.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "svc/fd.h"
#include "svc/service.h"

void ready_init(struct ready *ready, const struct plan *plan, struct world *world, int epoll_fd,
		uint64_t key, struct ready_probe *probes)
{
	*ready = (struct ready){
		.plan = plan, .world = world, .epoll_fd = epoll_fd, .key = key, .probes = probes};
	for (uint32_t i = 0; i < world->service_count; i++) {
		struct plan_list list = plan_service(plan, i)->probes;

		for (uint32_t k = 0; k < list.count; k++)
			probes[list.first + k] = (struct ready_probe){.fd = -1, .service = i};
	}
}

static bool is_active_kind(uint32_t kind)
{
	return kind == PLAN_PROBE_SOCKET || kind == PLAN_PROBE_HTTP;
}

static uint64_t interval_ns(const struct plan_probe *probe)
{
	return probe->interval_ns < READY_INTERVAL_MIN_NS ? READY_INTERVAL_MIN_NS
							  : probe->interval_ns;
}

static struct plan_list probes_of(const struct ready *ready, uint32_t service)
{
	return plan_service(ready->plan, service)->probes;
}

static bool is_met(const struct ready *ready, uint32_t index)
{
	const struct ready_probe *probe = &ready->probes[index];
	uint32_t bit = index - probes_of(ready, probe->service).first;

	return ready->world->services[probe->service].probes_met >> bit & 1;
}

static void set_met(struct ready *ready, uint32_t index)
{
	const struct ready_probe *probe = &ready->probes[index];
	uint32_t bit = index - probes_of(ready, probe->service).first;

	ready->world->services[probe->service].probes_met |= 1u << bit;
}

/* The descriptor leaves epoll by hand: a child that has not executed yet may hold a copy. */
static void drop_attempt(struct ready *ready, struct ready_probe *probe)
{
	if (probe->fd >= 0)
		epoll_ctl(ready->epoll_fd, EPOLL_CTL_DEL, probe->fd, NULL);
	fd_close(&probe->fd);
	probe->sent = 0;
	probe->answer_bytes = 0;
	probe->generation = (probe->generation + 1) & 0xffffff;
}

static void finish_attempt(struct ready *ready, uint32_t index, bool met, uint64_t now_ns)
{
	struct ready_probe *probe = &ready->probes[index];

	drop_attempt(ready, probe);
	if (met)
		set_met(ready, index);
	probe->at_ns = met ? 0
			   : clock_after_ns(now_ns, interval_ns(plan_probe(ready->plan, index)));
}

/* connect(2) to a listening AF_UNIX socket is answered at once, or refused at once. */
static bool socket_accepts(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);

	if (length >= sizeof address.sun_path)
		return false;
	memcpy(address.sun_path, path, length + 1);
	owned_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
}

static int http_connect(struct ready *ready, uint32_t index)
{
	const struct plan_probe *plan = plan_probe(ready->plan, index);
	struct ready_probe *probe = &ready->probes[index];
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)plan->port),
		.sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
	};
	struct epoll_event event = {
		.events = EPOLLOUT,
		.data.u64 = ready->key | (uint64_t)probe->generation << 32 | index,
	};
	owned_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
		return -errno;
	if (epoll_ctl(ready->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	probe->fd = fd_take(&fd);
	return 0;
}

/* The request fits a fresh socket's buffer, so it goes out whole or not at all. */
static int http_send(struct ready *ready, uint32_t index)
{
	const struct plan_probe *plan = plan_probe(ready->plan, index);
	struct ready_probe *probe = &ready->probes[index];
	const char *path = plan_string(ready->plan, plan->target);
	static const char method[] = "GET ";
	static const char rest[] = " HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	struct iovec parts[] = {
		{.iov_base = (void *)(uintptr_t)method, .iov_len = sizeof method - 1},
		{.iov_base = (void *)(uintptr_t)path, .iov_len = strlen(path)},
		{.iov_base = (void *)(uintptr_t)rest, .iov_len = sizeof rest - 1},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
	struct epoll_event event = {
		.events = EPOLLIN,
		.data.u64 = ready->key | (uint64_t)probe->generation << 32 | index,
	};

	if (sendmsg(probe->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	probe->sent = 1;
	return epoll_ctl(ready->epoll_fd, EPOLL_CTL_MOD, probe->fd, &event) < 0 ? -errno : 0;
}

int ready_parse_answer(const char *text, size_t size)
{
	static const char pattern[] = "HTTP/1.? 200";

	for (size_t i = 0; i < size && i < sizeof pattern - 1; i++)
		if (pattern[i] == '?' ? text[i] < '0' || text[i] > '9' : text[i] != pattern[i])
			return -EPROTO;
	return size >= sizeof pattern - 1;
}

/* 1 met, 0 not yet, negative errno: this attempt is over. */
static int http_receive(struct ready_probe *probe)
{
	ssize_t size = recv(probe->fd, probe->answer + probe->answer_bytes,
			    sizeof probe->answer - probe->answer_bytes, MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (size == 0)
		return -ECONNRESET;
	probe->answer_bytes += (uint32_t)size;
	return ready_parse_answer(probe->answer, probe->answer_bytes);
}

static void begin_attempt(struct ready *ready, uint32_t index, uint64_t now_ns)
{
	const struct plan_probe *plan = plan_probe(ready->plan, index);

	if (plan->kind == PLAN_PROBE_SOCKET) {
		bool met = socket_accepts(plan_string(ready->plan, plan->target));

		finish_attempt(ready, index, met, now_ns);
	} else if (http_connect(ready, index) == 0) {
		ready->probes[index].at_ns = now_ns + READY_ATTEMPT_NS;
	} else {
		finish_attempt(ready, index, false, now_ns);
	}
}

/* exec and notify are met: time to ask. */
static bool passive_complete(const struct ready *ready, struct plan_list list)
{
	for (uint32_t k = 0; k < list.count; k++)
		if (!is_active_kind(plan_probe(ready->plan, list.first + k)->kind) &&
		    !is_met(ready, list.first + k))
			return false;
	return true;
}

void ready_met(struct ready *ready, uint32_t service, enum plan_probe_kind kind, uint64_t now_ns)
{
	struct plan_list list = probes_of(ready, service);

	for (uint32_t k = 0; k < list.count; k++)
		if (plan_probe(ready->plan, list.first + k)->kind == kind)
			set_met(ready, list.first + k);
	if (!passive_complete(ready, list))
		return;
	for (uint32_t k = 0; k < list.count; k++) {
		uint32_t index = list.first + k;

		if (is_active_kind(plan_probe(ready->plan, index)->kind) && !is_met(ready, index) &&
		    ready->probes[index].at_ns == 0)
			begin_attempt(ready, index, now_ns);
	}
}

void ready_stop(struct ready *ready, uint32_t service)
{
	struct plan_list list = probes_of(ready, service);

	for (uint32_t k = 0; k < list.count; k++) {
		drop_attempt(ready, &ready->probes[list.first + k]);
		ready->probes[list.first + k].at_ns = 0;
	}
}

uint32_t ready_handle(struct ready *ready, uint32_t index, uint32_t generation, uint64_t now_ns)
{
	if (index >= plan_count(ready->plan, PLAN_PROBES))
		return PLAN_NONE;
	struct ready_probe *probe = &ready->probes[index];

	if (probe->fd < 0 || probe->generation != generation)
		return PLAN_NONE;
	int result = probe->sent ? http_receive(probe) : http_send(ready, index);

	if (result != 0)
		finish_attempt(ready, index, result > 0, now_ns);
	return probe->service;
}

void ready_tick(struct ready *ready, uint32_t service, uint64_t now_ns)
{
	struct plan_list list = probes_of(ready, service);

	for (uint32_t k = 0; k < list.count; k++) {
		struct ready_probe *probe = &ready->probes[list.first + k];

		if (probe->at_ns == 0 || probe->at_ns > now_ns)
			continue;
		if (probe->fd >= 0)
			finish_attempt(ready, list.first + k, false, now_ns);
		else
			begin_attempt(ready, list.first + k, now_ns);
	}
}

uint64_t ready_deadline_ns(const struct ready *ready, uint32_t service)
{
	struct plan_list list = probes_of(ready, service);
	uint64_t deadline = UINT64_MAX;

	for (uint32_t k = 0; k < list.count; k++) {
		uint64_t at = ready->probes[list.first + k].at_ns;

		if (at != 0 && at < deadline)
			deadline = at;
	}
	return deadline;
}
