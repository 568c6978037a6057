/* SPDX-License-Identifier: Apache-2.0 */
/* The control protocol's packets: what is refused, and how a request's end is judged. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "svc/control_answer.h"
#include "svc/control_server.h"
#include "svc/service.h"
#include "tests/unit/small_world.h"

static int parse(const struct control_request *request, size_t size)
{
	struct control_request out;
	void *copy = malloc(size + (size == 0));

	/* Exactly as long as it says, so that a read beyond it is a finding. */
	memcpy(copy, request, size);
	int error = control_request_parse(copy, size, &out);

	free(copy);
	return error;
}

static void requests_are_checked(void **state)
{
	enum { V = CONTROL_VERSION, WAIT = CONTROL_NO_WAIT, DRY = CONTROL_DRY_RUN };
	static const struct {
		uint32_t version, verb, flags, argument;
		uint64_t since;
		char name[CONTROL_NAME_BYTES];
		int error;
	} cases[] = {
		{V, CONTROL_VERB_STATUS, 0, 0, 0, "", 0},
		{V, CONTROL_VERB_STATUS, 0, 0, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_STATUS, 0, 1, 0, "", -EBADMSG},
		{V, CONTROL_VERB_STATUS, 0, 0, 1, "", -EBADMSG},
		{V, CONTROL_VERB_STATUS, WAIT, 0, 0, "", -EBADMSG},
		{V + 1, CONTROL_VERB_STATUS, 0, 0, 0, "", -EPROTO},
		{V - 1, CONTROL_VERB_STATUS, 0, 0, 0, "", -EPROTO},
		{V, 0, 0, 0, 0, "", -EBADMSG},
		{V, CONTROL_VERB_BLESS + 1, 0, 0, 0, "", -EBADMSG},
		{V, UINT32_MAX, 0, 0, 0, "", -EBADMSG},
		{V, CONTROL_VERB_SERVICE, 0, 0, 0, "web", 0},
		{V, CONTROL_VERB_SERVICE, 0, 0, 0, "", -EBADMSG},
		{V, CONTROL_VERB_START, 0, 0, 0, "web", 0},
		{V, CONTROL_VERB_START, WAIT | DRY, 0, 0, "0.a_b-c", 0},
		{V, CONTROL_VERB_START, CONTROL_FORCE, 0, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_START, CONTROL_FOLLOW, 0, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_START, CONTROL_MAIN, 0, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_START, 32, 0, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_START, 0, 0, 0, "", -EBADMSG},
		{V, CONTROL_VERB_START, 0, 1, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_STOP, DRY, 0, 0, "web", 0},
		{V, CONTROL_VERB_STOP, 0, 0, 0, "Web", -EBADMSG},
		{V, CONTROL_VERB_STOP, 0, 0, 0, "-web", -EBADMSG},
		{V, CONTROL_VERB_STOP, 0, 0, 0, "we b", -EBADMSG},
		{V, CONTROL_VERB_STOP, 0, 0, 0, "we/b", -EBADMSG},
		{V, CONTROL_VERB_STOP, 0, 0, 0, "web\0x", -EBADMSG},
		{V, CONTROL_VERB_RESTART, WAIT | DRY, 0, 0, "web", 0},
		{V, CONTROL_VERB_RELOAD, WAIT, 0, 0, "web", 0},
		{V, CONTROL_VERB_RELOAD, DRY, 0, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_RELOAD, 0, 0, 0, "", -EBADMSG},
		{V, CONTROL_VERB_KILL, 0, 1, 0, "web", 0},
		{V, CONTROL_VERB_KILL, CONTROL_MAIN, 64, 0, "web", 0},
		{V, CONTROL_VERB_KILL, 0, 0, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_KILL, 0, 65, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_KILL, 0, UINT32_MAX, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_KILL, WAIT, 9, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_KILL, 0, 9, 0, "", -EBADMSG},
		{V, CONTROL_VERB_EVENTS, 0, 0, 0, "", 0},
		{V, CONTROL_VERB_EVENTS, CONTROL_FOLLOW, 0, 17, "", 0},
		{V, CONTROL_VERB_EVENTS, 0, 0, CONTROL_FROM_NOW, "", 0},
		{V, CONTROL_VERB_EVENTS, WAIT, 0, 0, "", -EBADMSG},
		{V, CONTROL_VERB_EVENTS, 0, 0, 0, "web", -EBADMSG},
		{V, CONTROL_VERB_TIMELINE, 0, 0, 0, "", 0},
		{V, CONTROL_VERB_TIMELINE, 0, 0, 1, "", -EBADMSG},
		{V, CONTROL_VERB_SLOTS, 0, 0, 0, "", 0},
		{V, CONTROL_VERB_POWER, 0, CONTROL_POWEROFF, 0, "", 0},
		{V, CONTROL_VERB_POWER, CONTROL_FORCE, CONTROL_KEXEC, 0, "", 0},
		{V, CONTROL_VERB_POWER, WAIT, CONTROL_HALT, 0, "", -EBADMSG},
		{V, CONTROL_VERB_POWER, 0, 0, 0, "", -EBADMSG},
		{V, CONTROL_VERB_POWER, 0, CONTROL_KEXEC + 1, 0, "", -EBADMSG},
		{V, CONTROL_VERB_REEXEC, 0, 0, 0, "", 0},
		{V, CONTROL_VERB_REEXEC, CONTROL_FORCE, 0, 0, "", -EBADMSG},
		{V, CONTROL_VERB_POLICY, 0, 0, 0, "web", 0},
		{V, CONTROL_VERB_POLICY, 0, 0, 0, "", -EBADMSG},
		{V, CONTROL_VERB_BLESS, 0, 0, 0, "", 0},
		{V, CONTROL_VERB_BLESS, CONTROL_FORCE, 0, 0, "", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct control_request request = {.version = cases[i].version,
						  .verb = cases[i].verb,
						  .flags = cases[i].flags,
						  .argument = cases[i].argument,
						  .since = cases[i].since};

		memcpy(request.name, cases[i].name, sizeof request.name);
		int error = parse(&request, sizeof request);

		if (error != cases[i].error)
			fail_msg("case %zu: %s: %d", i, control_verb_name(cases[i].verb), error);
	}
}

static void every_verb_has_a_name(void **state)
{
	(void)state;
	for (uint32_t verb = CONTROL_VERB_STATUS; verb <= CONTROL_VERB_BLESS; verb++)
		assert_true(control_verb_name(verb)[0] >= 'a');
	assert_string_equal(control_verb_name(CONTROL_VERB_TIMELINE), "timeline");
	assert_string_equal(control_verb_name(0), "?");
	assert_string_equal(control_verb_name(CONTROL_VERB_BLESS + 1), "?");
}

static void requests_of_another_size_are_refused(void **state)
{
	struct control_request request[2] = {
		{.version = CONTROL_VERSION, .verb = CONTROL_VERB_STATUS}};

	(void)state;
	for (size_t size = 0; size < sizeof request; size++)
		assert_int_equal(parse(request, size), size == sizeof request[0] ? 0 : -EBADMSG);
	memset(request[0].name, 'a', sizeof request[0].name);
	request[0].verb = CONTROL_VERB_START;
	assert_int_equal(parse(request, sizeof request[0]), -EBADMSG);
}

union packet {
	struct control_reply reply;
	uint64_t align;
	char bytes[CONTROL_PACKET_BYTES + 8];
};

static int parse_reply(uint32_t type, uint32_t count, size_t payload, char fill)
{
	union packet packet;
	const struct control_reply *reply;
	const void *items;

	memset(&packet, fill, sizeof packet);
	packet.reply =
		(struct control_reply){.version = CONTROL_VERSION, .type = type, .count = count};
	return control_reply_parse(&packet, sizeof packet.reply + payload, &reply, &items);
}

static void replies_are_checked(void **state)
{
	(void)state;
	assert_int_equal(parse_reply(CONTROL_TYPE_END, 0, 0, 0), 0);
	assert_int_equal(parse_reply(CONTROL_TYPE_END, 1, 0, 0), -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_END, 0, 1, 0), -EBADMSG);
	assert_int_equal(parse_reply(0, 0, 0, 0), -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_CALLS + 1, 0, 0, 0), -EBADMSG);
	assert_int_equal(parse_reply(UINT32_MAX, 0, 0, 0), -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_NODE, 1, sizeof(struct control_node), 0), 0);
	assert_int_equal(parse_reply(CONTROL_TYPE_NODE, 0, 0, 0), -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_NODE, 1, sizeof(struct control_node), 'x'),
			 -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_SERVICE, 1, sizeof(struct control_service), 0),
			 0);
	assert_int_equal(parse_reply(CONTROL_TYPE_SERVICE, 1, sizeof(struct control_service), 'x'),
			 -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_SERVICE, 1, 8, 0), -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_AFFECTED, 1, sizeof(struct control_affected),
				     'x'),
			 -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_AFFECTED, 1, sizeof(struct control_affected), 0),
			 -EBADMSG); /* a move that is none */
	assert_int_equal(parse_reply(CONTROL_TYPE_HAPPENED, 0, 0, 0), 0);
	assert_int_equal(
		parse_reply(CONTROL_TYPE_HAPPENED, 16, 16 * sizeof(struct control_event), 0), 0);
	assert_int_equal(parse_reply(CONTROL_TYPE_HAPPENED, 16, 16 * sizeof(struct control_event),
				     'x'),
			 -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_HAPPENED, 16, 15 * sizeof(struct control_event),
				     0),
			 -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_HAPPENED, 17, 16 * sizeof(struct control_event),
				     0),
			 -EBADMSG);
	assert_int_equal(
		parse_reply(CONTROL_TYPE_EVENTS, 32, 32 * sizeof(struct timeline_event), 0), 0);
	assert_int_equal(parse_reply(CONTROL_TYPE_EVENTS, 32, 32 * sizeof(struct timeline_event),
				     'x'),
			 -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_EVENTS, UINT32_MAX, 64, 0), -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_SLOTS, 1, sizeof(struct control_slot_status), 0),
			 0);
	assert_int_equal(parse_reply(CONTROL_TYPE_POLICY, 1, sizeof(struct control_policy), 0), 0);
	assert_int_equal(parse_reply(CONTROL_TYPE_POLICY, 1, sizeof(struct control_policy), 'x'),
			 -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_CALLS, 2, 2 * sizeof(struct world_call), 0), 0);
	assert_int_equal(parse_reply(CONTROL_TYPE_CALLS, 2, 2 * sizeof(struct world_call), 'x'),
			 -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_CALLS, 33, 32 * sizeof(struct world_call), 0),
			 -EBADMSG);
}

