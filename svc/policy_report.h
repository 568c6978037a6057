/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keelctl policy report: which calls of a service its filter did not just allow, what it was seen to
 * use while the node learned (policy_learned.c), and the least policies that cover the one and the
 * other, as YAML for the spec. Pure but for what it writes to a stream.
 */
#ifndef KEELSON_POLICY_REPORT_H
#define KEELSON_POLICY_REPORT_H

#include <stdio.h>

#include "svc/control.h"
#include "svc/learned.h"

struct policy_report {
	const char *service;
	struct control_policy policy; /* as PID 1 told */
	struct world_call *calls;     /* the caller's; put in order */
	uint32_t count;
	uint64_t now_ns;
	const struct learned *learned; /* NULL: nothing is known */
};

/* In the order in which they are shown: the service's own first, then by name of the call. */
void policy_report_sort(struct policy_report *report);

void policy_report_show(FILE *stream, const struct policy_report *report);
void policy_report_json(FILE *stream, const struct policy_report *report);

/* "denied", "killed", "would be denied", ...: what became of it, under a policy of `mode`. */
const char *policy_answer(uint32_t action, uint32_t mode);

/*
 * Write the calls as a policy that extends the present one and allows them. Returns how many calls
 * it allows; nothing is written for 0. Numbers without a name here are named in a comment.
 */
uint32_t policy_report_yaml(FILE *stream, const struct policy_report *report);

/* ---- policy_learned.c: with `learned` ---- */

void policy_learned_show(FILE *stream, const struct policy_report *report);
void policy_learned_json(FILE *stream, const struct policy_report *report);

/*
 * Write a policy that allows what was seen, what would be denied (mode: audit), what PID 1's child
 * still has to call, what every program calls some day, and nothing else, and that keeps the
 * capabilities that were asked for and there. Comments say what is not known. False, and nothing is
 * written, when no call was counted.
 */
bool policy_least_yaml(FILE *stream, const struct policy_report *report);

/* "KEY[a, b, c]" in lines that can be read; `key` has its indent and its colon. */
void policy_yaml_list(FILE *stream, const char *key, const char *const *names, size_t count);

#endif
