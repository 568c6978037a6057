/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc tells about a process (proc(5)). Pure parsers, and one reader for PID 1. */
#ifndef KEELSON_PROCESS_H
#define KEELSON_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Pure: field 22 (starttime, clock ticks since boot) in the text of /proc/PID/stat, whose second
 * field, the name, may hold any character. 0 or -EBADMSG.
 */
int process_parse_start(const char *text, size_t size, uint64_t *ticks);

/* Field 22 of `pid` now: with the pid it names a process for ever. 0 or negative errno. */
int process_start_ticks(int pid, uint64_t *ticks);

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