static void the_end_of_a_change_is_judged_by_state_and_wish(void **state)
{
	enum { UP = CONTROL_VERB_START, DOWN = CONTROL_VERB_STOP, AGAIN = CONTROL_VERB_RESTART };
	enum { MARK = SERVICE_MARK_STOP, WAY = SERVICE_MARK_ON_WAY };
	static const struct {
		uint32_t verb, state, wanted, flags, starts;
		int outcome;
	} cases[] = {
		{UP, SERVICE_UP, 1, 0, 1, 0},
		{UP, SERVICE_DONE, 1, 0, 1, 0},
		{UP, SERVICE_STARTING, 1, 0, 1, -EINPROGRESS},
		{UP, SERVICE_WAITING, 1, WAY, 0, -EINPROGRESS},
		{UP, SERVICE_WAITING, 1, 0, 0, -EHOSTUNREACH},
		{UP, SERVICE_BACKOFF, 1, 0, 1, -EIO},
		{UP, SERVICE_BACKOFF, 1, 0, 0, -EINPROGRESS}, /* no room for a process */
		{UP, SERVICE_FAILED, 1, 0, 1, -EIO},
		{UP, SERVICE_DOWN, 0, 0, 1, -ECANCELED},
		{UP, SERVICE_STOPPING, 1, MARK, 1, -EINPROGRESS},
		{DOWN, SERVICE_DOWN, 0, 0, 0, 0},
		{DOWN, SERVICE_UP, 0, MARK, 0, -EINPROGRESS},
		{DOWN, SERVICE_STOPPING, 0, MARK, 0, -EINPROGRESS},
		{DOWN, SERVICE_UP, 1, 0, 1, -ECANCELED},
		{AGAIN, SERVICE_UP, 1, MARK, 0, -EINPROGRESS},
		{AGAIN, SERVICE_STOPPING, 1, MARK, 0, -EINPROGRESS},
		{AGAIN, SERVICE_UP, 1, 0, 1, 0},
		{AGAIN, SERVICE_FAILED, 1, 0, 1, -EIO},
	};
	struct world *world = calloc(1, world_size(1, 0));

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		world->services[0].state = cases[i].state;
		world->services[0].wanted = cases[i].wanted;
		world->services[0].flags = cases[i].flags;
		world->services[0].starts = cases[i].starts;
		int outcome = control_outcome(world, (enum control_verb)cases[i].verb, 0, 0);

		if (outcome != cases[i].outcome)
			fail_msg("case %zu: %s in %s: %d", i, control_verb_name(cases[i].verb),
				 service_state_name(cases[i].state), outcome);
	}
	free(world);
}

