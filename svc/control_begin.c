/* SPDX-License-Identifier: Apache-2.0 */
/* What a request sets in motion, and how that stands. */
#include <errno.h>
#include <string.h>

#include "svc/control_server.h"
#include "svc/graph.h"
#include "svc/service.h"

int control_outcome(const struct world *world, enum control_verb verb, uint32_t service,
		    uint32_t starts)
{
	const struct world_service *state = &world->services[service];
	bool marked = state->flags & (SERVICE_MARK_STOP | SERVICE_MARK_PULL);

	if (marked || state->state == SERVICE_STARTING || state->state == SERVICE_STOPPING)
		return -EINPROGRESS;
	if (verb == CONTROL_VERB_STOP) {
		if (state->wanted)
			return -ECANCELED;
		return 0;
	}
	if (!state->wanted && !service_is_up(state->state) && state->state != SERVICE_FAILED)
		return -ECANCELED;
	switch (state->state) {
	case SERVICE_WAITING:
		return state->flags & SERVICE_MARK_ON_WAY ? -EINPROGRESS : -EHOSTUNREACH;
	case SERVICE_BACKOFF:
		/* No room for a process is no failure: it is tried again in a moment. */
		return state->starts == starts ? -EINPROGRESS : -EIO;
	case SERVICE_FAILED: return -EIO;
	case SERVICE_UP:
	case SERVICE_DONE:
	case SERVICE_SCHEDULED: return 0; /* a timer: its run is over */
	default: return -EINPROGRESS;
	}
}

uint64_t control_oldest_event(const struct world *world)
{
	return world->event_count > WORLD_EVENTS ? world->event_count - WORLD_EVENTS : 0;
}

static int find_service(const struct control_server *server, struct control_client *client)
{
	for (uint32_t i = 0; i < server->world->service_count; i++) {
		if (strcmp(server->world->services[i].name, client->request.name) == 0) {
			client->service = i;
			return 0;
		}
	}
	return -ENOENT;
}

/* How many clients wait for `what`; WAIT_NOTHING: for anything. */
static uint32_t count_waiting(const struct control_server *server, enum client_wait what)
{
	uint32_t waiting = 0;

	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) {
		const struct control_client *client = &server->clients[i];

		waiting += client->fd >= 0 && client->phase != CLIENT_READ &&
			   client->waits != WAIT_NOTHING &&
			   (what == WAIT_NOTHING || client->waits == what);
	}
	return waiting;
}

/* Let END wait for `what`: 0, or -EBUSY: too many do already. */
static int wait_for(const struct control_server *server, struct control_client *client,
		    enum client_wait what)
{
	if (count_waiting(server, WAIT_NOTHING) >= CONTROL_WAITERS ||
	    (what == WAIT_EVENTS && count_waiting(server, WAIT_EVENTS) >= CONTROL_FOLLOWERS))
		return -EBUSY;
	client->waits = what;
	return 0;
}

static int begin_change(struct control_server *server, struct control_client *client)
{
	static const enum graph_request requests[] = {
		[CONTROL_VERB_START] = GRAPH_START,
		[CONTROL_VERB_STOP] = GRAPH_STOP,
		[CONTROL_VERB_RESTART] = GRAPH_RESTART,
	};
	const struct control_calls *calls = server->calls;
	enum control_verb verb = (enum control_verb)client->request.verb;
	uint32_t flags = client->request.flags;

	/* Before it is marked: after it nothing is left to tell from. */
	graph_preview(server->plan, server->world, requests[verb], client->service, &client->moves);
	if (flags & CONTROL_DRY_RUN)
		return 0;
	client->starts = server->world->services[client->service].starts;
	int error = calls->request(calls->context, verb, client->service);

	if (error != 0)
		return error;
	return flags & CONTROL_NO_WAIT ? 0 : wait_for(server, client, WAIT_SETTLED);
}

static int begin_reload(struct control_server *server, struct control_client *client)
{
	const struct control_calls *calls = server->calls;
	int error = calls->reload(calls->context, client->service);

	if (error != -EINPROGRESS)
		return error;
	return client->request.flags & CONTROL_NO_WAIT ? 0
						       : wait_for(server, client, WAIT_RELOADED);
}

static int begin_slots(struct control_server *server, struct control_client *client)
{
	const struct control_calls *calls = server->calls;
	int error = calls->slot_status(calls->context, &server->slots);

	return error == -EINPROGRESS ? wait_for(server, client, WAIT_SLOTS) : error;
}

static int begin_events(const struct control_server *server, struct control_client *client)
{
	const struct world *world = server->world;
	uint64_t since = client->request.since;

	if (since == CONTROL_FROM_NOW)
		since = world->event_count;
	/* Numbers that were never given: they are from before PID 1 lost its memory. */
	if (since > world->event_count)
		since = 0;
	client->cursor = since;
	return client->request.flags & CONTROL_FOLLOW ? wait_for(server, client, WAIT_EVENTS) : 0;
}

static int begin(struct control_server *server, struct control_client *client)
{
	const struct control_calls *calls = server->calls;
	const struct control_request *request = &client->request;

	switch (request->verb) {
	case CONTROL_VERB_START:
	case CONTROL_VERB_STOP:
	case CONTROL_VERB_RESTART: return begin_change(server, client);
	case CONTROL_VERB_RELOAD: return begin_reload(server, client);
	case CONTROL_VERB_KILL:
		return calls->kill(calls->context, client->service, (int)request->argument,
				   (request->flags & CONTROL_MAIN) != 0);
	case CONTROL_VERB_EVENTS: return begin_events(server, client);
	case CONTROL_VERB_BLESS: return calls->bless(calls->context);
	case CONTROL_VERB_SLOTS: return begin_slots(server, client);
	case CONTROL_VERB_POWER:
		return calls->power(calls->context, (enum control_power)request->argument,
				    (request->flags & CONTROL_FORCE) != 0);
	case CONTROL_VERB_REEXEC: return calls->reexec(calls->context);
	default: return 0;
	}
}

int control_begin(struct control_server *server, struct control_client *client)
{
	client->waits = WAIT_NOTHING;
	client->cursor = 0;
	if (client->request.name[0] != '\0' && find_service(server, client) != 0)
		return -ENOENT;
	return begin(server, client);
}
