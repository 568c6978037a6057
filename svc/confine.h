/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a child does to itself between clone3(2) and execve(2), in this order. Either all of it
 * happens or nothing runs: the first step that fails is reported with its errno, and the child ends.
 *
 *   1  session      setsid(2)
 *   2  signals      every disposition default, nothing blocked
 *   3  oom          /proc/self/oom_score_adj
 *   4  nice         setpriority(2)
 *   5  descriptors  0 /dev/null, 1 and 2 the output, 3... what is passed, everything else closed
 *   6  limits       prlimit(2); after 5, which moves PID 1's descriptors, of any number
 *   7  directory    chdir(2), umask(2)
 *   8  securebits   prctl(2) PR_SET_SECUREBITS
 *   9  bounding     prctl(2) PR_CAPBSET_DROP
 *  10  seccomp      here when no_new_privs is off: installing a filter then takes CAP_SYS_ADMIN,
 *                   which the next steps may give away
 *  11  ids          setgroups(2), setresgid(2), setresuid(2); capabilities kept until 12
 *  12  capabilities capset(2): permitted, effective, inheritable
 *  13  ambient      prctl(2) PR_CAP_AMBIENT
 *  14  no_new_privs prctl(2) PR_SET_NO_NEW_PRIVS
 *  15  seccomp      here when no_new_privs is on: the filter sees nothing but the execve
 *  16  exec         execve(2)
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
	CONFINE_STEP_COUNT
};

/* "cgroup", "session", ...; "?" for a number that is none. */
const char *confine_step_name(uint32_t step);

/* What the child writes into its report pipe: one atomic write. */
struct confine_report {
	uint32_t step; /* enum confine_step */
	int32_t error; /* negative errno */
};

/* Everything a child needs, laid out by the parent: the child looks at no other memory but the plan. */
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
	uint64_t descriptors;     /* soft limit of open files; PID 1's own is higher */
	int report_fd;            /* CLOEXEC: closed by the execve; may get another number */
	uint32_t last_capability; /* of the running kernel */
};

/* Take all steps and execve. Returns only if one failed: what is to be written to report_fd. */
struct confine_report confine_and_exec(struct confine_child *child);

#endif
