/* SPDX-License-Identifier: Apache-2.0 */
#include "init/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>

#include "mount/child.h"
#include "mount/sys.h"
#include "svc/log.h"

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

static void set_pretimeout(int fd)
{
	struct watchdog_info info = {0};
	int pretimeout_s = WATCHDOG_PRETIMEOUT_S;

	if (sys_ioctl(fd, WDIOC_GETSUPPORT, &info) == 0 && (info.options & WDIOF_PRETIMEOUT))
		(void)sys_ioctl(fd, WDIOC_SETPRETIMEOUT, &pretimeout_s);
}

int watchdog_arm(void)
{
	int timeout_s = WATCHDOG_TIMEOUT_S;
	int fd = open("/dev/watchdog", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* Some devices have a fixed timeout: better that one than none. */
	(void)sys_ioctl(fd, WDIOC_SETTIMEOUT, &timeout_s);
	set_pretimeout(fd);
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

void watchdog_feed_last(void)
{
	int timeout_s = WATCHDOG_RESTART_S;

	if (watchdog < 0)
		return;
	for (; timeout_s > WATCHDOG_TIMEOUT_S; timeout_s /= 2)
		if (sys_ioctl(watchdog, WDIOC_SETTIMEOUT, &timeout_s) == 0) {
			log_info("shutdown: watchdog: asked for %d s", timeout_s);
			break;
		}
	watchdog_feed();
}

uint64_t watchdog_feed_ns(void)
{
	return feed_ns;
}

bool watchdog_did_reset(void)
{
	int status = 0;

	return watchdog >= 0 && sys_ioctl(watchdog, WDIOC_GETBOOTSTATUS, &status) == 0 &&
	       (status & WDIOF_CARDRESET);
}

void watchdog_disarm(void)
{
	int off = WDIOS_DISABLECARD;
	int error = watchdog < 0 ? 0 : sys_ioctl(watchdog, WDIOC_SETOPTIONS, &off);

	if (error)
		log_warning("watchdog: switch off: %s: it will end the halt", log_errno(error));
}

bool watchdog_healthy(uint64_t due_ns, uint64_t now_ns)
{
	return due_ns >= now_ns || now_ns - due_ns <= WATCHDOG_LATE_NS;
}
