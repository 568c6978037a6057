/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/control_answer.h"

#include <string.h>

#include "svc/calls.h"
#include "svc/format.h"
#include "svc/graph.h"
#include "svc/service.h"

_Static_assert(sizeof(struct control_service) <=
		       CONTROL_PACKET_BYTES - sizeof(struct control_reply),
	       "every packet fits");
_Static_assert(CONTROL_HAPPENED_PER_PACKET * sizeof(struct control_event) <=
		       CONTROL_PACKET_BYTES - sizeof(struct control_reply),
	       "every packet fits");
_Static_assert(CONTROL_CALLS_PER_PACKET * sizeof(struct world_call) <=
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
	node->crashes = world->crashes;
	node->crash_signal = world->crash_signal;
	node->crash_ns = world->crash_ns;
	node->ending = world->ending;
	node->event_count = world->event_count;
	return sizeof packet->reply + sizeof *node;
}

static void put_condition(const struct plan *plan, const struct plan_service *from,
			  struct control_service *to)
{
	static const char kinds[][15] = {
		[PLAN_CONDITION_PATH] = "path",
		[PLAN_CONDITION_KERNEL_WORD] = "kernel-word",
		[PLAN_CONDITION_FIRST_BOOT] = "first-boot",
		[PLAN_CONDITION_ARCHITECTURE] = "architecture",
		[PLAN_CONDITION_VIRTUALIZATION] = "virtualization",
	};

	if (!(to->world.flags & SERVICE_MARK_SKIPPED) || to->world.hook >= from->conditions.count)
		return;
	const struct plan_condition *condition =
		plan_condition(plan, from->conditions.first + to->world.hook);

	format_text(to->condition, sizeof to->condition, "%s%s %s",
		    condition->flags & PLAN_CONDITION_NOT ? "not " : "", kinds[condition->kind],
		    plan_string(plan, condition->value));
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
	to->liveness = from->liveness.count;
	to->burst = from->burst;
	to->stop_signal = from->stop_signal;
	to->reload = from->reload_command != PLAN_NONE ? CONTROL_RELOAD_COMMAND
		     : from->reload_signal != 0        ? CONTROL_RELOAD_SIGNAL
						       : CONTROL_RELOAD_NONE;
	to->timer_every_ns = from->timer_every_ns;
	put_condition(plan, from, to);
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

static size_t put_slots(const struct control_server *server, union control_packet *packet)
{
	struct control_slot_status *status = begin(packet, CONTROL_TYPE_SLOTS, 1, sizeof *status);

	*status = server->slots;
	return sizeof packet->reply + sizeof *status;
}

static size_t put_policy(const struct control_server *server, uint32_t service,
			 union control_packet *packet)
{
	const struct world *world = server->world;
	const struct world_calls *calls = &world->calls;
	uint32_t index = plan_service(server->plan, service)->policy;
	struct control_policy *policy = begin(packet, CONTROL_TYPE_POLICY, 1, sizeof *policy);

	policy->mode = CONTROL_MODE_ENFORCE;
	if (index != PLAN_NONE && plan_policy(server->plan, index)->mode == PLAN_MODE_AUDIT)
		policy->mode = CONTROL_MODE_AUDIT;
	if (index != PLAN_NONE) {
		policy->flags = plan_policy(server->plan, index)->flags;
		format_text(policy->name, sizeof policy->name, "%s",
			    plan_string(server->plan, plan_policy(server->plan, index)->name));
	}
	policy->heard_error = calls->fd >= 0 ? 0 : calls->error;
	policy->landlock_abi = world->landlock_abi;
	policy->heard = calls->heard;
	policy->lost = calls_lost(calls);
	policy->no_room = calls->no_room + calls->unread;
	for (uint32_t i = 0; i < calls->count; i++)
		if (calls->entries[i].service == PLAN_NONE)
			policy->unknown += calls->entries[i].count;
	return sizeof packet->reply + sizeof *policy;
}

/* The calls of the client's service from entry *cursor - 1 on, as many as fit; 0: none is left. */
static size_t put_calls(const struct world *world, struct control_client *client,
			union control_packet *packet)
{
	struct world_call *to = begin(packet, CONTROL_TYPE_CALLS, 0,
				      CONTROL_CALLS_PER_PACKET * sizeof *to);
	uint32_t count = 0;

