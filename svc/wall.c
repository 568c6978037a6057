/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/wall.h"

#include <time.h>

const char *wall_text(uint64_t at_ns, uint64_t now_ns, char text[static WALL_BYTES])
{
	struct tm parts;
	time_t seconds;

	text[0] = '\0';
	if (at_ns == 0)
		return text;
	seconds = time(NULL) - (time_t)((now_ns - at_ns) / 1000000000);
	if (localtime_r(&seconds, &parts))
		strftime(text, WALL_BYTES, "%a %Y-%m-%d %H:%M:%S %Z", &parts);
	return text;
}
