/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1's memory stays in memory. Its program and plan are pages of the root's file system, and the
 * shutdown's are first needed when the disk may be gone: a page that cannot be read then is a SIGBUS
 * in PID 1, and one that is read slowly holds everything that waits for it.
 */
#ifndef KEELSON_MEMORY_H
#define KEELSON_MEMORY_H

#include "rootfs-spec/plan.h"

/*
 * Read in and lock (mlock(2)) this program's segments and the plan, and let nothing that was ever
 * touched be taken away again. 0 or negative errno; what can be locked is.
 */
int memory_lock(const struct plan *plan);

/*
 * Never be chosen when memory runs out (proc(5), oom_score_adj -1000): the kernel spares the
 * machine's PID 1 anyway, but not that of a pid namespace. Children inherit it, so every service
 * sets its own score before it executes. 0 or negative errno: a container may not be allowed to.
 */
int memory_protect(void);

#endif
