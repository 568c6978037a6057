/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to a slot, written into the marks of its header partition
 * (rootfs-spec/slot_header.h), for people, for updaters, and for the next boot's choice.
 */
#ifndef KEELSON_MARKS_H
#define KEELSON_MARKS_H

#include <stdint.h>

#include "rootfs-spec/slot_header.h"

/* How long PID 1 waits for a disk to take such a write. */
#define MARKS_TIMEOUT_NS 5000000000ull
#define MARKS_LOCK_NS 3000000000ull /* of it, for another one that writes */

/* A try of a slot that failed. */
struct slot_failure {
	const char *disk;         /* kernel names of the disk ... */
	const char *device;       /* ... and of the slot's header partition */
	const uint8_t *disk_guid; /* to find the history */
	uint32_t slot;
	const char *image_version;
	enum slot_reason reason;
	const char *detail; /* for people: object and step */
};

/* Note why this try of the slot failed. `device`: kernel name of its header partition. */
int marks_note_failure(const char *device, enum slot_reason reason, const char *detail);

/*
 * The same in a timed child, under the disk's lock, and in the slots' history, logged: for PID 1 on its way to a reboot. Who
 * holds the lock for longer keeps it from being written: a reason is worth less than the rejections
 * that two writers at a time could lose.
 */
void marks_note_failure_timed(const struct slot_failure *failure);

/*
 * Add `root_hash` to the rejected images; nothing is written when it is there already. Why the last
 * try failed stays as it was noted: slot_marks_reject() of rootfs-spec/slot_header.h.
 */
int marks_reject(const char *device, const uint8_t root_hash[SLOT_DIGEST_BYTES]);

/* Take it off the list again; nothing is written when it is not there. */
int marks_accept(const char *device, const uint8_t root_hash[SLOT_DIGEST_BYTES]);

/* Note the image that was given up without a reason; nothing is written when it is there already. */
int marks_suspect(const char *device, const uint8_t root_hash[SLOT_DIGEST_BYTES]);

/*
 * Another image is installed: forget why the last one failed. What was rejected, what is suspected and
 * the epoch stay. Nothing is written when nothing was noted.
 */
int marks_forget(const char *device);

/* Raise the highest security epoch that was blessed to `epoch`; never lowers it. */
int marks_raise_epoch(const char *device, uint64_t epoch);

#endif
