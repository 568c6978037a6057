/* SPDX-License-Identifier: Apache-2.0 */
/* The pure part of survive.h. The crash handler calls it: no libc, nothing that could lock. */
#include "init/survive.h"

#define FIELDS 7u

static const char digits[] = "0123456789abcdef";

static char *put_hex(char *at, uint64_t value)
{
	int shift = 60;

	while (shift > 0 && (value >> shift & 15) == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*at++ = digits[value >> shift & 15];
	return at;
}

void survive_format(const struct survive_again *again, char text[static SURVIVE_AGAIN_BYTES])
{
	char *at = put_hex(text, again->crashes);

	*at++ = ',';
	at = put_hex(at, again->signal);
	*at++ = ',';
	at = put_hex(at, again->crash_ns);
	*at++ = ',';
	at = put_hex(at, again->at_ns);
	*at++ = ',';
	at = put_hex(at, again->address);
	*at++ = ',';
	at = put_hex(at, again->instruction);
	*at++ = ',';
	at = put_hex(at, again->sender);
	*at = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number at `*text`, which ends with `end`; false: there is none. */
static bool take_hex(const char **text, char end, uint64_t *value)
{
	int length = 0;

	for (*value = 0; digit(**text) >= 0; (*text)++, length++)
		*value = *value << 4 | (uint64_t)digit(**text);
	if (length == 0 || length > 16 || **text != end)
		return false;
	*text += end != '\0';
	return true;
}

bool survive_parse(const char *text, struct survive_again *again)
{
	uint64_t fields[FIELDS];

	for (uint32_t i = 0; i < FIELDS; i++)
		if (!take_hex(&text, i + 1 < FIELDS ? ',' : '\0', &fields[i]))
			return false;
	if (fields[0] > UINT32_MAX || fields[1] > 64 || fields[6] > UINT32_MAX)
		return false;
	*again = (struct survive_again){
		.crashes = (uint32_t)fields[0],
		.signal = (uint32_t)fields[1],
		.crash_ns = fields[2],
		.at_ns = fields[3],
		.address = fields[4],
		.instruction = fields[5],
		.sender = (uint32_t)fields[6],
	};
	return true;
}

struct survive_again survive_next(const struct survive_again *before, uint32_t signal,
				  uint64_t now_ns, uint64_t period_ns)
{
	struct survive_again next = {
		.crashes = before->crashes,
		.signal = signal,
		.crash_ns = before->crash_ns,
		.at_ns = now_ns,
	};

	if (signal == 0)
		return next;
	if (before->crash_ns == 0 || now_ns < before->crash_ns ||
	    now_ns - before->crash_ns >= period_ns)
		next.crashes = 0;
	next.crashes++;
	next.crash_ns = now_ns;
	return next;
}
