/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/policy_compare.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "svc/landlock.h"
#include "svc/sandbox.h"

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

struct table {
	const struct plan *plan;
	const struct plan_service *service;
	const struct plan_policy *policy; /* NULL: none */
	const struct policy_live *live;
	struct policy_row *rows;
	uint32_t count;
};

static struct policy_row *add(struct table *table, enum policy_verdict verdict, const char *title)
{
	struct policy_row *row = &table->rows[table->count];

	if (table->count + 1 < POLICY_ROWS)
		table->count++;
	memset(row, 0, sizeof *row);
	row->verdict = verdict;
	snprintf(row->title, sizeof row->title, "%s", title);
	return row;
}

__attribute__((format(printf, 2, 3))) static void say(char text[static POLICY_TEXT_BYTES],
						      const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, POLICY_TEXT_BYTES, format, arguments);
	va_end(arguments);
}

/* ---- capabilities ---- */

void policy_capabilities(uint64_t mask, char *text, size_t size)
{
	unsigned last = 0, have = 0;
	size_t length = 0;

	while (last < 63 && process_capability_name(last))
		last++;
	for (unsigned cap = 0; cap < last; cap++)
		have += (mask >> cap & 1) != 0;
	if (have == 0 || have == last) {
		snprintf(text, size, "%s", have ? "all" : "none");
		return;
	}
	bool invert = have > last / 2;

	text[0] = '\0';
	if (invert)
		length = (size_t)snprintf(text, size, "all but");
	for (unsigned cap = 0; cap < last && length + 1 < size; cap++)
		if ((mask >> cap & 1) != invert)
			length += (size_t)snprintf(text + length, size - length, "%s%s",
						   length ? " " : "", process_capability_name(cap));
}

static void compare_set(struct table *table, const char *title, uint64_t seen, uint64_t planned)
{
	enum policy_verdict verdict = seen == planned   ? POLICY_SAME
				      : seen & ~planned ? POLICY_DIFFERS
							: POLICY_LESS;
	struct policy_row *row = add(table, verdict, title);

	policy_capabilities(seen, row->seen, sizeof row->seen);
	if (verdict != POLICY_SAME)
		policy_capabilities(planned, row->planned, sizeof row->planned);
}

static void compare_capabilities(struct table *table)
{
	const struct process_status *seen = &table->live->process, *pid1 = &table->live->pid1;
	const struct exec_process parent = {
		.sets = {pid1->cap_inheritable, pid1->cap_permitted, pid1->cap_effective,
			 pid1->cap_bounding, pid1->cap_ambient},
		.no_new_privs = pid1->no_new_privs != 0,
	};
	struct exec_process child, after;

	exec_caps_confined(&parent, table->policy, table->service->uid, table->service->gid,
			   &child);
	if (exec_caps_predict(&child, &table->live->file, &after) != 0)
		after = child; /* it runs, so it was another program that was executed first */
	compare_set(table, "bounding", seen->cap_bounding, after.sets.bounding);
	compare_set(table, "permitted", seen->cap_permitted, after.sets.permitted);
	compare_set(table, "effective", seen->cap_effective, after.sets.effective);
	compare_set(table, "inheritable", seen->cap_inheritable, after.sets.inheritable);
	compare_set(table, "ambient", seen->cap_ambient, after.sets.ambient);
}

/* ---- bits and filters ---- */

static void compare_bits(struct table *table)
{
	bool planned = table->live->pid1.no_new_privs ||
		       (table->policy && table->policy->flags & PLAN_POLICY_NO_NEW_PRIVS);
	bool seen = table->live->process.no_new_privs != 0;
	struct policy_row *row;

	if (table->policy && table->policy->securebits != 0) {
		row = add(table, POLICY_UNSEEN, "securebits");
		say(row->seen, "0x%x was set; the kernel shows them to nobody else",
		    table->policy->securebits);
	}
	row = add(table,
		  seen == planned ? POLICY_SAME
		  : planned       ? POLICY_DIFFERS
				  : POLICY_LESS,
		  "no_new_privs");
	say(row->seen, "%s", seen ? "yes" : "no");
	if (seen != planned)
		say(row->planned, "%s", planned ? "yes" : "no");
}

const struct plan_filter *policy_filter(const struct plan *plan, const struct plan_service *service)
{
	if (service->policy == PLAN_NONE)
		return NULL;
	struct plan_list filters = plan_policy(plan, service->policy)->filters;

	for (uint32_t i = 0; i < filters.count; i++)
		if (plan_filter(plan, filters.first + i)->audit_arch == OWN_ARCH)
			return plan_filter(plan, filters.first + i);
	return NULL;
}