/* ---- the server's answers, without sockets ---- */

static struct {
	int error;
	unsigned requests, forced, main_only, killed;
} asked;

static int on_request(void *context, enum control_verb verb, uint32_t service)
{
	(void)context, (void)verb, (void)service;
	asked.requests++;
	return asked.error;
}

static int on_reload(void *context, uint32_t service)
{
	(void)context, (void)service;
	return asked.error;
}

static int on_kill(void *context, uint32_t service, int signal, bool main_only)
{
	(void)context, (void)service;
	asked.killed = (unsigned)signal;
	asked.main_only = main_only;
	return asked.error;
}

static int on_power(void *context, enum control_power action, bool force)
{
	(void)context, (void)action;
	asked.forced = force;
	return asked.error;
}

static int on_reexec(void *context)
{
	(void)context;
	return asked.error;
}

static int on_bless(void *context)
{
	(void)context;
	return asked.error;
}

static int on_slots(void *context, struct control_slot_status *status)
{
	(void)context;
	status->booted = 1;
	return asked.error;
}

static const struct control_calls calls = {
	.request = on_request,
	.reload = on_reload,
	.kill = on_kill,
	.power = on_power,
	.reexec = on_reexec,
	.bless = on_bless,
	.slot_status = on_slots,
};

/* A plan of disk <- web (requires), one client of which is to begin `verb` for web. */
struct node {
	struct plan plan;
	void *bytes;
	struct world *world;
	struct control_server *server;
	struct control_client *client;
};

