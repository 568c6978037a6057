/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/notify.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "svc/fd.h"
#include "svc/foreign.h"

#define PASSED_MAX 253 /* SCM_MAX_FD of the kernel */

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

/* musl's CMSG_NXTHDR mixes signed and unsigned. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
static struct cmsghdr *next_part(struct msghdr *header, struct cmsghdr *part)
{
	return CMSG_NXTHDR(header, part);
}
#pragma GCC diagnostic pop

static int close_rights_and_find_sender(struct msghdr *header)
{
	int pid = 0;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = next_part(header, part)) {
		if (part->cmsg_level != SOL_SOCKET)
			continue;
		if (part->cmsg_type == SCM_CREDENTIALS) {
			struct ucred credentials;

			memcpy(&credentials, CMSG_DATA(part), sizeof credentials);
			pid = credentials.pid;
		}
		if (part->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int passed[PASSED_MAX];

		if (count > PASSED_MAX)
			count = PASSED_MAX;
		memcpy(passed, CMSG_DATA(part), count * sizeof passed[0]);
		foreign_close(passed, count);
	}
	return pid;
}

int notify_receive(int fd, struct notify_message *message, int *pid)
{
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(PASSED_MAX * sizeof(int))];
	char text[NOTIFY_MESSAGE_BYTES];
	struct iovec part = {.iov_base = text, .iov_len = sizeof text};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof control};
	ssize_t size = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (size < 0)
		return errno == EAGAIN ? 0 : -errno;
	*pid = close_rights_and_find_sender(&header);
	if (header.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	notify_parse(text, (size_t)size, message);
	return 1;
}
