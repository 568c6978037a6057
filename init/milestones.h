/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Milestones: whoever may write to /run/keelson/milestones (root, or a pod that was given it as a
 * hostPath volume) creates a file there, and its name is stamped in the timeline and said in the
 * kernel log. It is how a boot is proven and measured from power-on to a pod's first instruction.
 *
 * Whoever creates files without end gets no more than MILESTONES_MAX of them heard, and the timeline
 * keeps its room for others: after that nobody watches any more.
 */
#ifndef KEELSON_MILESTONES_H
#define KEELSON_MILESTONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MILESTONES_DIRECTORY "/run/keelson/milestones"
#define MILESTONES_MAX 64u
#define MILESTONE_NAME_BYTES 65u /* 64 characters and a NUL */

/*
 * A file name as it may stand in a log: letters, digits, '.', '_' and '-' as they are, anything
 * else as '?', cut after 64 characters. Pure.
 */
void milestone_name(const char *file, char name[MILESTONE_NAME_BYTES]);

/* Make the directory (0755) and watch it (inotify(7)). A non-blocking descriptor, negative errno. */
int milestones_open(void);

/*
 * Stamp and log what was created since, as much of it as one turn takes. After the last one that is
 * heard `*fd` is closed and -1.
 */
void milestones_read(int32_t *fd);

/* Is `fd` what milestones_open() returned in an execution of PID 1 before this one? */
bool milestones_is(int fd);

#endif
