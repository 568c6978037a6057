/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/event_json.h"

#include <sys/wait.h>

#include "svc/confine.h"
#include "svc/service.h"
#include "svc/show.h"
#include "svc/log.h"
#include "svc/signal_name.h"

/* As init/shutdown.h numbers them. */
const char *event_stage_name(uint32_t stage)
{
	static const char *const names[] = {"none",         "stop services",
					    "stop pods",    "kill pods",
					    "stop runtime", "kill leftovers",
					    "stop logger",  "end"};

	return stage < sizeof names / sizeof names[0] ? names[stage] : "?";
}

static const char *kind_name(uint32_t kind)
{
	switch (kind) {
	case WORLD_EVENT_SERVICE: return "service";
	case WORLD_EVENT_READY_AGAIN: return "ready-again";
	case WORLD_EVENT_REEXEC: return "reexec";
	case WORLD_EVENT_SHUTDOWN: return "shutdown";
	default: return "?";
	}
}

/* NULL and numbers below 0 are null. */
static void text_field(FILE *stream, const char *key, const char *text)
{
	if (text)
		show_json_field(stream, false, key, text);
	else
		fprintf(stream, ", \"%s\": null", key);
}

static void number_field(FILE *stream, const char *key, int64_t number)
{
	if (number >= 0)
		show_json_number(stream, false, key, (uint64_t)number);
	else
		fprintf(stream, ", \"%s\": null", key);
}

/* Of an event that is the end of a process, and of a re-exec that a signal caused. */
static void put_end(FILE *stream, const struct world_event *event, bool service)
{
	bool killed = event->code == CLD_KILLED || event->code == CLD_DUMPED;
	bool failed = service && event->error != 0;
	char name[SIGNAL_NAME_BYTES];

	if (event->kind == WORLD_EVENT_REEXEC)
		killed = event->status != 0;
	number_field(stream, "exit_status",
		     service && !failed && event->code == CLD_EXITED ? event->status : -1);
	text_field(stream, "signal", killed && !failed ? signal_name(event->status, name) : NULL);
	show_json_bool(stream, false, "core", service && event->code == CLD_DUMPED);
	text_field(stream, "step", failed ? confine_step_name(event->step) : NULL);
	text_field(stream, "error", failed ? log_errno(event->error) : NULL);
}

void event_json(FILE *stream, const struct control_event *item)
{
	const struct world_event *event = &item->event;
	bool moves = event->kind == WORLD_EVENT_SERVICE;
	bool service = moves || event->kind == WORLD_EVENT_READY_AGAIN;
	const char *to = moves                                 ? service_state_name(event->to)
			 : event->kind == WORLD_EVENT_SHUTDOWN ? event_stage_name(event->to)
							       : NULL;

	fputs("{", stream);
	show_json_number(stream, true, "number", item->number);
	show_json_number(stream, false, "at_ns", event->at_ns);
	show_json_field(stream, false, "kind", kind_name(event->kind));
	text_field(stream, "service", *item->name ? item->name : NULL);
	text_field(stream, "from", moves ? service_state_name(event->from) : NULL);
	text_field(stream, "to", to);
	text_field(stream, "event", moves ? service_event_name(event->event) : NULL);
	number_field(stream, "pid", event->pid > 0 ? event->pid : -1);
	text_field(stream, "reason",
		   event->reason != WORLD_REASON_NONE ? world_reason_name(event->reason) : NULL);
	put_end(stream, event, service);
	fputs(", \"lost\": null}\n", stream);
}

void event_json_lost(FILE *stream, uint64_t number, uint64_t count)
{
	fprintf(stream,
		"{\"number\": %llu, \"at_ns\": null, \"kind\": \"lost\", \"service\": null, "
		"\"from\": null, \"to\": null, \"event\": null, \"pid\": null, \"reason\": null, "
		"\"exit_status\": null, \"signal\": null, \"core\": false, \"step\": null, "
		"\"error\": null, \"lost\": %llu}\n",
		(unsigned long long)number, (unsigned long long)count);
}
