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

/* Note why this try of the slot failed. `device`: kernel name of its header partition. */
int marks_note_failure(const char *device, enum slot_reason reason, const char *detail);

/* The same in a timed child, logged: for PID 1 on its way to a reboot. */
void marks_note_failure_timed(const char *device, enum slot_reason reason, const char *detail);

/*
 * Add `root_hash` to the rejected images; nothing is written when it is there already. Why the last
 * try failed stays as it was noted: slot_marks_reject() of rootfs-spec/slot_header.h.
 */
int marks_reject(const char *device, const uint8_t root_hash[SLOT_DIGEST_BYTES]);

/* Raise the highest security epoch that was blessed to `epoch`; never lowers it. */
int marks_raise_epoch(const char *device, uint64_t epoch);

#endif
