/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/nearest.h"
#include "svc/client.h"
#include "svc/keelctl.h"
#include "svc/log.h"

bool request_make(struct control_request *request, enum control_verb verb, const char *service)
{
	size_t length = strlen(service);

	*request = (struct control_request){.version = CONTROL_VERSION, .verb = verb};
	if (length >= sizeof request->name)
		return false;
	memcpy(request->name, service, length);
	return true;
}

static int take_packet(void *context, const struct control_reply *reply, const void *payload)
{
	struct node_status *status = context;

	if (reply->type == CONTROL_TYPE_NODE) {
		memcpy(&status->node, payload, sizeof status->node);
		status->services = calloc(status->node.service_count + 1, sizeof *status->services);
		return status->services ? 0 : -ENOMEM;
	}
	if (reply->type != CONTROL_TYPE_SERVICE || status->count >= status->node.service_count)
		return -EBADMSG;
	memcpy(&status->services[status->count++], payload, sizeof *status->services);
	return 0;
}

static int fetch(const struct keelctl *keelctl, struct node_status *status)
{
	struct control_request request;

	memset(status, 0, sizeof *status);
	request_make(&request, CONTROL_VERB_STATUS, "");
	return client_ask(keelctl->socket, &request, take_packet, status);
}

int node_fetch(const struct keelctl *keelctl, struct node_status *status)
{
	int error = fetch(keelctl, status);

	if (error != 0) {
		complain(keelctl, "status", "", error);
		node_free(status);
	}
	return error;
}

void node_free(struct node_status *status)
{
	free(status->services);
	status->services = NULL;
	status->count = 0;
}

static void suggest(const struct keelctl *keelctl, const char *service)
{
	struct nearest nearest = {.name = service};
	struct node_status status;

	if (fetch(keelctl, &status) == 0) {
		for (uint32_t i = 0; i < status.count; i++)
			nearest_offer(&nearest, status.services[i].name);
		if (nearest.best)
			fprintf(stderr, "keelctl: did you mean `%s`?\n", nearest.best);
	}
	node_free(&status);
}

/* What an error of the protocol means to people (control.h). */
static const char *meaning(int error)
{
	switch (error) {
	case -ENOTCONN: return "keelson does not answer here";
	case -EACCES:
	case -EPERM: return "only root may ask";
	case -ENOENT: return "no such service";
	case -ESHUTDOWN: return "the node is going down";
	case -ECONNRESET: return "the answer broke off";
	case -EHOSTUNREACH: return "something it requires is not up";
	case -ECANCELED: return "somebody wanted otherwise meanwhile";
	case -EIO: return "it failed";
	case -ENODATA: return "there is nothing to tell";
	case -EALREADY: return "already under way";
	case -EBUSY: return "under way, but too many wait for such already";
	case -EPROTO: return "keelctl and keelson-init are of different versions";
	default: return log_errno(error);
	}
}

int complain(const struct keelctl *keelctl, const char *verb, const char *service, int error)
{
	fprintf(stderr, "keelctl: %s%s%s: %s\n", verb, *service ? " " : "", service,
		meaning(error));
	if (error != -ENOENT)
		return KEELCTL_FAILED;
	suggest(keelctl, service);
	return KEELCTL_NOT_UP;
}
