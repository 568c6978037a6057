/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl start, stop, restart, reload, kill. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "svc/client.h"
#include "svc/explain.h"
#include "svc/keelctl.h"
#include "svc/service.h"
#include "svc/show.h"
#include "svc/signal_name.h"

struct change {
	const struct keelctl *keelctl;
	unsigned affected;
};

static const char *const move_names[] = {
	[CONTROL_MOVE_START] = "start",
	[CONTROL_MOVE_STOP] = "stop",
	[CONTROL_MOVE_RESTART] = "restart",
};

static int show_affected(void *context, const struct control_reply *reply, const void *payload)
{
	struct change *change = context;
	const struct control_affected *affected = payload;

	if (reply->type != CONTROL_TYPE_AFFECTED)
		return -EBADMSG;
	if (change->keelctl->json) {
		fputs(change->affected ? ", {" : "{", stdout);
		show_json_field(stdout, true, "service", affected->name);
		show_json_field(stdout, false, "move", move_names[affected->move]);
		fputs("}", stdout);
	} else if (change->keelctl->dry_run) {
		printf("would also %s: %s\n", move_names[affected->move], affected->name);
	} else {
		printf("also %ss: %s\n", move_names[affected->move], affected->name);
	}
	change->affected++;
	fflush(stdout);
	return 0;
}

static int take_service(void *context, const struct control_reply *reply, const void *payload)
{
	if (reply->type == CONTROL_TYPE_SERVICE)
		memcpy(context, payload, sizeof(struct control_service));
	return 0;
}

/* Why it did not come up, from its last death or what it waits for. */
static void explain(const struct keelctl *keelctl, const char *name)
{
	struct control_service service = {0};
	struct control_request request;
	char death[EXPLAIN_BYTES];

	if (!request_make(&request, CONTROL_VERB_SERVICE, name) ||
	    client_ask(keelctl->socket, &request, take_service, &service) != 0)
		return;
	if (service.world.state == SERVICE_WAITING)
		fprintf(stderr, "keelctl: %s waits for %s\n", name, service.waiting_for);
	else if (*explain_death(&service.world.last_death, death))
		fprintf(stderr, "keelctl: %s: %s, now %s\n", name, death,
			service_state_name(service.world.state));
}

/*
 * Ask, and go on waiting when PID 1 executes itself anew meanwhile: what was asked for is in its
 * memory. Asking a second time for what is under way changes nothing, but a restart would begin once
 * more: what is left of one is a start.
 */
static int ask(const struct keelctl *keelctl, struct control_request *request,
	       client_packet *packet, void *context)
{
	int error = client_ask(keelctl->socket, request, packet, context);

	if (error != -ECONNRESET || (request->flags & (CONTROL_NO_WAIT | CONTROL_DRY_RUN)) != 0 ||
	    request->verb == CONTROL_VERB_RELOAD)
		return error;
	if (request->verb == CONTROL_VERB_RESTART)
		request->verb = CONTROL_VERB_START;
	return client_ask(keelctl->socket, request, take_nothing, NULL);
}

static int change_one(const struct keelctl *keelctl, enum control_verb verb, const char *name)
{
	struct change change = {.keelctl = keelctl};
	struct control_request request;
	int error = -ENOENT;

	if (keelctl->json) {
		fputs("{", stdout);
		show_json_field(stdout, true, "service", name);
		fputs(", \"affected\": [", stdout);
	}
	if (control_is_service_name(name) && request_make(&request, verb, name)) {
		request.flags = (keelctl->no_wait ? CONTROL_NO_WAIT : 0) |
				(keelctl->dry_run ? CONTROL_DRY_RUN : 0);
		error = ask(keelctl, &request, show_affected, &change);
	}
	if (keelctl->json)
		printf("], \"error\": %d}\n", error);
	if (error == 0)
		return KEELCTL_OK;
	int result = complain(keelctl, control_verb_name(verb), name, error);

	if (error == -EIO || error == -EHOSTUNREACH)
		explain(keelctl, name);
	return result;
}

static int change_all(const struct keelctl *keelctl, enum control_verb verb)
{
	int worst = KEELCTL_OK;

	for (int i = 0; i < keelctl->count; i++) {
		int result = change_one(keelctl, verb, keelctl->words[i]);

		if (result > worst)
			worst = result;
	}
	return worst;
}

int command_start(const struct keelctl *keelctl)
{
	return change_all(keelctl, CONTROL_VERB_START);
}

int command_stop(const struct keelctl *keelctl)
{
	return change_all(keelctl, CONTROL_VERB_STOP);
}

int command_restart(const struct keelctl *keelctl)
{
	return change_all(keelctl, CONTROL_VERB_RESTART);
}

int command_reload(const struct keelctl *keelctl)
{
	return change_all(keelctl, CONTROL_VERB_RELOAD);
}

static int kill_one(const struct keelctl *keelctl, const char *name)
{
	struct control_request request;
	int error = -ENOENT;

	if (control_is_service_name(name) && request_make(&request, CONTROL_VERB_KILL, name)) {
		request.argument = (uint32_t)keelctl->signal;
		request.flags = keelctl->main_only ? CONTROL_MAIN : 0;
		error = client_ask(keelctl->socket, &request, take_nothing, NULL);
	}
	return error == 0 ? KEELCTL_OK : complain(keelctl, "kill", name, error);
}

int command_kill(const struct keelctl *keelctl)
{
	int worst = KEELCTL_OK;

	for (int i = 0; i < keelctl->count; i++) {
		int result = kill_one(keelctl, keelctl->words[i]);

		if (result > worst)
			worst = result;
	}
	return worst;
}
