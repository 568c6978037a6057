/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl events: what happened, line by line, also over a re-exec of PID 1. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "svc/client.h"
#include "svc/event_json.h"
#include "svc/keelctl.h"

#define AGAIN_NS 50000000
#define AGAIN_TRIES 200u /* for so long nobody listens: PID 1 is gone */

struct listener {
	uint64_t next;  /* number of the next event, when it is known */
	bool began;     /* it is */
	unsigned tries; /* to connect again, since the last packet */
};

static void hear(struct listener *listener, const struct control_event *event)
{
	/* A lower number: PID 1 lost its memory and counts anew. What it forgot nobody knows. */
	if (listener->began && event->number > listener->next)
		event_json_lost(stdout, listener->next, event->number - listener->next);
	event_json(stdout, event);
	listener->next = event->number + 1;
	listener->began = true;
}

static int take_events(void *context, const struct control_reply *reply, const void *payload)
{
	struct listener *listener = context;
	const struct control_event *events = payload;

	if (reply->type != CONTROL_TYPE_HAPPENED)
		return -EBADMSG;
	for (uint32_t i = 0; i < reply->count; i++)
		hear(listener, &events[i]);
	listener->tries = 0;
	int status = flush_output(KEELCTL_OK);

	if (ferror(stdout))
		exit(status);
	return 0;
}

static int take_node(void *context, const struct control_reply *reply, const void *payload)
{
	if (reply->type == CONTROL_TYPE_NODE)
		*(uint64_t *)context = ((const struct control_node *)payload)->event_count;
	return 0;
}

/* From now on: which number is that? Else what is lost before the first event would not be seen. */
static int resolve_now(const struct keelctl *keelctl, uint64_t *since)
{
	struct control_request request;

	request_make(&request, CONTROL_VERB_TIMELINE, "");
	return client_ask(keelctl->socket, &request, take_node, since);
}

/* PID 1 executed itself anew, or closed on a listener that was too slow: it is asked again. */
static bool may_come_back(int error)
{
	return error == -ECONNRESET || error == -ENOTCONN || error == -EPIPE;
}

int command_events(const struct keelctl *keelctl)
{
	const struct timespec pause = {.tv_nsec = AGAIN_NS};
	struct listener listener = {.next = keelctl->since,
				    .began = (keelctl->given & OPTION_SINCE) != 0};
	struct control_request request;
	int error = 0;

	request_make(&request, CONTROL_VERB_EVENTS, "");
	request.flags = keelctl->follow ? CONTROL_FOLLOW : 0;
	if (keelctl->since == CONTROL_FROM_NOW)
		error = resolve_now(keelctl, &listener.next);
	for (bool first = true; error == 0 || (may_come_back(error) && !first); first = false) {
		if (!first) {
			if (++listener.tries > AGAIN_TRIES)
				break;
			nanosleep(&pause, NULL);
		}
		request.since = listener.began ? listener.next : 0;
		error = client_ask(keelctl->socket, &request, take_events, &listener);
		if (error == 0)
			return KEELCTL_OK;
		if (!keelctl->follow || (first && error == -ENOTCONN))
			break;
	}
	return complain(keelctl, "events", "", error);
}