static void open_node(struct node *node)
{
	static const char *const names[] = {"disk", "web"}, *const argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);

	for (uint32_t i = 0; i < 2; i++) {
		struct plan_service service = plan_write_service_defaults(writer, names[i], argv);

		plan_write_service(writer, &service);
	}
	plan_write_edge(writer, 1, 0, PLAN_EDGE_REQUIRES);
	node->world = small_world(writer, &node->plan, &node->bytes);
	node->server = calloc(1, sizeof *node->server);
	node->server->plan = &node->plan;
	node->server->world = node->world;
	node->server->calls = &calls;
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		node->server->clients[i].fd = -1;
	node->client = &node->server->clients[0];
	node->client->phase = CLIENT_READ;
	memset(&asked, 0, sizeof asked);
}

static void close_node(struct node *node)
{
	free(node->server);
	free(node->world);
	free(node->bytes);
}

static int begin_for(struct node *node, uint32_t verb, uint32_t flags, uint64_t since,
		     const char *name)
{
	node->client->request = (struct control_request){
		.version = CONTROL_VERSION, .verb = verb, .flags = flags, .since = since};
	strcpy(node->client->request.name, name);
	node->client->error = control_begin(node->server, node->client);
	return node->client->error;
}

/* The next packet's type, 0: it waits. */
static uint32_t next_type(struct node *node, union control_packet *packet)
{
	bool last;

	if (control_answer_next(node->server, node->client, 5, packet, &last) == 0)
		return 0;
	assert_int_equal(last, packet->reply.type == CONTROL_TYPE_END);
	return packet->reply.type;
}

static void a_dry_run_tells_and_does_nothing(void **state)
{
	union control_packet packet;
	struct node node;

	(void)state;
	open_node(&node);
	node.world->services[0].state = node.world->services[1].state = SERVICE_UP;
	node.world->services[0].wanted = node.world->services[1].wanted = 1;
	assert_int_equal(begin_for(&node, CONTROL_VERB_STOP, CONTROL_DRY_RUN, 0, "disk"), 0);
	assert_int_equal(asked.requests, 0);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_AFFECTED);
	const struct control_affected *affected = (const void *)(&packet.reply + 1);

	assert_string_equal(affected->name, "web");
	assert_int_equal(affected->move, CONTROL_MOVE_STOP);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_END);
	assert_int_equal(packet.reply.error, 0);

	assert_int_equal(begin_for(&node, CONTROL_VERB_RESTART, CONTROL_DRY_RUN, 0, "disk"), 0);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_AFFECTED);
	assert_int_equal(affected->move, CONTROL_MOVE_RESTART);
	assert_int_equal(begin_for(&node, CONTROL_VERB_STOP, 0, 0, "disk"), 0);
	assert_int_equal(asked.requests, 1);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_AFFECTED);
	assert_int_equal(next_type(&node, &packet), 0); /* until it has settled */
	close_node(&node);
}

static void a_request_that_is_refused_ends_at_once(void **state)
{
	union control_packet packet;
	struct node node;

	(void)state;
	open_node(&node);
	asked.error = -ESHUTDOWN;
	assert_int_equal(begin_for(&node, CONTROL_VERB_START, 0, 0, "web"), -ESHUTDOWN);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_END);
	assert_int_equal(packet.reply.error, -ESHUTDOWN);
	assert_int_equal(begin_for(&node, CONTROL_VERB_START, 0, 0, "nosuch"), -ENOENT);
	assert_int_equal(begin_for(&node, CONTROL_VERB_REEXEC, 0, 0, ""), -ESHUTDOWN);
	close_node(&node);
}

