/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "svc/fd.h"
#include "svc/format.h"

#define START_FIELD 22

int process_parse_start(const char *text, size_t size, uint64_t *ticks)
{
	const char *end = text + size;
	const char *at = end;
	int field = 2;

	/* The name ends at the last parenthesis. */
	while (at > text && at[-1] != ')')
		at--;
	if (at == text)
		return -EBADMSG;
	for (; at < end && field < START_FIELD; at++)
		field += *at == ' ';
	if (field != START_FIELD || at == end || *at < '0' || *at > '9')
		return -EBADMSG;
	for (*ticks = 0; at < end && *at >= '0' && *at <= '9'; at++)
		*ticks = *ticks * 10 + (uint64_t)(*at - '0');
	return 0;
}

int process_start_ticks(int pid, uint64_t *ticks)
{
	char text[1024];

	format_text(text, sizeof text, "/proc/%d/stat", pid);
	owned_fd int fd = open(text, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t size = read(fd, text, sizeof text);

	return size < 0 ? -errno : process_parse_start(text, (size_t)size, ticks);
}
