// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int is_quiet;
static time_t began;

/* Before main(), so that elapsed time counts from the start of the program. */
__attribute__((constructor)) static void remember_start(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	began = now.tv_sec;
}

void report_set_quiet(int quiet)
{
	is_quiet = quiet;
}

void report_step(const char *format, ...)
{
	struct timespec now;
	va_list arguments;
	long seconds;

	if (is_quiet)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds = (long)(now.tv_sec - began);
	fprintf(stderr, "[%02ld:%02ld] ", seconds / 60, seconds % 60);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

int report_errno(int error, const char *format, ...)
{
	va_list arguments;

	fputs("keelson: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ": %s\n", strerror(error));
	return -error;
}

int report_refusal(const char *format, ...)
{
	va_list arguments;

	fputs("keelson: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -EINVAL;
}
