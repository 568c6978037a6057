/* SPDX-License-Identifier: Apache-2.0 */
#include "init/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>

#include "mount/sys.h"

static int watchdog = -1;

int watchdog_arm(void)
{
	int timeout_s = WATCHDOG_TIMEOUT_S;
	int fd = open("/dev/watchdog", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	watchdog = fd;
	/* Some devices have a fixed timeout: better that one than none. */
	(void)sys_ioctl(fd, WDIOC_SETTIMEOUT, &timeout_s);
	watchdog_feed();
	return fd;
}

void watchdog_adopt(int fd)
{
	watchdog = fd;
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	watchdog_feed();
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
