/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "mount/devices.h"
#include "mount/sys.h"

#define UEVENT_BYTES 8192u
#define LOOK_AGAIN_NS 1000000000ull /* an event may be lost when the socket's buffer is full */

int devices_listen(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	cleanup_fd fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			       NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return give_fd(&fd);
}

static uint64_t boottime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Read every waiting event; true when one was about a block device, or events were lost. */
static bool drain(int fd)
{
	static const char key[] = "SUBSYSTEM=block";
	char event[UEVENT_BYTES];
	bool block = false;

	for (;;) {
		ssize_t n = recv(fd, event, sizeof(event), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return block || errno == ENOBUFS;
		if (memmem(event, (size_t)n, key, sizeof(key)))
			block = true;
	}
}

int devices_wait(int fd, uint64_t deadline_ns)
{
	uint64_t start_ns = boottime_ns();

	for (uint64_t now_ns = start_ns;; now_ns = boottime_ns()) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		uint64_t wait_ns = LOOK_AGAIN_NS;
		struct timespec timeout = {.tv_sec = 0};

		if (now_ns >= deadline_ns)
			return -ETIMEDOUT;
		if (now_ns - start_ns >= LOOK_AGAIN_NS || (fd < 0 && now_ns > start_ns))
			return 0;
		if (fd < 0)
			wait_ns = 10000000;
		if (wait_ns > deadline_ns - now_ns)
			wait_ns = deadline_ns - now_ns;
		timeout.tv_sec = (time_t)(wait_ns / 1000000000u);
		timeout.tv_nsec = (long)(wait_ns % 1000000000u);
		if (ppoll(&poll_fd, 1, &timeout, NULL) > 0 && drain(fd))
			return 0;
	}
}
