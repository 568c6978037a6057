/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "svc/fd.h"
#include "svc/format.h"
#include "svc/timeline.h"

#define FLAGS_FIELD 9
#define START_FIELD 22
#define TICK_NS 10000000u   /* USER_HZ is 100 on every architecture of raw.h */
#define PF_FORKNOEXEC 0x40u /* include/linux/sched.h */

int process_parse_field(const char *text, size_t size, int number, uint64_t *value)
{
	const char *end = text + size;
	const char *at = end;
	int field = 2;

	/* The name ends at the last parenthesis. */
	while (at > text && at[-1] != ')')
		at--;
	if (at == text)
		return -EBADMSG;
	for (; at < end && field < number; at++)
		field += *at == ' ';
	if (field != number || at == end || *at < '0' || *at > '9')
		return -EBADMSG;
	for (*value = 0; at < end && *at >= '0' && *at <= '9'; at++)
		*value = *value * 10 + (uint64_t)(*at - '0');
	return 0;
}

int process_parse_start(const char *text, size_t size, uint64_t *ticks)
{
	return process_parse_field(text, size, START_FIELD, ticks);
}

static int read_field(int pid, int number, uint64_t *value)
{
	char text[1024];

	format_text(text, sizeof text, "/proc/%d/stat", pid);
	owned_fd int fd = open(text, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t size = read(fd, text, sizeof text);

	return size < 0 ? -errno : process_parse_field(text, (size_t)size, number, value);
}

int process_start_ticks(int pid, uint64_t *ticks)
{
	return read_field(pid, START_FIELD, ticks);
}

int process_name(int pid, char name[static PROCESS_NAME_BYTES])
{
	char path[32];

	format_text(path, sizeof path, "/proc/%d/comm", pid);
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, name, PROCESS_NAME_BYTES);

	if (size < 0)
		return -errno;
	/* A line: there is always an end of it. */
	name[size > 0 ? size - 1 : 0] = '\0';
	return 0;
}

uint64_t process_started(int pid, uint64_t before_ns)
{
	uint64_t ticks = before_ns / TICK_NS;

	if (clock_boottime_ns() / TICK_NS == ticks)
		return ticks;
	return process_start_ticks(pid, &ticks) == 0 ? ticks : 0;
}

bool process_has_executed(int pid)
{
	uint64_t flags = 0;

	return read_field(pid, FLAGS_FIELD, &flags) == 0 && !(flags & PF_FORKNOEXEC);
}
