/* SPDX-License-Identifier: Apache-2.0 */
/* Begin and end to learn (learn.h). What goes wrong is told on standard error. */
#ifndef KEELSON_LEARN_START_H
#define KEELSON_LEARN_START_H

#include "rootfs-spec/plan.h"

/*
 * Forget what was learned before and count from now on, for the services of `plan`. 0, or a negative
 * errno: -EALREADY when it counts, -EBUSY when another start or stop is at work. A kernel that does not let capabilities be counted is told of, and
 * no error.
 */
int learn_start(const struct plan *plan);

/*
 * Count no more, and take away what a start that was cut short left; what was learned stays until the
 * next start. 0, -ESRCH: there was nothing of it, or another negative errno.
 */
int learn_stop(void);

#endif
