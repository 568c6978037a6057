/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/notify.h"

#include <string.h>

static bool is(const char *line, size_t length, const char *text)
{
	return strlen(text) == length && memcmp(line, text, length) == 0;
}

static void take_status(struct notify_message *message, const char *value, size_t length)
{
	if (length > sizeof message->status - 1)
		length = sizeof message->status - 1;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)value[i];

		/* Bytes above are half a character when cut, or control a terminal (ECMA-48, C1). */
		message->status[i] = c < ' ' || c > '~' ? '?' : (char)c;
	}
	message->status[length] = '\0';
	message->has_status = true;
}

static void take_line(struct notify_message *message, const char *line, size_t length)
{
	static const char status[] = "STATUS=";
	size_t key = sizeof status - 1;

	if (is(line, length, "READY=1"))
		message->ready = true;
	else if (length >= key && memcmp(line, status, key) == 0)
		take_status(message, line + key, length - key);
}

void notify_parse(const char *text, size_t size, struct notify_message *message)
{
	const char *end = text + size;

	memset(message, 0, sizeof *message);
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;

		take_line(message, text, (size_t)(stop - text));
		text = newline ? newline + 1 : end;
	}
}
