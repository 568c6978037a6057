/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/stamp.h"

#include <string.h>

#include "svc/format.h"

void stamp_make(const struct timespec *now, char stamp[static STAMP_BYTES + 1])
{
	struct tm utc = {0};

	gmtime_r(&now->tv_sec, &utc);
	unsigned year = (unsigned)(utc.tm_year + 1900) % 10000;

	format_text(stamp, STAMP_BYTES + 1, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ ", year,
		    (unsigned)utc.tm_mon + 1, (unsigned)utc.tm_mday, (unsigned)utc.tm_hour,
		    (unsigned)utc.tm_min, (unsigned)utc.tm_sec, (unsigned)(now->tv_nsec / 1000000));
}

size_t stamp_lines(const char *in, size_t size, const char stamp[static STAMP_BYTES],
		   bool *line_start, char *out, size_t out_size, size_t *written)
{
	size_t taken = 0, at = 0;

	while (taken < size) {
		if (*line_start) {
			if (out_size - at <= STAMP_BYTES)
				break;
			memcpy(out + at, stamp, STAMP_BYTES);
			at += STAMP_BYTES;
			*line_start = false;
		}
		size_t room = out_size - at, length = size - taken;

		if (length > room)
			length = room;
		if (length == 0)
			break;
		const char *newline = memchr(in + taken, '\n', length);

		if (newline) {
			length = (size_t)(newline - (in + taken)) + 1;
			*line_start = true;
		}
		memcpy(out + at, in + taken, length);
		at += length;
		taken += length;
	}
	*written = at;
	return taken;
}
