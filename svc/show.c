/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/show.h"

#include <stdlib.h>
#include <unistd.h>

#include "svc/service.h"

static bool colour;

void show_init(FILE *stream)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	colour = isatty(fileno(stream)) && !(no_colour && *no_colour) &&
		 !(terminal && terminal[0] == 'd' && terminal[1] == 'u'); /* dumb */
}

const char *show_plain(void)
{
	return colour ? "\033[0m" : "";
}

const char *show_bold(void)
{
	return colour ? "\033[1m" : "";
}

const char *show_state_colour(uint32_t state)
{
	if (!colour)
		return "";
	switch (state) {
	case SERVICE_UP:
	case SERVICE_DONE: return "\033[32m";
	case SERVICE_FAILED: return "\033[1;31m";
	case SERVICE_BACKOFF: return "\033[31m";
	case SERVICE_DOWN: return "\033[2m";
	default: return "\033[33m";
	}
}

static const char *two_units(uint64_t high, const char *high_unit, uint64_t low,
			     const char *low_unit, char text[static SHOW_TIME_BYTES])
{
	snprintf(text, SHOW_TIME_BYTES, "%u%s %u%s", (unsigned)high, high_unit, (unsigned)low,
		 low_unit);
	return text;
}

const char *show_span(uint64_t ns, char text[static SHOW_TIME_BYTES])
{
	uint64_t ms = ns / 1000000, s = ms / 1000, min = s / 60, h = min / 60;

	if (ms < 1000)
		snprintf(text, SHOW_TIME_BYTES, "%ums", (unsigned)ms);
	else if (s < 60)
		snprintf(text, SHOW_TIME_BYTES, "%u.%us", (unsigned)s, (unsigned)(ms % 1000 / 100));
	else if (min < 60)
		return two_units(min, "min", s % 60, "s", text);
	else if (h < 24)
		return two_units(h, "h", min % 60, "min", text);
	else
		return two_units(h / 24, "d", h % 24, "h", text);
	return text;
}

const char *show_seconds(uint64_t ns, char text[static SHOW_TIME_BYTES])
{
	snprintf(text, SHOW_TIME_BYTES, "%llu.%03llu", (unsigned long long)(ns / 1000000000),
		 (unsigned long long)(ns / 1000000 % 1000));
	return text;
}

const char *show_bytes(uint64_t bytes, char text[static SHOW_TIME_BYTES])
{
	unsigned long long kib = bytes >> 10;

	if (kib < 10240)
		snprintf(text, SHOW_TIME_BYTES, "%llu KiB", kib);
	else
		snprintf(text, SHOW_TIME_BYTES, "%llu MiB", kib >> 10);
	return text;
}

/* Bytes that follow `lead` in a character of UTF-8 (RFC 3629); -1: no such lead. */
static int utf8_rest(unsigned char lead)
{
	if (lead < 0x80)
		return 0;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 1;
	if (lead >= 0xe0 && lead <= 0xef)
		return 2;
	return lead >= 0xf0 && lead <= 0xf4 ? 3 : -1;
}

/* How many bytes at `text` are one character that may be shown; 0: none. */
static size_t harmless(const unsigned char *text, size_t size)
{
	int rest = utf8_rest(text[0]);
	size_t length = 1;

	if (rest < 0 ||
	    (rest == 0 && text[0] != '\n' && text[0] != '\t' && (text[0] < ' ' || text[0] == 127)))
		return 0;
	for (; rest > 0 && length < size; rest--, length++)
		if (text[length] < 0x80 || text[length] > 0xbf)
			return 0;
	return length > 1 && text[0] == 0xc2 && text[1] < 0xa0 ? 0 : length;
}

void show_defuse(char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t length = harmless((const unsigned char *)text + at, size - at);

		if (length == 0)
			text[at] = '?';
		at += length ? length : 1;
	}
}

void show_json_string(FILE *stream, const char *text)
{
	fputc('"', stream);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(stream, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(stream, "\\u%04x", c);
		else
			fputc(c, stream);
	}
	fputc('"', stream);
}

static void key_of(FILE *stream, bool first, const char *key)
{
	fprintf(stream, "%s\"%s\": ", first ? "" : ", ", key);
}

void show_json_field(FILE *stream, bool first, const char *key, const char *text)
{
	key_of(stream, first, key);
	show_json_string(stream, text);
}

void show_json_number(FILE *stream, bool first, const char *key, uint64_t value)
{
	key_of(stream, first, key);
	fprintf(stream, "%llu", (unsigned long long)value);
}

void show_json_bool(FILE *stream, bool first, const char *key, bool value)
{
	key_of(stream, first, key);
	fputs(value ? "true" : "false", stream);
}
