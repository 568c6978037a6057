/* SPDX-License-Identifier: Apache-2.0 */
#include "init/bless.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "init/marks.h"
#include "init/slot.h"
#include "init/slot_history.h"
#include "mount/child.h"
#include "mount/disk.h"
#include "mount/header_io.h"
#include "mount/sys.h"
#include "svc/log.h"

#define REFUND_TIMEOUT_NS 5000000000ull
#define REFUND_LOCK_NS 3000000000ull
#define BLESS_LOCK_NS 20000000000ull /* gate.c gives the whole blessing 30 s */

/* Only children touch it: none of its pages becomes PID 1's. */
static struct disk disk;

static int header_device(uint32_t slot, struct device *device)
{
	return devices_partition(disk.device.name, disk.slots.slot[slot].header.number, device);
}

/* Do the marks of `slot` reject this image? Marks that cannot be read refuse nothing. */
static bool refuses(uint32_t slot, const uint8_t root_hash[SLOT_DIGEST_BYTES])
{
	struct slot_marks copies[2];
	char path[DEVICE_PATH_BYTES];
	struct device device;

	if (header_device(slot, &device) || device_path(device.name, path))
		return false;

	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && slot_marks_read(fd, copies) == 0 &&
	       slot_marks_rejects(slot_marks_newest(copies), root_hash);
}

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
	/* An operator may have rejected what runs since it was started. */
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		if (disk.slots.slot[i].present && refuses(i, record->header.root_hash))
			views[record->slot].rejected = true;
	return 0;
}

/*
 * Put the root hash of the image in `slot` on that slot's list of rejected ones, or note it as the
 * suspect. Its header was verified when this boot began and is not verified now: the image that runs
 * is never rejected.
 */
static int condemn(const struct record *record, uint32_t slot, bool rejects)
{
	struct slot_header_block block;
	struct device device;
	char path[DEVICE_PATH_BYTES];
	int error = header_device(slot, &device);

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
	return rejects ? marks_reject(device.name, block.header.root_hash)
		       : marks_suspect(device.name, block.header.root_hash);
}

/* In both slots' marks: one of them may be lost with its partition. */
static void raise_epoch(const struct record *record)
{
	struct device devices[SLOT_COUNT];

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		uint32_t slot = i ? 1 - record->slot : record->slot;
		int error = -ENODEV;

		if (!disk.slots.slot[slot].present)
			continue;
		error = header_device(slot, &devices[i]);
		if (!error)
			error = marks_raise_epoch(devices[i].name, record->header.security_epoch);
		if (error)
			log_error("slot %c: marks: raise epoch: %s", slot_letter(slot),
				  log_errno(error));
	}
}

static void note(const struct record *record, enum slot_event_kind kind, uint32_t slot,
		 const struct gpt_slot_bits bits[SLOT_COUNT])
{
	struct slot_event event = {.kind = kind, .slot = slot, .tries = bits[slot].tries};
	int error;

	if (slot == record->slot)
		memcpy(event.image_version, record->header.image_version,
		       sizeof(event.image_version));
	error = slot_history_add(&disk, &event);
	if (error)
		log_warning("slot history: write: %s", log_errno(error));
}

/* For people, after all that counts. */
static void note_blessing(const struct record *record, const struct slot_view views[SLOT_COUNT],
			  const struct slot_change *change)
{
	uint32_t other = 1 - record->slot;

	note(record, SLOT_EVENT_BLESSED, record->slot, change->bits);
	if (views[other].bits.priority == change->bits[other].priority)
		return;
	note(record,
	     change->reject >= 0    ? SLOT_EVENT_REJECTED
	     : change->suspect >= 0 ? SLOT_EVENT_SUSPECTED
				    : SLOT_EVENT_GIVEN_UP,
	     other, change->bits);
}

/* Marks that condemn, table, epoch: in this order each write alone leaves a disk that boots. */
static int apply(const struct record *record, const struct slot_change *change)
{
	const char *step = "";
	int error = 0;

	/* Not -EPERM: that is what a write-protected disk says. */
	if (change->refused)
		return -EKEYREJECTED;
	if (change->reject >= 0 || change->suspect >= 0) {
		bool rejects = change->reject >= 0;
		uint32_t slot = (uint32_t)(rejects ? change->reject : change->suspect);

		error = condemn(record, slot, rejects);
		if (error)
			log_error("slot %c: %s: %s", slot_letter(slot),
				  rejects ? "reject" : "suspect", log_errno(error));
	}
	error = change->write ? disk_write_bits(&disk, change->bits, &step) : 0;
	if (error) {
		log_error("disk: %s: %s: %s", record->disk, step, log_errno(error));
		return error;
	}
	if (change->write && disk.gpt.backup_fault)
		log_warning("disk: %s: backup partition table: %s", record->disk,
			    disk.gpt.backup_fault);
	if (change->raise_epoch)
		raise_epoch(record);
	return 0;
}

struct blessing {
	const struct record *record;
	uint32_t tries;
	bool refills;
};

static int bless(void *argument)
{
	const struct blessing *blessing = argument;
	const struct record *record = blessing->record;
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;
	cleanup_fd lock = disk_lock(record->disk, clock_boottime_ns() + BLESS_LOCK_NS);
	int error;

	if (lock < 0) {
		log_error("disk: %s: lock: %s", record->disk, log_errno(lock));
		return lock;
	}
	error = look(record, views);
	if (error) {
		log_error("disk: %s: read partition table: %s", record->disk, log_errno(error));
		return error;
	}
	change = blessing->refills ? slot_refill(views, record->slot, blessing->tries)
				   : slot_bless(views, record->slot, blessing->tries);
	error = apply(record, &change);
	if (!error && !blessing->refills)
		note_blessing(record, views, &change);
	return error;
}

pid_t bless_start(const struct record *record, uint32_t tries, int *pidfd)
{
	struct blessing blessing = {record, tries, false};

	return child_start(bless, &blessing, pidfd);
}

pid_t bless_refill_start(const struct record *record, uint32_t tries, int *pidfd)
{
	struct blessing blessing = {record, tries, true};

	return child_start(bless, &blessing, pidfd);
}

struct ending {
	const struct record *record;
	uint32_t tries; /* 0: nobody was blessed */
};

static int give_back(void *argument)
{
	const struct ending *ending = argument;
	const struct record *record = ending->record;
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;
	cleanup_fd lock = disk_lock(record->disk, clock_boottime_ns() + REFUND_LOCK_NS);
	int error = lock < 0 ? lock : look(record, views);

	if (error)
		return error;
	change = ending->tries ? slot_refill(views, record->slot, ending->tries)
			       : slot_refund(views, record->slot, record->tries_left,
					     record->burned != 0);
	return change.refused || !change.write ? 0 : apply(record, &change);
}

int bless_refund(const struct record *record)
{
	struct ending ending = {record, 0};

	return run_timed(give_back, &ending, REFUND_TIMEOUT_NS);
}

int bless_refill(const struct record *record, uint32_t tries)
{
	struct ending ending = {record, tries};

	return run_timed(give_back, &ending, REFUND_TIMEOUT_NS);
}
