/* SPDX-License-Identifier: Apache-2.0 */
/* What a service was seen to use, and the policy that allows just that. */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/confine_calls.h"
#include "svc/policy_report.h"
#include "svc/process.h"
#include "svc/show.h"
#include "svc/syscall_name.h"

#define NUMBER_BYTES 16
#define NAMES_MAX (2 * LEARN_CALLS + WORLD_CALLS + CONFINE_CALLS + 8)

/* ---- lists of names, each once, in order ---- */

struct names {
	size_t count;
	const char *list[NAMES_MAX];
};

static void add(struct names *names, const char *name)
{
	if (name)
		names->list[names->count++] = name;
}

static int compare(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

static void sort(struct names *names)
{
	size_t kept = 0;

	if (names->count == 0)
		return;
	qsort(names->list, names->count, sizeof names->list[0], compare);
	for (size_t i = 1; i < names->count; i++)
		if (strcmp(names->list[kept], names->list[i]) != 0)
			names->list[++kept] = names->list[i];
	names->count = kept + 1;
}

static const char *capability_name(unsigned capability, char text[static NUMBER_BYTES])
{
	const char *name = process_capability_name(capability);

	if (name)
		return name;
	snprintf(text, NUMBER_BYTES, "%u", capability);
	return text;
}

static uint64_t asked(const struct learned *learned, unsigned capability, uint32_t answer)
{
	return learned->capabilities[0][capability][answer] +
	       learned->capabilities[1][capability][answer];
}

/* ---- for people ---- */

/* The calls of one kind of program, of the service's group or elsewhere. */
static void show_kind(FILE *stream, const struct learned_call *calls, uint32_t count,
		      const char *kind, bool elsewhere)
{
	static struct names names;
	char title[64];

	names.count = 0;
	for (uint32_t i = 0; i < count; i++)
		if (calls[i].elsewhere == elsewhere &&
		    strcmp(syscall_kind(calls[i].arch, calls[i].number), kind) == 0)
			add(&names, syscall_name(calls[i].arch, calls[i].number));
	sort(&names);
	if (names.count == 0)
		return;
	snprintf(title, sizeof title, "  %s%s: ", kind, elsewhere ? ", in pods and elsewhere" : "");
	policy_yaml_list(stream, title, names.list, names.count);
}

static void show_calls(FILE *stream, const struct learned_call *calls, uint32_t count)
{
	for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
		show_kind(stream, calls, count, "x86-64", elsewhere);
		show_kind(stream, calls, count, "i386", elsewhere);
		show_kind(stream, calls, count, "x32", elsewhere);
	}
	for (uint32_t i = 0; i < count; i++)
		if (!syscall_name(calls[i].arch, calls[i].number))
			fprintf(stream, "  call %u of %s has no name here\n", calls[i].number,
				syscall_kind(calls[i].arch, calls[i].number));
}

static void show_capabilities(FILE *stream, const struct learned *learned)
{
	bool first = true;

	for (unsigned i = 0; i < LEARN_CAPABILITIES; i++) {
		char number[NUMBER_BYTES];
		uint64_t answers[LEARN_ANSWERS], all = 0;

		for (uint32_t j = 0; j < LEARN_ANSWERS; j++)
			all += answers[j] = asked(learned, i, j);
		if (all == 0)
			continue;
		if (first)
			fprintf(stream, "  %-22s %10s %10s %10s %10s\n", "CAPABILITY", "HAD",
				"HAD NOT", "HINT: HAD", "HAD NOT");
		first = false;
		fprintf(stream, "  %-22s %10llu %10llu %10llu %10llu\n", capability_name(i, number),
			(unsigned long long)answers[0], (unsigned long long)answers[LEARN_REFUSED],
			(unsigned long long)answers[LEARN_HINT],
			(unsigned long long)answers[LEARN_HINT | LEARN_REFUSED]);
	}
	if (!learned->has_capabilities)
		fputs("  this kernel did not let them be learned\n", stream);
	else if (first)
		fputs("  none\n", stream);
}

static void show_doubt(FILE *stream, const struct learned *learned)
{
	if (learned->missed != 0)
		fprintf(stream, "%s%llu calls or checks of the node were not counted\n",
			learned->missed_unknown ? "at least " : "",
			(unsigned long long)learned->missed);
	else if (learned->missed_unknown)
		fputs("how much was missed is not known\n", stream);
	if (learned->no_room != 0)
		fprintf(stream, "%llu groups of the node found no room and were not counted\n",
			(unsigned long long)learned->no_room);
	if (learned->beyond != 0)
		fprintf(stream, "%llu calls of the node had numbers that no kernel has\n",
			(unsigned long long)learned->beyond);
}

