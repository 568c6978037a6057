/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of every process: first asked, then killed. Services and pods have been ended by their
 * groups before; this is for who is in none of them.
 *
 * Signals go to what /proc lists, each through a pidfd, not by kill(2) of -1: that one also reaches
 * kernel threads which listen to signals (lockd, the NFS state manager, CIFS, md), and unmounting
 * needs them. Nobody is stopped first (SIGSTOP) as killall5(8) does: who forks while /proc is read
 * is met in the next pass, and should somebody fork faster than that, kill(-1, SIGKILL) ends it, which
 * no fork escapes.
 *
 * Processes whose name begins with "@" are not spared (systemd's "storage daemons"): nothing of a
 * node's root is served by a process, keelson's initramfs leaves none behind, and a name would be an
 * easy way to outlive the node.
 *
 * A process in an uninterruptible sleep cannot be killed. It is told, with what it is called, and
 * left behind.
 */
#ifndef KEELSON_SPREE_H
#define KEELSON_SPREE_H

#include <stdbool.h>

#include "svc/last.h"

/* `forced`: without asking first. What is left behind is noted in `last`. 0, or -EBUSY. */
int spree(bool forced, struct last *last);

struct spree_process {
	char name[16]; /* comm, cut as the kernel cuts it; what cannot be printed is '?' */
	char state;    /* 'R', 'S', 'D', 'Z', ... */
	bool kernel_thread;
	bool terminal; /* it has a controlling one */
};

/*
 * Parse /proc/PID/stat (proc(5)), a NUL-terminated text. A name may hold anything, spaces and
 * parentheses too. False: it is no such text. Pure.
 */
bool spree_parse(const char *stat, struct spree_process *process);

#endif
