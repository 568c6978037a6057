/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole branches of the cgroup tree at shutdown (Documentation/admin-guide/cgroup-v2.rst): the pods',
 * and what services left behind. Paths are absolute. A group that does not exist has no processes
 * and takes every request; nothing here blocks or allocates.
 */
#ifndef KEELSON_GROUPS_H
#define KEELSON_GROUPS_H

#include <stdbool.h>

/* Are there processes in the group or below it? */
bool groups_populated(const char *group);

/*
 * Send `signal` to every process in the group and below it, each through a pidfd opened right after
 * its number was read. Returns how many were sent.
 */
unsigned int groups_signal(const char *group, int signal);

/* cgroup.kill: SIGKILL to everything in the group and below it, also to what is just forking. */
int groups_kill(const char *group);

/*
 * The same for every group below `root` but PID 1's own ("init") and `keep`, a path below `root`
 * without a leading slash, "" for none.
 */
void groups_kill_others(const char *root, const char *keep);

/* Are there processes in any group below `root` but these two? */
bool groups_others_populated(const char *root, const char *keep);

/*
 * Is `root` the root of the machine's whole tree? In a container it then belongs to somebody else: a
 * cgroup namespace of its own (cgroup_namespaces(7)) would show a group of it.
 */
bool groups_is_machine(const char *root);

#endif
