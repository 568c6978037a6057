/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "svc/fd.h"

static unsigned patience_s; /* 0: as client.h says */

void client_patience(unsigned seconds)
{
	patience_s = seconds;
}

/* Of connect(2), which waits while the queue is full, of send(2) and of recv(2) (socket(7)). */
static int limit(int fd, unsigned seconds)
{
	const struct timeval time = {.tv_sec = (time_t)seconds};

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) < 0)
		return -errno;
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	owned_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? -errno : limit(fd, patience_s ? patience_s : CLIENT_ANSWER_S);

	if (error != 0)
		return error;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		if (errno == EAGAIN)
			return -ETIMEDOUT;
		return errno == ENOENT || errno == ECONNREFUSED ? -ENOTCONN : -errno;
	}
	return fd_take(&fd);
}

/* Its answer may take as long as services take. */
static bool waits(const struct control_request *request)
{
	switch (request->verb) {
	case CONTROL_VERB_START:
	case CONTROL_VERB_STOP:
	case CONTROL_VERB_RESTART:
	case CONTROL_VERB_RELOAD: return !(request->flags & (CONTROL_NO_WAIT | CONTROL_DRY_RUN));
	case CONTROL_VERB_EVENTS: return (request->flags & CONTROL_FOLLOW) != 0;
	default: return false;
	}
}

int client_ask(const char *path, const struct control_request *request, client_packet *packet,
	       void *context)
{
	owned_fd int fd = connect_to(path);
	_Alignas(uint64_t) char bytes[CONTROL_PACKET_BYTES];

	if (fd < 0)
		return fd;
	if (send(fd, request, sizeof *request, MSG_NOSIGNAL) < 0)
		return errno == EPIPE ? -ECONNRESET : -errno;
	if (waits(request))
		limit(fd, patience_s);
	for (;;) {
		const struct control_reply *reply;
		const void *payload;
		ssize_t size = recv(fd, bytes, sizeof bytes, 0);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (size == 0)
			return -ECONNRESET;
		int error = control_reply_parse(bytes, (size_t)size, &reply, &payload);

		if (error == 0 && reply->type == CONTROL_TYPE_END)
			return reply->error;
		if (error == 0)
			error = packet(context, reply, payload);
		if (error < 0)
			return error;
	}
}
