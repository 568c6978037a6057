/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/log.h"

#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "svc/format.h"

static int log_fd = STDERR_FILENO;
static int log_kmsg;
static enum log_level log_max = LOG_LEVEL_INFO;

void log_open(int fd, int is_kmsg)
{
	log_fd = fd;
	log_kmsg = is_kmsg;
}

int log_descriptor(void)
{
	return log_fd;
}

void log_set_level(enum log_level level)
{
	log_max = level;
}

enum log_level log_level(void)
{
	return log_max;
}

/* A terminal that was stopped, or a pipe that nobody empties: better a line lost than PID 1 held. */
static int has_room(void)
{
	struct pollfd room = {.fd = log_fd, .events = POLLOUT};

	return log_kmsg || poll(&room, 1, 0) > 0;
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LOG_LINE_BYTES];
	size_t length = 0;
	va_list arguments;

	if (level > log_max || log_fd < 0 || !has_room())
		return;
	if (log_kmsg)
		length = format_text(line, sizeof line - 1, "<%d>", (int)level);
	length += format_text(line + length, sizeof line - 1 - length, "keelson: ");
	va_start(arguments, format);
	length += format_text_v(line + length, sizeof line - 1 - length, format, arguments);
	va_end(arguments);
	line[length++] = '\n';
	/* There is nobody to tell that telling failed. */
	if (write(log_fd, line, length) < 0)
		return;
}

const char *log_errno(int error)
{
	/* From the lowest number, too, which has no counterpart. */
	return strerror(error < 0 ? (int)-(unsigned)error : error);
}
