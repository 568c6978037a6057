/* SPDX-License-Identifier: Apache-2.0 */
/* Which descriptors the program finds open. */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "svc/confine_steps.h"
#include "svc/raw.h"

/* The terminal is opened without waiting for a carrier and without becoming the controlling one. */
static long open_tty(const char *path)
{
	long fd = raw_syscall4(__NR_openat, AT_FDCWD, (long)path,
			       O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	long error = raw_syscall3(__NR_fcntl, fd, F_SETFL, O_RDWR);

	if (error >= 0)
		error = raw_syscall3(__NR_ioctl, fd, TIOCSCTTY, 1);
	return error < 0 ? error : fd;
}

/* A copy of `fd` at `lowest` or above, out of the way of the numbers that are to be filled. */
static long lift(long fd, long lowest)
{
	return raw_syscall3(__NR_fcntl, fd, F_DUPFD_CLOEXEC, lowest);
}

static long place(long fd, long number)
{
	return raw_syscall3(__NR_dup3, fd, number, 0);
}

/* The first number above those that are filled. */
static long first_free(const struct confine_child *child)
{
	long first = 3 + (long)child->passed_count;

	return child->ready_number < first ? first : (long)child->ready_number + 1;
}

/* Every source out of the way; `files` are 0, 1 and the one of readiness. */
static long lift_sources(struct confine_child *child, long files[static 3])
{
	long lowest = first_free(child);
	long report = lift(child->report_fd, lowest);

	if (report < 0)
		return report;
	child->report_fd = (int)report;
	for (unsigned i = 0; i < 3; i++) {
		if (i == 2 && child->ready_number == 0)
			break;
		files[i] = lift(files[i], lowest);
		if (files[i] < 0)
			return files[i];
	}
	for (uint32_t i = 0; i < child->passed_count; i++) {
		long passed = lift(child->passed[i], lowest);

		if (passed < 0)
			return passed;
		child->passed[i] = (int)passed;
	}
	return 0;
}

/*
 * Sources may have numbers that are targets: lift all of them above the highest target, then place
 * each. The copies are closed by confine_close_rest(), the report pipe by the execve.
 */
long confine_descriptors(struct confine_child *child)
{
	long input = child->tty ? open_tty(child->tty) : child->null_fd;
	long output = child->output_fd >= 0 ? child->output_fd : input;
	long files[3] = {input, output, child->ready_fd};
	long error = child->tty && input < 0 ? input : lift_sources(child, files);

	if (error >= 0 && child->ready_number != 0 && child->ready_number < 3 + child->passed_count)
		error = -EEXIST;
	if (error >= 0)
		error = place(files[0], 0);
	if (error >= 0)
		error = place(files[1], 1);
	if (error >= 0)
		error = place(files[1], 2);
	for (uint32_t i = 0; error >= 0 && i < child->passed_count; i++)
		error = place(child->passed[i], 3 + (long)i);
	if (error >= 0 && child->ready_number != 0)
		error = place(files[2], child->ready_number);
	return error < 0 ? error : 0;
}

/* Close what lies from `first` to `last`, if there is room for anything. */
static long close_between(long first, long last)
{
	return first > last ? 0 : raw_syscall3(__NR_close_range, first, last, 0);
}

long confine_close_rest(struct confine_child *child)
{
	long report = child->report_fd;
	long error = 0;

	if (child->ready_number != 0)
		error = close_between(3 + (long)child->passed_count, (long)child->ready_number - 1);
	if (error >= 0)
		error = close_between(first_free(child), report - 1);
	return error < 0 ? error : close_between(report + 1, UINT32_MAX);
}
