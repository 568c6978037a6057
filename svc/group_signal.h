/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal to every process of a cgroup and of the groups below it. Each is named by a pidfd that
 * was opened while the process was a member: the number cannot have become somebody else's.
 */
#ifndef KEELSON_GROUP_SIGNAL_H
#define KEELSON_GROUP_SIGNAL_H

#define GROUP_SIGNAL_MAX 4096u /* processes, for a bounded time in PID 1: a person can ask again */
#define GROUP_SIGNAL_DEPTH 8u  /* groups below groups */

/* `path` is the group's below the cgroup root. 0; -ESRCH: no process is in it; -E2BIG: more than GROUP_SIGNAL_MAX; another negative errno. */
int group_signal(int group, const char *path, int number);

#endif
