/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/policy_report.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "svc/show.h"
#include "svc/syscall_name.h"

#define NUMBER_BYTES 24
#define YAML_COLUMNS 90

/* The name, or the number where there is none. */
static const char *call_name(const struct world_call *call, char text[static NUMBER_BYTES])
{
	const char *name = syscall_name(call->arch, call->syscall);

	if (name)
		return name;
	snprintf(text, NUMBER_BYTES, "%u", call->syscall);
	return text;
}

const char *policy_answer(uint32_t action, uint32_t mode)
{
	switch (action) {
	case SECCOMP_RET_LOG: return mode == CONTROL_MODE_AUDIT ? "would be denied" : "logged";
	case SECCOMP_RET_ERRNO: return "denied";
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD: return "killed";
	case SECCOMP_RET_TRAP: return "trapped";
	case SECCOMP_RET_TRACE: return "left to a tracer";
	case SECCOMP_RET_USER_NOTIF: return "left to a supervisor";
	default: return "?";
	}
}

static int compare(const void *left, const void *right)
{
	const struct world_call *a = left, *b = right;
	char text_a[NUMBER_BYTES], text_b[NUMBER_BYTES];

	if (a->flags != b->flags)
		return a->flags < b->flags ? -1 : 1;
	int order = strcmp(call_name(a, text_a), call_name(b, text_b));

	if (order == 0 && a->arch != b->arch)
		order = a->arch > b->arch ? -1 : 1;
	if (order == 0 && a->syscall != b->syscall)
		order = a->syscall < b->syscall ? -1 : 1;
	return order != 0 ? order : (a->action > b->action) - (a->action < b->action);
}

void policy_report_sort(struct policy_report *report)
{
	if (report->count > 1)
		qsort(report->calls, report->count, sizeof report->calls[0], compare);
}

/* ---- YAML ---- */

/* Calls that were logged because the policy says so are allowed already. */
static bool needs_allowing(const struct policy_report *report, const struct world_call *call)
{
	return call->action != SECCOMP_RET_LOG || report->policy.mode == CONTROL_MODE_AUDIT;
}

/* An earlier entry has the same name: of another architecture, answer, or in pods. */
static bool is_repeated(const struct policy_report *report, uint32_t index)
{
	const char *name = syscall_name(report->calls[index].arch, report->calls[index].syscall);

	for (uint32_t i = 0; name && i < index; i++) {
		const struct world_call *other = &report->calls[i];
		const char *earlier = syscall_name(other->arch, other->syscall);

		if (earlier && needs_allowing(report, other) && strcmp(earlier, name) == 0)
			return true;
	}
	return false;
}

void policy_yaml_list(FILE *stream, const char *key, const char *const *names, size_t count)
{
	size_t column = (size_t)fprintf(stream, "%s[", key);
	const int indent = (int)strspn(key, " ") + 2;

	for (size_t i = 0; i < count; i++) {
		const bool fits = column + strlen(", ") + strlen(names[i]) <= YAML_COLUMNS;

		if (i > 0 && fits)
			column += (size_t)fprintf(stream, ", ");
		else if (i > 0)
			column = (size_t)fprintf(stream, ",\n%*s", indent, "") - 2;
		column += (size_t)fprintf(stream, "%s", names[i]);
	}
	fputs("]\n", stream);
}

uint32_t policy_report_yaml(FILE *stream, const struct policy_report *report)
{
	const char *names[WORLD_CALLS];
	uint32_t allowed = 0;

	for (uint32_t i = 0; i < report->count; i++) {
		const struct world_call *call = &report->calls[i];
		const char *name = syscall_name(call->arch, call->syscall);

		if (name && needs_allowing(report, call) && !is_repeated(report, i))
			names[allowed++] = name;
	}
	if (allowed != 0) {
		fprintf(stream, "policies:\n  %s-allowed:\n    extends: %s\n    seccomp:\n",
			report->policy.name, report->policy.name);
		policy_yaml_list(stream, "      allow: ", names, allowed);
	}
	for (uint32_t i = 0; i < report->count; i++) {
		const struct world_call *call = &report->calls[i];

		if (!syscall_name(call->arch, call->syscall) && needs_allowing(report, call))
			fprintf(stream, "# call %u of %s has no name here\n", call->syscall,
				syscall_kind(call->arch, call->syscall));
	}
	return allowed;
}

/* ---- for people ---- */

static void show_call(FILE *stream, const struct policy_report *report,
		      const struct world_call *call)
{
	char number[NUMBER_BYTES], span[SHOW_TIME_BYTES], comm[sizeof call->comm + 1] = "";
	uint64_t since_ns = report->now_ns > call->last_ns ? report->now_ns - call->last_ns : 0;

	memcpy(comm, call->comm, sizeof call->comm);
	show_defuse(comm, strlen(comm));
	fprintf(stream, "  %-24s %-8s %10llu  %8s  %-16s %s\n", call_name(call, number),
		syscall_kind(call->arch, call->syscall), (unsigned long long)call->count,
		show_span(since_ns, span), comm, policy_answer(call->action, report->policy.mode));
}

