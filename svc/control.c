/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/control.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char verb_names[][10] = {
	[CONTROL_VERB_STATUS] = "status",   [CONTROL_VERB_SERVICE] = "service",
	[CONTROL_VERB_START] = "start",     [CONTROL_VERB_STOP] = "stop",
	[CONTROL_VERB_RESTART] = "restart", [CONTROL_VERB_TIMELINE] = "timeline",
	[CONTROL_VERB_POWER] = "power",     [CONTROL_VERB_SLOTS] = "slots",
};
#define VERB_COUNT (sizeof verb_names / sizeof verb_names[0])

const char *control_verb_name(uint32_t verb)
{
	return verb >= CONTROL_VERB_STATUS && verb < VERB_COUNT ? verb_names[verb] : "?";
}

static bool names_a_service(uint32_t verb)
{
	return verb == CONTROL_VERB_SERVICE || verb == CONTROL_VERB_START ||
	       verb == CONTROL_VERB_STOP || verb == CONTROL_VERB_RESTART;
}

/* [a-z0-9][a-z0-9._-]*, then NUL to the end of the field. */
static bool is_service_name(const char name[static CONTROL_NAME_BYTES])
{
	size_t length = strnlen(name, CONTROL_NAME_BYTES);

	if (length == 0 || length == CONTROL_NAME_BYTES || strchr("._-", name[0]))
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = name[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("._-", c))
			return false;
	}
	for (size_t i = length; i < CONTROL_NAME_BYTES; i++)
		if (name[i] != '\0')
			return false;
	return true;
}

static bool is_empty_name(const char name[static CONTROL_NAME_BYTES])
{
	for (size_t i = 0; i < CONTROL_NAME_BYTES; i++)
		if (name[i] != '\0')
			return false;
	return true;
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
	if (request->verb < CONTROL_VERB_STATUS || request->verb >= VERB_COUNT ||
	    (request->flags & ~CONTROL_NO_WAIT) != 0)
		return -EBADMSG;
	bool power = request->verb == CONTROL_VERB_POWER;

	if (power ? request->argument < CONTROL_POWEROFF || request->argument > CONTROL_HALT
		  : request->argument != 0)
		return -EBADMSG;
	if (names_a_service(request->verb) ? !is_service_name(request->name)
					   : !is_empty_name(request->name))
		return -EBADMSG;
	return 0;
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
	       ends(service->world.name, sizeof service->world.name) &&
	       ends(service->world.status, sizeof service->world.status) &&
	       service->needs_count <= sizeof service->needs / sizeof service->needs[0];
}

static bool events_end(const struct timeline_event *events, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!ends(events[i].name, sizeof events[i].name))
			return false;
	return true;
}

static bool slots_end(const struct control_slot_status *status)
{
	bool good = ends(status->disk, sizeof status->disk) && status->booted < 2;

	for (unsigned i = 0; i < 2; i++)
		good = good && ends(status->slots[i].version, sizeof status->slots[i].version) &&
		       ends(status->slots[i].partition, sizeof status->slots[i].partition);
	return good;
}

/* How many bytes one item of `type` takes; SIZE_MAX for a type that is none. */
static size_t item_bytes(uint32_t type)
{
	switch (type) {
	case CONTROL_TYPE_NODE: return sizeof(struct control_node);
	case CONTROL_TYPE_SERVICE: return sizeof(struct control_service);
	case CONTROL_TYPE_AFFECTED: return CONTROL_NAME_BYTES;
	case CONTROL_TYPE_EVENTS: return sizeof(struct timeline_event);
	case CONTROL_TYPE_SLOTS: return sizeof(struct control_slot_status);
	case CONTROL_TYPE_END: return 0;
	default: return SIZE_MAX;
	}
}

static bool payload_is_sound(const struct control_reply *reply, const void *payload)
{
	switch (reply->type) {
	case CONTROL_TYPE_NODE: return node_ends(payload);
	case CONTROL_TYPE_SERVICE: return service_ends(payload);
	case CONTROL_TYPE_AFFECTED: return ends(payload, CONTROL_NAME_BYTES);
	case CONTROL_TYPE_EVENTS: return events_end(payload, reply->count);
	case CONTROL_TYPE_SLOTS: return slots_end(payload);
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
	size_t item = item_bytes(header->type);
	uint32_t max = header->type == CONTROL_TYPE_EVENTS ? CONTROL_EVENTS_PER_PACKET
		       : header->type == CONTROL_TYPE_END  ? 0
							   : 1;

	if (item == SIZE_MAX || header->count > max ||
	    (header->count == 0 && header->type != CONTROL_TYPE_END &&
	     header->type != CONTROL_TYPE_EVENTS) ||
	    size != sizeof *header + item * header->count)
		return -EBADMSG;
	if (!payload_is_sound(header, header + 1))
		return -EBADMSG;
	*reply = header;
	*payload = header + 1;
	return 0;
}
