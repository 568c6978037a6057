/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of every mount, whatever hangs. The order, each call in a timed child (child.h):
 *
 *     1  umount(2), newest first, again until nothing changes; what has a disk becomes read-only
 *        before, as a whole, and so is clean whoever else still has it mounted
 *     2  MNT_FORCE for what is left: a FUSE or network file system whose server does not answer
 *        gives up its requests, which also frees the processes that wait for them; then 1 again
 *     3  loop devices and device-mapper devices that are free now are taken apart; then 1 again
 *     4  what is still left and has a disk is made read-only, and so clean; by the kernel's
 *        emergency remount (sysrq-u) where somebody still holds files open for writing, or did when
 *        MNT_FORCE took the mount away, or where a call hung
 *     5  MNT_DETACH for what is left and has none, so that it holds nothing else; then 1 again
 *
 * A third of the time is kept for the steps from 3 on, half of that for those from 4 on. A disk that hangs
 * costs three calls, however many mounts it has, and leaves no other disk unclean.
 */
#ifndef KEELSON_UNMOUNT_H
#define KEELSON_UNMOUNT_H

#include <stddef.h>
#include <stdint.h>

#define UNMOUNT_LEFT_MAX 8u
#define UNMOUNT_TARGET_BYTES 112u
#define UNMOUNT_HURRIED_NS 6000000000ull

struct unmount_report {
	uint32_t unmounted;
	uint32_t forced;    /* of these, after MNT_FORCE */
	uint32_t detached;  /* of no disk, and only detached: somebody still uses them */
	uint32_t loops;     /* loop devices detached */
	uint32_t read_only; /* left mounted, made read-only */
	uint32_t left;      /* left mounted and writable, or hung */
	struct {
		char target[UNMOUNT_TARGET_BYTES]; /* cut if longer */
		int error;
	} lefts[UNMOUNT_LEFT_MAX]; /* the first of them */
};

/*
 * Unmount everything but "/" (a node's is a verity device, never writable) and the mounts at or
 * below one of `keep` (absolute prefixes, such as "/proc"). `step_ns` bounds each single call,
 * `total_ns` all of them; of that UNMOUNT_HURRIED_NS is left when somebody hurries (child.h). What cannot be unmounted is in the report. Superblocks, loop and mapped
 * devices are the machine's: they are left alone unless this is PID 1 of the machine. 0, -ETIMEDOUT
 * when the total was used up, or the errno of reading mountinfo.
 */
int unmount_all(const char *const *keep, size_t keep_count, uint64_t step_ns, uint64_t total_ns,
		struct unmount_report *report);

/* sync(2) in a timed child. */
int sync_timed(uint64_t timeout_ns);

#endif
