/* SPDX-License-Identifier: Apache-2.0 */
/* GET on loopback: connect, send, read the status line; each when epoll says that it can go on. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "svc/fd.h"
#include "svc/probe.h"

#define HTTP_OK 200

static const struct probe_outcome pending = {.verdict = PROBE_PENDING};

static struct probe_outcome unmet(int error)
{
	return (struct probe_outcome){.verdict = PROBE_UNMET, .error = error};
}

static int watch(struct probes *probes, uint32_t index, int fd, int operation, uint32_t events)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = probes->key | (uint64_t)probes->table[index].generation << 32 | index,
	};

	return epoll_ctl(probes->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

/* No descriptor, no memory: PID 1's lack, not the service's. */
static struct probe_outcome no_room(int error)
{
	return (struct probe_outcome){.verdict = PROBE_UNKNOWN, .error = error};
}

struct probe_outcome probe_http_begin(struct probes *probes, uint32_t index)
{
	struct probe *probe = &probes->table[index];
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)probe_plan(probes, index)->number),
		.sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
	};
	owned_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return no_room(-errno);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
		return unmet(-errno);
	int error = watch(probes, index, fd, EPOLL_CTL_ADD, EPOLLOUT);

	if (error != 0)
		return no_room(error);
	probe->fd = fd_take(&fd);
	return pending;
}

/* The request fits a fresh socket's buffer, so it goes out whole or not at all. */
static struct probe_outcome send_request(struct probes *probes, uint32_t index)
{
	struct probe *probe = &probes->table[index];
	const char *path = plan_string(probes->plan, probe_plan(probes, index)->target);
	static const char method[] = "GET ";
	static const char rest[] = " HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	struct iovec parts[] = {
		{.iov_base = (void *)(uintptr_t)method, .iov_len = sizeof method - 1},
		{.iov_base = (void *)(uintptr_t)path, .iov_len = strlen(path)},
		{.iov_base = (void *)(uintptr_t)rest, .iov_len = sizeof rest - 1},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};

	if (sendmsg(probe->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return unmet(-errno);
	probe->sent = true;
	int error = watch(probes, index, probe->fd, EPOLL_CTL_MOD, EPOLLIN);

	return error ? no_room(error) : pending;
}

static struct probe_outcome receive_answer(struct probe *probe)
{
	ssize_t size = recv(probe->fd, probe->answer + probe->answer_bytes,
			    sizeof probe->answer - probe->answer_bytes, MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN ? pending : unmet(-errno);
	if (size == 0)
		return unmet(-ENODATA);
	probe->answer_bytes = (uint8_t)(probe->answer_bytes + size);
	int status = probe_parse_answer(probe->answer, probe->answer_bytes);

	if (status == 0)
		return pending;
	if (status < 0)
		return unmet(status);
	return (struct probe_outcome){.verdict = status == HTTP_OK ? PROBE_MET : PROBE_UNMET,
				      .status = status == HTTP_OK ? 0 : status};
}

struct probe_outcome probe_http_go_on(struct probes *probes, uint32_t index)
{
	struct probe *probe = &probes->table[index];

	return probe->sent ? receive_answer(probe) : send_request(probes, index);
}
