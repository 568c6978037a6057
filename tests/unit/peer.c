// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <linux/capability.h>
#include <sys/socket.h>
#include <unistd.h>

#include "svc/control.h"
#include "svc/peer.h"

#define ALL ((1ull << (CAP_LAST_CAP + 1)) - 1)
#define BOOT (1ull << CAP_SYS_BOOT)

static void rights_of_a_process(void **state)
{
	static const struct {
		const char *who;
		struct peer peer;
		uint64_t own;
		enum peer_rights rights;
	} table[] = {
		{"root's shell", {0, 7, true, ALL, OWNER_FREE}, ALL, PEER_CHANGE},
		{"a user with every capability",
		 {1000, 7, true, ALL, OWNER_FREE},
		 ALL,
		 PEER_NOTHING},
		{"a service that may not reboot",
		 {0, 7, true, ALL & ~BOOT, OWNER_FREE},
		 ALL,
		 PEER_LOOK},
		{"a service without any", {0, 7, true, 0, OWNER_FREE}, ALL, PEER_LOOK},
		{"root of a user namespace", {0, 7, false, ALL, OWNER_FREE}, ALL, PEER_LOOK},
		{"PID 1 of a container that may not reboot either",
		 {0, 7, true, ALL & ~BOOT, OWNER_FREE},
		 ALL & ~BOOT,
		 PEER_CHANGE},
		{"more than PID 1 has", {0, 7, true, ALL, OWNER_FREE}, ALL & ~BOOT, PEER_CHANGE},
		{"a pod", {0, 7, true, ALL, OWNER_POD}, ALL, PEER_NOTHING},
		{"a confined service that lost nothing",
		 {0, 7, true, ALL, OWNER_CONFINED},
		 ALL,
		 PEER_LOOK},
		{"one that is allowed to", {0, 7, true, 0, OWNER_ALLOWED}, ALL, PEER_CHANGE},
		{"... a user of it", {1000, 7, true, 0, OWNER_ALLOWED}, ALL, PEER_NOTHING},
		{"... root of its user namespace",
		 {0, 7, false, ALL, OWNER_ALLOWED},
		 ALL,
		 PEER_LOOK},
		{"somebody outside", {0, 0, false, 0, OWNER_FREE}, ALL, PEER_CHANGE},
		{"a user outside", {1000, 0, false, ALL, OWNER_FREE}, ALL, PEER_NOTHING},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (peer_judge(&table[i].peer, table[i].own) != table[i].rights)
			fail_msg("%s", table[i].who);
}

static void rights_over_a_socket(void **state)
{
	static const char pods[] = "";
	static const struct plan_system system;
	const struct plan plan = {.base = (const uint8_t *)pods, .system = &system};
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	/* Oneself is one's equal. */
	assert_int_equal(peer_rights(&plan, ends[0]), geteuid() == 0 ? PEER_CHANGE : PEER_NOTHING);
	close(ends[0]);
	assert_int_equal(peer_rights(&plan, ends[0]), PEER_NOTHING);
	close(ends[1]);
}

static void requests_that_change_something(void **state)
{
	static const struct {
		uint32_t verb;
		uint32_t flags;
		bool changes;
	} table[] = {
		{CONTROL_VERB_STATUS, 0, false},   {CONTROL_VERB_SERVICE, 0, false},
		{CONTROL_VERB_TIMELINE, 0, false}, {CONTROL_VERB_SLOTS, 0, false},
		{CONTROL_VERB_EVENTS, 0, false},   {CONTROL_VERB_POLICY, 0, false},
		{CONTROL_VERB_START, 0, true},     {CONTROL_VERB_STOP, 0, true},
		{CONTROL_VERB_RESTART, 0, true},   {CONTROL_VERB_RELOAD, 0, true},
		{CONTROL_VERB_KILL, 0, true},      {CONTROL_VERB_POWER, 0, true},
		{CONTROL_VERB_REEXEC, 0, true},    {CONTROL_VERB_STOP, CONTROL_DRY_RUN, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const struct control_request request = {.verb = table[i].verb,
							.flags = table[i].flags};

		if (control_changes(&request) != table[i].changes)
			fail_msg("%s", control_verb_name(table[i].verb));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rights_of_a_process),
		cmocka_unit_test(rights_over_a_socket),
		cmocka_unit_test(requests_that_change_something),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
