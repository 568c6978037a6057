/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelctl slot: status, the two slots, which one runs, what failed and what boots next; bless. All that
 * reads or writes a slot is another program's, which knows the disk.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "svc/client.h"
#include "svc/keelctl.h"
#include "svc/show.h"

#define BLESS_WAIT_S 40 /* PID 1 gives the disk 30 */
#define BLESS_ASKS_PER_S 4

static int take_slots(void *context, const struct control_reply *reply, const void *payload)
{
	if (reply->type != CONTROL_TYPE_SLOTS)
		return -EBADMSG;
	memcpy(context, payload, sizeof(struct control_slot_status));
	return 0;
}

/* What is worth a line of its own: why it does not boot, or failed. */
static void show_notes(const struct control_slot *slot)
{
	if (strcmp(slot->verdict, "sound") != 0)
		printf("      %s\n", slot->verdict);
	if (slot->rejected)
		puts("      its image is rejected");
	else if (slot->suspected)
		puts("      its image was given up once without a known reason");
	if (slot->reason[0] != '\0')
		printf("      last failure: %s: %s\n", slot->reason, slot->detail);
}

static void show_slots(const struct control_slot_status *status)
{
	printf("%-5s %-9s %-24s %8s %5s %10s %5s\n", "SLOT", "PARTITION", "VERSION", "PRIORITY",
	       "TRIES", "SUCCESSFUL", "EPOCH");
	for (unsigned i = 0; i < 2; i++) {
		const struct control_slot *slot = &status->slots[i];
		const char *booted = i != status->booted ? ""
				     : status->blessed   ? "  booted, blessed"
							 : "  booted";

		if (!slot->present) {
			printf("%-5s absent\n", i ? "b" : "a");
			continue;
		}
		printf("%-5s %-9s %-24s %8u %5u %10s %5llu%s%s%s%s\n", i ? "b" : "a",
		       slot->partition, slot->version, slot->priority, slot->tries,
		       slot->successful ? "yes" : "no", (unsigned long long)slot->epoch, booted,
		       i == status->booted && status->forced ? ", forced" : "",
		       i == status->booted && status->last_resort ? ", last resort" : "",
		       i == status->next ? "  next" : "");
		show_notes(slot);
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
	show_json_field(stdout, false, "next", status->next < 2 ? (status->next ? "b" : "a") : "");
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
		show_json_field(stdout, false, "image", slot->image);
		show_json_field(stdout, false, "verdict", slot->verdict);
		show_json_bool(stdout, false, "rejected", slot->rejected != 0);
		show_json_bool(stdout, false, "suspected", slot->suspected != 0);
		show_json_number(stdout, false, "rejected_images", slot->rejected_images);
		show_json_number(stdout, false, "epoch", slot->epoch);
		show_json_number(stdout, false, "epoch_blessed", slot->epoch_blessed);
		show_json_field(stdout, false, "reason", slot->reason);
		show_json_field(stdout, false, "detail", slot->detail);
		fputs("}", stdout);
	}
	fputs("}}\n", stdout);
}

#define SLOT_PROGRAM "/usr/lib/keelson/keelson-slot"

/* Let it do `command` with the words behind the first. Returns only if it could not be executed. */
static int execute(const struct keelctl *keelctl, const char *command)
{
	const char *argv[16] = {SLOT_PROGRAM, "--socket", keelctl->socket};
	int count = 3;

	if (keelctl->json)
		argv[count++] = "--json";
	if (keelctl->force)
		argv[count++] = "--force";
	if (keelctl->given & OPTION_NEXT)
		argv[count++] = "--next";
	if (keelctl->from) {
		argv[count++] = "--from";
		argv[count++] = keelctl->from;
	}
	argv[count++] = command;
	for (int i = 1; i < keelctl->count; i++)
		argv[count++] = keelctl->words[i];
	/* execv(3) changes none of them. */
	execv(SLOT_PROGRAM, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "keelctl: " SLOT_PROGRAM ": %s\n", strerror(errno));
	return KEELCTL_FAILED;
}

