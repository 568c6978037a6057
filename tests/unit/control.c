/* SPDX-License-Identifier: Apache-2.0 */
/* The control protocol's packets: what is refused, and how a request's end is judged. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svc/control_server.h"
#include "svc/service.h"

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
	static const struct {
		uint32_t version, verb, flags, argument;
		char name[CONTROL_NAME_BYTES];
		int error;
	} cases[] = {
		{1, CONTROL_VERB_STATUS, 0, 0, "", 0},
		{1, CONTROL_VERB_STATUS, 0, 0, "web", -EBADMSG},
		{1, CONTROL_VERB_STATUS, 0, 1, "", -EBADMSG},
		{2, CONTROL_VERB_STATUS, 0, 0, "", -EPROTO},
		{1, 0, 0, 0, "", -EBADMSG},
		{1, 9, 0, 0, "", -EBADMSG},
		{1, CONTROL_VERB_START, 0, 0, "web", 0},
		{1, CONTROL_VERB_START, CONTROL_NO_WAIT, 0, "0.a_b-c", 0},
		{1, CONTROL_VERB_START, 2, 0, "web", -EBADMSG},
		{1, CONTROL_VERB_START, 0, 0, "", -EBADMSG},
		{1, CONTROL_VERB_STOP, 0, 0, "Web", -EBADMSG},
		{1, CONTROL_VERB_STOP, 0, 0, "-web", -EBADMSG},
		{1, CONTROL_VERB_STOP, 0, 0, "we b", -EBADMSG},
		{1, CONTROL_VERB_STOP, 0, 0, "we/b", -EBADMSG},
		{1, CONTROL_VERB_STOP, 0, 0, "web\0x", -EBADMSG},
		{1, CONTROL_VERB_POWER, 0, CONTROL_HALT, "", 0},
		{1, CONTROL_VERB_POWER, 0, 0, "", -EBADMSG},
		{1, CONTROL_VERB_POWER, 0, 4, "", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct control_request request = {.version = cases[i].version,
						  .verb = cases[i].verb,
						  .flags = cases[i].flags,
						  .argument = cases[i].argument};

		memcpy(request.name, cases[i].name, sizeof request.name);
		assert_int_equal(parse(&request, sizeof request), cases[i].error);
	}
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
	assert_int_equal(parse_reply(7, 0, 0, 0), -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_NODE, 1, sizeof(struct control_node), 0), 0);
	assert_int_equal(parse_reply(CONTROL_TYPE_NODE, 0, 0, 0), -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_NODE, 1, sizeof(struct control_node), 'x'),
			 -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_SERVICE, 1, sizeof(struct control_service), 0),
			 0);
	assert_int_equal(parse_reply(CONTROL_TYPE_SERVICE, 1, sizeof(struct control_service), 'x'),
			 -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_SERVICE, 1, 8, 0), -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_AFFECTED, 1, CONTROL_NAME_BYTES, 'x'), -EBADMSG);
	assert_int_equal(
		parse_reply(CONTROL_TYPE_EVENTS, 32, 32 * sizeof(struct timeline_event), 0), 0);
	assert_int_equal(parse_reply(CONTROL_TYPE_EVENTS, 32, 32 * sizeof(struct timeline_event),
				     'x'),
			 -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_EVENTS, UINT32_MAX, 64, 0), -EBADMSG);
	assert_int_equal(parse_reply(CONTROL_TYPE_SLOTS, 1, sizeof(struct control_slot_status), 0),
			 0);
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
	struct world *world = calloc(1, world_size(1));

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_checked),
		cmocka_unit_test(requests_of_another_size_are_refused),
		cmocka_unit_test(replies_are_checked),
		cmocka_unit_test(the_end_of_a_change_is_judged_by_state_and_wish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
