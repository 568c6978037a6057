/* SPDX-License-Identifier: Apache-2.0 */
#include "init/cmdline.h"

#include <string.h>
#include <syslog.h>

#define PREFIX "keelson."

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The length of the word at `text`, which does not begin with white space. */
static size_t word_length(const char *text)
{
	bool quoted = false;
	size_t n = 0;

	for (; text[n] != '\0' && (quoted || !is_space(text[n])); n++)
		if (text[n] == '"')
			quoted = !quoted;
	return n;
}

size_t cmdline_word(const char **text)
{
	while (is_space(**text))
		(*text)++;
	return word_length(*text);
}

static bool equals(const char *word, size_t length, const char *text)
{
	return strlen(text) == length && memcmp(word, text, length) == 0;
}

static bool take_slot(struct cmdline *cmdline, const char *value, size_t length)
{
	if (length != 1 || (value[0] != 'a' && value[0] != 'b'))
		return false;
	cmdline->slot = value[0] - 'a';
	return true;
}

static bool take_log(struct cmdline *cmdline, const char *value, size_t length)
{
	static const struct {
		const char *name;
		int level;
	} levels[] = {
		{"err", LOG_ERR},   {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
		{"info", LOG_INFO}, {"debug", LOG_DEBUG},
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (equals(value, length, levels[i].name)) {
			cmdline->log_level = levels[i].level;
			return true;
		}
	return false;
}

/* One word that begins with the prefix; `word` and `length` are what follows it. */
static bool take(struct cmdline *cmdline, const char *word, size_t length)
{
	const char *equal = memchr(word, '=', length);
	size_t name = equal ? (size_t)(equal - word) : length;
	const char *value = equal ? equal + 1 : word + length;
	size_t value_length = equal ? length - name - 1 : 0;

	if (equal && equals(word, name, "slot"))
		return take_slot(cmdline, value, value_length);
	if (equal && equals(word, name, "log"))
		return take_log(cmdline, value, value_length);
	if (equal && equals(word, name, "reset"))
		return equals(value, value_length, "state") && (cmdline->reset_state = true);
	if (!equal && equals(word, name, "trace"))
		return cmdline->trace = true;
	return false;
}

static void complain(struct cmdline *cmdline, const char *word, size_t length)
{
	if (cmdline->complaint_count == CMDLINE_COMPLAINTS)
		return;
	cmdline->complaints[cmdline->complaint_count++] =
		(struct cmdline_complaint){.word = word, .length = (int)length};
}

void cmdline_parse(const char *text, struct cmdline *cmdline)
{
	const size_t prefix = strlen(PREFIX);

	*cmdline = (struct cmdline){.slot = -1, .log_level = -1};
	for (;;) {
		size_t length = cmdline_word(&text);

		if (length == 0)
			return;
		/* What follows a lone "--" is meant for init itself, not a parameter. */
		if (equals(text, length, "--"))
			return;
		if (length >= prefix && memcmp(text, PREFIX, prefix) == 0 &&
		    !take(cmdline, text + prefix, length - prefix))
			complain(cmdline, text, length);
		text += length;
	}
}