static const char *filter_text(int filter, char text[static 80])
{
	switch (filter) {
	case 0: return "that of the plan, byte for byte";
	case POLICY_NOT_ASKED: return "bytes not compared: -v does, and stops it for a moment";
	case POLICY_OTHER: return "none is that of the plan";
	default: snprintf(text, 80, "bytes not readable: %s", strerror(-filter)); return text;
	}
}

static void compare_filters(struct table *table)
{
	uint32_t planned = policy_filter(table->plan, table->service) ? 1 : 0;
	uint32_t base = table->live->pid1.seccomp_filters;
	uint32_t seen = table->live->process.seccomp_filters;
	enum policy_verdict verdict = POLICY_SAME;
	char text[80];

	if (seen < base + planned || (planned && table->live->filter == POLICY_OTHER))
		verdict = POLICY_DIFFERS;
	else if (seen > base + planned)
		verdict = POLICY_LESS;
	struct policy_row *row = add(table, verdict, "filters");

	if (planned)
		say(row->seen, "%u, %s", seen, filter_text(table->live->filter, text));
	else
		say(row->seen, "%u", seen);
	if (verdict != POLICY_SAME)
		say(row->planned, "%u", base + planned);
}

/* ---- what it has for itself ---- */

static void compare_namespaces(struct table *table)
{
	static const struct {
		const char *name;
		uint64_t flag;
	} kinds[NS_COUNT] = {
		[NS_MOUNT] = {"mount", CLONE_NEWNS}, [NS_IPC] = {"ipc", CLONE_NEWIPC},
		[NS_UTS] = {"uts", CLONE_NEWUTS},    [NS_NET] = {"net", CLONE_NEWNET},
		[NS_PID] = {"pid", CLONE_NEWPID},    [NS_CGROUP] = {"cgroup", CLONE_NEWCGROUP},
		[NS_USER] = {"user", CLONE_NEWUSER},
	};
	uint64_t wanted = table->policy ? table->policy->namespaces : 0;
	struct policy_row *row = add(table, POLICY_SAME, "namespaces");
	size_t seen = 0, planned = 0;

	if (sandbox_is_needed(table->policy, table->service))
		wanted |= CLONE_NEWNS;
	for (unsigned i = 0; i < NS_COUNT; i++) {
		bool plan = (wanted & kinds[i].flag) != 0, own = table->live->own[i];

		if (own)
			seen += (size_t)snprintf(row->seen + seen, sizeof row->seen - seen, "%s%s",
						 seen ? " " : "", kinds[i].name);
		if (plan)
			planned += (size_t)snprintf(row->planned + planned,
						    sizeof row->planned - planned, "%s%s",
						    planned ? " " : "", kinds[i].name);
		if (plan && !own)
			row->verdict = POLICY_DIFFERS;
		else if (own && !plan && row->verdict == POLICY_SAME)
			row->verdict = POLICY_LESS;
	}
	if (seen == 0)
		say(row->seen, "the node's");
	if (planned == 0)
		say(row->planned, "the node's");
	if (row->verdict == POLICY_SAME)
		row->planned[0] = '\0';
}

static void compare_group(struct table *table)
{
	const char *planned = plan_string(table->plan, table->service->cgroup);
	bool same = cgroup_contains(planned, table->live->group);
	struct policy_row *row = add(table, same ? POLICY_SAME : POLICY_DIFFERS, "cgroup");

	say(row->seen, "/%s", table->live->group);
	if (!same)
		say(row->planned, "/%s", planned);
	if (!table->policy || table->policy->device_program.size_bytes == 0)
		return;
	int programs = table->live->device_programs;
	bool learns = table->policy->mode == PLAN_MODE_AUDIT;

	row = add(table,
		  programs < 0    ? POLICY_UNSEEN
		  : learns        ? POLICY_SAME
		  : programs == 0 ? POLICY_DIFFERS
				  : POLICY_SAME,
		  "devices");
	if (programs < 0)
		say(row->seen, "programs not readable: %s", strerror(-programs));
	else
		say(row->seen, "%d program%s%s", programs, programs == 1 ? "" : "s",
		    learns ? ": the policy only learns" : "");
	if (row->verdict == POLICY_DIFFERS)
		say(row->planned, "1 program");
}

/* ---- paths ---- */

