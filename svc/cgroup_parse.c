/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/cgroup.h"

#include <errno.h>
#include <string.h>

/* The rest of the first line that begins with `key`, or NULL. */
static const char *find_line(const char *text, size_t size, const char *key, size_t *length)
{
	size_t key_length = strlen(key);
	const char *end = text + size;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;
		size_t line = (size_t)(stop - text);

		if (line >= key_length && memcmp(text, key, key_length) == 0) {
			*length = line - key_length;
			return text + key_length;
		}
		text = newline ? newline + 1 : end;
	}
	return NULL;
}

int cgroup_parse_populated(const char *text, size_t size)
{
	size_t length;
	const char *value = find_line(text, size, "populated ", &length);

	if (!value || length != 1 || (*value != '0' && *value != '1'))
		return -EBADMSG;
	return *value - '0';
}

int cgroup_parse_counter(const char *text, size_t size, const char *key, uint64_t *value)
{
	size_t length;
	const char *digits = find_line(text, size, key, &length);

	if (!digits || length == 0)
		return -EBADMSG;
	*value = 0;
	for (size_t i = 0; i < length; i++) {
		if (digits[i] < '0' || digits[i] > '9' || *value > UINT64_MAX / 10 - 1)
			return -EBADMSG;
		*value = *value * 10 + (uint64_t)(digits[i] - '0');
	}
	return 0;
}

size_t cgroup_device_length(const char *value)
{
	return value[0] == '/' ? strcspn(value, " ") : 0;
}

int cgroup_parse_path(const char *text, size_t size, char path[static CGROUP_PATH_BYTES])
{
	size_t length;
	const char *value = find_line(text, size, "0::/", &length);
	static const char deleted[] = " (deleted)"; /* a zombie's, of a group that is removed */
	const size_t suffix = sizeof deleted - 1;

	if (!value)
		return -ENOENT;
	if (length >= suffix && memcmp(value + length - suffix, deleted, suffix) == 0)
		length -= suffix;
	if (length >= CGROUP_PATH_BYTES)
		return -ENAMETOOLONG;
	memcpy(path, value, length);
	path[length] = '\0';
	return 0;
}

bool cgroup_contains(const char *group, const char *path)
{
	size_t length = strlen(group);

	return length > 0 && strncmp(group, path, length) == 0 &&
	       (path[length] == '\0' || path[length] == '/');
}
