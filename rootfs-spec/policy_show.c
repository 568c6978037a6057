/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/audit.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>

#include "rootfs-spec/filter_run.h"
#include "rootfs-spec/names.h"
#include "rootfs-spec/policy_show.h"
#include "rootfs-spec/policy_values.h"
#include "rootfs-spec/seccomp_filter.h"

static const struct {
	const char *name;
	uint32_t architecture;
	uint32_t audit_arch;
} programs[] = {
	{"x86-64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64},
	{"i386", SCMP_ARCH_X86, AUDIT_ARCH_I386},
	{"x32", SCMP_ARCH_X32, AUDIT_ARCH_X86_64},
};

/* What busy programs call: a filter that is run for each of them is felt. */
static const char *const hot[] = {
	"read",         "write",       "readv",   "writev",     "pread64",
	"pwrite64",     "openat",      "close",   "fstat",      "newfstatat",
	"statx",        "lseek",       "mmap",    "munmap",     "mprotect",
	"madvise",      "brk",         "futex",   "epoll_wait", "epoll_pwait",
	"epoll_ctl",    "poll",        "ppoll",   "select",     "recvfrom",
	"recvmsg",      "sendto",      "sendmsg", "accept4",    "clock_gettime",
	"nanosleep",    "sched_yield", "getpid",  "gettid",     "rt_sigprocmask",
	"rt_sigaction",
};

#define HOT (sizeof(hot) / sizeof(hot[0]))

/* ---- show ---- */

static void show_filter(const struct bytes *program, struct bytes *out)
{
	const struct sock_filter *filter = (const void *)program->data;
	const size_t count = program->size / sizeof(*filter);
	size_t covered = 0;

	bytes_printf(out, "  filter      %zu instructions, %zu bytes; at worst %u for a call\n",
		     count, program->size, filter_worst(filter, count));
	bytes_text(out, "  bitmap      ");
	for (size_t i = 0; i < HOT; i++)
		covered += filter_is_constant_allow(
			filter, count, AUDIT_ARCH_X86_64,
			(uint32_t)seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, hot[i]));
	bytes_printf(out, "the kernel lets %zu of %zu hot calls through without the filter",
		     covered, HOT);
	for (size_t i = 0; i < HOT && covered < HOT; i++)
		if (!filter_is_constant_allow(
			    filter, count, AUDIT_ARCH_X86_64,
			    (uint32_t)seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, hot[i])))
			bytes_printf(out, "; not %s", hot[i]);
	bytes_text(out, "\n");
}

static void show_capabilities(const struct spec_policy *policy, struct bytes *out)
{
	const uint64_t every = (2ull << CAP_LAST_CAP) - 1;
	const int kept = __builtin_popcountll(policy->bounding & every);

	bytes_printf(out, "  capabilities %d of %d", kept, CAP_LAST_CAP + 1);
	const bool few = kept <= CAP_LAST_CAP / 2;
	if (kept && kept <= CAP_LAST_CAP)
		bytes_text(out, few ? ":" : ", without");
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		char *name = (policy->bounding >> cap & 1) == few ? cap_to_name(cap) : NULL;
		if (name && kept)
			bytes_printf(out, " %s", strncmp(name, "cap_", 4) == 0 ? name + 4 : name);
		cap_free(name);
	}
	bytes_text(out, "\n");
}

int policy_show(const struct spec_policy *policy, struct diagnostics *diagnostics,
		struct bytes *out)
{
	struct bytes program = {0};
	int error = seccomp_filter_make(policy, diagnostics, &program);

	if (error)
		return error;
	bytes_printf(out, "%s%s%s%s\n", policy->name.text, policy->extends.text ? " extends " : "",
		     policy->extends.text ? policy->extends.text : "",
		     policy->mode == PLAN_MODE_AUDIT ? " (audit: it logs and denies nothing)" : "");
	show_capabilities(policy, out);
	if (policy->flags & PLAN_POLICY_NO_NEW_PRIVS)
		bytes_text(out, "  no-new-privs\n");
	if (program.size)
		show_filter(&program, out);
	else
		bytes_text(out, "  filter      none\n");
	if (policy->devices)
		bytes_printf(out, "  devices     %zu rules, all else %s\n", policy->device_count,
			     policy->devices_allow ? "denied" : "allowed");
	if (policy->flags & PLAN_POLICY_LANDLOCK)
		bytes_printf(out, "  landlock    %zu rules%s\n", policy->landlock_count,
			     policy->flags & PLAN_POLICY_LANDLOCK_IF_SUPPORTED ? ", if supported"
									       : "");
	bytes_free(&program);
	return 0;
}

