/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/analyze.h"

#include <string.h>

#include "svc/service.h"

static struct analyze_service *service_named(struct analyze *analyze, const char *name)
{
	for (uint32_t i = 0; i < analyze->service_count; i++)
		if (strcmp(analyze->services[i].name, name) == 0)
			return &analyze->services[i];
	if (analyze->service_count == ANALYZE_SERVICES)
		return NULL;
	struct analyze_service *service = &analyze->services[analyze->service_count++];

	memset(service, 0, sizeof *service);
	memcpy(service->name, name, strnlen(name, sizeof service->name - 1));
	return service;
}

static void take_state(struct analyze_service *service, const struct timeline_event *event)
{
	bool was_up = service->up_ns != 0;

	switch (event->state) {
	case SERVICE_WAITING:
		if (service->waiting_ns == 0)
			service->waiting_ns = event->start_ns;
		break;
	case SERVICE_STARTING:
		if (!was_up) {
			service->started_ns = event->start_ns;
			service->starts++;
		}
		break;
	case SERVICE_UP:
	case SERVICE_DONE:
		if (!was_up)
			service->up_ns = event->start_ns;
		break;
	case SERVICE_BACKOFF:
	case SERVICE_FAILED: service->failures++; break;
	default: break;
	}
}

static uint64_t last_of(const struct timeline_event *event)
{
	return event->end_ns > event->start_ns ? event->end_ns : event->start_ns;
}

/* By the clock of this boot's kernel, and of what has a length or was waited for. */
static bool counts(const struct timeline_event *event)
{
	return event->kind != TIMELINE_SERVICE && event->kind != TIMELINE_SLOT &&
	       event->kind != TIMELINE_BOOTSTRAP;
}

/* What is after the last service that came up, and no milestone or slot event, is life, not boot. */
static void find_end(struct analyze *analyze)
{
	for (uint32_t i = 0; i < analyze->service_count; i++)
		if (analyze->services[i].up_ns > analyze->end_ns)
			analyze->end_ns = analyze->services[i].up_ns;
	for (uint32_t i = 0; i < analyze->event_count; i++) {
		const struct timeline_event *event = &analyze->events[i];

		if (counts(event) && last_of(event) > analyze->end_ns)
			analyze->end_ns = last_of(event);
	}
}

static uint32_t last_up(const struct analyze *analyze)
{
	uint32_t last = ANALYZE_NONE;

	for (uint32_t i = 0; i < analyze->service_count; i++) {
		uint64_t up = analyze->services[i].up_ns;

		if (up != 0 && (last == ANALYZE_NONE || up > analyze->services[last].up_ns))
			last = i;
	}
	return last;
}

/* The need of `of` that came up last before it was started. */
static uint32_t predecessor(const struct analyze *analyze, uint32_t of, analyze_needs *needs,
			    void *context)
{
	const struct analyze_service *service = &analyze->services[of];
	uint32_t last = ANALYZE_NONE;

	for (uint32_t i = 0; i < analyze->service_count; i++) {
		const struct analyze_service *other = &analyze->services[i];

		if (i == of || other->up_ns == 0 || other->up_ns > service->started_ns)
			continue;
		if (needs && !needs(context, service->name, other->name))
			continue;
		if (last == ANALYZE_NONE || other->up_ns > analyze->services[last].up_ns)
			last = i;
	}
	return last;
}

static void find_path(struct analyze *analyze, analyze_needs *needs, void *context)
{
	uint32_t count = 0;

	for (uint32_t at = last_up(analyze); at != ANALYZE_NONE && count < ANALYZE_SERVICES;
	     at = predecessor(analyze, at, needs, context))
		analyze->path[count++] = at;
	for (uint32_t i = 0; i < count / 2; i++) {
		uint32_t swap = analyze->path[i];

		analyze->path[i] = analyze->path[count - 1 - i];
		analyze->path[count - 1 - i] = swap;
	}
	analyze->path_count = count;
}

void analyze_boot(struct analyze *analyze, const struct timeline_event *events, uint32_t count,
		  analyze_needs *needs, void *context)
{
	memset(analyze, 0, sizeof *analyze);
	analyze->events = events;
	analyze->event_count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct analyze_service *service;

		if (events[i].kind != TIMELINE_SERVICE)
			continue;
		service = service_named(analyze, events[i].name);
		if (service)
			take_state(service, &events[i]);
	}
	find_end(analyze);
	find_path(analyze, needs, context);
}
