/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of an execution of PID 1 that follows another one (survive.h): nothing is mounted or
 * made, everything is found. Phases like those of node.h; they stamp nothing, the timeline is the
 * boot's.
 */
#ifndef KEELSON_RESUME_H
#define KEELSON_RESUME_H

#include <stdbool.h>

/*
 * Is this one? Only with the argument --again=, which nobody but PID 1 itself can have given: a
 * descriptor that is no world is refused later.
 */
bool resume_is(void);

/*
 * Signals, log, watchdog, and the next crash: before anything that may crash. `program`: argv[0].
 */
void resume_begin(const char *program);

int resume_plan(void);       /* map and verify it */
int resume_world(void);      /* the one that was kept, or a fresh one */
int resume_supervisor(void); /* everything that an execve(2) closes, and the services */

/* Nothing can be taken over: reboot, or the end of the container. */
_Noreturn void resume_failed(void);

#endif