static int ask(const struct keelctl *keelctl, struct control_slot_status *status)
{
	struct control_request request;
	int error;

	memset(status, 0, sizeof *status);
	request_make(&request, CONTROL_VERB_SLOTS, "");
	error = client_ask(keelctl->socket, &request, take_slots, status);
	if (error == 0)
		return KEELCTL_OK;
	if (error != -ENODATA)
		return complain(keelctl, "slot status", "", error);
	fputs("keelctl: this node has no slots\n", stderr);
	return KEELCTL_NOT_UP;
}

static int show(const struct keelctl *keelctl)
{
	struct control_slot_status status;
	int exit_status = ask(keelctl, &status);

	if (exit_status != KEELCTL_OK)
		return exit_status;
	if (keelctl->json)
		json_slots(&status);
	else
		show_slots(&status);
	return KEELCTL_OK;
}

static int wait_blessed(const struct keelctl *keelctl)
{
	static const struct timespec pause = {.tv_nsec = 1000000000 / BLESS_ASKS_PER_S};
	struct control_slot_status status;

	for (int i = 0; i < BLESS_WAIT_S * BLESS_ASKS_PER_S; i++) {
		int exit_status = ask(keelctl, &status);

		if (exit_status != KEELCTL_OK)
			return exit_status;
		if (status.blessed) {
			if (keelctl->json)
				json_slots(&status);
			else
				printf("slot %s: blessed\n", status.booted ? "b" : "a");
			return KEELCTL_OK;
		}
		nanosleep(&pause, NULL);
	}
	fputs("keelctl: slot bless: not blessed: see the kernel log\n", stderr);
	return KEELCTL_FAILED;
}

/* PID 1 writes it: there is one writer of a blessing at a time. */
static int bless(const struct keelctl *keelctl)
{
	struct control_request request;
	int error;

	request_make(&request, CONTROL_VERB_BLESS, "");
	error = client_ask(keelctl->socket, &request, take_nothing, NULL);
	if (error == -ENODATA) {
		fputs("keelctl: this node has no slots\n", stderr);
		return KEELCTL_NOT_UP;
	}
	if (error == -EKEYREJECTED) {
		fputs("keelctl: slot bless: its image is rejected\n", stderr);
		return KEELCTL_FAILED;
	}
	if (error != 0 && error != -EALREADY)
		return complain(keelctl, "slot bless", "", error);
	return wait_blessed(keelctl);
}

int command_slot(const struct keelctl *keelctl)
{
	static const char *const words[] = {"install", "switch",  "reject",   "rollback",
					    "verify",  "history", "bootstrap"};
	const char *word = keelctl->count ? keelctl->words[0] : "status";
	bool plain = keelctl->count <= 1 && (keelctl->given & ~(uint32_t)OPTION_JSON) == 0;

	if (plain && strcmp(word, "status") == 0)
		return show(keelctl);
	if (plain && strcmp(word, "bless") == 0)
		return bless(keelctl);
	if (strcmp(word, "bless") == 0 && keelctl->given & OPTION_UNDO)
		return execute(keelctl, "retry");
	/* Which options and further words are right that program knows. */
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(word, words[i]) == 0 && !(keelctl->given & OPTION_UNDO))
			return execute(keelctl, word);
	fputs("usage: keelctl slot [status]\n"
	      "       keelctl slot install [--force] [--next | --from N] FILE|-\n"
	      "       keelctl slot bless [--undo [--force] [a|b]]\n"
	      "       keelctl slot switch|verify [a|b]\n"
	      "       keelctl slot reject [--force] a|b\n"
	      "       keelctl slot rollback [--force]\n"
	      "       keelctl slot history\n"
	      "       keelctl slot bootstrap\n",
	      stderr);
	return KEELCTL_USAGE;
}
