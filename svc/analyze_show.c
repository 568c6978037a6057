/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/analyze.h"

#include <stdlib.h>
#include <string.h>

#include "svc/show.h"

#define BAR_COLUMNS_MIN 20u
#define TEXT_COLUMNS 50u /* of a row, before its bar */
#define SLOWEST 5u

struct picture {
	FILE *stream;
	uint64_t end_ns;
	unsigned bar; /* columns */
};

static unsigned column(const struct picture *picture, uint64_t at_ns)
{
	uint64_t us = at_ns / 1000, end_us = picture->end_ns / 1000 + 1;
	uint64_t at = us * picture->bar / end_us;

	return at >= picture->bar ? picture->bar - 1 : (unsigned)at;
}

/* `kind name  start  took |   ..==== |`: dots from `wait_ns` to `start_ns`, bars to `end_ns`. */
static void row(const struct picture *picture, const char *kind, const char *name, uint64_t wait_ns,
		uint64_t start_ns, uint64_t end_ns)
{
	char start[SHOW_TIME_BYTES], took[SHOW_TIME_BYTES] = "-";
	unsigned wait = column(picture, wait_ns), from = column(picture, start_ns);
	unsigned to = column(picture, end_ns);

	if (end_ns > start_ns)
		show_seconds(end_ns - start_ns, took);
	fprintf(picture->stream, "%-9s %-20.20s %8s %8s  |", kind, name,
		show_seconds(start_ns, start), took);
	for (unsigned i = 0; i < picture->bar; i++) {
		bool busy = i >= from && i <= to, waits = i >= wait && i < from;

		fputc(busy ? (end_ns > start_ns ? '=' : '*') : waits ? '.' : ' ', picture->stream);
	}
	fputs("|\n", picture->stream);
}

static void show_phases(const struct analyze *analyze, const struct picture *picture)
{
	for (uint32_t i = 0; i < analyze->event_count; i++) {
		const struct timeline_event *event = &analyze->events[i];

		if (event->kind == TIMELINE_PHASE && event->start_ns <= picture->end_ns)
			row(picture, "phase", event->name, event->start_ns, event->start_ns,
			    event->end_ns);
	}
}

static void show_services(const struct analyze *analyze, const struct picture *picture)
{
	for (uint32_t i = 0; i < analyze->service_count; i++) {
		const struct analyze_service *service = &analyze->services[i];
		uint64_t wait = service->waiting_ns ? service->waiting_ns : service->started_ns;

		if (service->started_ns != 0)
			row(picture, "service", service->name, wait, service->started_ns,
			    service->up_ns ? service->up_ns : picture->end_ns);
	}
}

static void show_points(const struct analyze *analyze, const struct picture *picture)
{
	for (uint32_t i = 0; i < analyze->event_count; i++) {
		const struct timeline_event *event = &analyze->events[i];

		if (event->kind == TIMELINE_MILESTONE || event->kind == TIMELINE_SLOT)
			row(picture, timeline_kind_name(event->kind), event->name, event->start_ns,
			    event->start_ns, 0);
	}
}

static void show_path(const struct analyze *analyze, FILE *stream)
{
	char at[SHOW_TIME_BYTES], took[SHOW_TIME_BYTES];

	if (analyze->path_count == 0)
		return;
	fprintf(stream, "\n%scritical path%s\n", show_bold(), show_plain());
	for (uint32_t i = 0; i < analyze->path_count; i++) {
		const struct analyze_service *service = &analyze->services[analyze->path[i]];

		fprintf(stream, "  %-24s started %8s s, took %8s s%s\n", service->name,
			show_seconds(service->started_ns, at),
			show_seconds(service->up_ns - service->started_ns, took),
			service->starts > 1 ? " (not at the first try)" : "");
	}
}

static uint64_t took_ns(const struct timeline_event *event)
{
	return event->end_ns > event->start_ns ? event->end_ns - event->start_ns : 0;
}

/* The longest event of `kind` that is shorter than, or follows, `than`; count selects among equals. */
static const struct timeline_event *next_slowest(const struct analyze *analyze, uint16_t kind,
						 const struct timeline_event *than)
{
	const struct timeline_event *best = NULL;

	for (uint32_t i = 0; i < analyze->event_count; i++) {
		const struct timeline_event *event = &analyze->events[i];
		bool after = !than || took_ns(event) < took_ns(than) ||
			     (took_ns(event) == took_ns(than) && event > than);

		if (event->kind == kind && after && (!best || took_ns(event) > took_ns(best)))
			best = event;
	}
	return best;
}

