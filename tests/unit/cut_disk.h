/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk in memory that logs every write and flush, and the disks that a power cut may leave of it.
 * A program that links cut_disk.c has its open(2), close(2), pread(2), pwrite(2), fsync(2),
 * fdatasync(2), mount/read_back.h and mount/devices.h replaced: "/dev/vda" is the disk, "/dev/vda2" its second partition. Other paths and
 * descriptors are the system's. child_start() and run_timed() run their work in place.
 *
 * What a cut leaves. A write is durable once its device was flushed after it; the page cache of
 * another device is another one, so flushing vda does not make what was written to vda2 durable. Of
 * the rest any 512-byte units may be on the disk, in any order.
 */
#ifndef KEELSON_TESTS_CUT_DISK_H
#define KEELSON_TESTS_CUT_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "mount/gpt.h"

#define CUT_UNIT_BYTES 512u
#define CUT_DISK_MAX_BYTES (4u << 20)
#define CUT_LOG_MAX 512u
#define CUT_LOG_BYTES (4u << 20)
#define CUT_PARTITIONS 8u

struct cut_event {
	uint32_t device; /* 0: the disk, else a partition's number */
	uint32_t size;   /* 0: a flush */
	uint64_t offset; /* on the disk */
	const uint8_t *bytes;
};

extern struct cut_disk {
	uint8_t bytes[CUT_DISK_MAX_BYTES];
	uint64_t size_bytes;
	uint32_t sector_bytes;
	struct {
		uint64_t offset;
		uint64_t size;
	} partitions[CUT_PARTITIONS]; /* by number - 1 */
	/* Reads and writes of the disk that touch these ranges fail with EIO. */
	uint64_t unreadable_from, unreadable_to;
	uint64_t unwritable_from, unwritable_to;
	bool logging;
	uint32_t count;
	struct cut_event log[CUT_LOG_MAX];
} cut_disk;

/* An empty disk without faults. */
void cut_disk_make(uint32_t sector_bytes, uint64_t size_bytes);

/* From here on writes are logged; what the disk says now is what a replay starts from. */
void cut_disk_start(void);

/*
 * Make every disk of the log, and call `check` with it in cut_disk.bytes; what `check` writes is
 * undone. Cuts: after each event. For each: every subset of the writes that are not durable (of more
 * than 8 as many at random), each of them torn at every unit with those before it whole and those
 * behind it missing, the same with its end instead of its beginning, and `random` times any units
 * of all of them in any order. Returns the number of disks.
 */
uint64_t cut_disk_replay(uint32_t random, void (*check)(uint32_t cut));

#endif
