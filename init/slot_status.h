/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the disk says of both slots now, for `keelctl slot status`: bits, and what each holds, examined
 * as the next boot will (signature, root hash, marks). Reading waits for the disk, so it is done in a
 * child.
 */
#ifndef KEELSON_SLOT_STATUS_H
#define KEELSON_SLOT_STATUS_H

#include <sys/types.h>

#include "init/record.h"
#include "rootfs-spec/plan.h"
#include "svc/control.h"

/*
 * Begin to read: child_start() of mount/child.h, and `*answer`, which is the caller's to close. When
 * the child has ended with 0, slot_status_read() takes what it found: 0 or -EIO. The keys that `plan`
 * names are trusted.
 */
pid_t slot_status_start(const struct record *record, const struct plan *plan, int *pidfd,
			int *answer);
int slot_status_read(int answer, struct control_slot_status *status);

#endif
