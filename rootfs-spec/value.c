/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "rootfs-spec/value.h"

bool value_integer(const char *text, int64_t *value)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	bool hexadecimal = digits[0] == '0' && digits[1] == 'x';
	char *end;

	if (!isxdigit((unsigned char)digits[hexadecimal ? 2 : 0]))
		return false;
	/* "017" is 17 to some and 15 to others. */
	if (digits[0] == '0' && isdigit((unsigned char)digits[1]))
		return false;
	errno = 0;
	*value = strtoll(text, &end, hexadecimal ? 16 : 10);
	return !errno && *end == '\0' && end != text;
}

bool value_boolean(const char *text, bool *value)
{
	*value = strcmp(text, "true") == 0;
	return *value || strcmp(text, "false") == 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit *find_unit(const struct unit *units, const char *text, size_t length)
{
	for (; units->name; units++)
		if (strlen(units->name) == length && strncmp(units->name, text, length) == 0)
			return units;
	return NULL;
}

/* One number with its unit: adds to `sum` and returns what follows, NULL when it is neither. */
static const char *add_part(const char *text, const struct unit *units, uint64_t *sum)
{
	uint64_t number = 0, product;

	if (!isdigit((unsigned char)*text))
		return NULL;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
			return NULL;
	size_t length = 0;
	while (isalpha((unsigned char)text[length]))
		length++;
	const struct unit *unit = find_unit(units, text, length);
	if (!unit || __builtin_mul_overflow(number, unit->factor, &product) ||
	    __builtin_add_overflow(*sum, product, sum))
		return NULL;
	return text + length;
}

bool value_duration(const char *text, uint64_t *ns)
{
	static const struct unit units[] = {
		{"ns", 1},
		{"us", 1000},
		{"ms", 1000000},
		{"s", 1000000000},
		{"min", 60 * 1000000000ull},
		{"m", 60 * 1000000000ull},
		{"h", 3600 * 1000000000ull},
		{"d", 86400 * 1000000000ull},
		{NULL, 0},
	};

	*ns = 0;
	if (strcmp(text, "0") == 0)
		return true;
	if (!*text)
		return false;
	while (text && *text)
		text = add_part(text, units, ns);
	return text != NULL;
}

bool value_size(const char *text, uint64_t *bytes)
{
	static const struct unit units[] = {
		{"", 1},
		{"B", 1},
		{"KiB", 1ull << 10},
		{"Ki", 1ull << 10},
		{"MiB", 1ull << 20},
		{"Mi", 1ull << 20},
		{"GiB", 1ull << 30},
		{"Gi", 1ull << 30},
		{"TiB", 1ull << 40},
		{"Ti", 1ull << 40},
		{NULL, 0},
	};

	*bytes = 0;
	const char *end = add_part(text, units, bytes);
	return end && *end == '\0';
}

bool value_mode(const char *text, uint32_t *mode)
{
	size_t length = strlen(text);

	if (length < 3 || length > 5 || text[strspn(text, "01234567")])
		return false;
	*mode = (uint32_t)strtoul(text, NULL, 8);
	return *mode <= 07777;
}

const char *const value_signals[] = {"HUP",  "INT",  "QUIT", "ABRT", "KILL",  "USR1", "USR2",
				     "PIPE", "ALRM", "TERM", "CONT", "WINCH", NULL};

bool value_signal(const char *text, uint32_t *number)
{
	static const uint32_t numbers[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGABRT, SIGKILL, SIGUSR1,
					   SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGCONT, SIGWINCH};
	int64_t value;

	if (value_integer(text, &value)) {
		*number = (uint32_t)value;
		return value >= 1 && value <= 64;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	/* The node's libc is musl: SIGRTMIN is 35 there, as in glibc 34. Count as people expect. */
	if (strncasecmp(text, "RTMIN+", 6) == 0 && value_integer(text + 6, &value)) {
		*number = 34 + (uint32_t)value;
		return value >= 0 && value <= 30;
	}
	for (size_t i = 0; value_signals[i]; i++)
		if (strcasecmp(text, value_signals[i]) == 0) {
			*number = numbers[i];
			return true;
		}
	return false;
}

static const char *cpu_number(const char *text, uint32_t *cpu)
{
	*cpu = 0;
	if (!isdigit((unsigned char)*text))
		return NULL;
	for (; isdigit((unsigned char)*text); text++) {
		*cpu = *cpu * 10 + (uint32_t)(*text - '0');
		if (*cpu >= PLAN_MAX_CPUS)
			return NULL;
	}
	return text;
}

bool value_cpus(const char *text, uint64_t words[VALUE_CPU_WORDS])
{
	uint32_t first, last;

	memset(words, 0, VALUE_CPU_WORDS * sizeof(words[0]));
	for (;; text++) {
		text = cpu_number(text, &first);
		last = first;
		if (text && *text == '-')
			text = cpu_number(text + 1, &last);
		if (!text || last < first)
			return false;
		for (uint32_t cpu = first; cpu <= last; cpu++) {
			if (words[cpu / 64] >> cpu % 64 & 1)
				return false;
			words[cpu / 64] |= 1ull << cpu % 64;
		}
		if (*text == '\0')
			return true;
		if (*text != ',')
			return false;
	}
}

const char *const value_resources[] = {"cpu",    "fsize",      "data",     "stack",   "core",
				       "rss",    "nproc",      "nofile",   "memlock", "as",
				       "locks",  "sigpending", "msgqueue", "nice",    "rtprio",
				       "rttime", NULL};

bool value_resource(const char *text, uint32_t *resource)
{
	static const uint32_t numbers[] = {RLIMIT_CPU,      RLIMIT_FSIZE,  RLIMIT_DATA,
					   RLIMIT_STACK,    RLIMIT_CORE,   RLIMIT_RSS,
					   RLIMIT_NPROC,    RLIMIT_NOFILE, RLIMIT_MEMLOCK,
					   RLIMIT_AS,       RLIMIT_LOCKS,  RLIMIT_SIGPENDING,
					   RLIMIT_MSGQUEUE, RLIMIT_NICE,   RLIMIT_RTPRIO,
					   RLIMIT_RTTIME};

	if (strncasecmp(text, "RLIMIT_", 7) == 0)
		text += 7;
	for (size_t i = 0; value_resources[i]; i++)
		if (strcasecmp(text, value_resources[i]) == 0) {
			*resource = numbers[i];
			return true;
		}
	return false;
}
