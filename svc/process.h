/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc tells about a process (proc(5)). Pure parsers, and one reader for PID 1. */
#ifndef KEELSON_PROCESS_H
#define KEELSON_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCESS_P_PIDFD 3 /* P_PIDFD of waitid(2): Linux 5.4, missing in older libc headers */

/*
 * Pure: field 22 (starttime, clock ticks since boot) in the text of /proc/PID/stat, whose second
 * field, the name, may hold any character. 0 or -EBADMSG.
 */
int process_parse_start(const char *text, size_t size, uint64_t *ticks);

/* Field 22 of `pid` now: with the pid it names a process for ever. 0 or negative errno. */
int process_start_ticks(int pid, uint64_t *ticks);

/*
 * The same of a child that was made after `before_ns` (CLOCK_BOOTTIME, which is what the kernel takes
 * it from), 0: not known. Most of the time that moment and now are in the same tick, and nothing
 * needs to be read.
 */
uint64_t process_started(int pid, uint64_t before_ns);

/*
 * `pid` has executed a program since it was forked: what is true of a process stays so while it is
 * not reaped. PF_FORKNOEXEC, which the kernel takes away as it enters the new program and before it
 * closes descriptors, in field 9 of /proc/PID/stat (ps(1), "PROCESS FLAGS").
 */
bool process_has_executed(int pid);

/*
 * What `pid` is called: the last part of the path that it executed, cut to 15 bytes, unless it gave
 * itself another name (PR_SET_NAME). 0 or negative errno.
 */
#define PROCESS_NAME_BYTES 16
int process_name(int pid, char name[static PROCESS_NAME_BYTES]);

/* Pure: field `number`, 4 to 52, of the same text, in decimal. 0 or -EBADMSG. */
int process_parse_field(const char *text, size_t size, int number, uint64_t *value);

/* What a process may do, from /proc/PID/status. */
struct process_status {
	uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
	uint64_t rss_bytes;
	uint32_t uid; /* effective */
	uint32_t no_new_privs;
	uint32_t seccomp;         /* 0 none, 1 strict, 2 filter */
	uint32_t seccomp_filters; /* how many */
	uint32_t threads;
};

/* Pure: the text of /proc/PID/status, NUL-terminated. A line that is missing leaves 0. */
void process_parse_status(const char *text, struct process_status *status);

/* "cap_chown", ...; NULL for a number that has no name here (capabilities(7)). */
const char *process_capability_name(uint32_t capability);

#endif
