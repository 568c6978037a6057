/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/notify.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "svc/fd.h"
#include "svc/foreign.h"

int notify_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	int on = 1;

	if (length >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length + 1);
	owned_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || chmod(path, 0666) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
		return -errno;
	return fd_take(&fd);
}

/* What does not fit in one piece: from its beginning, piece by piece. */
static int look_at(int fd, size_t size, struct notify_parser *parser)
{
	char text[NOTIFY_PIECE_BYTES];
	size_t seen = 0;
	int pieces = 0, start = 0, off = -1;

	if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start) < 0)
		return 0; /* what fits has to do */
	while (seen < size) {
		ssize_t piece = recv(fd, text, sizeof text, MSG_PEEK | MSG_DONTWAIT);

		if (piece <= 0)
			break;
		seen += (size_t)piece;
		pieces++;
		notify_parse_piece(parser, text, (size_t)piece);
	}
	notify_parse_end(parser, seen >= size);
	(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off);
	return pieces;
}

/* The sender's pid, from a buffer that has room for nothing else. */
static int sender(const struct msghdr *header)
{
	const struct cmsghdr *part = CMSG_FIRSTHDR(header);
	struct ucred credentials;

	if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS)
		return 0;
	memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
	return credentials.pid;
}

/* What was looked at; it is still in the queue. */
struct looked {
	struct notify_message message;
	int pid;
	int pieces;
	bool rights; /* there are descriptors with it */
};

/*
 * What is looked at stays in the queue, with the descriptors that it carries: that there are some
 * shows in what did not fit beside the credentials (MSG_CTRUNC). 1, 0 (there is none) or negative errno.
 */
static int look(int fd, struct looked *looked)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	char text[NOTIFY_PIECE_BYTES];
	struct iovec part = {.iov_base = text, .iov_len = sizeof text};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof control};
	struct notify_parser parser;
	ssize_t size = recvmsg(fd, &header, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);

	if (size < 0)
		return errno == EAGAIN ? 0 : -errno;
	looked->pid = sender(&header);
	looked->rights = header.msg_flags & MSG_CTRUNC;
	looked->pieces = 1;
	notify_parse_begin(&parser, &looked->message);
	if ((size_t)size > sizeof text) {
		int more = look_at(fd, (size_t)size, &parser);

		looked->pieces += more;
		if (more > 0)
			return 1;
		size = sizeof text;
	}
	notify_parse_piece(&parser, text, (size_t)size);
	notify_parse_end(&parser, !(header.msg_flags & MSG_TRUNC));
	return 1;
}

static int drop(int fd)
{
	return recv(fd, NULL, 0, MSG_DONTWAIT) < 0 ? -errno : 0;
}

int notify_receive(int fd, struct notify_message *message, int *pid)
{
	static struct looked looked;
	static bool being_taken; /* `looked`, by a child */
	int error = being_taken ? foreign_taken() : -ECHILD;

	if (error == -ECHILD) {
		int found = look(fd, &looked);

		if (found <= 0)
			return found;
		error = looked.rights ? foreign_take(fd) : drop(fd);
	}
	being_taken = error == -EINPROGRESS;
	if (error != 0)
		return error;
	*message = looked.message;
	*pid = looked.pid;
	return looked.pieces + (looked.rights ? NOTIFY_RIGHTS_PIECES : 0);
}
