/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of a running process and what it may do: proc(5), ptrace(2), bpf(2). */
#ifndef KEELSON_POLICY_LIVE_H
#define KEELSON_POLICY_LIVE_H

#include "svc/policy_compare.h"

/*
 * Read everything but what PID 1 has to tell. 0; -ESRCH: it is gone. `filter`: also compare the bytes
 * of its filters with this one, for which it is stopped for a moment; NULL: do not. What was read
 * belongs to `live` until policy_live_free().
 */
int policy_live_read(struct policy_live *live, int pid, const char *cgroup, const struct plan *plan,
		     const struct plan_filter *filter);
void policy_live_free(struct policy_live *live);

#endif
