// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/lock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LINE "# keelson lock 1"

static int by_name(const void *a, const void *b)
{
	const struct package *first = a;
	const struct package *second = b;
	int order = strcmp(first->name, second->name);

	return order != 0 ? order : strcmp(first->architecture, second->architecture);
}

void lock_sort(struct package_set *set)
{
	if (set->count > 0)
		qsort(set->list, set->count, sizeof(*set->list), by_name);
}

void lock_format(const struct package_set *set, struct bytes *text)
{
	bytes_printf(text, FIRST_LINE "\nrequest %s\n", set->request);
	for (size_t i = 0; i < set->count; i++) {
		const struct package *package = &set->list[i];

		bytes_printf(text, "%s %s %s %s\n", package->name, package->version,
			     package->architecture, package->sha256);
	}
}

static bool is_digest(const char *text)
{
	return strlen(text) == SHA256_TEXT_BYTES - 1 &&
	       strspn(text, "0123456789abcdef") == SHA256_TEXT_BYTES - 1;
}

/* Cut `line` at single spaces into exactly `count` fields, none of them empty. */
static bool split(char *line, char *fields[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strcspn(line, " ");

		fields[i] = line;
		if (length == 0 || (line[length] == ' ') != (i + 1 < count))
			return false;
		line += length;
		if (*line == ' ')
			*line++ = '\0';
	}
	return true;
}

static bool parse_line(char *line, size_t number, struct pool *pool, struct package_set *set)
{
	char *fields[4];

	if (number == 1)
		return strcmp(line, FIRST_LINE) == 0;
	if (number == 2) {
		if (!split(line, fields, 2) || strcmp(fields[0], "request") != 0 ||
		    !is_digest(fields[1]))
			return false;
		memcpy(set->request, fields[1], SHA256_TEXT_BYTES);
		return true;
	}
	if (!split(line, fields, 4) || !is_digest(fields[3]))
		return false;
	POOL_GROW(pool, set->list, set->count);
	set->list[set->count++] = (struct package){.name = fields[0],
						   .version = fields[1],
						   .architecture = fields[2],
						   .sha256 = fields[3]};
	return true;
}

int lock_parse(const char *text, struct pool *pool, struct package_set *set, size_t *line)
{
	char *copy = pool_strdup(pool, text);

	*set = (struct package_set){0};
	for (*line = 1; *copy != '\0'; ++*line) {
		char *end = strchr(copy, '\n');

		if (end == NULL)
			return -EBADMSG;
		*end = '\0';
		if (!parse_line(copy, *line, pool, set))
			return -EBADMSG;
		copy = end + 1;
	}
	return *line > 2 ? 0 : -EBADMSG;
}