static void force_and_main_reach_the_supervisor(void **state)
{
	struct node node;

	(void)state;
	open_node(&node);
	node.client->request.argument = 0;
	assert_int_equal(begin_for(&node, CONTROL_VERB_POWER, CONTROL_FORCE, 0, ""), 0);
	assert_int_equal(asked.forced, 1);
	assert_int_equal(begin_for(&node, CONTROL_VERB_POWER, 0, 0, ""), 0);
	assert_int_equal(asked.forced, 0);
	assert_int_equal(begin_for(&node, CONTROL_VERB_KILL, CONTROL_MAIN, 0, "web"), 0);
	assert_int_equal(asked.main_only, 1);
	assert_int_equal(begin_for(&node, CONTROL_VERB_KILL, 0, 0, "web"), 0);
	assert_int_equal(asked.main_only, 0);
	close_node(&node);
}

static void what_comes_later_is_waited_for(void **state)
{
	union control_packet packet;
	struct node node;

	(void)state;
	open_node(&node);
	asked.error = -EINPROGRESS;
	assert_int_equal(begin_for(&node, CONTROL_VERB_RELOAD, 0, 0, "web"), 0);
	assert_int_equal(node.client->waits, WAIT_RELOADED);
	assert_int_equal(next_type(&node, &packet), 0);
	assert_int_equal(begin_for(&node, CONTROL_VERB_RELOAD, CONTROL_NO_WAIT, 0, "web"), 0);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_END);
	asked.error = -ENOTSUP;
	assert_int_equal(begin_for(&node, CONTROL_VERB_RELOAD, 0, 0, "web"), -ENOTSUP);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_END);
	asked.error = -EINPROGRESS;
	assert_int_equal(begin_for(&node, CONTROL_VERB_SLOTS, 0, 0, ""), 0);
	assert_int_equal(next_type(&node, &packet), 0);
	node.client->waits = WAIT_NOTHING;
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_SLOTS);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_END);
	asked.error = 0;
	assert_int_equal(begin_for(&node, CONTROL_VERB_SLOTS, 0, 0, ""), 0);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_SLOTS);
	close_node(&node);
}

static void so_many_wait_and_some_of_them_listen(void **state)
{
	struct node node;

	(void)state;
	open_node(&node);
	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &node.server->clients[i];
		int expected = i < CONTROL_FOLLOWERS ? 0 : -EBUSY;

		node.client = client;
		client->fd = 1000;
		client->phase = CLIENT_READ;
		assert_int_equal(begin_for(&node, CONTROL_VERB_EVENTS, CONTROL_FOLLOW, 0, ""),
				 expected);
		expected = i < CONTROL_WAITERS ? 0 : -EBUSY;
		if (i >= CONTROL_FOLLOWERS)
			assert_int_equal(begin_for(&node, CONTROL_VERB_START, 0, 0, "web"),
					 expected);
		client->phase = CLIENT_WAIT;
		if (expected != 0)
			client->waits = WAIT_NOTHING;
		/* Who does not wait is always answered. */
		node.client = &node.server->clients[CONTROL_CLIENTS - 1];
		node.client->phase = CLIENT_READ;
		assert_int_equal(begin_for(&node, CONTROL_VERB_START, CONTROL_NO_WAIT, 0, "web"),
				 0);
	}
	close_node(&node);
}

static void happen(struct world *world, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		world_note(world, &(struct world_event){.at_ns = world->event_count, .service = 1});
}

static const struct control_event *events_of(const union control_packet *packet)
{
	return (const void *)(&packet->reply + 1);
}

static void events_are_told_from_the_number_that_is_asked_for(void **state)
{
	union control_packet packet;
	struct node node;

	(void)state;
	open_node(&node);
	happen(node.world, 20);
	begin_for(&node, CONTROL_VERB_EVENTS, 0, 3, "");
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_HAPPENED);
	assert_int_equal(packet.reply.count, 16);
	assert_int_equal(events_of(&packet)[0].number, 3);
	assert_int_equal(events_of(&packet)[0].event.at_ns, 3);
	assert_string_equal(events_of(&packet)[0].name, "web");
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_HAPPENED);
	assert_int_equal(packet.reply.count, 1);
	assert_int_equal(events_of(&packet)[0].number, 19);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_END);

	begin_for(&node, CONTROL_VERB_EVENTS, CONTROL_FOLLOW, CONTROL_FROM_NOW, "");
	assert_int_equal(next_type(&node, &packet), 0);
	happen(node.world, 1);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_HAPPENED);
	assert_int_equal(events_of(&packet)[0].number, 20);
	assert_int_equal(next_type(&node, &packet), 0);

	/* From before PID 1 lost its memory. */
	begin_for(&node, CONTROL_VERB_EVENTS, 0, 1000, "");
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_HAPPENED);
	assert_int_equal(events_of(&packet)[0].number, 0);
	close_node(&node);
}

