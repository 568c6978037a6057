/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted at a path, in the text of /proc/PID/mountinfo: proc(5). */
#include <string.h>

#include "svc/policy_compare.h"

/* The character at `text`, which may be an escape of three octal digits; its length. */
static size_t unescape(const char *text, char *c)
{
	if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
	    text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
		*c = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
		return 4;
	}
	*c = text[0];
	return 1;
}

static bool is_path(const char *field, const char *path)
{
	while (*field && *field != ' ' && *field != '\n') {
		char c;

		field += unescape(field, &c);
		if (c != *path++)
			return false;
	}
	return *path == '\0';
}

/* Field `number` of the line, counted from 1; NULL: the line has fewer. */
static const char *field_of(const char *line, unsigned number)
{
	while (--number > 0) {
		line += strcspn(line, " \n");
		if (*line != ' ')
			return NULL;
		line++;
	}
	return line;
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; *at && *at != ' ' && *at != '\n';) {
		size_t one = strcspn(at, ", \n");

		if (one == length && memcmp(at, word, length) == 0)
			return true;
		at += one;
		if (*at == ',')
			at++;
	}
	return false;
}

static void copy_type(const char *line, char type[static 16])
{
	const char *end = line + strcspn(line, "\n");
	const char *dash = strstr(line, " - ");

	type[0] = '\0';
	if (!dash || dash > end)
		return;
	size_t length = strcspn(dash + 3, " \n");

	if (length > 15)
		length = 15;
	memcpy(type, dash + 3, length);
	type[length] = '\0';
}

bool policy_mount_at(const char *mountinfo, const char *path, bool *read_only, char type[static 16])
{
	bool found = false;

	for (const char *line = mountinfo; line && *line;) {
		const char *where = field_of(line, 5), *options = field_of(line, 6);

		/* Later ones lie on earlier ones. */
		if (where && options && is_path(where, path)) {
			found = true;
			*read_only = has_word(options, "ro");
			copy_type(line, type);
		}
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return found;
}
