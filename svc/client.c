/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "svc/fd.h"

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	owned_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return errno == ENOENT || errno == ECONNREFUSED ? -ENOTCONN : -errno;
	return fd_take(&fd);
}

int client_ask(const char *path, const struct control_request *request, client_packet *packet,
	       void *context)
{
	owned_fd int fd = connect_to(path);
	_Alignas(uint64_t) char bytes[CONTROL_PACKET_BYTES];

	if (fd < 0)
		return fd;
	if (send(fd, request, sizeof *request, MSG_NOSIGNAL) < 0)
		return -errno;
	for (;;) {
		const struct control_reply *reply;
		const void *payload;
		ssize_t size = recv(fd, bytes, sizeof bytes, 0);

		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			return size < 0 ? -errno : -ECONNRESET;
		int error = control_reply_parse(bytes, (size_t)size, &reply, &payload);

		if (error == 0 && reply->type == CONTROL_TYPE_END)
			return reply->error;
		if (error == 0)
			error = packet(context, reply, payload);
		if (error < 0)
			return error;
	}
}
