/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process, born inside its cgroup: clone3(2) with CLONE_INTO_CGROUP, so there is no moment in
 * which it or what it forks is anywhere else, CLONE_PIDFD, so it is never named by a number, and
 * without CLONE_VFORK, so a child that stalls before its execve stalls nobody.
 *
 * The child confines itself (confine.h) and executes. A pipe tells how that went: it is closed by a
 * successful execve, or holds a struct confine_report.
 */
#ifndef KEELSON_SPAWN_H
#define KEELSON_SPAWN_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"

#define SPAWN_EXTRA 4u /* further "NAME=value" of one spawn */

struct spawn_request {
	const struct plan *plan;
	const struct plan_service *service; /* as it is confined */
	struct plan_list argv;              /* the service's, or a command's */
	const char *extra[SPAWN_EXTRA];     /* more "NAME=value"; the first NULL ends them */
	int cgroup_fd;
	int null_fd;
	int output_fd;   /* -1: /dev/null */
	const char *tty; /* NULL: none */
	int *passed;     /* descriptors to pass as 3, 4, ... */
	uint32_t passed_count;
	uint32_t ready_number; /* it writes its readiness to this descriptor; 0: to none */
	uint64_t descriptors;  /* its soft limit of open files, unless the plan says otherwise; at
				  most the hard one counts */
	uint32_t last_capability;
	uint64_t bounding, permitted; /* PID 1's own sets */
	int32_t landlock_abi;
	uint64_t clone_flags;     /* CLONE_NEWPID, or 0 */
	int join_fd;              /* whose namespaces it enters; -1: it has its own */
	uint64_t ignored_signals; /* by PID 1 */
	int32_t *pid; /* where the kernel writes the child's pid as it makes it: nothing can come
			 between. NULL: nowhere */
};

/* All descriptors are CLOEXEC and belong to the caller. */
struct spawned {
	int pid;
	int pidfd;
	int report_fd;        /* non-blocking read end */
	int ready_fd;         /* non-blocking read end; -1: no `ready_number` */
	uint64_t start_ticks; /* process.h; 0: not known */
};

/* 0 or a negative errno. spawn_is_transient(): the same call may succeed a little later. */
int spawn(const struct spawn_request *request, struct spawned *spawned);

/*
 * No room for a process, a descriptor or a group just now. ENOSPC: the limit of groups, or a cpuset
 * without CPUs (cgroup-v2.rst).
 */
static inline bool spawn_is_transient(int error)
{
	return error == -EAGAIN || error == -ENOMEM || error == -ENFILE || error == -EMFILE ||
	       error == -ENOSPC;
}

#endif
