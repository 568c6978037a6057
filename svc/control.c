/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/control.h"

#include <errno.h>
#include <string.h>

/* What a request of each verb may say. */
static const struct verb {
	char name[9];
	uint8_t flags;    /* CONTROL_* that belong to it */
	uint8_t named;    /* it is about a service */
	uint8_t since;    /* it has a `since` */
	uint8_t argument; /* 1 to so much, or 0: none */
} verbs[] = {
	[CONTROL_VERB_STATUS] = {.name = "status"},
	[CONTROL_VERB_SERVICE] = {.name = "service", .named = 1},
	[CONTROL_VERB_START] = {"start", CONTROL_NO_WAIT | CONTROL_DRY_RUN, 1, 0, 0},
	[CONTROL_VERB_STOP] = {"stop", CONTROL_NO_WAIT | CONTROL_DRY_RUN, 1, 0, 0},
	[CONTROL_VERB_RESTART] = {"restart", CONTROL_NO_WAIT | CONTROL_DRY_RUN, 1, 0, 0},
	[CONTROL_VERB_TIMELINE] = {.name = "timeline"},
	[CONTROL_VERB_POWER] = {"power", CONTROL_FORCE, 0, 0, CONTROL_KEXEC},
	[CONTROL_VERB_SLOTS] = {.name = "slots"},
	[CONTROL_VERB_RELOAD] = {"reload", CONTROL_NO_WAIT, 1, 0, 0},
	[CONTROL_VERB_KILL] = {"kill", CONTROL_MAIN, 1, 0, CONTROL_SIGNAL_MAX},
	[CONTROL_VERB_EVENTS] = {"events", CONTROL_FOLLOW, 0, 1, 0},
	[CONTROL_VERB_REEXEC] = {.name = "reexec"},
	[CONTROL_VERB_POLICY] = {.name = "policy", .named = 1},
	[CONTROL_VERB_BLESS] = {.name = "bless"},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static bool is_verb(uint32_t verb)
{
	return verb >= CONTROL_VERB_STATUS && verb < VERB_COUNT;
}

const char *control_verb_name(uint32_t verb)
{
	return is_verb(verb) ? verbs[verb].name : "?";
}

bool control_is_service_name(const char *name)
{
	size_t length = strnlen(name, CONTROL_NAME_BYTES);

	if (length == 0 || length == CONTROL_NAME_BYTES || strchr("._-", name[0]))
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = name[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("._-", c))
			return false;
	}
	return true;
}

/* A name where one belongs, and NUL to the end of the field. */
static bool name_is_sound(const struct control_request *request, bool named)
{
	size_t length = strnlen(request->name, sizeof request->name);

	if (named ? !control_is_service_name(request->name) : length != 0)
		return false;
	for (size_t i = length; i < sizeof request->name; i++)
		if (request->name[i] != '\0')
			return false;
	return true;
}

static bool belongs_together(const struct control_request *request)
{
	if (!is_verb(request->verb))
		return false;
	const struct verb *verb = &verbs[request->verb];

	return (request->flags & ~(uint32_t)verb->flags) == 0 &&
	       (request->argument != 0) == (verb->argument != 0) &&
	       request->argument <= verb->argument && (request->since == 0 || verb->since) &&
	       name_is_sound(request, verb->named);
}

int control_request_parse(const void *bytes, size_t size, struct control_request *request)
{
	uint32_t version;

	if (size < sizeof version)
		return -EBADMSG;
	memcpy(&version, bytes, sizeof version);
	if (version != CONTROL_VERSION)
		return -EPROTO;
	if (size != sizeof *request)
		return -EBADMSG;
	memcpy(request, bytes, sizeof *request);
	return belongs_together(request) ? 0 : -EBADMSG;
}

bool control_changes(const struct control_request *request)
{
	switch (request->verb) {
	case CONTROL_VERB_STATUS:
	case CONTROL_VERB_SERVICE:
	case CONTROL_VERB_TIMELINE:
	case CONTROL_VERB_SLOTS:
	case CONTROL_VERB_POLICY:
	case CONTROL_VERB_EVENTS: return false;
	default: return (request->flags & CONTROL_DRY_RUN) == 0;
	}
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool node_ends(const struct control_node *node)
{
	return ends(node->name, sizeof node->name) &&
	       ends(node->image_version, sizeof node->image_version);
}

static bool service_ends(const struct control_service *service)
{
	return ends(service->name, sizeof service->name) &&
	       ends(service->policy, sizeof service->policy) &&
	       ends(service->waiting_for, sizeof service->waiting_for) &&
	       ends(service->cgroup, sizeof service->cgroup) &&
	       ends(service->output_path, sizeof service->output_path) &&
	       ends(service->program, sizeof service->program) &&
	       ends(service->condition, sizeof service->condition) &&
	       ends(service->world.name, sizeof service->world.name) &&
	       ends(service->world.status, sizeof service->world.status) &&
	       service->needs_count <= sizeof service->needs / sizeof service->needs[0];
}

static bool affected_is_sound(const struct control_affected *affected)
{
	return ends(affected->name, sizeof affected->name) &&
	       affected->move >= CONTROL_MOVE_START && affected->move <= CONTROL_MOVE_RESTART;
}

static bool events_end(const struct timeline_event *events, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!ends(events[i].name, sizeof events[i].name))
			return false;
	return true;
}

