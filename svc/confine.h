/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a child does to itself between clone3(2) and execve(2), in this order. Either all of it
 * happens or nothing runs: the first step that fails is reported with its errno, and the child ends.
 * What PID 1 does before that has names of the same kind: the group and its settings (cgroup), the
 * device program of the group (devices), the clone, with a pid namespace where the policy has one.
 *
 *   1  session      setsid(2)
 *   2  signals      every disposition default, nothing blocked
 *   3  oom          /proc/self/oom_score_adj
 *   4  nice         setpriority(2)
 *   5  scheduler    sched_setscheduler(2)
 *   6  affinity     sched_setaffinity(2)
 *   7  io priority  ioprio_set(2)
 *   8  keyring      keyctl(2) KEYCTL_JOIN_SESSION_KEYRING
 *   9  namespaces   unshare(2), and with a network of its own `lo` is brought up; a command beside a
 *                   service that runs enters its namespaces instead, by setns(2)
 *  10  sandbox      the sources of binds, then
 *  11  proc         a proc(5) of its own,
 *  12  dev          a /dev of its own,
 *  13  sandbox      and the paths that differ (sandbox.h)
 *  14  descriptors  0 /dev/null, 1 and 2 the output, 3... what is passed, the one of readiness,
 *                   everything else closed
 *  15  limits       prlimit(2); after 14, which moves PID 1's descriptors, of any number
 *  16  directory    umask(2), chdir(2); after 13, so that it is the directory of the service's view
 *  17  securebits   prctl(2) PR_SET_SECUREBITS
 *  18  bounding     prctl(2) PR_CAPBSET_DROP
 *  19  landlock     the ruleset, with the rights to open what it names; here it binds, too, when
 *                   no_new_privs is off: as with a filter that takes CAP_SYS_ADMIN,
 *  20  seccomp      which the next steps may give away
 *  21  ids          setgroups(2), setresgid(2), setresuid(2); capabilities kept until 22
 *  22  capabilities capset(2): permitted, effective, inheritable
 *  23  ambient      prctl(2) PR_CAP_AMBIENT
 *  24  no_new_privs prctl(2) PR_SET_NO_NEW_PRIVS
 *  25  landlock     here it binds when no_new_privs is on
 *  26  seccomp      here when no_new_privs is on: the filter sees nothing but the execve
 *  27  exec         execve(2)
 *
 * Under a policy that only learns (PLAN_MODE_AUDIT) the bounding set and what is permitted stay as
 * PID 1 has them, and there are no Landlock rules and no device program; the filter in the plan logs.
 *
 * The child shares nothing with PID 1 but copies of its pages, and musl's state in them says that it
 * is PID 1's thread. So it makes raw system calls only: no libc wrapper that locks, broadcasts to
 * threads or remembers a pid, no raise(3), no abort(3), no allocation (capabilities(7), clone(2)).
 */
#ifndef KEELSON_CONFINE_H
#define KEELSON_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"
#include "svc/sandbox.h"

/* The numbers are written into the world: only ever append. */
enum confine_step {
	CONFINE_NONE,
	CONFINE_CGROUP, /* PID 1's part: the group, its settings */
	CONFINE_CLONE,  /* PID 1's part: clone3(2) into the group */
	CONFINE_SESSION,
	CONFINE_SIGNALS,
	CONFINE_OOM,
	CONFINE_NICE,
	CONFINE_LIMITS,
	CONFINE_DESCRIPTORS,
	CONFINE_DIRECTORY,
	CONFINE_SECUREBITS,
	CONFINE_BOUNDING,
	CONFINE_IDS,
	CONFINE_CAPABILITIES,
	CONFINE_AMBIENT,
	CONFINE_NO_NEW_PRIVS,
	CONFINE_SECCOMP,
	CONFINE_EXEC,
	CONFINE_SCHEDULER,
	CONFINE_AFFINITY,
	CONFINE_IO_PRIORITY,
	CONFINE_SANDBOX,
	CONFINE_DEVICES, /* PID 1's part: the group's device program */
	CONFINE_KEYRING,
	CONFINE_NAMESPACES,
	CONFINE_PROC,
	CONFINE_DEV,
	CONFINE_LANDLOCK,
	CONFINE_STEP_COUNT
};

/* "cgroup", "session", ...; "?" for a number that is none. */
const char *confine_step_name(uint32_t step);

/* What the child writes into its report pipe: one atomic write. */
struct confine_report {
	uint32_t step; /* enum confine_step */
	int32_t error; /* negative errno */
	uint32_t item; /* sandbox, landlock: the entry of PLAN_SANDBOX or PLAN_LANDLOCK that failed,
			  if it was one; else PLAN_NONE */
};

/*
 * Everything a child needs, laid out by the parent: the child looks at no other memory but the plan.
 * A service's main process and the commands beside it differ in argv and descriptors only.
 */
struct confine_child {
	const struct plan *plan;
	const struct plan_service *service;
	char *const *argv;        /* NULL-terminated */
	char *const *environment; /* NULL-terminated */
	int null_fd;              /* /dev/null */
	int output_fd;            /* becomes 1 and 2; -1: null_fd */
	const char *tty;          /* becomes 0, 1, 2 and the controlling terminal; NULL: none */
	int *passed; /* become 3, 4, ...: CLOEXEC descriptors; overwritten; may be NULL */
	uint32_t passed_count;
	int ready_fd;             /* CLOEXEC; becomes ready_number */
	uint32_t ready_number;    /* 0: none; else above those that are passed, or it is -EEXIST */
	uint64_t descriptors;     /* soft limit of open files; PID 1's own is higher */
	int report_fd;            /* CLOEXEC: closed by the execve; may get another number */
	uint64_t ignored_signals; /* by PID 1: confine_ignored_signals() */
	uint32_t last_capability; /* of the running kernel */
	uint64_t bounding;        /* PID 1's own sets: what is not in there is not dropped again */
	uint64_t permitted;
	int32_t landlock_abi; /* of the running kernel; a negative errno: it has none */
	int join_fd;          /* pidfd whose namespaces are entered; -1: it gets its own */
	/* The child's own, from step to step. */
	uint32_t item;
	int landlock_fd;
	struct sandbox sandbox;
};

/*
 * Bit N - 1: the calling process ignores signal N, and so would its children. Asked once, not by each
 * child: PID 1 sets no signal to be ignored, it only may have been executed like that.
 */
uint64_t confine_ignored_signals(void);

/* Take all steps and execve. Returns only if one failed: what is to be written to report_fd. */
struct confine_report confine_and_exec(struct confine_child *child);

#endif