	for (; client->cursor - 1 < world->calls.count && count < CONTROL_CALLS_PER_PACKET;
	     client->cursor++) {
		const struct world_call *call = &world->calls.entries[client->cursor - 1];

		if (call->service == client->service)
			to[count++] = *call;
	}
	packet->reply.count = count;
	return count ? sizeof packet->reply + count * sizeof *to : (size_t)0;
}

/* What happened since number *cursor, as much as fits and is still kept; 0: nothing. */
static size_t put_happened(const struct world *world, uint64_t *cursor,
			   union control_packet *packet)
{
	uint64_t oldest = control_oldest_event(world);

	if (*cursor < oldest)
		*cursor = oldest;
	uint64_t left = world->event_count - *cursor;
	uint32_t count = left < CONTROL_HAPPENED_PER_PACKET ? (uint32_t)left
							    : CONTROL_HAPPENED_PER_PACKET;
	struct control_event *to = begin(packet, CONTROL_TYPE_HAPPENED, count, count * sizeof *to);

	for (uint32_t i = 0; i < count; i++, ++*cursor) {
		to[i].number = *cursor;
		to[i].event = world->events[*cursor % WORLD_EVENTS];
		if (to[i].event.service < world->service_count)
			memcpy(to[i].name, world->services[to[i].event.service].name,
			       sizeof to[i].name);
	}
	return count ? sizeof packet->reply + count * sizeof *to : (size_t)0;
}

static uint32_t move_of(const struct control_client *client, uint32_t index)
{
	if (graph_set_has(&client->moves.stop, index))
		return client->request.verb == CONTROL_VERB_RESTART ? CONTROL_MOVE_RESTART
								    : CONTROL_MOVE_STOP;
	return graph_set_has(&client->moves.start, index) ? CONTROL_MOVE_START : 0;
}

static size_t put_affected(const struct world *world, struct control_client *client,
			   union control_packet *packet)
{
	while (client->cursor < world->service_count) {
		uint32_t at = (uint32_t)client->cursor++;
		uint32_t move = move_of(client, at);

		if (move == 0)
			continue;
		struct control_affected *affected = begin(packet, CONTROL_TYPE_AFFECTED, 1,
							  sizeof *affected);

		memcpy(affected->name, world->services[at].name, sizeof affected->name);
		affected->move = move;
		return sizeof packet->reply + sizeof *affected;
	}
	return 0;
}

static bool is_change(uint32_t verb)
{
	return verb == CONTROL_VERB_START || verb == CONTROL_VERB_STOP ||
	       verb == CONTROL_VERB_RESTART;
}

/* The packet at the cursor but END; 0: there is none left. */
static size_t next_of_verb(const struct control_server *server, struct control_client *client,
			   uint64_t now_ns, union control_packet *packet)
{
	const struct world *world = server->world;
	uint32_t verb = client->request.verb;

	if (verb == CONTROL_VERB_EVENTS)
		return put_happened(world, &client->cursor, packet);
	if (is_change(verb))
		return put_affected(world, client, packet);
	if (verb == CONTROL_VERB_POLICY && client->cursor != 0)
		return put_calls(world, client, packet);
	uint32_t at = (uint32_t)client->cursor++;

	if (verb == CONTROL_VERB_POLICY)
		return put_policy(server, client->service, packet);
	if (verb == CONTROL_VERB_SLOTS)
		return at == 0 ? put_slots(server, packet) : 0;
	if (verb != CONTROL_VERB_STATUS && verb != CONTROL_VERB_SERVICE &&
	    verb != CONTROL_VERB_TIMELINE)
		return 0;
	if (at-- == 0)
		return put_node(server, now_ns, packet);
	if (verb == CONTROL_VERB_STATUS)
		return at < world->service_count ? put_service(server, at, packet) : 0;
	if (verb == CONTROL_VERB_SERVICE)
		return at == 0 ? put_service(server, client->service, packet) : 0;
	at *= CONTROL_EVENTS_PER_PACKET;
	return at < world->timeline.count ? put_events(server, at, packet) : 0;
}

/* These tell what they have before they wait; the others wait before they tell anything. */
static bool tells_now(const struct control_client *client)
{
	return client->error == 0 && client->waits != WAIT_SLOTS;
}

size_t control_answer_next(const struct control_server *server, struct control_client *client,
			   uint64_t now_ns, union control_packet *packet, bool *last)
{
	size_t size = tells_now(client) ? next_of_verb(server, client, now_ns, packet) : (size_t)0;

	*last = false;
	if (size != 0 || (client->error == 0 && client->waits != WAIT_NOTHING))
		return size;
	*last = true;
	begin(packet, CONTROL_TYPE_END, 0, 0);
	packet->reply.error = client->error;
	return sizeof packet->reply;
}
