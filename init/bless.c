/* SPDX-License-Identifier: Apache-2.0 */
#include "init/bless.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "init/marks.h"
#include "init/slot.h"
#include "mount/child.h"
#include "mount/disk.h"
#include "mount/header_io.h"
#include "mount/sys.h"
#include "svc/format.h"
#include "svc/log.h"

#define REFUND_TIMEOUT_NS 5000000000ull
#define STATUS_TIMEOUT_NS 2000000000ull

/* Only children touch it: none of its pages becomes PID 1's. */
static struct disk disk;

/* The table as it is now, and what this boot's start found out about the slots. */
static int look(const struct record *record, struct slot_view views[SLOT_COUNT])
{
	int error = disk_reread(record->disk, record->disk_guid, &disk);

	if (error)
		return error;
	/* Somebody may have changed the table: the slot that runs has to be where it was. */
	if (!disk.slots.slot[record->slot].present ||
	    disk.slots.slot[record->slot].entry != record->entry)
		return -ESTALE;
	slot_views_unpack(record->other_state, views);
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		views[i].bits = disk.slots.slot[i].bits;
	return 0;
}

/*
 * Put the root hash of the image in `slot` on that slot's list of rejected ones. Its header was
 * verified when this boot began and is not verified now: the image that runs is never rejected.
 */
static int reject(const struct record *record, uint32_t slot)
{
	struct slot_header_block block;
	struct device device;
	char path[DEVICE_PATH_BYTES];
	int error = devices_partition(disk.device.name, disk.slots.slot[slot].header.number,
				      &device);

	if (!error)
		error = device_path(device.name, path);
	if (error)
		return error;

	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	error = slot_header_read(fd, &block);
	if (error)
		return error;
	if (memcmp(block.header.root_hash, record->header.root_hash, SLOT_DIGEST_BYTES) == 0)
		return -ESTALE;
	return marks_reject(device.name, block.header.root_hash);
}

/* Marks that reject, table, epoch: in this order each write alone leaves a disk that boots. */
static int apply(const struct record *record, const struct slot_change *change)
{
	const char *step = "";
	int error = 0;

	/* Not -EPERM: that is what a write-protected disk says. */
	if (change->refused)
		return -EKEYREJECTED;
	if (change->reject >= 0)
		error = reject(record, (uint32_t)change->reject);
	if (error)
		log_error("slot %c: reject: %s", slot_letter((uint32_t)change->reject),
			  log_errno(error));
	error = change->write ? disk_write_bits(&disk, change->bits, &step) : 0;
	if (error) {
		log_error("disk: %s: %s: %s", record->disk, step, log_errno(error));
		return error;
	}
	if (change->write && disk.gpt.backup_fault)
		log_warning("disk: %s: backup partition table: %s", record->disk,
			    disk.gpt.backup_fault);
	if (change->raise_epoch)
		error = marks_raise_epoch(record->header_device, record->header.security_epoch);
	if (error)
		log_error("slot marks: %s: raise epoch: %s", record->header_device,
			  log_errno(error));
	return 0;
}

struct blessing {
	const struct record *record;
	uint32_t tries;
};

static int bless(void *argument)
{
	const struct blessing *blessing = argument;
	const struct record *record = blessing->record;
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;
	int error = look(record, views);

	if (error) {
		log_error("disk: %s: read partition table: %s", record->disk, log_errno(error));
		return error;
	}
	change = slot_bless(views, record->slot, blessing->tries);
	return apply(record, &change);
}

pid_t bless_start(const struct record *record, uint32_t tries, int *pidfd)
{
	struct blessing blessing = {record, tries};

	return child_start(bless, &blessing, pidfd);
}

static int refund(void *argument)
{
	const struct record *record = argument;
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;
	int error = look(record, views);

	if (error)
		return error;
	change = slot_refund(views, record->slot, record->tries_left, record->burned != 0);
	return change.refused || !change.write ? 0 : apply(record, &change);
}

int bless_refund(const struct record *record)
{
	/* run_timed() takes an argument that its work may change; this work does not. */
	return run_timed(refund, (void *)(uintptr_t)record, REFUND_TIMEOUT_NS);
}

static void fill_slot(const struct record *record, uint32_t index, struct control_slot *slot)
{
	const struct slot_parts *parts = &disk.slots.slot[index];
	struct device device;

	slot->present = parts->present;
	slot->priority = parts->bits.priority;
	slot->tries = parts->bits.tries;
	slot->successful = parts->bits.successful;
	if (parts->present && devices_partition(record->disk, parts->root.number, &device) == 0)
		format_text(slot->partition, sizeof(slot->partition), "%s", device.name);
	if (index == record->slot)
		format_text(slot->version, sizeof(slot->version), "%s",
			    (const char *)record->header.image_version);
}

struct question {
	const struct record *record;
	int answer; /* write end of a pipe */
};

static int read_status(void *argument)
{
	const struct question *question = argument;
	const struct record *record = question->record;
	struct control_slot_status status = {
		.booted = record->slot,
		.forced = record->forced,
		.last_resort = record->last_resort,
	};
	int error = disk_reread(record->disk, record->disk_guid, &disk);

	if (error)
		return error;
	format_text(status.disk, sizeof(status.disk), "%s", record->disk);
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		fill_slot(record, i, &status.slots[i]);
	/* Smaller than PIPE_BUF: whole or not at all, and it does not block. */
	return write(question->answer, &status, sizeof(status)) == sizeof(status) ? 0 : -EIO;
}

int bless_status(const struct record *record, struct control_slot_status *status)
{
	struct question question = {record, -1};
	int ends[2];
	int error;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;

	cleanup_fd answer = ends[0];
	cleanup_fd asked = ends[1];

	question.answer = asked;
	error = run_timed(read_status, &question, STATUS_TIMEOUT_NS);
	if (error)
		return error;
	return read(answer, status, sizeof(*status)) == sizeof(*status) ? 0 : -EIO;
}
