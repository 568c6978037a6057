/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a boot ended, kept for the next one.
 *
 * The record lies on the disk beside the slot that ran: in its header partition, behind the marks, in
 * two copies of which a write replaces the older (rootfs-spec/slot_header.h tells the layout). There
 * it can still be written when every file system is unmounted, so the steps of the unmounting are in
 * it, and neither a full nor a hung state partition loses it. It is nobody's authority: not signed,
 * read by people, and by nothing that decides what boots.
 *
 *     written            `state`
 *     services start     LAST_RUNNING   found by the next boot: the power was cut, the machine was
 *                                       reset or the kernel died
 *     a shutdown begins  LAST_ENDING    ... while it was shutting down
 *     before reboot(2)   LAST_ENDED     an orderly end, with every step, how long it took, and what
 *                                       went wrong
 *
 * The next boot reads the newest of both slots, judges (last_judge()), and shows it to everybody in
 * LAST_PATH: the same structure with `cause` filled in.
 *
 * Little-endian, pointer-free, strings end in NUL. Pure: no system call.
 */
#ifndef KEELSON_LAST_H
#define KEELSON_LAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAST_MAGIC "KEELLAST"
#define LAST_VERSION 1u
#define LAST_BYTES 4096u
#define LAST_OFFSET 12288u /* of the first copy in the header partition; the second follows */
#define LAST_STEPS 20u
#define LAST_STEP_NAME_BYTES 24u
#define LAST_NOTES 16u
#define LAST_NOTE_BYTES 128u
#define LAST_NAME "last" /* in the runtime directory */
#define LAST_PATH "/run/keelson/" LAST_NAME

/* Numbers on disks: only ever append. */
enum last_state { LAST_RUNNING = 1, LAST_ENDING, LAST_ENDED };

/* Who asked for the end. */
enum last_by {
	LAST_BY_NOBODY,  /* it runs, or ended without a word */
	LAST_BY_CONTROL, /* keelctl(1) */
	LAST_BY_SIGNAL,
	LAST_BY_BUTTON, /* the power button */
	LAST_BY_GATE,   /* the slot failed: health or a critical service */
	LAST_BY_BOOT,   /* a step before services failed */
	LAST_BY_COUNT
};

enum last_cause {
	LAST_CAUSE_NONE,     /* no earlier boot is known */
	LAST_CAUSE_ORDERLY,  /* it ended as it was asked to */
	LAST_CAUSE_WATCHDOG, /* the hardware watchdog reset the machine: something hung */
	LAST_CAUSE_PANIC,    /* the kernel died and left its log behind (pstore) */
	LAST_CAUSE_SHUTDOWN, /* lost while it was shutting down */
	LAST_CAUSE_LOST,     /* a power cut, a reset, or a crash that left nothing behind */
	LAST_CAUSE_COUNT
};

struct last_step {
	uint64_t start_ns; /* CLOCK_BOOTTIME of that boot */
	uint64_t end_ns;   /* 0: not over */
	int32_t error;     /* 0 or the negative errno it ended with */
	uint32_t zero;
	char name[LAST_STEP_NAME_BYTES];
};

struct last {
	uint8_t magic[8];
	uint32_t version;
	uint32_t crc32;             /* of the LAST_BYTES with this field zero */
	uint64_t sequence;          /* one more than the newest record of both slots */
	uint32_t state;             /* enum last_state */
	uint32_t action;            /* enum control_power; 0 while it runs */
	uint32_t by;                /* enum last_by */
	uint32_t forced;            /* 1: asked a second time, or by force */
	uint32_t slot;              /* 0: a, 1: b */
	uint32_t blessed;           /* 1: in that boot or before */
	uint32_t cause;             /* enum last_cause; 0 on the disk */
	uint32_t reset_by_watchdog; /* 1: the device says so; 0 on the disk */
	int64_t booted_s;           /* wall clock when services started, as the node knew it */
	int64_t ended_s;            /* wall clock of this record */
	uint64_t began_ns;          /* of the shutdown, CLOCK_BOOTTIME; 0: none */
	uint64_t ended_ns;          /* of this record, CLOCK_BOOTTIME */
	char boot_id[40];           /* /proc/sys/kernel/random/boot_id */
	char image_version[64];
	uint32_t step_count;
	uint32_t note_count;
	uint32_t notes_lost; /* had no room */
	uint32_t zero;
	struct last_step steps[LAST_STEPS];
	char notes[LAST_NOTES][LAST_NOTE_BYTES]; /* what went wrong, for people */
	uint8_t reserved[880];
};

_Static_assert(sizeof(struct last) == LAST_BYTES, "the layout of the last record is frozen");

/* Append; what has no room is counted (notes) or dropped (steps). `name` and `text` are cut. */
void last_step(struct last *last, const char *name, uint64_t start_ns, uint64_t end_ns, int error);
void last_note(struct last *last, const char *text);

/* Make it the successor of `newest` (NULL: there was none): magic, version, sequence, CRC. */
void last_seal(struct last *last, const struct last *newest);

/* Whole, of this version, every number in range, every string ended. 0 or -EBADMSG. */
int last_check(const struct last *last);

/* The valid one with the highest sequence of `count` records, or NULL. */
const struct last *last_newest(const struct last *records, size_t count);

/*
 * Why the boot that left `last` (NULL: there is none) ended, by what else the machine knows:
 * whether its watchdog did the reset, and whether the kernel left a panic behind.
 */
enum last_cause last_judge(const struct last *last, bool watchdog_reset, bool panic);

/* Write the judgement into the record, for those who read LAST_PATH. */
void last_judged(struct last *last, enum last_cause cause, bool watchdog_reset);

/* Short texts for people; "?" for a number that is none. */
const char *last_cause_text(uint32_t cause);
const char *last_by_text(uint32_t by);

#endif
