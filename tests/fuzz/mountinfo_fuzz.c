/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer: a line of /proc/self/mountinfo. */
#include <stdlib.h>
#include <string.h>

#include "mount/mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	struct mountinfo info;

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (mountinfo_parse(line, &info) == 0 &&
	    (info.target[0] != '/' || strlen(info.root) + strlen(info.super_options) > size))
		abort();
	free(line);
	return 0;
}
