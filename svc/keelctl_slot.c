/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl slot status: the two slots, which one runs, and what would happen to it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "svc/client.h"
#include "svc/keelctl.h"
#include "svc/show.h"

static int take_slots(void *context, const struct control_reply *reply, const void *payload)
{
	if (reply->type != CONTROL_TYPE_SLOTS)
		return -EBADMSG;
	memcpy(context, payload, sizeof(struct control_slot_status));
	return 0;
}

static void show_slots(const struct control_slot_status *status)
{
	printf("%-5s %-9s %-24s %8s %5s %10s  %s\n", "SLOT", "PARTITION", "VERSION", "PRIORITY",
	       "TRIES", "SUCCESSFUL", "");
	for (unsigned i = 0; i < 2; i++) {
		const struct control_slot *slot = &status->slots[i];
		const char *booted = i != status->booted ? ""
				     : status->blessed   ? "booted, blessed"
							 : "booted";

		if (slot->present)
			printf("%-5s %-9s %-24s %8u %5u %10s  %s%s%s\n", i ? "b" : "a",
			       slot->partition, slot->version, slot->priority, slot->tries,
			       slot->successful ? "yes" : "no", booted,
			       i == status->booted && status->forced ? ", forced" : "",
			       i == status->booted && status->last_resort ? ", last resort" : "");
		else
			printf("%-5s absent\n", i ? "b" : "a");
	}
	printf("disk %s\n", status->disk);
}

static void json_slots(const struct control_slot_status *status)
{
	fputs("{", stdout);
	show_json_field(stdout, true, "disk", status->disk);
	show_json_field(stdout, false, "booted", status->booted ? "b" : "a");
	show_json_bool(stdout, false, "blessed", status->blessed != 0);
	show_json_bool(stdout, false, "forced", status->forced != 0);
	show_json_bool(stdout, false, "last_resort", status->last_resort != 0);
	fputs(", \"slots\": {", stdout);
	for (unsigned i = 0; i < 2; i++) {
		const struct control_slot *slot = &status->slots[i];

		printf("%s\"%s\": {", i ? ", " : "", i ? "b" : "a");
		show_json_bool(stdout, true, "present", slot->present != 0);
		show_json_field(stdout, false, "partition", slot->partition);
		show_json_field(stdout, false, "version", slot->version);
		show_json_number(stdout, false, "priority", slot->priority);
		show_json_number(stdout, false, "tries", slot->tries);
		show_json_bool(stdout, false, "successful", slot->successful != 0);
		fputs("}", stdout);
	}
	fputs("}}\n", stdout);
}

int command_slot(const struct keelctl *keelctl)
{
	struct control_slot_status status;
	struct control_request request;

	if (keelctl->count != 1 || strcmp(keelctl->words[0], "status") != 0) {
		fprintf(stderr, "usage: keelctl slot status\n");
		return KEELCTL_USAGE;
	}
	memset(&status, 0, sizeof status);
	request_make(&request, CONTROL_VERB_SLOTS, "");
	int error = client_ask(keelctl->socket, &request, take_slots, &status);

	if (error != 0) {
		fprintf(stderr, "%s", error == -ENODATA ? "keelctl: this node has no slots\n" : "");
		return error == -ENODATA ? KEELCTL_NOT_UP
					 : complain(keelctl, "slot status", "", error);
	}
	if (keelctl->json)
		json_slots(&status);
	else
		show_slots(&status);
	return KEELCTL_OK;
}