static void a_slow_listener_loses_events_and_sees_it(void **state)
{
	union control_packet packet;
	struct node node;

	(void)state;
	open_node(&node);
	begin_for(&node, CONTROL_VERB_EVENTS, CONTROL_FOLLOW, 0, "");
	happen(node.world, WORLD_EVENTS + 7);
	assert_int_equal(control_oldest_event(node.world), 7);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_HAPPENED);
	assert_int_equal(events_of(&packet)[0].number, 7);
	assert_int_equal(events_of(&packet)[0].event.at_ns, 7);
	unsigned told = packet.reply.count;

	while (next_type(&node, &packet) == CONTROL_TYPE_HAPPENED)
		told += packet.reply.count;
	assert_int_equal(told, WORLD_EVENTS);
	node.world->events[0].service = PLAN_NONE;
	begin_for(&node, CONTROL_VERB_EVENTS, 0, WORLD_EVENTS, "");
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_HAPPENED);
	assert_string_equal(events_of(&packet)[0].name, "");
	close_node(&node);
}

static void status_tells_every_service_in_order(void **state)
{
	union control_packet packet;
	struct node node;
	const struct control_service *service = (const void *)(&packet.reply + 1);

	(void)state;
	open_node(&node);
	node.world->event_count = 9;
	node.world->crashes = 2;
	begin_for(&node, CONTROL_VERB_STATUS, 0, 0, "");
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_NODE);
	assert_int_equal(((const struct control_node *)service)->event_count, 9);
	assert_int_equal(((const struct control_node *)service)->crashes, 2);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_SERVICE);
	assert_string_equal(service->name, "disk");
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_SERVICE);
	assert_string_equal(service->name, "web");
	assert_int_equal(service->needs_count, 1);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_END);
	begin_for(&node, CONTROL_VERB_SERVICE, 0, 0, "web");
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_NODE);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_SERVICE);
	assert_string_equal(service->name, "web");
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_END);
	close_node(&node);
}

static void the_calls_of_one_service_are_told_and_no_others(void **state)
{
	union control_packet packet;
	struct node node;
	const struct control_policy *policy = (const void *)(&packet.reply + 1);
	const struct world_call *told = (const void *)(&packet.reply + 1);

	(void)state;
	open_node(&node);
	node.world->landlock_abi = 2;
	node.world->calls.fd = 5;
	/* 40 of the second one, among others': the second packet holds what does not fit the first. */
	for (uint32_t i = 0; i < 100; i++)
		node.world->calls.entries[i] = (struct world_call){.syscall = i,
								   .count = 3,
								   .service = i % 5 < 2 ? 1
									      : i % 5 == 2
										      ? PLAN_NONE
										      : 0};
	node.world->calls.count = 100;
	begin_for(&node, CONTROL_VERB_POLICY, 0, 0, "web");
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_POLICY);
	assert_int_equal(policy->heard_error, 0);
	assert_int_equal(policy->landlock_abi, 2);
	assert_int_equal(policy->unknown, 60);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_CALLS);
	assert_int_equal(packet.reply.count, 32);
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(told[i].syscall, i / 2 * 5 + i % 2);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_CALLS);
	assert_int_equal(packet.reply.count, 8);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_END);
	node.world->calls.fd = -1;
	node.world->calls.error = -EPERM;
	node.world->calls.count = 0;
	begin_for(&node, CONTROL_VERB_POLICY, 0, 0, "disk");
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_POLICY);
	assert_int_equal(policy->heard_error, -EPERM);
	assert_int_equal(next_type(&node, &packet), CONTROL_TYPE_END);
	close_node(&node);
}

/* ---- the server, with sockets ---- */

#define LISTEN_KEY (1ull << 56)
#define CLIENT_KEY (2ull << 56)

static char directory[] = "/tmp/keelson-control-XXXXXX";
static char path[64];

static void open_server(struct node *node)
{
	open_node(node);
	if (!*path) {
		assert_non_null(mkdtemp(directory));
		snprintf(path, sizeof path, "%s/control", directory);
	}
	node->server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	node->server->listen_key = LISTEN_KEY;
	node->server->client_key = CLIENT_KEY;
	assert_int_equal(control_server_open(node->server, path), 0);
}

static void close_server(struct node *node)
{
	control_server_close(node->server);
	assert_int_equal(node->world->control_fd, -1);
	close(node->server->epoll_fd);
	unlink(path);
	close_node(node);
}

/* What epoll tells just now is handled at `now_ns`. */
static void turn(struct node *node, uint64_t now_ns)
{
	struct epoll_event events[CONTROL_CLIENTS + 1];
	int count = epoll_wait(node->server->epoll_fd, events, CONTROL_CLIENTS + 1, 0);

	for (int i = 0; i < count; i++) {
		uint64_t key = events[i].data.u64;

		if (key == LISTEN_KEY)
			control_server_accept(node->server, now_ns);
		else
			control_server_handle(node->server, (uint32_t)key,
					      (uint32_t)(key >> 32) & 0xffffff, now_ns);
	}
	control_server_tick(node->server, now_ns);
}

