/* SPDX-License-Identifier: Apache-2.0 */
#include "init/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>

#include "mount/child.h"
#include "mount/sys.h"

#define FEEDS 3u /* in one timeout */

static int watchdog = -1;
static uint64_t feed_ns;

/* The timeout that was asked for is not always the one that the device keeps. */
static void take(int fd)
{
	int timeout_s = 0;

	watchdog = fd;
	if (sys_ioctl(fd, WDIOC_GETTIMEOUT, &timeout_s) < 0 || timeout_s <= 0)
		timeout_s = WATCHDOG_TIMEOUT_S;
	feed_ns = (uint64_t)timeout_s * 1000000000u / FEEDS;
	child_waiting = watchdog_feed;
	watchdog_feed();
}

int watchdog_arm(void)
{
	int timeout_s = WATCHDOG_TIMEOUT_S;
	int fd = open("/dev/watchdog", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* Some devices have a fixed timeout: better that one than none. */
	(void)sys_ioctl(fd, WDIOC_SETTIMEOUT, &timeout_s);
	take(fd);
	return fd;
}

void watchdog_adopt(int fd)
{
	if (fd < 0)
		return;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	take(fd);
}

int watchdog_fd(void)
{
	return watchdog;
}

void watchdog_feed(void)
{
	if (watchdog >= 0)
		(void)sys_ioctl(watchdog, WDIOC_KEEPALIVE, NULL);
}

uint64_t watchdog_feed_ns(void)
{
	return feed_ns;
}
