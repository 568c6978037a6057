/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `keelctl slot status` without waiting for the disk: it is read in a child, and whoever asked is
 * answered when the child ended. At most one child reads at a time; who asks meanwhile gets its
 * answer, too. One that takes longer than SLOT_ANSWER_NS is killed when somebody asks again; a disk
 * that hangs keeps even that from ending, and then it is the only one that ever hangs on it.
 */
#ifndef KEELSON_SLOT_ANSWER_H
#define KEELSON_SLOT_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "init/record.h"
#include "rootfs-spec/plan.h"
#include "svc/control.h"

#define SLOT_ANSWER_NS 2000000000ull

/* Begin to ask: -EINPROGRESS, or the errno of why it could not begin. */
int slot_answer_ask(const struct record *record, const struct plan *plan, uint64_t now_ns);

/*
 * A child ended with `exit_status` (an errno; 0: well). True: it was the one that reads, and `*error`
 * and, if that is 0, `*status` are the answer.
 */
bool slot_answer_child_ended(pid_t pid, int exit_status, int *error,
			     struct control_slot_status *status);

#endif
