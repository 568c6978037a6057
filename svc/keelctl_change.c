/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl start, stop, restart, and the end of the node. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "svc/client.h"
#include "svc/death.h"
#include "svc/keelctl.h"
#include "svc/service.h"
#include "svc/show.h"

struct change {
	const struct keelctl *keelctl;
	enum control_verb verb;
	unsigned affected;
};

static int show_affected(void *context, const struct control_reply *reply, const void *payload)
{
	struct change *change = context;
	const char *what = change->verb == CONTROL_VERB_START  ? "starts"
			   : change->verb == CONTROL_VERB_STOP ? "stops"
							       : "restarts";

	if (reply->type != CONTROL_TYPE_AFFECTED)
		return -EBADMSG;
	if (change->keelctl->json) {
		fputs(change->affected ? ", " : "", stdout);
		show_json_string(stdout, payload);
	} else {
		printf("also %s: %s\n", what, (const char *)payload);
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
	char death[160];

	if (!request_make(&request, CONTROL_VERB_SERVICE, name) ||
	    client_ask(keelctl->socket, &request, take_service, &service) != 0)
		return;
	if (service.world.state == SERVICE_WAITING)
		fprintf(stderr, "keelctl: %s waits for %s\n", name, service.waiting_for);
	else if (death_text(&service.world.last_death, death, sizeof death) != 0)
		fprintf(stderr, "keelctl: %s: %s, now %s\n", name, death,
			service_state_name(service.world.state));
}

static int change_one(const struct keelctl *keelctl, enum control_verb verb, const char *name)
{
	struct change change = {.keelctl = keelctl, .verb = verb};
	struct control_request request;
	int error = -ENOENT;

	if (keelctl->json) {
		fputs("{", stdout);
		show_json_field(stdout, true, "service", name);
		fputs(", \"affected\": [", stdout);
	}
	if (request_make(&request, verb, name)) {
		request.flags = keelctl->no_wait ? CONTROL_NO_WAIT : 0;
		error = client_ask(keelctl->socket, &request, show_affected, &change);
		/* A name that cannot be one is refused as no request at all. */
		if (error == -EBADMSG)
			error = -ENOENT;
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

static int take_nothing(void *context, const struct control_reply *reply, const void *payload)
{
	(void)context, (void)reply, (void)payload;
	return 0;
}

static int power(const struct keelctl *keelctl, enum control_power action, const char *name)
{
	struct control_request request;

	request_make(&request, CONTROL_VERB_POWER, "");
	request.argument = action;
	int error = client_ask(keelctl->socket, &request, take_nothing, NULL);

	/* PID 1 may be quicker than its own answer. */
	if (error == 0 || error == -ECONNRESET)
		return KEELCTL_OK;
	return complain(keelctl, name, "", error);
}

int command_poweroff(const struct keelctl *keelctl)
{
	return power(keelctl, CONTROL_POWEROFF, "poweroff");
}

int command_reboot(const struct keelctl *keelctl)
{
	return power(keelctl, CONTROL_REBOOT, "reboot");
}

int command_halt(const struct keelctl *keelctl)
{
	return power(keelctl, CONTROL_HALT, "halt");
}
