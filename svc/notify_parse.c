/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/notify.h"

#include <string.h>

#define ERRNO_MAX 4095u /* of the kernel, MAX_ERRNO of include/linux/err.h */

#define STATES (NOTIFY_READY | NOTIFY_RELOADING | NOTIFY_STOPPING)
#define WATCHDOGS (NOTIFY_WATCHDOG | NOTIFY_TRIGGER)

static bool is(const char *value, size_t length, const char *text)
{
	return strlen(text) == length && memcmp(value, text, length) == 0;
}

static bool parse_number(const char *text, size_t length, uint64_t max, uint64_t *number)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < length; i++) {
		uint64_t digit = (uint64_t)(unsigned char)text[i] - '0';

		if (digit > 9 || sum > (max - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*number = sum;
	return length > 0;
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
	message->keys |= NOTIFY_STATUS;
}

/* Keys whose one value is 1, and what the others of their kind are. */
static const struct {
	char line[20];
	uint32_t key, instead_of;
} words[] = {
	{"READY=1", NOTIFY_READY, STATES},
	{"RELOADING=1", NOTIFY_RELOADING, STATES},
	{"STOPPING=1", NOTIFY_STOPPING, STATES},
	{"WATCHDOG=1", NOTIFY_WATCHDOG, WATCHDOGS},
	{"WATCHDOG=trigger", NOTIFY_TRIGGER, WATCHDOGS},
	{"BARRIER=1", NOTIFY_BARRIER, 0},
};

static bool take_word(struct notify_message *message, const char *line, size_t length)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t size = strlen(words[i].line);

		if (size != length || memcmp(line, words[i].line, size) != 0)
			continue;
		message->keys = (message->keys & ~words[i].instead_of) | words[i].key;
		return true;
	}
	return false;
}

static void take_number(struct notify_message *message, const char *key, size_t key_length,
			const char *value, size_t length)
{
	uint64_t number;

	if (is(key, key_length, "MAINPID")) {
		if (!parse_number(value, length, INT32_MAX, &number) || number == 0)
			return;
		message->main_pid = (int32_t)number;
		message->keys |= NOTIFY_MAINPID;
	} else if (is(key, key_length, "ERRNO")) {
		if (!parse_number(value, length, ERRNO_MAX, &number))
			return;
		message->error = (int32_t)number;
		message->keys |= NOTIFY_ERRNO;
	} else if (is(key, key_length, "WATCHDOG_USEC")) {
		if (parse_number(value, length, UINT64_MAX, &message->watchdog_us))
			message->keys |= NOTIFY_WATCHDOG_USEC;
	} else if (is(key, key_length, "EXTEND_TIMEOUT_USEC")) {
		if (parse_number(value, length, UINT64_MAX, &message->extend_us))
			message->keys |= NOTIFY_EXTEND;
	} else if (is(key, key_length, "MONOTONIC_USEC")) {
		if (parse_number(value, length, UINT64_MAX, &message->monotonic_us))
			message->keys |= NOTIFY_MONOTONIC;
	}
}

/* A line that is `cut` is a longer one than any that means something, but for a status. */
static void take_line(struct notify_message *message, const char *line, size_t length, bool cut)
{
	const char *equals = memchr(line, '=', length);
	size_t key = equals ? (size_t)(equals - line) : 0;

	if (!equals)
		return;
	if (is(line, key, "STATUS"))
		take_status(message, equals + 1, length - key - 1);
	else if (!cut && !take_word(message, line, length))
		take_number(message, line, key, equals + 1, length - key - 1);
}

void notify_parse_begin(struct notify_parser *parser, struct notify_message *message)
{
	memset(message, 0, sizeof *message);
	parser->message = message;
	parser->length = 0;
	parser->cut = false;
}

static void end_line(struct notify_parser *parser)
{
	take_line(parser->message, parser->line, parser->length, parser->cut);
	parser->length = 0;
	parser->cut = false;
}

static void add(struct notify_parser *parser, const char *text, size_t size)
{
	size_t room = sizeof parser->line - parser->length;

	if (size > room) {
		size = room;
		parser->cut = true;
	}
	memcpy(parser->line + parser->length, text, size);
	parser->length += (uint32_t)size;
}

void notify_parse_piece(struct notify_parser *parser, const char *text, size_t size)
{
	const char *end = text + size;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		add(parser, text, (size_t)((newline ? newline : end) - text));
		if (!newline)
			return;
		end_line(parser);
		text = newline + 1;
	}
}

void notify_parse_end(struct notify_parser *parser, bool whole)
{
	if (whole)
		end_line(parser);
	if (parser->message->keys & NOTIFY_BARRIER)
		parser->message->keys = NOTIFY_BARRIER;
}

void notify_parse(const char *text, size_t size, struct notify_message *message)
{
	struct notify_parser parser;

	notify_parse_begin(&parser, message);
	notify_parse_piece(&parser, text, size);
	notify_parse_end(&parser, true);
}