/* A client that has sent its request, which the server has begun. */
static int ask(struct node *node, uint32_t verb, uint32_t flags, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct control_request request = {.version = CONTROL_VERSION, .verb = verb, .flags = flags};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	strcpy(request.name, name);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(send(fd, &request, sizeof request, 0), sizeof request);
	turn(node, 1); /* takes it */
	turn(node, 1); /* reads it */
	return fd;
}

enum { NOTHING = 1, HUNG_UP = 2 }; /* no errno of ours */

/* The error of the next packet if it is END, its type if not. */
static int hear(int fd)
{
	union control_packet packet;
	ssize_t size = recv(fd, packet.bytes, sizeof packet.bytes, 0);

	if (size <= 0)
		return size < 0 && errno == EAGAIN ? NOTHING : HUNG_UP;
	return packet.reply.type == CONTROL_TYPE_END ? packet.reply.error
						     : 100 + (int)packet.reply.type;
}

static unsigned connected(const struct node *node)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < CONTROL_CLIENTS; i++)
		count += node->server->clients[i].fd >= 0;
	return count;
}

static void the_disks_answer_goes_to_all_who_asked(void **state)
{
	struct control_slot_status status = {.booted = 1};
	struct node node;

	(void)state;
	open_server(&node);
	asked.error = -EINPROGRESS;
	int one = ask(&node, CONTROL_VERB_SLOTS, 0, ""),
	    two = ask(&node, CONTROL_VERB_SLOTS, 0, "");

	assert_int_equal(hear(one), NOTHING);
	control_server_slots(node.server, 0, &status, 2);
	assert_int_equal(hear(one), 100 + CONTROL_TYPE_SLOTS);
	assert_int_equal(hear(one), 0);
	assert_int_equal(hear(one), HUNG_UP);
	assert_int_equal(hear(two), 100 + CONTROL_TYPE_SLOTS);
	int three = ask(&node, CONTROL_VERB_SLOTS, 0, "");

	control_server_slots(node.server, -ENODEV, &status, 2);
	assert_int_equal(hear(three), -ENODEV);
	assert_int_equal(connected(&node), 0);
	close(one), close(two), close(three);
	close_server(&node);
}

static void a_disk_that_does_not_answer_is_given_up(void **state)
{
	struct node node;

	(void)state;
	open_server(&node);
	asked.error = -EINPROGRESS;
	int fd = ask(&node, CONTROL_VERB_SLOTS, 0, "");

	assert_int_equal(control_server_deadline_ns(node.server), 1 + CONTROL_IDLE_NS);
	turn(&node, CONTROL_IDLE_NS);
	assert_int_equal(hear(fd), NOTHING);
	turn(&node, 1 + CONTROL_IDLE_NS);
	assert_int_equal(hear(fd), -ETIMEDOUT);
	close(fd);
	close_server(&node);
}

static void a_reload_is_told_to_who_asked_for_it(void **state)
{
	struct node node;

	(void)state;
	open_server(&node);
	asked.error = -EINPROGRESS;
	node.world->services[0].state = node.world->services[1].state = SERVICE_UP;
	int disk = ask(&node, CONTROL_VERB_RELOAD, 0, "disk");
	int web = ask(&node, CONTROL_VERB_RELOAD, 0, "web");

	control_server_settle(node.server, 2);
	control_server_reloaded(node.server, 1, -EIO, 2);
	assert_int_equal(hear(disk), NOTHING);
	assert_int_equal(hear(web), -EIO);
	node.world->services[0].state = SERVICE_STOPPING;
	control_server_settle(node.server, 2);
	assert_int_equal(hear(disk), -ECANCELED);
	close(disk), close(web);
	close_server(&node);
}

static void who_hangs_up_while_it_waits_makes_room(void **state)
{
	struct node node;

	(void)state;
	open_server(&node);
	node.world->services[1].state = SERVICE_STARTING;
	int waiting = ask(&node, CONTROL_VERB_START, 0, "web");
	int following = ask(&node, CONTROL_VERB_EVENTS, CONTROL_FOLLOW, "");

	assert_int_equal(connected(&node), 2);
	close(waiting), close(following);
	turn(&node, 2);
	assert_int_equal(connected(&node), 0);
	assert_int_equal(control_server_deadline_ns(node.server), UINT64_MAX);
	close_server(&node);
}

