/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/control_answer.h"

#include <string.h>

#include "svc/format.h"
#include "svc/graph.h"
#include "svc/service.h"

_Static_assert(sizeof(struct control_service) <=
		       CONTROL_PACKET_BYTES - sizeof(struct control_reply),
	       "every packet fits");
_Static_assert(sizeof(struct control_slot_status) <=
		       CONTROL_PACKET_BYTES - sizeof(struct control_reply),
	       "every packet fits");

/* Begin a packet with zeroed payload of `size` bytes and return where that is. */
static void *begin(union control_packet *packet, enum control_type type, uint32_t count,
		   size_t size)
{
	memset(packet->bytes, 0, sizeof packet->reply + size);
	packet->reply =
		(struct control_reply){.version = CONTROL_VERSION, .type = type, .count = count};
	return packet->bytes + sizeof packet->reply;
}

static size_t put_node(const struct control_server *server, uint64_t now_ns,
		       union control_packet *packet)
{
	const struct plan *plan = server->plan;
	const struct world *world = server->world;
	struct control_node *node = begin(packet, CONTROL_TYPE_NODE, 1, sizeof *node);

	format_text(node->name, sizeof node->name, "%s", plan_string(plan, plan->system->name));
	format_text(node->image_version, sizeof node->image_version, "%s",
		    plan_string(plan, plan->system->image_version));
	node->now_ns = now_ns;
	node->up_ns = world->up_ns;
	node->blessed_ns = world->blessed_ns;
	node->reaped_orphans = world->reaped_orphans;
	node->service_count = world->service_count;
	node->executions = world->executions;
	node->events = world->timeline.count;
	node->events_dropped = world->timeline.dropped;
	return sizeof packet->reply + sizeof *node;
}

static void put_needs(const struct plan *plan, const struct plan_service *from,
		      struct control_service *to)
{
	const uint32_t room = sizeof to->needs / sizeof to->needs[0];

	for (uint32_t k = 0; k < from->needs.count && k < room; k++) {
		const struct plan_edge *edge = plan_edge(plan, from->needs.first + k);

		to->needs[k] = edge->to;
		to->need_kinds[k] = edge->kind;
		to->needs_count = k + 1;
	}
}

static size_t put_service(const struct control_server *server, uint32_t index,
			  union control_packet *packet)
{
	const struct plan *plan = server->plan;
	const struct plan_service *from = plan_service(plan, index);
	struct control_service *to = begin(packet, CONTROL_TYPE_SERVICE, 1, sizeof *to);
	uint32_t blocker = PLAN_NONE;

	to->world = server->world->services[index];
	if (to->world.state == SERVICE_WAITING)
		blocker = graph_blocker(plan, server->world, index);
	memcpy(to->name, to->world.name, sizeof to->name);
	if (from->policy != PLAN_NONE)
		format_text(to->policy, sizeof to->policy, "%s",
			    plan_string(plan, plan_policy(plan, from->policy)->name));
	if (blocker != PLAN_NONE)
		memcpy(to->waiting_for, server->world->services[blocker].name,
		       sizeof to->waiting_for);
	format_text(to->cgroup, sizeof to->cgroup, "%s", plan_string(plan, from->cgroup));
	format_text(to->output_path, sizeof to->output_path, "%s",
		    plan_string(plan, from->output_path));
	if (from->argv.count > 0)
		format_text(to->program, sizeof to->program, "%s",
			    plan_list_string(plan, from->argv, 0));
	to->index = index;
	to->kind = from->kind;
	to->flags = from->flags;
	to->restart = from->restart;
	to->output = from->output;
	to->probes = from->probes.count;
	put_needs(plan, from, to);
	return sizeof packet->reply + sizeof *to;
}

static size_t put_events(const struct control_server *server, uint32_t first,
			 union control_packet *packet)
{
	const struct timeline *timeline = &server->world->timeline;
	uint32_t count = timeline->count - first;

	if (count > CONTROL_EVENTS_PER_PACKET)
		count = CONTROL_EVENTS_PER_PACKET;
	size_t size = count * sizeof timeline->events[0];

	memcpy(begin(packet, CONTROL_TYPE_EVENTS, count, size), &timeline->events[first], size);
	return sizeof packet->reply + size;
}

static size_t put_affected(const struct control_server *server, uint32_t index,
			   union control_packet *packet)
{
	char *name = begin(packet, CONTROL_TYPE_AFFECTED, 1, CONTROL_NAME_BYTES);

	memcpy(name, server->world->services[index].name, CONTROL_NAME_BYTES);
	return sizeof packet->reply + CONTROL_NAME_BYTES;
}

static size_t put_slots(const struct control_server *server, struct control_client *client,
			union control_packet *packet)
{
	const struct control_calls *calls = server->calls;
	struct control_slot_status *status = begin(packet, CONTROL_TYPE_SLOTS, 1, sizeof *status);

	client->error = calls->slot_status(calls->context, status);
	return client->error == 0 ? sizeof packet->reply + sizeof *status : 0;
}

/* The packet at the cursor but END; 0: there is none left. */
static size_t next_of_verb(const struct control_server *server, struct control_client *client,
			   uint64_t now_ns, union control_packet *packet)
{
	uint32_t at = client->cursor++;

	switch (client->request.verb) {
	case CONTROL_VERB_STATUS:
		if (at == 0)
			return put_node(server, now_ns, packet);
		return at <= server->world->service_count ? put_service(server, at - 1, packet) : 0;
	case CONTROL_VERB_SERVICE:
		if (at == 0)
			return put_node(server, now_ns, packet);
		return at == 1 ? put_service(server, client->service, packet) : 0;
	case CONTROL_VERB_TIMELINE:
		if (at == 0)
			return put_node(server, now_ns, packet);
		at = (at - 1) * CONTROL_EVENTS_PER_PACKET;
		return at < server->world->timeline.count ? put_events(server, at, packet) : 0;
	case CONTROL_VERB_SLOTS: return at == 0 ? put_slots(server, client, packet) : 0;
	case CONTROL_VERB_START:
	case CONTROL_VERB_STOP:
	case CONTROL_VERB_RESTART:
		while (at < server->world->service_count &&
		       !(client->affected[at / 8] >> at % 8 & 1))
			at++;
		client->cursor = at + 1;
		return at < server->world->service_count ? put_affected(server, at, packet) : 0;
	default: return 0;
	}
}

size_t control_answer_next(const struct control_server *server, struct control_client *client,
			   uint64_t now_ns, union control_packet *packet, bool *last)
{
	size_t size = client->error == 0 ? next_of_verb(server, client, now_ns, packet) : (size_t)0;

	*last = false;
	if (size != 0 || (client->error == 0 && !client->settled))
		return size;
	*last = true;
	begin(packet, CONTROL_TYPE_END, 0, 0);
	packet->reply.error = client->error;
	return sizeof packet->reply;
}
