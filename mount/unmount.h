/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of every mount. Read mountinfo, unmount newest first, each in a timed child so that a
 * hung file system costs its budget and not the reboot; again until nothing changes; then make
 * read-only what is left, detach loop devices, and look once more.
 */
#ifndef KEELSON_UNMOUNT_H
#define KEELSON_UNMOUNT_H

#include <stddef.h>
#include <stdint.h>

#define UNMOUNT_LEFT_MAX 8u
#define UNMOUNT_TARGET_BYTES 128u

struct unmount_report {
	uint32_t unmounted;
	uint32_t read_only; /* left mounted, made read-only */
	uint32_t left;      /* left mounted and writable, or hung */
	struct {
		char target[UNMOUNT_TARGET_BYTES]; /* cut if longer */
		int error;
	} lefts[UNMOUNT_LEFT_MAX]; /* the first of them */
};

/*
 * Unmount everything but "/" (a node's is a verity device, never writable) and the mounts at or below one of `keep` (absolute prefixes, such as
 * "/proc"). `step_ns` bounds each single call, `total_ns` all of them. What cannot be unmounted is
 * in the report. Read-only superblocks and loop devices are the machine's: they are left alone
 * unless this is PID 1 of the machine. 0, or -ETIMEDOUT when the total was used up, or the errno of reading mountinfo.
 */
int unmount_all(const char *const *keep, size_t keep_count, uint64_t step_ns, uint64_t total_ns,
		struct unmount_report *report);

/* sync(2) in a timed child. */
int sync_timed(uint64_t timeout_ns);

#endif
