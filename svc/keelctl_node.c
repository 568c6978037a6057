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

	if (reply->type == CONTROL_TYPE_NODE && !status->services) {
		memcpy(&status->node, payload, sizeof status->node);
		status->services = calloc(status->node.service_count + 1, sizeof *status->services);
		return status->services ? 0 : -ENOMEM;
	}
	if (reply->type != CONTROL_TYPE_SERVICE || status->count >= status->node.service_count)
		return -EBADMSG;
	struct control_service *service = &status->services[status->count];

	memcpy(service, payload, sizeof *service);
	/* Who walks the needs relies on it. */
	return service->index == status->count++ ? 0 : -EBADMSG;
}

int take_nothing(void *context, const struct control_reply *reply, const void *payload)
{
	(void)context, (void)reply, (void)payload;
	return 0;
}

int node_ask(const char *socket, struct node_status *status)
{
	struct control_request request;

	memset(status, 0, sizeof *status);
	request_make(&request, CONTROL_VERB_STATUS, "");
	return client_ask(socket, &request, take_packet, status);
}

int node_fetch(const struct keelctl *keelctl, struct node_status *status)
{
	int error = node_ask(keelctl->socket, status);

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

const struct control_service *node_find(const struct node_status *status, const char *name)
{
	for (uint32_t i = 0; i < status->count; i++)
		if (strcmp(status->services[i].name, name) == 0)
			return &status->services[i];
	return NULL;
}

int flush_output(int status)
{
	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
		return status;
	fprintf(stderr, "keelctl: standard output: %s\n",
		errno ? strerror(errno) : "not all could be written");
	return KEELCTL_FAILED;
}

const char *need_name(uint32_t kind)
{
	static const char *const names[] = {
		[PLAN_EDGE_REQUIRES] = "requires",
		[PLAN_EDGE_WANTS] = "wants",
		[PLAN_EDGE_AFTER] = "after",
		[PLAN_EDGE_CONFLICTS] = "conflicts",
	};

	return kind < sizeof names / sizeof names[0] && names[kind] ? names[kind] : "?";
}

static void suggest(const struct keelctl *keelctl, const char *service)
{
	struct nearest nearest = {.name = service};
	struct node_status status;

	if (node_ask(keelctl->socket, &status) == 0) {
		for (uint32_t i = 0; i < status.count; i++)
			nearest_offer(&nearest, status.services[i].name);
		if (nearest.best)
			fprintf(stderr, "keelctl: did you mean `%s`?\n", nearest.best);
	}
	node_free(&status);
}

const char *control_meaning(int error)
{
	switch (error) {
	case -ENOTCONN: return "keelson does not answer here";
	case -EACCES:
		return "only root with every capability of PID 1 may ask for that, or whose policy "
		       "says control: allow";
	case -EPERM: return "only root may ask, and no pod";
	case -ENOENT: return "no such service";
	case -ESHUTDOWN: return "the node is going down";
	case -ECONNRESET: return "the answer broke off";
	case -EHOSTUNREACH: return "something it requires is not up";
	case -ECANCELED: return "somebody wanted otherwise meanwhile";
	case -EIO: return "it failed";
	case -ENODATA: return "there is nothing to tell";
	case -EALREADY: return "already under way";
	case -EBUSY: return "under way, but too many wait already";
	case -ENOTSUP: return "not possible here";
	case -ESRCH: return "none of its processes runs";
	case -EHOSTDOWN: return "it is not up";
	case -ETIMEDOUT: return "not within the time";
	case -EPROTO: return "keelctl and keelson-init are of different versions";
	default: return log_errno(error);
	}
}

int complain(const struct keelctl *keelctl, const char *verb, const char *service, int error)
{
	bool no_reload = error == -ENOTSUP && strcmp(verb, "reload") == 0;

	fprintf(stderr, "keelctl: %s%s%s: %s\n", verb, *service ? " " : "", service,
		no_reload ? "its spec has no `reload`" : control_meaning(error));
	if (error != -ENOENT)
		return KEELCTL_FAILED;
	suggest(keelctl, service);
	return KEELCTL_NOT_UP;
}