void policy_learned_show(FILE *stream, const struct policy_report *report)
{
	const struct learned *learned = report->learned;
	char span[SHOW_TIME_BYTES];
	uint64_t since_ns = report->now_ns > learned->started_ns
				    ? report->now_ns - learned->started_ns
				    : 0;

	fprintf(stream, "\nlearned since %s ago%s: system calls that it made\n",
		show_span(since_ns, span), learned->goes_on ? "" : ", and not any more");
	show_calls(stream, learned->calls, learned->count);
	if (learned->count == 0)
		fputs("  none: it has not run since\n", stream);
	if (learned->filtered_count != 0)
		fputs("calls that its filter denied or logged, of processes that are gone, too\n",
		      stream);
	show_calls(stream, learned->filtered, learned->filtered_count);
	fputs("capabilities that the kernel asked for, how often, and whether it had them\n",
	      stream);
	show_capabilities(stream, learned);
	show_doubt(stream, learned);
	if (learned->count == 0)
		return;
	fputs("\nthe least that covers what was seen, for the spec:\n\n", stream);
	policy_least_yaml(stream, report);
}

/* ---- YAML ---- */

static void least_capabilities(FILE *stream, const struct learned *learned)
{
	static struct names keep, hints;

	keep.count = hints.count = 0;
	for (unsigned i = 0; i < LEARN_CAPABILITIES; i++) {
		const char *name = process_capability_name(i);

		if (asked(learned, i, 0) != 0)
			add(&keep, name);
		else if (asked(learned, i, LEARN_HINT) != 0)
			add(&hints, name);
	}
	fputs("    capabilities:\n", stream);
	policy_yaml_list(stream, "      keep: ", keep.list, keep.count);
	for (size_t i = 0; i < hints.count; i++)
		fprintf(stream, "%s%s%s", i == 0 ? "      # asked for as a hint only: " : ", ",
			hints.list[i], i + 1 == hints.count ? "\n" : "");
}

/*
 * Who was never seen to make these makes them all the same: the C library ends a thread, a handler and a
 * program with them, and the kernel goes on with a call that a signal interrupted.
 */
static const char *const always[] = {"restart_syscall", "rt_sigreturn", "exit", "exit_group"};

static bool has_i386(const struct learned *learned)
{
	for (uint32_t i = 0; i < learned->count; i++)
		if (learned->calls[i].arch == AUDIT_ARCH_I386)
			return true;
	return false;
}

/*
 * What is not in the list gets ENOSYS. A libc that is newer than what was seen tries new calls (clone3,
 * faccessat2, fchmodat2) and goes back to the old ones on ENOSYS alone; EPERM would be the end of it.
 */
static void least_calls(FILE *stream, const struct policy_report *report)
{
	static struct names names;

	names.count = 0;
	for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
		add(&names, always[i]);
	if (has_i386(report->learned))
		add(&names, "sigreturn");
	for (uint32_t i = 0; i < report->learned->count; i++)
		add(&names,
		    syscall_name(report->learned->calls[i].arch, report->learned->calls[i].number));
	for (uint32_t i = 0; i < report->count; i++)
		if (report->calls[i].action == SECCOMP_RET_LOG)
			add(&names, syscall_name(report->calls[i].arch, report->calls[i].syscall));
	for (size_t i = 0; i < CONFINE_CALLS; i++)
		if (!confine_calls[i].before_no_new_privs ||
		    !(report->policy.flags & PLAN_POLICY_NO_NEW_PRIVS))
			add(&names, confine_calls[i].name);
	sort(&names);
	fputs("    seccomp:\n      default: errno(ENOSYS)\n      log: true\n", stream);
	policy_yaml_list(stream, "      allow: ", names.list, names.count);
}

