/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/timeline.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "svc/format.h"

static const char kind_names[][12] = {
	[TIMELINE_PHASE] = "phase",         [TIMELINE_MODULE] = "module",
	[TIMELINE_MOUNT] = "mount",         [TIMELINE_SERVICE] = "service",
	[TIMELINE_MILESTONE] = "milestone", [TIMELINE_SLOT] = "slot",
	[TIMELINE_BOOTSTRAP] = "bootstrap",
};
#define KIND_COUNT (sizeof kind_names / sizeof kind_names[0])

uint64_t clock_boottime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint32_t timeline_begin(struct timeline *timeline, enum timeline_kind kind, const char *name,
			uint64_t start_ns)
{
	if (timeline->count >= TIMELINE_EVENTS) {
		timeline->dropped++;
		return TIMELINE_EVENTS;
	}
	struct timeline_event *event = &timeline->events[timeline->count];
	size_t length = strnlen(name, TIMELINE_NAME_BYTES - 1);

	memset(event, 0, sizeof *event);
	event->kind = (uint16_t)kind;
	event->start_ns = start_ns;
	memcpy(event->name, name, length);
	return timeline->count++;
}

void timeline_end(struct timeline *timeline, uint32_t index, uint64_t end_ns, int error)
{
	if (index >= timeline->count)
		return;
	timeline->events[index].end_ns = end_ns;
	timeline->events[index].error = error;
}

void timeline_point(struct timeline *timeline, enum timeline_kind kind, const char *name,
		    uint16_t state, uint64_t at_ns)
{
	uint32_t index = timeline_begin(timeline, kind, name, at_ns);

	if (index < timeline->count)
		timeline->events[index].state = state;
}

const char *timeline_kind_name(uint32_t kind)
{
	return kind >= TIMELINE_PHASE && kind < KIND_COUNT ? kind_names[kind] : "?";
}

size_t timeline_trace_line(const struct timeline_event *event, char *line, size_t size)
{
	return format_text(line, size, TIMELINE_TRACE_PREFIX "%s %llu %llu %u %d %.*s",
			   timeline_kind_name(event->kind), (unsigned long long)event->start_ns,
			   (unsigned long long)event->end_ns, (unsigned)event->state,
			   (int)event->error, (int)sizeof event->name, event->name);
}

/* The word at `*at`, up to the next space; `*at` moves behind that. */
static bool take_word(const char **at, const char **word, size_t *length)
{
	const char *end = strchr(*at, ' ');

	if (!end || end == *at)
		return false;
	*word = *at;
	*length = (size_t)(end - *at);
	*at = end + 1;
	return true;
}

static bool take_number(const char **at, uint64_t max, uint64_t *value)
{
	const char *word;
	size_t length;

	if (!take_word(at, &word, &length))
		return false;
	*value = 0;
	for (size_t i = 0; i < length; i++) {
		unsigned digit = (unsigned)(word[i] - '0');

		if (digit > 9 || *value > (max - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	return true;
}

static bool take_kind(const char **at, uint16_t *kind)
{
	const char *word;
	size_t length;

	if (!take_word(at, &word, &length))
		return false;
	for (size_t k = TIMELINE_PHASE; k < KIND_COUNT; k++) {
		if (strlen(kind_names[k]) == length && memcmp(kind_names[k], word, length) == 0) {
			*kind = (uint16_t)k;
			return true;
		}
	}
	return false;
}

int timeline_parse_line(const char *line, struct timeline_event *event)
{
	const char *at = strstr(line, TIMELINE_TRACE_PREFIX);
	uint64_t state, error;

	if (!at)
		return -ENOENT;
	at += sizeof TIMELINE_TRACE_PREFIX - 1;
	memset(event, 0, sizeof *event);
	if (!take_kind(&at, &event->kind) || !take_number(&at, UINT64_MAX, &event->start_ns) ||
	    !take_number(&at, UINT64_MAX, &event->end_ns) || !take_number(&at, UINT16_MAX, &state))
		return -EBADMSG;
	bool negative = *at == '-';

	at += negative;
	if (!take_number(&at, INT32_MAX, &error))
		return -EBADMSG;
	event->state = (uint16_t)state;
	event->error = negative ? -(int32_t)error : (int32_t)error;
	size_t length = strcspn(at, "\r\n");

	if (length == 0 || length >= sizeof event->name)
		return -EBADMSG;
	memcpy(event->name, at, length);
	return 0;
}
