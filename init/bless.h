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
#include "svc/control.h"

/*
 * Begin to bless the slot that `record` tells of: child_start() of mount/child.h. `tries`: what a
 * good slot starts the next boot with. It ends with EKEYREJECTED when the rules do not allow it.
 */
pid_t bless_start(const struct record *record, uint32_t tries, int *pidfd);

/* Give the burned try back, in a timed child. 0 or negative errno. Not while a blessing writes. */
int bless_refund(const struct record *record);

/* What the disk says of both slots now, read in a timed child. 0 or negative errno. */
int bless_status(const struct record *record, struct control_slot_status *status);

#endif