/* What is not known of it, where it is pasted from. */
static void least_doubt(FILE *stream, const struct policy_report *report)
{
	const struct control_policy *policy = &report->policy;
	const struct learned *learned = report->learned;

	if (*policy->name && policy->mode != CONTROL_MODE_AUDIT)
		fprintf(stream,
			"# DO NOT RELY ON IT: `%s` was in force. What it denied, and all that "
			"would "
			"have come after\n# that, is missing here. Learn with `mode: audit`.\n",
			policy->name);
	else if (*policy->name)
		fprintf(stream,
			"# Not tried: %sthe devices, if `%s` names any. `mode: audit` does not "
			"load "
			"them.\n",
			policy->flags & PLAN_POLICY_LANDLOCK ? "the Landlock rules, and " : "",
			policy->name);
	if (learned->is_runtime)
		fputs("# This service runs the pods: every shim and pod that starts later lives "
		      "under "
		      "it, too, whatever\n# it needs. Only what pods did while this was learned is "
		      "allowed.\n",
		      stream);
	if (learned->missed != 0 || learned->missed_unknown || learned->no_room != 0 ||
	    learned->beyond != 0)
		fputs("# Not all was counted, or it is not known, as the report says: calls may be "
		      "missing.\n",
		      stream);
	for (uint32_t i = 0; i < learned->count; i++)
		if (!syscall_name(learned->calls[i].arch, learned->calls[i].number))
			fprintf(stream, "# Call %u of %s is missing: it has no name here.\n",
				learned->calls[i].number,
				syscall_kind(learned->calls[i].arch, learned->calls[i].number));
	if (!learned->has_capabilities)
		fprintf(stream, "# Capabilities could not be learned: it has %s%s.\n",
			*policy->name ? "those of " : "all of them", policy->name);
}

bool policy_least_yaml(FILE *stream, const struct policy_report *report)
{
	const char *name = report->policy.name;

	if (report->learned->count == 0)
		return false;
	least_doubt(stream, report);
	fprintf(stream, "policies:\n  %s-least:\n", *name ? name : report->service);
	if (*name)
		fprintf(stream, "    extends: %s\n    remove: [seccomp]\n", name);
	if (report->policy.mode == CONTROL_MODE_AUDIT)
		fputs("    mode: enforce\n", stream);
	if (report->learned->has_capabilities)
		least_capabilities(stream, report->learned);
	least_calls(stream, report);
	return true;
}

/* ---- for programs ---- */

static void json_call(FILE *stream, const struct learned_call *call, bool first)
{
	const char *name = syscall_name(call->arch, call->number);

	fputs(first ? "{" : ", {", stream);
	show_json_field(stream, true, "name", name ? name : "");
	show_json_number(stream, false, "number", call->number);
	show_json_field(stream, false, "kind", syscall_kind(call->arch, call->number));
	show_json_number(stream, false, "count", call->count);
	show_json_bool(stream, false, "elsewhere", call->elsewhere);
	fputs("}", stream);
}

static bool json_capability(FILE *stream, const uint64_t answers[static LEARN_ANSWERS],
			    unsigned capability, bool elsewhere, bool first)
{
	char number[NUMBER_BYTES];
	uint64_t all = 0;

	for (uint32_t i = 0; i < LEARN_ANSWERS; i++)
		all += answers[i];
	if (all == 0)
		return false;
	fputs(first ? "{" : ", {", stream);
	show_json_field(stream, true, "name", capability_name(capability, number));
	show_json_number(stream, false, "had", answers[0]);
	show_json_number(stream, false, "had_not", answers[LEARN_REFUSED]);
	show_json_number(stream, false, "hint_had", answers[LEARN_HINT]);
	show_json_number(stream, false, "hint_had_not", answers[LEARN_HINT | LEARN_REFUSED]);
	show_json_bool(stream, false, "elsewhere", elsewhere);
	fputs("}", stream);
	return true;
}

void policy_learned_json(FILE *stream, const struct policy_report *report)
{
	const struct learned *learned = report->learned;
	bool first = true;

	fputs("{", stream);
	show_json_bool(stream, true, "goes_on", learned->goes_on);
	show_json_number(stream, false, "started_ns", learned->started_ns);
	show_json_bool(stream, false, "is_runtime", learned->is_runtime);
	show_json_number(stream, false, "missed", learned->missed);
	show_json_bool(stream, false, "missed_unknown", learned->missed_unknown);
	show_json_number(stream, false, "no_room", learned->no_room);
	show_json_number(stream, false, "beyond", learned->beyond);
	show_json_bool(stream, false, "has_capabilities", learned->has_capabilities);
	show_json_bool(stream, false, "has_filtered", learned->has_filtered);
	fputs(", \"calls\": [", stream);
	for (uint32_t i = 0; i < learned->count; i++)
		json_call(stream, &learned->calls[i], i == 0);
	fputs("], \"filtered\": [", stream);
	for (uint32_t i = 0; i < learned->filtered_count; i++)
		json_call(stream, &learned->filtered[i], i == 0);
	fputs("], \"capabilities\": [", stream);
	for (unsigned elsewhere = 0; elsewhere < 2; elsewhere++)
		for (unsigned i = 0; i < LEARN_CAPABILITIES; i++)
			if (json_capability(stream, learned->capabilities[elsewhere][i], i,
					    elsewhere, first))
				first = false;
	fputs("]}", stream);
}
