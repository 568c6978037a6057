// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/glob.h"

#include <string.h>

/* Is `c` in the set that begins after '['? `*end` is set behind the ']', or NULL: no set at all. */
static bool in_set(const char *set, char c, const char **end)
{
	bool negated = *set == '!';
	bool found = false;
	const char *at = set + negated;

	*end = NULL;
	for (const char *first = at; *at != '\0' && (*at != ']' || at == first); at++) {
		if (at[1] == '-' && at[2] != ']' && at[2] != '\0') {
			found |= at[0] <= c && c <= at[2];
			at += 2;
		} else {
			found |= *at == c;
		}
	}
	if (*at == ']')
		*end = at + 1;
	return found != negated && c != '/';
}

/*
 * One star of each kind is remembered: where to go on in the pattern, and the next place in the path
 * to try. A later star replaces an earlier one of its kind, which keeps the time bounded by the
 * product of the lengths; `**` forgets the `*` before it.
 */
struct star {
	const char *pattern;
	const char *path;
};

static bool step_back(struct star *one, struct star *two, const char **pattern, const char **path)
{
	struct star *star = one->pattern != NULL && *one->path != '\0' && *one->path != '/' ? one
			    : two->pattern != NULL && *two->path != '\0'                    ? two
											    : NULL;

	if (star == NULL)
		return false;
	if (star == two)
		one->pattern = NULL;
	*pattern = star->pattern;
	*path = ++star->path;
	return true;
}

/* Matches one character or set; advances the pattern. */
static bool match_one(const char **pattern, char c)
{
	const char *end;

	switch (**pattern) {
	case '\0': return false;
	case '?': ++*pattern; return c != '/';
	case '[':
		if (in_set(*pattern + 1, c, &end) && end != NULL) {
			*pattern = end;
			return true;
		}
		if (end != NULL)
			return false;
		break;
	case '\\':
		if ((*pattern)[1] != '\0')
			++*pattern;
		break;
	default: break;
	}
	return *(*pattern)++ == c;
}

bool glob_match(const char *pattern, const char *path)
{
	struct star one = {0};
	struct star two = {0};

	for (;;) {
		if (pattern[0] == '*' && pattern[1] == '*') {
			while (*pattern == '*')
				pattern++;
			two = (struct star){pattern, path};
			one.pattern = NULL;
		} else if (*pattern == '*') {
			one = (struct star){++pattern, path};
		} else if (*path != '\0') {
			if (match_one(&pattern, *path))
				path++;
			else if (!step_back(&one, &two, &pattern, &path))
				return false;
		} else if (*pattern == '\0' || strcmp(pattern, "/**") == 0) {
			return true;
		} else {
			return false;
		}
	}
}

bool glob_any(const char *const *patterns, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if (glob_match(patterns[i], path))
			return true;
	return false;
}
