/* SPDX-License-Identifier: Apache-2.0 */
#include "init/slot_node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "init/plan_map.h"
#include "init/slot_history.h"
#include "svc/client.h"
#include "svc/log.h"
#include "svc/show.h"

#define ALONE "/run/keelson/install.lock"
#define LOCK_WAIT_NS 30000000000ull

static bool tells_json;

void slot_tell_json(bool json)
{
	tells_json = json;
}

int slot_tell(enum slot_exit status, const char *format, ...)
{
	char text[512];
	va_list given;

	va_start(given, format);
	vsnprintf(text, sizeof(text), format, given);
	va_end(given);
	fprintf(stderr, "keelctl: slot: %s\n", text);
	if (tells_json) {
		fputs("{", stdout);
		show_json_field(stdout, true, "event", "refused");
		show_json_number(stdout, false, "status", (uint64_t)status);
		show_json_field(stdout, false, "reason", text);
		fputs("}\n", stdout);
		fflush(stdout);
	}
	return (int)status;
}

static int take_slots(void *context, const struct control_reply *reply, const void *payload)
{
	if (reply->type != CONTROL_TYPE_SLOTS)
		return -EBADMSG;
	memcpy(context, payload, sizeof(struct control_slot_status));
	return 0;
}

static int trust_keys(struct slot_node *node)
{
	struct plan_list keys = node->plan.system->keys;
	int error = keyring_open(&node->keyring);

	if (error)
		return slot_tell(SLOT_EXIT_FAILED, "keyring: %s", strerror(-error));
	for (uint32_t i = 0; i < keys.count; i++) {
		const char *path = plan_list_string(&node->plan, keys, i);

		error = keyring_trust(&node->keyring, node->hash, path);
		if (error)
			fprintf(stderr, "keelctl: slot: %s: trust: %s\n", path, strerror(-error));
	}
	return node->keyring.count ? 0 : slot_tell(SLOT_EXIT_FAILED, "no key is trusted");
}

bool slot_node_blessed(const char *socket)
{
	struct control_request request = {.version = CONTROL_VERSION, .verb = CONTROL_VERB_SLOTS};
	struct control_slot_status status = {0};

	return client_ask(socket, &request, take_slots, &status) == 0 && status.blessed;
}

int slot_node_open(struct slot_node *node, const char *socket)
{
	struct control_request request = {.version = CONTROL_VERSION, .verb = CONTROL_VERB_SLOTS};
	int error = client_ask(socket, &request, take_slots, &node->status);

	node->socket = socket;

	if (error == -ENODATA)
		return slot_tell(SLOT_EXIT_NO_SLOTS, "this node has no slots");
	if (error)
		return slot_tell(SLOT_EXIT_FAILED, "ask PID 1: %s",
				 error == -ENOTCONN ? "no keelson answers" : strerror(-error));
	if (node->status.booted >= SLOT_COUNT)
		return slot_tell(SLOT_EXIT_FAILED, "ask PID 1: no such slot");
	/* A refusal has been told: of which section and why. */
	if (plan_map(PLAN_NODE_PATH, PLAN_KIND_NODE, &node->plan))
		return SLOT_EXIT_FAILED;
	node->hash = hash_open();
	if (node->hash < 0)
		return slot_tell(SLOT_EXIT_FAILED, "SHA-256 of the kernel: %s",
				 strerror(-node->hash));
	return trust_keys(node);
}