static void a_follower_is_told_in_the_same_turn_and_one_that_is_stuck_is_closed(void **state)
{
	struct node node;
	int size = 1;

	(void)state;
	open_server(&node);
	int fd = ask(&node, CONTROL_VERB_EVENTS, CONTROL_FOLLOW, "");

	assert_int_equal(hear(fd), NOTHING);
	happen(node.world, 1);
	turn(&node, 2);
	assert_int_equal(hear(fd), 100 + CONTROL_TYPE_HAPPENED);
	assert_int_equal(hear(fd), NOTHING);
	/* It reads no more: what it has room for goes out, then it has a minute. */
	setsockopt(node.server->clients[0].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	for (int i = 0; i < 100; i++) {
		happen(node.world, CONTROL_HAPPENED_PER_PACKET);
		turn(&node, 3);
	}
	assert_int_equal(node.server->clients[0].phase, CLIENT_SEND);
	turn(&node, 2 + CONTROL_STUCK_NS);
	assert_int_equal(connected(&node), 1);
	/* It reads after all: it is told the rest that is kept, from where it was cut. */
	while (hear(fd) == 100 + CONTROL_TYPE_HAPPENED)
		turn(&node, 2 + CONTROL_STUCK_NS);
	assert_int_equal(node.server->clients[0].cursor, node.world->event_count);
	for (int i = 0; i < 100; i++) {
		happen(node.world, CONTROL_HAPPENED_PER_PACKET);
		turn(&node, 5 + CONTROL_STUCK_NS);
	}
	turn(&node, 6 + 2 * CONTROL_STUCK_NS);
	assert_int_equal(connected(&node), 0);
	close(fd);
	close_server(&node);
}

static void what_does_not_fit_is_sent_later_not_left_out(void **state)
{
	union control_packet packet;
	struct node node;
	uint64_t next = 0;
	int size = 1;

	(void)state;
	open_server(&node);
	int fd = ask(&node, CONTROL_VERB_EVENTS, CONTROL_FOLLOW, "");

	setsockopt(node.server->clients[0].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	for (int i = 0; i < 30; i++) {
		happen(node.world, CONTROL_HAPPENED_PER_PACKET);
		turn(&node, 3);
	}
	assert_int_equal(node.server->clients[0].phase, CLIENT_SEND);
	while (recv(fd, packet.bytes, sizeof packet.bytes, 0) > 0) {
		for (uint32_t i = 0; i < packet.reply.count; i++)
			assert_int_equal(events_of(&packet)[i].number, next++);
		turn(&node, 3);
	}
	assert_int_equal(next, node.world->event_count);
	close(fd);
	close_server(&node);
}

static void the_listening_socket_of_an_execution_before_is_kept(void **state)
{
	struct node node;

	(void)state;
	open_server(&node);
	int fd = node.world->control_fd;

	/* As after a re-exec: another epoll, the same world. */
	close(node.server->epoll_fd);
	node.server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(control_server_open(node.server, "/nowhere/control"), 0);
	assert_int_equal(node.world->control_fd, fd);
	int client = ask(&node, CONTROL_VERB_REEXEC, 0, "");

	assert_int_equal(hear(client), 0);
	close(client);
	close_server(&node);
}

static int remove_directory(void **state)
{
	(void)state;
	return *path ? rmdir(directory) : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_checked),
		cmocka_unit_test(every_verb_has_a_name),
		cmocka_unit_test(requests_of_another_size_are_refused),
		cmocka_unit_test(replies_are_checked),
		cmocka_unit_test(the_end_of_a_change_is_judged_by_state_and_wish),
		cmocka_unit_test(a_dry_run_tells_and_does_nothing),
		cmocka_unit_test(a_request_that_is_refused_ends_at_once),
		cmocka_unit_test(force_and_main_reach_the_supervisor),
		cmocka_unit_test(what_comes_later_is_waited_for),
		cmocka_unit_test(so_many_wait_and_some_of_them_listen),
		cmocka_unit_test(events_are_told_from_the_number_that_is_asked_for),
		cmocka_unit_test(a_slow_listener_loses_events_and_sees_it),
		cmocka_unit_test(status_tells_every_service_in_order),
		cmocka_unit_test(the_calls_of_one_service_are_told_and_no_others),
		cmocka_unit_test(the_disks_answer_goes_to_all_who_asked),
		cmocka_unit_test(a_disk_that_does_not_answer_is_given_up),
		cmocka_unit_test(a_reload_is_told_to_who_asked_for_it),
		cmocka_unit_test(who_hangs_up_while_it_waits_makes_room),
		cmocka_unit_test(
			a_follower_is_told_in_the_same_turn_and_one_that_is_stuck_is_closed),
		cmocka_unit_test(what_does_not_fit_is_sent_later_not_left_out),
		cmocka_unit_test(the_listening_socket_of_an_execution_before_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, remove_directory);
}
