/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initramfs's side of kexec.h: take what the first kernel of a boot handed over, and leave this
 * kernel for the slot's own.
 */
#ifndef KEELSON_OWN_KERNEL_H
#define KEELSON_OWN_KERNEL_H

#include <stdbool.h>

#include "init/handover.h"
#include "init/record.h"
#include "rootfs-spec/plan.h"

/*
 * Has this boot begun under another kernel? Notes it in `record`, and in its timeline. Returns what
 * that one handed over, NULL: nothing that tells which slot to go on with.
 */
const struct handover *own_kernel_handed(struct record *record);

/*
 * Can the slot of this header run in this boot: under the kernel that runs, or under its own, which may
 * still be started? Asked before a try is burned for it.
 */
bool own_kernel_serves(const struct plan *boot_plan, const struct record *record,
		       const struct slot_header *header);

/*
 * Go on with the boot under the kernel of the slot whose root is mounted at `root` and which `record`
 * tells of. 0: it is the one that runs. A negative errno with `*step`: it could not be loaded, and this
 * kernel goes on, or this is the second one already, and then it is of no use for any other slot. Does
 * not come back from a kexec, nor from one that failed half way: then it reboots.
 *
 * The try is burned and no file system can be written: nothing is lost.
 */
int own_kernel_enter(const struct plan *boot_plan, const struct record *record, const char *root,
		     const char **step);

#endif
