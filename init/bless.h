/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a boot writes about its slot once it runs: the blessing, and the try that an orderly reboot
 * gives back. slot.h decides what is written, here it is written, in the order that slot.h gives.
 * Writing waits for the disk, so it is done in a child; the world is not mapped there.
 */
#ifndef KEELSON_BLESS_H
#define KEELSON_BLESS_H

#include <stdint.h>
#include <sys/types.h>

#include "init/record.h"

/*
 * Begin to bless the slot that `record` tells of: child_start() of mount/child.h. `tries`: what a
 * good slot starts the next boot with. It ends with EKEYREJECTED when the rules do not allow it.
 */
pid_t bless_start(const struct record *record, uint32_t tries, int *pidfd);

/* Begin to fill the tries of the slot, which was blessed in this boot and has been good for long. */
pid_t bless_refill_start(const struct record *record, uint32_t tries, int *pidfd);

/*
 * At an orderly end, in a timed child, not while a blessing writes: give the burned try back, or, of a
 * slot that was blessed in this boot, all of them. 0 or negative errno.
 */
int bless_refund(const struct record *record);
int bless_refill(const struct record *record, uint32_t tries);

#endif