static bool happened_end(const struct control_event *events, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!ends(events[i].name, sizeof events[i].name))
			return false;
	return true;
}

static bool policy_ends(const struct control_policy *policy)
{
	return ends(policy->name, sizeof policy->name);
}

static bool calls_end(const struct world_call *calls, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!ends(calls[i].comm, sizeof calls[i].comm))
			return false;
	return true;
}

static bool slots_end(const struct control_slot_status *status)
{
	bool good = ends(status->disk, sizeof status->disk) && status->booted < 2 &&
		    status->next <= CONTROL_NO_SLOT;

	for (unsigned i = 0; i < 2; i++) {
		const struct control_slot *slot = &status->slots[i];

		good = good && ends(slot->version, sizeof slot->version) &&
		       ends(slot->image, sizeof slot->image) &&
		       ends(slot->verdict, sizeof slot->verdict) &&
		       ends(slot->reason, sizeof slot->reason) &&
		       ends(slot->detail, sizeof slot->detail) &&
		       ends(slot->partition, sizeof slot->partition);
	}
	return good;
}

/* What packets of each type hold: items of so many bytes, so many at least and at most. */
static const struct type {
	size_t item;
	uint32_t min, max;
} types[] = {
	[CONTROL_TYPE_NODE] = {sizeof(struct control_node), 1, 1},
	[CONTROL_TYPE_SERVICE] = {sizeof(struct control_service), 1, 1},
	[CONTROL_TYPE_AFFECTED] = {sizeof(struct control_affected), 1, 1},
	[CONTROL_TYPE_EVENTS] = {sizeof(struct timeline_event), 0, CONTROL_EVENTS_PER_PACKET},
	[CONTROL_TYPE_SLOTS] = {sizeof(struct control_slot_status), 1, 1},
	[CONTROL_TYPE_END] = {0, 0, 0},
	[CONTROL_TYPE_HAPPENED] = {sizeof(struct control_event), 0, CONTROL_HAPPENED_PER_PACKET},
	[CONTROL_TYPE_POLICY] = {sizeof(struct control_policy), 1, 1},
	[CONTROL_TYPE_CALLS] = {sizeof(struct world_call), 1, CONTROL_CALLS_PER_PACKET},
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

static bool size_is_sound(const struct control_reply *reply, size_t size)
{
	if (reply->type < CONTROL_TYPE_NODE || reply->type >= TYPE_COUNT)
		return false;
	const struct type *type = &types[reply->type];

	return reply->count >= type->min && reply->count <= type->max &&
	       size == sizeof *reply + type->item * reply->count;
}

static bool payload_is_sound(const struct control_reply *reply, const void *payload)
{
	switch (reply->type) {
	case CONTROL_TYPE_NODE: return node_ends(payload);
	case CONTROL_TYPE_SERVICE: return service_ends(payload);
	case CONTROL_TYPE_AFFECTED: return affected_is_sound(payload);
	case CONTROL_TYPE_EVENTS: return events_end(payload, reply->count);
	case CONTROL_TYPE_SLOTS: return slots_end(payload);
	case CONTROL_TYPE_POLICY: return policy_ends(payload);
	case CONTROL_TYPE_CALLS: return calls_end(payload, reply->count);
	case CONTROL_TYPE_HAPPENED: return happened_end(payload, reply->count);
	default: return true;
	}
}

int control_reply_parse(const void *bytes, size_t size, const struct control_reply **reply,
			const void **payload)
{
	const struct control_reply *header = bytes;

	if (size < sizeof *header)
		return -EBADMSG;
	if (header->version != CONTROL_VERSION)
		return -EPROTO;
	if (!size_is_sound(header, size) || !payload_is_sound(header, header + 1))
		return -EBADMSG;
	*reply = header;
	*payload = header + 1;
	return 0;
}
