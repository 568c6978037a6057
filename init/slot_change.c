/* SPDX-License-Identifier: Apache-2.0 */
#include "init/slot_change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "init/marks.h"
#include "init/slot_history.h"
#include "mount/sys.h"
#include "svc/show.h"

static const char *letter_of(uint32_t slot)
{
	return slot ? "b" : "a";
}

static const struct slot_header *header_of(const struct slot_node *node, uint32_t slot)
{
	return &node->examinations[slot].block.header;
}

/* One line of what was done; as JSON an event, like those of an installation. */
static void tell_done(const struct change_options *options, const char *event, uint32_t slot,
		      const char *text)
{
	if (!options->json) {
		printf("slot %s: %s\n", letter_of(slot), text);
		return;
	}
	fputs("{", stdout);
	show_json_field(stdout, true, "event", event);
	show_json_field(stdout, false, "slot", letter_of(slot));
	fputs("}\n", stdout);
}

/* Refused by the rules: in the words of what is in the way. */
static int tell_refused(const struct slot_node *node, uint32_t slot, const char *verb)
{
	const struct slot_view *view = &node->views[slot];

	if (view->verdict != SLOT_SOUND)
		return slot_tell(SLOT_EXIT_UNFIT, "slot %c: cannot %s it: it is %s",
				 slot_letter(slot), verb, slot_verdict_text(view->verdict));
	if (view->rejected)
		return slot_tell(SLOT_EXIT_REJECTED, "slot %c: cannot %s it: its image is rejected",
				 slot_letter(slot), verb);
	if (view->twin)
		return slot_tell(SLOT_EXIT_NEEDED,
				 "slot %c: cannot %s it: both slots hold its image",
				 slot_letter(slot), verb);
	return slot_tell(SLOT_EXIT_NEEDED,
			 "slot %c: cannot %s it: the other slot is not proven to be good, and with "
			 "--force it has to be able to boot at least",
			 slot_letter(slot), verb);
}

static int mark_rejected(struct slot_node *node, uint32_t slot)
{
	struct install_target target;
	char device[DEVICE_NAME_BYTES];
	int error = slot_node_target(node, slot, &target, device);

	if (!error)
		error = marks_reject(device, header_of(node, slot)->root_hash);
	if (!error)
		error = marks_note_failure(device, SLOT_REASON_REJECTED, "rejected by an operator");
	return error ? slot_tell(SLOT_EXIT_FAILED, "slot %c: marks: %s", slot_letter(slot),
				 strerror(-error))
		     : 0;
}

/* Marks, then the table. */
static int apply(struct slot_node *node, const struct slot_change *change)
{
	int status = change->reject >= 0 ? mark_rejected(node, (uint32_t)change->reject) : 0;

	return status ? status : slot_node_write(node, change);
}

int slot_change_switch(struct slot_node *node, const struct change_options *options)
{
	cleanup_fd lock = slot_node_lock(node);
	struct slot_change change;
	int status = lock < 0 ? SLOT_EXIT_FAILED : slot_node_look(node);

	if (status)
		return status;
	change = slot_switch(node->views, options->slot, node->plan.system->tries);
	if (change.refused)
		return tell_refused(node, options->slot, "switch to");
	status = apply(node, &change);
	if (status)
		return status;
	if (change.write)
		slot_node_note(node, SLOT_EVENT_SWITCHED, options->slot);
	tell_done(options, "switched", options->slot, "boots next");
	return SLOT_EXIT_OK;
}

int slot_change_reject(struct slot_node *node, const struct change_options *options)
{
	cleanup_fd lock = slot_node_lock(node);
	struct slot_change change;
	int status = lock < 0 ? SLOT_EXIT_FAILED : slot_node_look(node);

	if (status)
		return status;
	change = slot_reject(node->views, options->slot, options->force);
	if (change.refused)
		return tell_refused(node, options->slot, "reject");
	status = apply(node, &change);
	if (status)
		return status;
	if (change.write || change.reject >= 0)
		slot_node_note(node, SLOT_EVENT_REJECTED, options->slot);
	tell_done(options, "rejected", options->slot, "its image is rejected");
	return SLOT_EXIT_OK;
}

