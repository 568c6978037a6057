/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/swap.h>
#include <time.h>
#include <unistd.h>

#include "mount/child.h"
#include "mount/devices.h"
#include "mount/directory.h"
#include "mount/mount_table.h"
#include "mount/mountinfo.h"
#include "mount/sys.h"

#define DM_CONTROL "/dev/mapper/control"
#define SWAPS "/proc/swaps"

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t detach_step_ns(const struct detach_budget *budget)
{
	uint64_t deadline_ns = budget->deadline_ns, step_ns = budget->step_ns, now_ns;
	struct timespec now;

	if (child_hurried()) {
		bool before = child_hurry_ns < budget->began_ns;
		uint64_t since_ns = before ? budget->began_ns : child_hurry_ns;

		deadline_ns = earlier(deadline_ns, since_ns + budget->hurried_ns);
		step_ns = earlier(step_ns, CHILD_HURRIED_NS);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	return now_ns >= deadline_ns ? 0 : earlier(step_ns, deadline_ns - now_ns);
}

/* ---- loop devices ---- */

/*
 * LOOP_CLR_FD of a device that is open elsewhere succeeds and only asks it to detach itself later
 * (loop(4)); whether something was detached shows in whether it is still bound.
 */
static int call_detach(void *path)
{
	cleanup_fd fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct loop_info64 info;
	int error = fd < 0 ? -errno : sys_ioctl(fd, LOOP_CLR_FD, NULL);

	if (error)
		return error;
	return sys_ioctl(fd, LOOP_GET_STATUS64, &info) == -ENXIO ? 0 : -EBUSY;
}

int detach_loops(const struct detach_budget *budget)
{
	cleanup_fd fd = open("/sys/class/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct directory directory = {.fd = fd};
	const char *name;
	int detached = 0;

	while (fd >= 0 && (name = directory_next(&directory))) {
		char path[DEVICE_PATH_BYTES];
		uint64_t step_ns = detach_step_ns(budget);

		if (strncmp(name, "loop", 4) != 0 || strchr(name + 4, 'p') || step_ns == 0 ||
		    device_path(name, path) != 0)
			continue;
		if (run_timed(call_detach, path, step_ns) == 0)
			detached++;
	}
	return detached;
}

/* ---- device-mapper ---- */

static int call_remove_all(void *unused)
{
	struct dm_ioctl request = {
		.version = {4},
		.data_size = sizeof(request),
		.data_start = sizeof(request),
	};
	cleanup_fd fd = open(DM_CONTROL, O_RDWR | O_CLOEXEC);

	(void)unused;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return sys_ioctl(fd, DM_REMOVE_ALL, &request);
}

int detach_mapped(const struct detach_budget *budget)
{
	uint64_t step_ns = detach_step_ns(budget);

	return step_ns ? run_timed(call_remove_all, NULL, step_ns) : -ETIMEDOUT;
}

/* ---- swap ---- */

struct swaps {
	const struct detach_budget *budget;
	int off;
};

static int call_swapoff(void *path)
{
	return swapoff(path) < 0 ? -errno : 0;
}

/* "PATH  type size used priority", PATH escaped as in mountinfo; the first line is a heading. */
static bool switch_off(void *context, char *line)
{
	struct swaps *swaps = context;
	uint64_t step_ns = detach_step_ns(swaps->budget);

	if (*line != '/')
		return true;
	line[strcspn(line, " \t")] = '\0';
	mountinfo_unescape(line);
	if (step_ns && run_timed(call_swapoff, line, step_ns) == 0)
		swaps->off++;
	return true;
}

int detach_swaps(const struct detach_budget *budget)
{
	struct swaps swaps = {.budget = budget};

	/* No such file: a kernel without swap. */
	(void)mount_table_lines(SWAPS, switch_off, &swaps);
	return swaps.off;
}