static const char *kind_name(uint32_t kind)
{
	static const char *const names[] = {"?",      "private-tmp", "read-only",
					    "hidden", "bind",        "bind-read-only"};

	return kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

/* A mount of the kind that the entry makes lies there. */
static bool is_covered(const struct table *table, const struct plan_sandbox *entry,
		       char seen[static POLICY_TEXT_BYTES])
{
	const char *path = plan_string(table->plan, entry->path);
	bool read_only = false;
	char type[16] = "";

	if (!policy_mount_at(table->live->mountinfo, path, &read_only, type)) {
		say(seen, "nothing is mounted there");
		return false;
	}
	say(seen, "%s, %s", type, read_only ? "read-only" : "writable");
	switch (entry->kind) {
	case PLAN_SANDBOX_TMP: return strcmp(type, "tmpfs") == 0;
	case PLAN_SANDBOX_HIDDEN: return strcmp(type, "tmpfs") == 0 && read_only;
	case PLAN_SANDBOX_BIND: return true;
	default: return read_only;
	}
}

static void compare_path(struct table *table, uint32_t index)
{
	const struct plan_sandbox *entry = plan_sandbox(table->plan, index);
	const char *path = plan_string(table->plan, entry->path);
	char seen[POLICY_TEXT_BYTES];

	if (entry->flags & PLAN_SANDBOX_OPTIONAL &&
	    !table->live->exists(table->live->context, path))
		return;
	bool good = is_covered(table, entry, seen);
	/* A later entry may lie on an earlier one: what is on top is not what this one made. */
	struct policy_row *row = add(table, good ? POLICY_SAME : POLICY_DIFFERS,
				     kind_name(entry->kind));

	say(row->seen, "%s%s%s", path, good ? "" : ": ", good ? "" : seen);
	if (!good)
		say(row->planned, "%s", kind_name(entry->kind));
}

static void compare_mount(struct table *table, const char *title, const char *path,
			  const char *type, const char *planned)
{
	bool read_only;
	char seen[16] = "";
	bool good = policy_mount_at(table->live->mountinfo, path, &read_only, seen) &&
		    strcmp(seen, type) == 0;
	struct policy_row *row = add(table, good ? POLICY_SAME : POLICY_DIFFERS, title);

	say(row->seen, "%s", good ? planned : *seen ? seen : "nothing is mounted there");
	if (!good)
		say(row->planned, "%s", planned);
}

static void compare_paths(struct table *table)
{
	const struct plan_policy *policy = table->policy;

	if (!sandbox_is_needed(policy, table->service))
		return;
	if (!table->live->mountinfo) {
		say(add(table, POLICY_UNSEEN, "paths")->seen, "its mounts cannot be read");
		return;
	}
	if (policy && policy->proc != PLAN_PROC_ALL)
		compare_mount(table, "proc", "/proc", "proc",
			      policy->proc == PLAN_PROC_OWN ? "own" : "processes");
	if (policy && policy->flags & PLAN_POLICY_PRIVATE_DEV)
		compare_mount(table, "dev", "/dev", "tmpfs", "private");
	for (uint32_t i = 0; policy && i < policy->sandbox.count; i++)
		compare_path(table, policy->sandbox.first + i);
	for (uint32_t i = 0; i < table->service->sandbox.count; i++)
		compare_path(table, table->service->sandbox.first + i);
}

static void tell_landlock(struct table *table)
{
	struct landlock_handled handled;
	const struct plan_policy *policy = table->policy;

	if (!policy || !(policy->flags & PLAN_POLICY_LANDLOCK))
		return;
	struct policy_row *row = add(table, POLICY_UNSEEN, "landlock");
	int32_t abi = table->live->landlock_abi;

	(void)landlock_choose(policy, abi, &handled);
	if (!landlock_wanted(policy))
		say(row->seen, "not loaded: the policy only learns");
	else if (abi < 1)
		say(row->seen, "left out: this kernel has none (%s)", strerror(-abi));
	else
		say(row->seen,
		    "loaded by ABI %d, %u rules, not in this kernel: files 0x%llx, ports 0x%llx, "
		    "scopes 0x%llx; the kernel shows nothing of it",
		    abi, policy->landlock.count,
		    (unsigned long long)(policy->landlock_fs & ~handled.fs),
		    (unsigned long long)(policy->landlock_net & ~handled.net),
		    (unsigned long long)(policy->landlock_scoped & ~handled.scoped));
}

uint32_t policy_compare(const struct plan *plan, const struct plan_service *service,
			const struct policy_live *live, struct policy_row rows[static POLICY_ROWS])
{
	struct table table = {
		.plan = plan,
		.service = service,
		.policy = service->policy == PLAN_NONE ? NULL : plan_policy(plan, service->policy),
		.live = live,
		.rows = rows,
	};

	compare_capabilities(&table);
	compare_bits(&table);
	compare_filters(&table);
	compare_namespaces(&table);
	compare_group(&table);
	compare_paths(&table);
	tell_landlock(&table);
	return table.count;
}
