/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slot's own kernel. The kernel that a boot loader starts is only a bootstrap: it finds the disk,
 * chooses a slot and burns a try. Modules and kernel belong together, so when the slot brings another
 * kernel than the one that runs, PID 1 of the initramfs starts that one, with the initramfs of the same
 * image (rootfs-spec/boot_entry.h tells where both lie in the verity root), and it goes on with the
 * boot where this one stopped: handover.h.
 *
 * Which kernel runs, the boot plan says: it holds the release and the digest of the kernel that its
 * initramfs was made for. A loader may have started another one with it; then uname(2) says another
 * release, and what runs is not known. The slot's kernel is named in its signed header.
 *
 *     the header names no kernel           whatever runs will do
 *     release and digest are the slot's    nothing to do: the steady state, init/esp.h
 *     else                                 kexec
 *     else, after a kexec in this boot     refused: an image whose kernel and initramfs do not belong
 *                                          together would go on for ever
 *
 * The command line of the new kernel: the slot's own words (`kernel.cmdline` of its spec), then those
 * of the present one without the words of the image whose kernel runs. So what a loader or a person
 * added is passed, and wins where the last word counts: console=, crashkernel=, keelson.slot=, ...
 */
#ifndef KEELSON_KEXEC_H
#define KEELSON_KEXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "init/handover.h"
#include "init/slot.h"
#include "rootfs-spec/plan.h"
#include "rootfs-spec/slot_header.h"

enum kexec_verdict {
	KEXEC_RIGHT = 0, /* the slot's kernel runs, or it has none */
	KEXEC_NEEDED,
	KEXEC_AGAIN /* needed, and refused */
};

/* Pure. `running_release`: of uname(2); `kexecs`: in this boot. */
enum kexec_verdict kexec_decide(const struct slot_header *slot, const struct plan *boot_plan,
				const char *running_release, uint32_t kexecs);

#define KEXEC_CMDLINE_BYTES 2048u /* COMMAND_LINE_SIZE, with the NUL */

/*
 * Pure: the new command line from the present one, the words of the image whose kernel runs and the
 * slot's own. A word of an image counts as often as it is there. -E2BIG when it does not fit.
 */
int kexec_cmdline(char text[KEXEC_CMDLINE_BYTES], const char *present, const char *running,
		  const char *slot);

/*
 * Load the slot's kernel from the root that is mounted at `root`, in a timed child.
 * `running_cmdline`: words of the image whose kernel runs; `timeline`: of this boot. 0, or negative
 * errno: then `step` says what failed.
 */
#define KEXEC_STEP_BYTES 96u
int kexec_load(const char *root, const char *running_cmdline, const struct handover *handover,
	       const struct timeline *timeline, char step[KEXEC_STEP_BYTES]);

/*
 * What the kernel before this one handed over. 0; -ENOENT: this is the first kernel of the boot;
 * another negative errno: it is not, but what it handed over cannot be used.
 */
int kexec_handed(struct handover *handover);

/* The phases that it handed over with it, if they can be read, into `timeline`. */
void kexec_handed_phases(struct timeline *timeline);

/*
 * Pure: is slot `handover->slot` what it was when its try was burned? Sound, the same image, on the
 * same disk.
 */
bool kexec_fits(const struct handover *handover, const uint8_t disk_guid[GPT_GUID_BYTES],
		const struct slot_view views[SLOT_COUNT],
		const struct slot_examination examinations[SLOT_COUNT]);

/* Start it: comes back only when it could not, as a negative errno. Feed the watchdog before. */
int kexec_start(void);

#endif
