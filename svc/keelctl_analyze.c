/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl analyze: the boot's timeline from this node, or from a console log on any machine. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "svc/analyze.h"
#include "svc/client.h"
#include "svc/keelctl.h"

#define COLUMNS_DEFAULT 110u
#define COLUMNS_MAX 200u

struct events {
	struct timeline_event *list;
	uint32_t count, room;
};

static int add(struct events *events, const struct timeline_event *event)
{
	if (events->count == events->room) {
		uint32_t room = events->room ? 2 * events->room : TIMELINE_EVENTS;
		void *list = realloc(events->list, room * sizeof *events->list);

		if (!list)
			return -ENOMEM;
		events->list = list;
		events->room = room;
	}
	events->list[events->count++] = *event;
	return 0;
}

static int take_events(void *context, const struct control_reply *reply, const void *payload)
{
	const struct timeline_event *events = payload;
	int error = 0;

	if (reply->type != CONTROL_TYPE_EVENTS)
		return 0;
	for (uint32_t i = 0; i < reply->count && error == 0; i++)
		error = add(context, &events[i]);
	return error;
}

static int fetch_events(const struct keelctl *keelctl, struct events *events)
{
	struct control_request request;

	request_make(&request, CONTROL_VERB_TIMELINE, "");
	return client_ask(keelctl->socket, &request, take_events, events);
}

static int read_trace(const char *path, struct events *events)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	struct timeline_event event;
	char *line = NULL;
	size_t room = 0;
	int error = 0;

	if (!file)
		return -errno;
	while (error == 0 && getline(&line, &room, file) >= 0)
		if (timeline_parse_line(line, &event) == 0)
			error = add(events, &event);
	free(line);
	fclose(file);
	return error;
}

static const struct control_service *named(const struct node_status *status, const char *name)
{
	/* An event's name is cut where a service's is not. */
	for (uint32_t i = 0; i < status->count; i++)
		if (strncmp(status->services[i].name, name, TIMELINE_NAME_BYTES - 1) == 0)
			return &status->services[i];
	return NULL;
}

static bool needs(void *context, const char *from, const char *to)
{
	const struct node_status *status = context;
	const struct control_service *service = named(status, from), *other = named(status, to);

	if (!service || !other)
		return false;
	for (uint32_t k = 0; k < service->needs_count; k++)
		if (service->needs[k] == other->index)
			return true;
	return false;
}

static unsigned columns(void)
{
	struct winsize size;

	if (ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return COLUMNS_DEFAULT;
	return size.ws_col > COLUMNS_MAX ? COLUMNS_MAX : size.ws_col;
}

int command_analyze(const struct keelctl *keelctl)
{
	static struct analyze analyze;
	struct node_status status = {0};
	struct events events = {0};
	int error;

	if (keelctl->trace) {
		error = read_trace(keelctl->trace, &events);
		if (error == 0 && events.count == 0) {
			fprintf(stderr,
				"keelctl: analyze: %s: no `%s` lines: was the node booted with "
				"keelson.trace?\n",
				keelctl->trace, TIMELINE_TRACE_PREFIX);
			return KEELCTL_FAILED;
		}
		if (error != 0) {
			fprintf(stderr, "keelctl: analyze: %s: %s\n", keelctl->trace,
				strerror(-error));
			return KEELCTL_FAILED;
		}
	} else {
		error = fetch_events(keelctl, &events);
		if (error != 0)
			return complain(keelctl, "analyze", "", error);
		if (node_fetch(keelctl, &status) != 0)
			return KEELCTL_FAILED;
	}
	analyze_boot(&analyze, events.list, events.count, keelctl->trace ? NULL : needs, &status);
	if (keelctl->json)
		analyze_json(&analyze, stdout);
	else
		analyze_show(&analyze, stdout, columns());
	free(events.list);
	node_free(&status);
	return KEELCTL_OK;
}
