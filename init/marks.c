/* SPDX-License-Identifier: Apache-2.0 */
#include "init/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "init/slot_history.h"
#include "mount/child.h"
#include "mount/devices.h"
#include "mount/disk.h"
#include "mount/header_io.h"
#include "mount/sys.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/timeline.h"

/* The marks of one slot, open for a change. */
struct marks {
	int fd;
	struct slot_marks copies[2];
	struct slot_marks next; /* what the newest copy says, to be changed */
};

static int marks_open(const char *device, struct marks *marks)
{
	const struct slot_marks *newest;
	char path[DEVICE_PATH_BYTES];
	int error = device_path(device, path);

	*marks = (struct marks){.fd = -1};
	if (error)
		return error;
	marks->fd = open(path, O_RDWR | O_CLOEXEC);
	if (marks->fd < 0)
		return -errno;
	error = slot_marks_read(marks->fd, marks->copies);
	if (error) {
		close(marks->fd);
		return error;
	}
	newest = slot_marks_newest(marks->copies);
	if (newest)
		marks->next = *newest;
	return 0;
}

static int marks_write(struct marks *marks)
{
	int error = slot_marks_write(marks->fd, &marks->next, marks->copies);

	close(marks->fd);
	return error;
}

int marks_note_failure(const char *device, enum slot_reason reason, const char *detail)
{
	struct marks marks;
	int error = marks_open(device, &marks);

	if (error)
		return error;
	marks.next.reason = reason;
	memset(marks.next.detail, 0, sizeof(marks.next.detail));
	format_text((char *)marks.next.detail, sizeof(marks.next.detail), "%s", detail);
	return marks_write(&marks);
}

int marks_reject(const char *device, const uint8_t root_hash[SLOT_DIGEST_BYTES])
{
	struct marks marks;
	int error = marks_open(device, &marks);

	if (error)
		return error;
	if (slot_marks_rejects(&marks.next, root_hash)) {
		close(marks.fd);
		return 0;
	}
	slot_marks_reject(&marks.next, root_hash);
	return marks_write(&marks);
}

int marks_accept(const char *device, const uint8_t root_hash[SLOT_DIGEST_BYTES])
{
	struct marks marks;
	int error = marks_open(device, &marks);

	if (error)
		return error;
	if (!slot_marks_rejects(&marks.next, root_hash)) {
		close(marks.fd);
		return 0;
	}
	slot_marks_accept(&marks.next, root_hash);
	return marks_write(&marks);
}

int marks_suspect(const char *device, const uint8_t root_hash[SLOT_DIGEST_BYTES])
{
	struct marks marks;
	int error = marks_open(device, &marks);

	if (error)
		return error;
	if (slot_marks_suspects(&marks.next, root_hash)) {
		close(marks.fd);
		return 0;
	}
	memcpy(marks.next.suspect, root_hash, SLOT_DIGEST_BYTES);
	return marks_write(&marks);
}

int marks_forget(const char *device)
{
	struct marks marks;
	int error = marks_open(device, &marks);

	if (error)
		return error;
	if (marks.next.reason == SLOT_REASON_NONE && marks.next.detail[0] == '\0') {
		close(marks.fd);
		return 0;
	}
	marks.next.reason = SLOT_REASON_NONE;
	memset(marks.next.detail, 0, sizeof(marks.next.detail));
	return marks_write(&marks);
}

int marks_raise_epoch(const char *device, uint64_t epoch)
{
	struct marks marks;
	int error = marks_open(device, &marks);

	if (error)
		return error;
	if (marks.next.security_epoch >= epoch) {
		close(marks.fd);
		return 0;
	}
	marks.next.security_epoch = epoch;
	return marks_write(&marks);
}

/* Only children touch it: none of its pages becomes PID 1's. */
static struct disk disk;

/* The reason for the next boot counts; the history is for people. */
static int write_note(void *argument)
{
	const struct slot_failure *failure = argument;
	struct slot_event event = {
		.kind = SLOT_EVENT_FAILED,
		.slot = failure->slot,
		.reason = failure->reason,
	};
	cleanup_fd lock = disk_lock(failure->disk, clock_boottime_ns() + MARKS_LOCK_NS);
	int error = lock < 0
			    ? lock
			    : marks_note_failure(failure->device, failure->reason, failure->detail);

	if (error || disk_reread(failure->disk, failure->disk_guid, &disk) != 0)
		return error;
	event.tries = disk.slots.slot[failure->slot].bits.tries;
	format_text(event.image_version, sizeof(event.image_version), "%s", failure->image_version);
	format_text(event.detail, sizeof(event.detail), "%s", failure->detail);
	return slot_history_add(&disk, &event);
}

void marks_note_failure_timed(const struct slot_failure *failure)
{
	/* run_timed() takes an argument that its work may change; this work does not. */
	int error = run_timed(write_note, (void *)(uintptr_t)failure, MARKS_TIMEOUT_NS);

	if (error)
		log_error("slot marks: %s: write: %s", failure->device, log_errno(error));
}