static void show_slowest(const struct analyze *analyze, FILE *stream, uint16_t kind,
			 const char *title)
{
	const struct timeline_event *event = next_slowest(analyze, kind, NULL);
	char took[SHOW_TIME_BYTES];

	if (event)
		fprintf(stream, "\n%s%s%s\n", show_bold(), title, show_plain());
	for (unsigned n = 0; event && n < SLOWEST; n++) {
		fprintf(stream, "  %-40s %8s s%s\n", event->name,
			show_seconds(took_ns(event), took), event->error ? "  failed" : "");
		event = next_slowest(analyze, kind, event);
	}
}

/* Another kernel's clock: apart from the picture. */
static void show_bootstrap(const struct analyze *analyze, FILE *stream)
{
	const char *title = "\nbefore the kexec, by the clock of the first kernel\n";
	char start[SHOW_TIME_BYTES], took[SHOW_TIME_BYTES];

	for (uint32_t i = 0; i < analyze->event_count; i++) {
		const struct timeline_event *event = &analyze->events[i];

		if (event->kind != TIMELINE_BOOTSTRAP)
			continue;
		fprintf(stream, "%s%s%s  %-24s started %8s s, took %8s s\n", show_bold(), title,
			show_plain(), event->name, show_seconds(event->start_ns, start),
			show_seconds(took_ns(event), took));
		title = "";
	}
}

void analyze_show(const struct analyze *analyze, FILE *stream, unsigned columns)
{
	struct picture picture = {.stream = stream, .end_ns = analyze->end_ns};
	char end[SHOW_TIME_BYTES];

	picture.bar = columns > TEXT_COLUMNS + 2 + BAR_COLUMNS_MIN ? columns - TEXT_COLUMNS - 2
								   : BAR_COLUMNS_MIN;
	if (analyze->event_count == 0) {
		fputs("no events\n", stream);
		return;
	}
	fprintf(stream, "%sfrom kernel start to the last step: %s s%s\n\n", show_bold(),
		show_seconds(analyze->end_ns, end), show_plain());
	fprintf(stream, "%-9s %-20s %8s %8s\n", "", "", "start", "took");
	show_phases(analyze, &picture);
	show_services(analyze, &picture);
	show_points(analyze, &picture);
	show_bootstrap(analyze, stream);
	show_path(analyze, stream);
	show_slowest(analyze, stream, TIMELINE_MODULE, "slowest modules");
	show_slowest(analyze, stream, TIMELINE_MOUNT, "slowest mounts");
}

static void json_events(const struct analyze *analyze, FILE *stream)
{
	fputs("\"events\": [", stream);
	for (uint32_t i = 0; i < analyze->event_count; i++) {
		const struct timeline_event *event = &analyze->events[i];

		fputs(i ? ", {" : "{", stream);
		show_json_field(stream, true, "kind", timeline_kind_name(event->kind));
		show_json_field(stream, false, "name", event->name);
		show_json_number(stream, false, "start_ns", event->start_ns);
		show_json_number(stream, false, "end_ns", event->end_ns);
		show_json_number(stream, false, "state", event->state);
		fprintf(stream, ", \"error\": %d}", (int)event->error);
	}
	fputs("]", stream);
}

static void json_services(const struct analyze *analyze, FILE *stream)
{
	fputs("\"services\": [", stream);
	for (uint32_t i = 0; i < analyze->service_count; i++) {
		const struct analyze_service *service = &analyze->services[i];

		fputs(i ? ", {" : "{", stream);
		show_json_field(stream, true, "name", service->name);
		show_json_number(stream, false, "waiting_ns", service->waiting_ns);
		show_json_number(stream, false, "started_ns", service->started_ns);
		show_json_number(stream, false, "up_ns", service->up_ns);
		show_json_number(stream, false, "starts", service->starts);
		show_json_number(stream, false, "failures", service->failures);
		fputs("}", stream);
	}
	fputs("]", stream);
}

void analyze_json(const struct analyze *analyze, FILE *stream)
{
	fputs("{", stream);
	show_json_number(stream, true, "end_ns", analyze->end_ns);
	fputs(", \"critical_path\": [", stream);
	for (uint32_t i = 0; i < analyze->path_count; i++) {
		fputs(i ? ", " : "", stream);
		show_json_string(stream, analyze->services[analyze->path[i]].name);
	}
	fputs("], ", stream);
	json_services(analyze, stream);
	fputs(", ", stream);
	json_events(analyze, stream);
	fputs("}\n", stream);
}
