/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to the slots, for people: a ring of the last SLOT_HISTORY_EVENTS events in the header
 * partition of the disk's first slot, behind the last record (svc/last.h). Who acts writes: PID 1's
 * children and keelson-slot, under the disk's lock. Nothing that decides reads it, it is not signed,
 * and an event that cannot be written stops nothing. A header partition that is too small has none.
 *
 * Each event fills 512 bytes, which no disk tears; one that is damaged is passed over. The wall clock
 * is the node's own: at the start of a boot it may be wrong, so the order is the sequence's.
 */
#ifndef KEELSON_SLOT_HISTORY_H
#define KEELSON_SLOT_HISTORY_H

#include "mount/disk.h"
#include "rootfs-spec/slot_header.h"

#define SLOT_HISTORY_OFFSET 20480u
#define SLOT_HISTORY_EVENTS 64u

/* Numbers on disks: only ever append. */
enum slot_event_kind {
	SLOT_EVENT_BOOTED = 1, /* services start; `tries` are left */
	SLOT_EVENT_BLESSED,
	SLOT_EVENT_FAILED, /* with a reason */
	SLOT_EVENT_GIVEN_UP,
	SLOT_EVENT_SUSPECTED,
	SLOT_EVENT_REJECTED,
	SLOT_EVENT_INSTALLING,
	SLOT_EVENT_INSTALLED,
	SLOT_EVENT_SWITCHED, /* armed above the other */
	SLOT_EVENT_RETRIED,  /* on trial again */
	SLOT_EVENT_COUNT
};

struct slot_event {
	uint8_t magic[8];
	uint32_t version;
	uint32_t crc32; /* of the 512 bytes with this field zero */
	uint64_t sequence;
	int64_t wall_s;
	uint32_t kind;   /* enum slot_event_kind */
	uint32_t slot;   /* 0: a, 1: b */
	uint32_t reason; /* enum slot_reason */
	uint32_t tries;
	char image_version[64];
	char detail[128];
	uint8_t reserved[272];
};

_Static_assert(sizeof(struct slot_event) == 512, "the layout of the slots' history is frozen");

/* "booted", ...; "?" for a number that is none. */
const char *slot_event_name(uint32_t kind);

/* Put the whole events of a ring into the order in which they happened. Returns how many. Pure. */
uint32_t slot_history_order(struct slot_event events[SLOT_HISTORY_EVENTS]);

/* Read and order the ring of this disk. How many, or negative errno. */
int slot_history_read(const struct disk *disk, struct slot_event events[SLOT_HISTORY_EVENTS]);

/*
 * Write one over the oldest and flush: kind, slot, reason, tries, version and detail are the caller's,
 * the rest is filled in. 0 or negative errno.
 */
int slot_history_add(const struct disk *disk, struct slot_event *event);

#endif
