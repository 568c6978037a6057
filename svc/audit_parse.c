/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/audit_parse.h"

#include <errno.h>
#include <string.h>

#define STAMP "audit("

/* What is left of the text. */
struct rest {
	const char *at;
	const char *end;
};

struct word {
	const char *at;
	size_t length;
};

static int digit(char c, unsigned base)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (base == 16 && c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (base == 16 && c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The whole word, at most `max`. */
static bool number(struct word word, unsigned base, uint64_t max, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < word.length; i++) {
		int next = digit(word.at[i], base);

		if (next < 0 || *value > (max - (uint64_t)next) / base)
			return false;
		*value = *value * base + (uint64_t)next;
	}
	return word.length > 0;
}

/* "audit(SECONDS.MS:SERIAL)" at the beginning. */
static bool take_serial(struct rest *rest, uint64_t *serial)
{
	size_t size = (size_t)(rest->end - rest->at);

	if (size < sizeof STAMP || memcmp(rest->at, STAMP, sizeof STAMP - 1) != 0)
		return false;
	const char *close = memchr(rest->at, ')', size);
	const char *colon = close ? memchr(rest->at, ':', (size_t)(close - rest->at)) : NULL;

	if (!colon)
		return false;
	rest->at = close + 1;
	return number((struct word){colon + 1, (size_t)(close - colon - 1)}, 10, UINT64_MAX,
		      serial);
}

/* The next "key=value"; a value in quotes may hold blanks. */
static bool take_pair(struct rest *rest, struct word *key, struct word *value)
{
	const char *at = rest->at, *end = rest->end;

	while (at < end && (*at == ' ' || *at == ':'))
		at++;
	const char *equals = memchr(at, '=', (size_t)(end - at));

	if (!equals)
		return false;
	*key = (struct word){at, (size_t)(equals - at)};
	at = equals + 1;

	const char *begin = at;

	if (at < end && *at == '"') {
		at = memchr(at + 1, '"', (size_t)(end - at - 1));
		if (!at)
			return false;
		at++;
	}
	while (at < end && *at != ' ')
		at++;
	*value = (struct word){begin, (size_t)(at - begin)};
	rest->at = at;
	return true;
}

static bool is(struct word key, const char *name)
{
	return key.length == strlen(name) && memcmp(key.at, name, key.length) == 0;
}

static char printable(char c)
{
	return c >= ' ' && c <= '~' ? c : '?';
}

static bool copy_comm(struct word value, char comm[static AUDIT_COMM_BYTES])
{
	size_t n = 0;

	memset(comm, 0, AUDIT_COMM_BYTES);
	if (value.length >= 2 && value.at[0] == '"') {
		for (size_t i = 1; i + 1 < value.length && n < AUDIT_COMM_BYTES - 1; i++)
			comm[n++] = printable(value.at[i]);
		return true;
	}
	if (value.length % 2 != 0)
		return false;
	for (size_t i = 0; i < value.length; i += 2) {
		int high = digit(value.at[i], 16), low = digit(value.at[i + 1], 16);

		if (high < 0 || low < 0)
			return false;
		if (n < AUDIT_COMM_BYTES - 1)
			comm[n++] = printable((char)(high << 4 | low));
	}
	return true;
}

enum key { KEY_PID = 1, KEY_COMM = 2, KEY_ARCH = 4, KEY_SYSCALL = 8, KEY_CODE = 16, KEYS = 31 };

static bool take_code(struct word value, uint32_t *action)
{
	uint64_t code;

	if (value.length < 3 || value.at[0] != '0' || value.at[1] != 'x' ||
	    !number((struct word){value.at + 2, value.length - 2}, 16, UINT32_MAX, &code))
		return false;
	*action = (uint32_t)code & 0xffff0000u; /* SECCOMP_RET_ACTION_FULL */
	return true;
}

/* Which key it was, 0: one that does not matter; a value that makes no sense: -1. */
static int take(struct audit_record *record, struct word key, struct word value)
{
	uint64_t n = 0;
	bool good = true;
	int which = 0;

	if (is(key, "pid")) {
		good = number(value, 10, INT32_MAX, &n);
		record->pid = (int32_t)n;
		which = KEY_PID;
	} else if (is(key, "comm")) {
		good = copy_comm(value, record->comm);
		which = KEY_COMM;
	} else if (is(key, "arch")) {
		good = number(value, 16, UINT32_MAX, &n);
		record->arch = (uint32_t)n;
		which = KEY_ARCH;
	} else if (is(key, "syscall")) {
		/* The kernel prints it as a signed long; a filter sees 32 bits of it. */
		good = value.length > 0 && value.at[0] == '-' ? true
							      : number(value, 10, UINT64_MAX, &n);
		record->syscall = value.length > 0 && value.at[0] == '-' ? UINT32_MAX : (uint32_t)n;
		which = KEY_SYSCALL;
	} else if (is(key, "code")) {
		good = take_code(value, &record->action);
		which = KEY_CODE;
	}
	return good ? which : -1;
}

int audit_parse_serial(const char *text, size_t size, uint64_t *serial)
{
	struct rest rest = {text, text + size};

	return take_serial(&rest, serial) ? 0 : -EBADMSG;
}

int audit_parse_seccomp(const char *text, size_t size, struct audit_record *record)
{
	struct rest rest = {text, text + size};
	struct word key, value;
	int seen = 0;

	memset(record, 0, sizeof *record);
	if (!take_serial(&rest, &record->serial))
		return -EBADMSG;
	while (take_pair(&rest, &key, &value)) {
		int which = take(record, key, value);

		/* Each once: a second one would be somebody else's word. */
		if (which < 0 || (seen & which) != 0)
			return -EBADMSG;
		seen |= which;
	}
	return seen == KEYS ? 0 : -EBADMSG;
}