int slot_node_lock(const struct slot_node *node)
{
	struct timespec now;
	int lock;

	clock_gettime(CLOCK_BOOTTIME, &now);
	lock = disk_lock(node->status.disk,
			 (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + LOCK_WAIT_NS);
	if (lock < 0)
		(void)slot_tell(SLOT_EXIT_FAILED, "%s: lock: %s", node->status.disk,
				strerror(-lock));
	return lock < 0 ? -1 : lock;
}

int slot_node_alone(void)
{
	int fd = open(ALONE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int error;

	if (fd < 0)
		return -(int)slot_tell(SLOT_EXIT_FAILED, ALONE ": open: %s", strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	error = errno;
	close(fd);
	if (error == EWOULDBLOCK)
		return -(int)slot_tell(SLOT_EXIT_BUSY,
				       "another installation or verification is under way");
	return -(int)slot_tell(SLOT_EXIT_FAILED, ALONE ": lock: %s", strerror(error));
}

static int part_path(const struct slot_node *node, uint32_t number, struct device *device,
		     char path[DEVICE_PATH_BYTES])
{
	int error = devices_partition(node->disk.device.name, number, device);

	return error ? error : device_path(device->name, path);
}

int slot_node_target(const struct slot_node *node, uint32_t slot, struct install_target *target,
		     char header_device[DEVICE_NAME_BYTES])
{
	const struct slot_parts *parts = &node->disk.slots.slot[slot];
	struct device device;
	int error = part_path(node, parts->root.number, &device, target->root);

	if (!error)
		error = part_path(node, parts->hash.number, &device, target->hash);
	if (!error)
		error = part_path(node, parts->header.number, &device, target->header);
	if (!error)
		memcpy(header_device, device.name, DEVICE_NAME_BYTES);
	return error;
}

static void examine(struct slot_node *node, uint32_t slot)
{
	const struct slot_parts *parts = &node->disk.slots.slot[slot];
	struct slot_examination *examination = &node->examinations[slot];
	struct install_target target;
	char header_device[DEVICE_NAME_BYTES];

	memset(examination, 0, sizeof(*examination));
	if (!parts->present)
		return;
	if (slot_node_target(node, slot, &target, header_device)) {
		examination->verdict = SLOT_UNREADABLE;
		return;
	}
	slot_examine(parts, target.hash, target.header, &node->keyring, node->hash, examination);
}

int slot_node_look(struct slot_node *node)
{
	uint32_t running = node->status.booted;
	const struct slot_examination *examination = &node->examinations[running];
	int error = disk_reread(node->status.disk, node->status.disk_guid, &node->disk);

	if (error)
		return slot_tell(SLOT_EXIT_FAILED, "%s: read partition table: %s",
				 node->status.disk, strerror(-error));
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		examine(node, i);
	slot_judge(&node->disk.slots, node->examinations, node->views);
	if (!node->disk.slots.slot[running].present ||
	    node->disk.slots.slot[running].entry != node->status.entry ||
	    (examination->header_verified &&
	     memcmp(examination->block.header.root_hash, node->status.root_hash,
		    SLOT_DIGEST_BYTES) != 0))
		return slot_tell(SLOT_EXIT_FAILED,
				 "%s: slot %c is not what this boot was started from any more",
				 node->status.disk, slot_letter(running));
	return 0;
}

int slot_node_write(struct slot_node *node, const struct slot_change *change)
{
	const char *step = "";
	int error = change->write ? disk_write_bits(&node->disk, change->bits, &step) : 0;

	if (error)
		return slot_tell(SLOT_EXIT_FAILED, "%s: %s: %s", node->status.disk, step,
				 strerror(-error));
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		node->views[i].bits = change->bits[i];
	return 0;
}

void slot_node_note(const struct slot_node *node, uint32_t kind, uint32_t slot)
{
	struct slot_event event = {
		.kind = kind,
		.slot = slot,
		.reason = kind == SLOT_EVENT_REJECTED ? SLOT_REASON_REJECTED : SLOT_REASON_NONE,
		.tries = node->views[slot].bits.tries,
		.detail = "by an operator",
	};
	const struct slot_header *header = &node->examinations[slot].block.header;
	int error;

	if (node->examinations[slot].header_verified)
		snprintf(event.image_version, sizeof(event.image_version), "%s",
			 (const char *)header->image_version);
	error = slot_history_add(&node->disk, &event);
	if (error)
		fprintf(stderr, "keelctl: slot: history: %s\n", strerror(-error));
}
