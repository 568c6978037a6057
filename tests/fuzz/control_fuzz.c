/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: bytes from whoever connects, and from whoever answers. The first byte says which.
 *
 * A request that is accepted is begun on a small world and answered to its end: every packet of that
 * has to be one that keelctl accepts. An answer that is accepted is shown in every way that keelctl
 * and systemctl have: its numbers may be any.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/plan_write.h"
#include "svc/control_answer.h"
#include "svc/event_json.h"
#include "svc/explain.h"
#include "svc/graph.h"
#include "svc/service.h"
#include "svc/tree.h"
#include "svc/unit.h"

#define SERVICES 3u
#define PACKETS_MAX 64u /* nothing that is not followed has more */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct plan plan;
static struct world *world;
static struct control_server server;
static FILE *nowhere;

static int on_request(void *context, enum control_verb verb, uint32_t service)
{
	(void)context, (void)verb;
	return service < SERVICES ? 0 : (abort(), 0);
}

static int on_reload(void *context, uint32_t service)
{
	(void)context;
	return service < SERVICES ? -EINPROGRESS : (abort(), 0);
}

static int on_kill(void *context, uint32_t service, int signal, bool main_only)
{
	(void)context, (void)main_only;
	if (service >= SERVICES || signal < 1 || signal > 64)
		abort();
	return 0;
}

static int on_power(void *context, enum control_power action, bool force)
{
	(void)context, (void)force;
	if (action < CONTROL_POWEROFF || action > CONTROL_KEXEC)
		abort();
	return 0;
}

static int on_reexec(void *context)
{
	(void)context;
	return 0;
}

static int on_bless(void *context)
{
	(void)context;
	return 0;
}

static int on_slots(void *context, struct control_slot_status *status)
{
	(void)context, (void)status;
	return 0;
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

static void setup(void)
{
	static const char *const names[SERVICES] = {"a", "b", "c"};
	static const char *const argv[] = {"/bin/true", NULL};
	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
	struct plan_fault fault;
	size_t size;
	void *bytes;

	for (uint32_t i = 0; i < SERVICES; i++) {
		struct plan_service service = plan_write_service_defaults(writer, names[i], argv);

		plan_write_service(writer, &service);
		if (i > 0)
			plan_write_edge(writer, i, i - 1, PLAN_EDGE_REQUIRES);
	}
	plan_write_system(writer)->name = plan_write_string(writer, "fuzz");
	plan_write_system(writer)->shutdown_timeout_ns = 1;
	if (plan_write_finish(writer, NULL, &bytes, &size, &fault) != 0 ||
	    plan_verify(bytes, size, PLAN_KIND_NODE, &plan, &fault) != 0)
		abort();
	plan_write_free(writer);
	world = calloc(1, world_size(SERVICES, plan_count(&plan, PLAN_PROBES)));
	if (world_init(world, world_size(SERVICES, plan_count(&plan, PLAN_PROBES)), &plan) != 0)
		abort();
	for (unsigned i = 0; i < 2 * WORLD_EVENTS; i++)
		world_note(world, &(struct world_event){.service = i % 5, .kind = 1});
	server.plan = &plan;
	server.world = world;
	server.calls = &calls;
	nowhere = fopen("/dev/null", "w");
	if (!nowhere)
		abort();
}

static void try_request(const uint8_t *data, size_t size)
{
	struct control_client *client = &server.clients[0];
	union control_packet packet;
	const struct control_reply *reply;
	const void *payload;
	bool last = false;

	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		server.clients[i].fd = -1;
	memset(client, 0, sizeof *client);
	client->fd = -1;
	client->phase = CLIENT_READ;
	if (control_request_parse(data, size, &client->request) != 0)
		return;
	client->error = control_begin(&server, client);
	for (unsigned i = 0; !last; i++) {
		size_t length = control_answer_next(&server, client, 1, &packet, &last);

		if (length == 0)
			return; /* it waits */
		if (control_reply_parse(packet.bytes, length, &reply, &payload) != 0 ||
		    i > PACKETS_MAX)
			abort();
	}
}

static void draw(void *context, const struct tree_line *line)
{
	(void)context;
	if (line->depth > TREE_DEPTH)
		abort();
}

static void show_service(const struct control_service *service)
{
	struct control_service *services = calloc(2, sizeof *services);
	char text[EXPLAIN_BYTES];
	struct unit unit;

	/* As node_ask() has it: the index is its place. */
	services[0] = services[1] = *service;
	services[0].index = 0;
	services[1].index = 1;
	explain_service(&services[1], 1, text);
	explain_death(&services[1].world.last_death, text);
	unit_of_service(&services[1], &unit);
	unit_active_state(&unit);
	unit_sub_state(&unit);
	unit_result(&unit);
	unit_file_state(&unit, services, 2);
	tree_walk(services, 2, NULL, draw, NULL);
	free(services);
}

static void try_reply(const uint8_t *data, size_t size)
{
	_Alignas(uint64_t) uint8_t bytes[CONTROL_PACKET_BYTES];
	const struct control_reply *reply;
	const void *payload;

	if (size > sizeof bytes)
		return;
	memcpy(bytes, data, size);
	if (control_reply_parse(bytes, size, &reply, &payload) != 0)
		return;
	if (reply->type == CONTROL_TYPE_SERVICE)
		show_service(payload);
	for (uint32_t i = 0; reply->type == CONTROL_TYPE_HAPPENED && i < reply->count; i++)
		event_json(nowhere, (const struct control_event *)payload + i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!world)
		setup();
	if (size == 0)
		return 0;
	if (data[0] & 1)
		try_request(data + 1, size - 1);
	else
		try_reply(data + 1, size - 1);
	return 0;
}