int slot_change_rollback(struct slot_node *node, const struct change_options *options)
{
	cleanup_fd lock = slot_node_lock(node);
	uint32_t running = node->status.booted, other = 1 - running;
	struct slot_change writes[2];
	int status = lock < 0 ? SLOT_EXIT_FAILED : slot_node_look(node);

	if (status)
		return status;
	if (!slot_rollback(node->views, running, node->plan.system->tries, options->force, writes))
		return tell_refused(node, node->views[running].twin ? running : other,
				    "roll back to");
	status = apply(node, &writes[0]);
	if (!status)
		slot_node_note(node, SLOT_EVENT_SWITCHED, other);
	if (!status)
		status = apply(node, &writes[1]);
	if (status)
		return status;
	slot_node_note(node, SLOT_EVENT_REJECTED, running);
	tell_done(options, "rolled-back", other, "boots next, and the image that runs is rejected");
	return SLOT_EXIT_OK;
}

int slot_change_retry(struct slot_node *node, const struct change_options *options)
{
	cleanup_fd lock = slot_node_lock(node);
	struct slot_change change;
	int status = lock < 0 ? SLOT_EXIT_FAILED : slot_node_look(node);

	if (status)
		return status;
	change = slot_retry(node->views, options->slot, node->plan.system->tries, options->force);
	if (change.refused)
		return tell_refused(node, options->slot, "put on trial");
	status = apply(node, &change);
	if (status)
		return status;
	slot_node_note(node, SLOT_EVENT_RETRIED, options->slot);
	tell_done(options, "on-trial", options->slot, "is on trial from its next boot on");
	return SLOT_EXIT_OK;
}

int slot_change_verify(struct slot_node *node, const struct change_options *options)
{
	static _Alignas(4096) uint8_t buffer[READ_BACK_BYTES];
	struct install_target target;
	char device[DEVICE_NAME_BYTES];
	const char *step = "find its partitions";
	uint32_t slot = options->slot;
	cleanup_fd alone = slot_node_alone();
	int status = alone < 0 ? -alone : slot_node_look(node);
	int error;

	if (status)
		return status;
	if (!node->examinations[slot].header_verified || node->views[slot].verdict < SLOT_OUTDATED)
		return slot_tell(SLOT_EXIT_DAMAGED, "slot %c: it is %s", slot_letter(slot),
				 slot_verdict_text(node->views[slot].verdict));
	error = slot_node_target(node, slot, &target, device);
	if (!error)
		error = install_verify(&target, header_of(node, slot), buffer, &step);
	if (error == -EIO)
		return slot_tell(
			SLOT_EXIT_DAMAGED,
			"slot %c: %s: a block is not what its header signs, or cannot be read",
			slot_letter(slot), step);
	if (error)
		return slot_tell(SLOT_EXIT_FAILED, "slot %c: %s: %s", slot_letter(slot), step,
				 strerror(-error));
	tell_done(options, "verified", slot, "every block is what its header signs");
	return SLOT_EXIT_OK;
}

static void show_event(const struct slot_event *event, bool json)
{
	time_t wall = (time_t)event->wall_s;
	char date[32] = "?";
	struct tm tm;

	if (gmtime_r(&wall, &tm))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!json) {
		printf("%s  %s  %-10s  %-16s  tries %u%s%s\n", date, letter_of(event->slot),
		       slot_event_name(event->kind), event->image_version, event->tries,
		       event->detail[0] ? "  " : "", event->detail);
		return;
	}
	fputs("{", stdout);
	show_json_number(stdout, true, "number", event->sequence);
	show_json_field(stdout, false, "time", date);
	show_json_field(stdout, false, "slot", letter_of(event->slot));
	show_json_field(stdout, false, "event", slot_event_name(event->kind));
	show_json_field(stdout, false, "version", event->image_version);
	show_json_number(stdout, false, "tries", event->tries);
	show_json_field(stdout, false, "reason", slot_reason_text(event->reason));
	show_json_field(stdout, false, "detail", event->detail);
	fputs("}\n", stdout);
}

int slot_change_history(struct slot_node *node, const struct change_options *options)
{
	static struct slot_event events[SLOT_HISTORY_EVENTS];
	int status = slot_node_look(node);
	int count;

	if (status)
		return status;
	count = slot_history_read(&node->disk, events);
	if (count < 0)
		return slot_tell(SLOT_EXIT_FAILED, "history: %s", strerror(-count));
	for (int i = 0; i < count; i++)
		show_event(&events[i], options->json);
	return SLOT_EXIT_OK;
}