static void show_calls(FILE *stream, const struct policy_report *report, uint32_t flags,
		       const char *title)
{
	bool first = true;

	for (uint32_t i = 0; i < report->count; i++) {
		if (report->calls[i].flags != flags)
			continue;
		if (first)
			fprintf(stream, "%s\n  %-24s %-8s %10s  %8s  %-16s %s\n", title, "CALL",
				"KIND", "TIMES", "LAST", "BY", "ANSWER");
		first = false;
		show_call(stream, report, &report->calls[i]);
	}
}

static void show_doubt(FILE *stream, const struct control_policy *policy)
{
	if (policy->heard_error != 0)
		fprintf(stream,
			"PID 1 hears nothing of filters here: %s (in a container, or with "
			"audit=0)\n",
			strerror(-policy->heard_error));
	if (policy->lost != 0)
		fprintf(stream, "at least %llu records of the node came too fast and are lost\n",
			(unsigned long long)policy->lost);
	if (policy->no_room != 0)
		fprintf(stream, "%llu calls of the node found no room and are not named\n",
			(unsigned long long)policy->no_room);
	if (policy->unknown != 0)
		fprintf(stream,
			"%llu calls were of processes that were gone: nobody knows whose they "
			"were\n",
			(unsigned long long)policy->unknown);
}

void policy_report_show(FILE *stream, const struct policy_report *report)
{
	const struct control_policy *policy = &report->policy;

	fprintf(stream, "%s%s%s  policy %s%s\n", show_bold(), report->service, show_plain(),
		*policy->name ? policy->name : "none",
		policy->mode == CONTROL_MODE_AUDIT ? ", which only logs (mode: audit)" : "");
	if (report->count == 0 && policy->heard_error == 0)
		fputs("nothing was denied or logged\n", stream);
	show_calls(stream, report, 0, "calls that the filter did not just allow:");
	show_calls(stream, report, WORLD_CALL_POD,
		   "calls of pods, and in groups that are nobody's, which live under it:");
	show_doubt(stream, policy);
	if (report->count != 0 && *policy->name != '\0') {
		fputs("\nwhat would allow all of this, for the spec:\n\n", stream);
		if (policy_report_yaml(stream, report) == 0)
			fputs("# nothing: what was logged is allowed\n", stream);
	}
	if (report->learned)
		policy_learned_show(stream, report);
}

/* ---- for programs ---- */

static void json_call(FILE *stream, const struct policy_report *report,
		      const struct world_call *call, bool first)
{
	const char *name = syscall_name(call->arch, call->syscall);
	char comm[sizeof call->comm + 1] = "";

	memcpy(comm, call->comm, sizeof call->comm);
	fputs(first ? "{" : ", {", stream);
	show_json_field(stream, true, "name", name ? name : "");
	show_json_number(stream, false, "number", call->syscall);
	show_json_field(stream, false, "kind", syscall_kind(call->arch, call->syscall));
	show_json_number(stream, false, "count", call->count);
	show_json_number(stream, false, "first_ns", call->first_ns);
	show_json_number(stream, false, "last_ns", call->last_ns);
	show_json_number(stream, false, "pid", (uint64_t)call->pid);
	show_json_field(stream, false, "comm", comm);
	show_json_bool(stream, false, "pod", call->flags & WORLD_CALL_POD);
	show_json_field(stream, false, "answer", policy_answer(call->action, report->policy.mode));
	fputs("}", stream);
}

void policy_report_json(FILE *stream, const struct policy_report *report)
{
	const struct control_policy *policy = &report->policy;

	fputs("{", stream);
	show_json_field(stream, true, "service", report->service);
	show_json_field(stream, false, "policy", policy->name);
	show_json_field(stream, false, "mode",
			policy->mode == CONTROL_MODE_AUDIT ? "audit" : "enforce");
	show_json_field(stream, false, "not_heard",
			policy->heard_error ? strerror(-policy->heard_error) : "");
	show_json_number(stream, false, "records", policy->heard);
	show_json_number(stream, false, "lost", policy->lost);
	show_json_number(stream, false, "no_room", policy->no_room);
	show_json_number(stream, false, "unknown", policy->unknown);
	fputs(", \"calls\": [", stream);
	for (uint32_t i = 0; i < report->count; i++)
		json_call(stream, report, &report->calls[i], i == 0);
	fputs("], \"learned\": ", stream);
	if (report->learned)
		policy_learned_json(stream, report);
	else
		fputs("null", stream);
	fputs("}\n", stream);
}