/* ---- explain ---- */

static const struct spec_reason *reason_of(const struct spec_policy *policy, const char *line)
{
	for (size_t i = 0; i < policy->reason_count; i++)
		if (strcmp(policy->reasons[i].line.text, line) == 0)
			return &policy->reasons[i];
	return NULL;
}

/* "  LINE  what (from POLICY)", and the reason below. */
static void tell_line(const struct spec_policy *policy, const char *line, const char *what,
		      const char *origin, struct bytes *out)
{
	const struct spec_reason *reason = reason_of(policy, line);

	bytes_printf(out, "  %-24s %s", line, what);
	if (origin && strcmp(origin, policy->name.text) != 0)
		bytes_printf(out, ", from %s", origin);
	bytes_printf(out, "\n      %s\n", reason ? reason->why : "no reason is given");
}

static const char *conditions_text(const struct spec_rule *rule, struct pool *pool)
{
	static const char names[][3] = {"", "==", "!=", "<", "<=", ">", ">="};
	const char *text = "";

	for (size_t i = 0; i < rule->when_count; i++) {
		const struct spec_argument *one = &rule->when[i];
		const bool masked = one->mask != UINT64_MAX && one->mask != UINT32_MAX;
		const char *mask =
			masked ? pool_printf(pool, " & 0x%llx", (unsigned long long)one->mask) : "";
		text = pool_printf(pool, "%s%sargument %u%s %s 0x%llx", text, i ? " and " : " if ",
				   one->number, mask, names[one->operator],
				   (unsigned long long)one->value);
	}
	return text;
}

static void explain_rules(const struct spec_policy *policy, struct pool *pool, struct bytes *out)
{
	if (!policy->seccomp)
		return;
	bytes_printf(out, "\nsystem calls: %s unless a line says otherwise\n",
		     value_answer_text(policy->default_answer, pool));
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct spec_rule *rule = &policy->rules[i];
		bool told = false;
		for (size_t j = 0; j < i; j++)
			told |= rule->said.text[0] == '@' &&
				strcmp(policy->rules[j].said.text, rule->said.text) == 0;
		if (!told)
			tell_line(policy, rule->said.text,
				  pool_printf(pool, "%s%s", value_answer_text(rule->answer, pool),
					      conditions_text(rule, pool)),
				  rule->policy, out);
	}
}

static void explain_capabilities(const struct spec_policy *policy, struct bytes *out)
{
	if (!(policy->flags & PLAN_POLICY_CAPS))
		return;
	bytes_text(out, "\ncapabilities\n");
	if (!policy->bounding)
		tell_line(policy, "capabilities", "none is kept", NULL, out);
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		char *name = cap_to_name(cap);
		const char *line = name && strncmp(name, "cap_", 4) == 0 ? name + 4 : name;
		const bool kept = policy->bounding >> cap & 1;
		/* Of most policies one of the two is the shorter list, and the one that was said. */
		if (line &&
		    (reason_of(policy, line) || (kept && reason_of(policy, "capabilities"))))
			tell_line(policy, line, kept ? "kept" : "dropped",
				  policy->bounding_policy[cap], out);
		cap_free(name);
	}
}

static void explain_surroundings(const struct spec_policy *policy, struct pool *pool,
				 struct bytes *out)
{
	static const struct {
		uint32_t flag;
		const char *line;
	} flags[] = {
		{PLAN_POLICY_NO_NEW_PRIVS, "no-new-privs"},
		{PLAN_POLICY_SHARED_MOUNTS, "shared-mounts"},
		{PLAN_POLICY_KEYRING, "keyring"},
		{PLAN_POLICY_CONTROL, "control"},
		{PLAN_POLICY_PRIVATE_DEV, "private-dev"},
		{PLAN_POLICY_LANDLOCK, "landlock"},
	};
	static const char *const kinds[] = {
		"",       "a tmpfs of its own", "read-only",
		"hidden", "another path",       "another path, read-only"};

