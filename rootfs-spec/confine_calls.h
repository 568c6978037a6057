/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a child still calls after its filter is in place: the steps of svc/confine.c behind "seccomp",
 * the execve, and the report of a failure. The compiler runs every filter over them; a test of
 * svc/confine.c runs the child under a filter that allows nothing else. Who adds a step there adds it
 * here.
 */
#ifndef KEELSON_CONFINE_CALLS_H
#define KEELSON_CONFINE_CALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>

struct confine_call {
	const char *name;
	const char *step;
	bool before_no_new_privs; /* with no_new_privs the filter comes after it */
	uint64_t arguments[6]; /* as far as they are the same for every service; pointers are 0 */
};

static const struct confine_call confine_calls[] = {
	{"setgroups", "ids", true, {0}},
	{"setresgid", "ids", true, {0}},
	{"prctl", "ids", true, {PR_SET_KEEPCAPS, 1}},
	{"setresuid", "ids", true, {0}},
	{"capset", "capabilities", true, {0}},
	{"prctl", "ambient", true, {PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE}},
	{"execve", "exec", false, {0}},
	{"write", "report", false, {0}},
	{"exit_group", "report", false, {0}},
};

#define CONFINE_CALLS (sizeof(confine_calls) / sizeof(confine_calls[0]))

#endif
