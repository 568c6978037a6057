/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that may hang, done in a child under a deadline: mkfs, fsck, umount(2) of a file system
 * whose server is gone, sync(2). The child is made by clone3(2) with a pidfd; when the deadline
 * passes it is killed and, if it sits in an uninterruptible sleep and does not go, left behind: PID
 * 1 goes on.
 *
 * A child runs `work` in a copy of this process (no vfork, no shared memory): between clone and
 * exec or _exit it may use system calls only.
 */
#ifndef KEELSON_CHILD_H
#define KEELSON_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Called about once a second while functions of this file wait for children, however short each wait
 * is, or NULL: PID 1 feeds the watchdog there, because every such wait has a deadline of its own.
 */
extern void (*child_waiting)(void);

/*
 * Asked ten times a second meanwhile, or NULL: does somebody want this to be over? From then on, which
 * is remembered in `child_hurry_ns` (CLOCK_MONOTONIC; 0: nobody does), no wait takes longer than
 * CHILD_HURRIED_NS.
 */
#define CHILD_HURRIED_NS 1000000000ull
extern bool (*child_hurries)(void);
extern uint64_t child_hurry_ns;

/* Ask now: somebody wants it to be over. */
bool child_hurried(void);

/*
 * What a child keeps of this process's descriptors beside the standard ones: this one, where the log
 * goes, and what child_start_keeping() names. -1: all of them. A child that hangs is left behind with
 * what it has, and a client, or a reader of a pipe, would wait for it.
 */
extern int child_keeps;

/*
 * Begin `work(argument)` in a child whose exit status is 0 or a positive errno. Returns its pid, with
 * its pidfd (CLOEXEC, the caller's) in `*pidfd`, or negative errno. It is reaped by child_finish()
 * or by whoever reaps PID 1's children.
 */
pid_t child_start(int (*work)(void *argument), void *argument, int *pidfd);
pid_t child_start_keeping(int (*work)(void *argument), void *argument, int keep, int *pidfd);

/*
 * Wait for the child behind `pidfd` and reap it: its exit status as a negative errno, -ECHILD when a
 * signal ended it, -ETIMEDOUT when it had to be killed, whether or not it could be.
 */
int child_finish(int pidfd, uint64_t timeout_ns);

/*
 * Run `work(argument)` and return what it returned (0, or a negative errno down to -255).
 * -ETIMEDOUT: the deadline passed, the child was killed. -ECHILD: it died of a signal.
 */
int run_timed(int (*work)(void *argument), void *argument, uint64_t timeout_ns);

/*
 * Run the program argv[0] with an empty environment, standard input and output on /dev/null and
 * standard error on `output` (-1: /dev/null). Returns its exit status (>= 0), -ETIMEDOUT, -ECHILD,
 * or the negative errno of execve(2).
 */
int run_program(const char *const argv[], int output, uint64_t timeout_ns);

#endif