	bytes_text(out, "\naround it\n");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (policy->flags & flags[i].flag)
			tell_line(policy, flags[i].line, "set", NULL, out);
	if (policy->namespaces)
		tell_line(policy, "namespaces", "its own", NULL, out);
	if (policy->proc != PLAN_PROC_ALL)
		tell_line(policy, "proc", policy->proc == PLAN_PROC_OWN ? "own" : "processes", NULL,
			  out);
	for (size_t i = 0; i < policy->sandbox_count; i++) {
		const char *path = policy->sandbox[i].path.text;
		const bool tmp = policy->sandbox[i].kind == PLAN_SANDBOX_TMP;
		tell_line(policy, tmp ? "private-tmp" : path,
			  tmp ? path : kinds[policy->sandbox[i].kind], NULL, out);
	}
	if (policy->devices)
		tell_line(policy, "devices",
			  policy->devices_allow ? "those below and no others"
						: "all but those below",
			  NULL, out);
	for (size_t i = 0; i < policy->device_count; i++)
		if (reason_of(policy, policy->device_rules[i].said.text))
			tell_line(policy, policy->device_rules[i].said.text,
				  policy->devices_allow ? "allowed" : "denied", NULL, out);
		else
			bytes_printf(out, "  %-24s %s\n", policy->device_rules[i].said.text,
				     policy->devices_allow ? "allowed" : "denied");
	(void)pool;
}

void policy_explain(const struct spec_policy *policy, struct pool *pool, struct bytes *out)
{
	bytes_printf(out, "%s\n", policy->name.text);
	explain_capabilities(policy, out);
	explain_rules(policy, pool, out);
	explain_surroundings(policy, pool, out);
}

void policy_explain_capability(const struct spec_policy *policy, const char *name,
			       struct bytes *out)
{
	const int cap = names_capability(name);
	char *full = cap_to_name(cap);
	const char *line = full && strncmp(full, "cap_", 4) == 0 ? full + 4 : name;
	const bool kept = policy->bounding >> cap & 1;

	if (reason_of(policy, line) || !reason_of(policy, "capabilities") ||
	    !policy->bounding_policy[cap]) {
		tell_line(policy, line, kept ? "kept" : "dropped", policy->bounding_policy[cap],
			  out);
	} else {
		const struct spec_reason *reason = reason_of(policy, "capabilities");
		bytes_printf(out, "  %-24s %s, from %s\n      %s\n", line,
			     kept ? "kept" : "dropped", policy->bounding_policy[cap], reason->why);
	}
	cap_free(full);
}

int policy_explain_call(const struct spec_policy *policy, const char *name,
			struct diagnostics *diagnostics, struct bytes *out)
{
	struct pool *pool = diagnostics->pool;
	struct bytes program = {0};
	int error = seccomp_filter_make(policy, diagnostics, &program);
	bool told = false;

	if (error)
		return error;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct spec_rule *rule = &policy->rules[i];
		if (strcmp(rule->call, name) != 0)
			continue;
		tell_line(policy, rule->said.text,
			  pool_printf(pool, "%s%s", value_answer_text(rule->answer, pool),
				      conditions_text(rule, pool)),
			  rule->policy, out);
		told = true;
	}
	if (!policy->seccomp)
		bytes_printf(out, "  %-24s allow\n      the policy has no filter\n", name);
	else if (!told)
		bytes_printf(out,
			     "  %-24s %s\n      no line is about it: this is the default, of %s\n",
			     name, value_answer_text(policy->default_answer, pool),
			     policy->default_policy);
	for (size_t i = 0; program.size && i < 3; i++) {
		struct seccomp_data call = {
			.nr = seccomp_syscall_resolve_name_arch(programs[i].architecture, name),
			.arch = programs[i].audit_arch};
		if (call.nr < 0) {
			bytes_printf(out, "  %-8s has no such call, or makes it through another\n",
				     programs[i].name);
			continue;
		}
		const bool constant = filter_is_constant_allow(
			(const void *)program.data, program.size / 8, call.arch, (uint32_t)call.nr);
		bytes_printf(out, "  %-8s number %u: %s%s\n", programs[i].name,
			     (uint32_t)call.nr & 0x3fffffffu,
			     value_answer_text(filter_answer((const void *)program.data,
							     program.size / 8, &call),
					       pool),
			     constant && i < 2 ? ", without running the filter" : "");
	}
	bytes_free(&program);
	return 0;
}
