/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/mountinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Cut the next field off at a space; NULL when nothing is left. An empty field is a field. */
static char *next_field(char **rest)
{
	char *field = *rest;
	char *end;

	if (!field)
		return NULL;
	end = strchr(field, ' ');
	*rest = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return field;
}

char *mountinfo_unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		bool octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' &&
			     from[2] >= '0' && from[2] <= '7' && from[3] >= '0' && from[3] <= '7';
		int value = octal ? (from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0')
				  : 0;

		if (value) {
			*to++ = (char)value;
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	return text;
}

/* A whole field, or what stands before `end` in it. */
static bool parse_number(const char *text, char end, uint32_t *number, const char **after)
{
	uint64_t value = 0;
	const char *p = text;

	while (*p >= '0' && *p <= '9' && value <= UINT32_MAX)
		value = value * 10 + (uint64_t)(*p++ - '0');
	if (p == text || *p != end || value > UINT32_MAX)
		return false;
	*number = (uint32_t)value;
	*after = p + 1;
	return true;
}

static bool parse_numbers(const char *id, const char *parent, const char *device,
			  struct mountinfo *info)
{
	const char *after;

	return parse_number(id, '\0', &info->id, &after) &&
	       parse_number(parent, '\0', &info->parent, &after) &&
	       parse_number(device, ':', &info->major, &after) &&
	       parse_number(after, '\0', &info->minor, &after);
}

int mountinfo_parse(char *line, struct mountinfo *info)
{
	char *rest = line;
	char *fields[6];
	char *tail[3];
	char *optional;

	for (size_t i = 0; i < 6; i++) {
		fields[i] = next_field(&rest);
		if (!fields[i])
			return -EBADMSG;
	}
	do {
		optional = next_field(&rest);
		if (!optional)
			return -EBADMSG;
	} while (strcmp(optional, "-") != 0);
	for (size_t i = 0; i < 3; i++) {
		tail[i] = next_field(&rest);
		if (!tail[i])
			return -EBADMSG;
	}
	if (!parse_numbers(fields[0], fields[1], fields[2], info) || fields[4][0] != '/')
		return -EBADMSG;
	info->root = mountinfo_unescape(fields[3]);
	info->target = mountinfo_unescape(fields[4]);
	info->options = fields[5];
	info->type = tail[0];
	info->source = mountinfo_unescape(tail[1]);
	info->super_options = tail[2];
	return 0;
}
