/* SPDX-License-Identifier: Apache-2.0 */
#include "init/slot_status.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "init/slot.h"
#include "mount/child.h"
#include "mount/disk.h"
#include "mount/sys.h"
#include "svc/format.h"
#include "svc/log.h"

/* Only children touch them: none of their pages becomes PID 1's. */
static struct disk disk;
static struct slot_examination examinations[SLOT_COUNT];
static struct slot_view views[SLOT_COUNT];
static struct keyring keyring;

static int partition_path(uint32_t number, struct device *device, char path[DEVICE_PATH_BYTES])
{
	int error = devices_partition(disk.device.name, number, device);

	return error ? error : device_path(device->name, path);
}

static void trust(const struct plan *plan, int hash)
{
	struct plan_list keys = plan->system ? plan->system->keys : (struct plan_list){0};

	if (keyring_open(&keyring) != 0)
		return;
	for (uint32_t i = 0; i < keys.count; i++) {
		const char *path = plan_list_string(plan, keys, i);
		int error = keyring_trust(&keyring, hash, path);

		if (error)
			log_warning("key %s: trust: %s", path, log_errno(error));
	}
}

static void examine(uint32_t slot, int hash)
{
	const struct slot_parts *parts = &disk.slots.slot[slot];
	char tree[DEVICE_PATH_BYTES], header[DEVICE_PATH_BYTES];
	struct device device;

	if (!parts->present)
		return;
	if (partition_path(parts->hash.number, &device, tree) ||
	    partition_path(parts->header.number, &device, header)) {
		examinations[slot].verdict = SLOT_UNREADABLE;
		return;
	}
	slot_examine(parts, tree, header, &keyring, hash, &examinations[slot]);
}

static void fill_slot(uint32_t index, struct control_slot *slot)
{
	const struct slot_parts *parts = &disk.slots.slot[index];
	const struct slot_examination *examination = &examinations[index];
	const struct slot_header *header = &examination->block.header;
	const struct slot_marks *marks = slot_examination_marks(examination);
	char path[DEVICE_PATH_BYTES];
	struct device device;

	slot->present = parts->present;
	slot->priority = parts->bits.priority;
	slot->tries = parts->bits.tries;
	slot->successful = parts->bits.successful;
	slot->rejected = views[index].rejected;
	format_text(slot->verdict, sizeof(slot->verdict), "%s",
		    slot_verdict_text(views[index].verdict));
	if (parts->present && partition_path(parts->root.number, &device, path) == 0)
		format_text(slot->partition, sizeof(slot->partition), "%s", device.name);
	if (examination->header_verified) {
		format_text(slot->image, sizeof(slot->image), "%s", (const char *)header->name);
		format_text(slot->version, sizeof(slot->version), "%s",
			    (const char *)header->image_version);
		slot->epoch = header->security_epoch;
		slot->suspected = slot_marks_suspects(marks, header->root_hash);
	}
	if (!marks)
		return;
	slot->epoch_blessed = marks->security_epoch;
	slot->rejected_images = marks->rejected_count;
	if (marks->reason != SLOT_REASON_NONE)
		format_text(slot->reason, sizeof(slot->reason), "%s",
			    slot_reason_text(marks->reason));
	/* The marks are not signed: the text ends where this field does. */
	memcpy(slot->detail, marks->detail, sizeof(slot->detail) - 1);
}

struct question {
	const struct record *record;
	const struct plan *plan;
	int answer; /* write end of a pipe */
};

static int look(const struct question *question)
{
	int error = disk_reread(question->record->disk, question->record->disk_guid, &disk);
	int hash;

	if (error)
		return error;
	hash = hash_open();
	if (hash < 0)
		return hash;
	trust(question->plan, hash);
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		examine(i, hash);
	close(hash);
	slot_judge(&disk.slots, examinations, views);
	return 0;
}

static int read_status(void *argument)
{
	const struct question *question = argument;
	const struct record *record = question->record;
	struct control_slot_status status = {
		.booted = record->slot,
		.forced = record->forced,
		.last_resort = record->last_resort,
		.entry = record->entry,
		.next = CONTROL_NO_SLOT,
	};
	int error = look(question);

	if (error)
		return error;
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		fill_slot(i, &status.slots[i]);
		if (slot_is_next(views, i))
			status.next = i;
	}
	memcpy(status.disk_guid, record->disk_guid, sizeof(status.disk_guid));
	memcpy(status.root_hash, record->header.root_hash, sizeof(status.root_hash));
	format_text(status.disk, sizeof(status.disk), "%s", record->disk);
	/* Whole or not at all, and it does not block. */
	_Static_assert(sizeof(status) <= PIPE_BUF, "a pipe takes it at once");
	return write(question->answer, &status, sizeof(status)) == sizeof(status) ? 0 : -EIO;
}

pid_t slot_status_start(const struct record *record, const struct plan *plan, int *pidfd,
			int *answer)
{
	struct question question = {record, plan, -1};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;

	cleanup_fd reads = ends[0];
	cleanup_fd writes = ends[1];
	pid_t pid;

	question.answer = writes;
	pid = child_start_keeping(read_status, &question, writes, pidfd);
	if (pid < 0)
		return pid;
	*answer = reads;
	reads = -1; /* NOLINT(clang-analyzer-deadcode.DeadStores): not to be closed */
	return pid;
}

int slot_status_read(int answer, struct control_slot_status *status)
{
	return read(answer, status, sizeof(*status)) == sizeof(*status) ? 0 : -EIO;
}
