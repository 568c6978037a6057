/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: what they mean, and that what libseccomp makes of them means the same. The reference below
 * decides from what the test wrote into the text of the policy, by the rules of docs/policy.md; it
 * shares nothing with the compiler but names and numbers of system calls.
 */
#include <linux/audit.h>
#include <linux/bpf.h>
#include <seccomp.h>

#include "rootfs-spec/call_groups.h"
#include "rootfs-spec/filter_run.h"
#include "svc/learn.h"
#include "tests/unit/policy_trial.h"

#define EPERM_ANSWER (SECCOMP_RET_ERRNO | EPERM)
#define X32_BIT 0x40000000u

/* ---- the reference ---- */

struct condition {
	unsigned argument;
	const char *operator;
	uint64_t value;
	uint64_t mask; /* 0: none said */
};

struct entry {
	const char *call;
	uint32_t answer;
	struct condition when[2];
	unsigned when_count;
};

struct meaning {
	uint32_t otherwise;
	struct entry entries[64];
	size_t count;
};

/* System calls of x86-64 and the width of the argument that conditions are put on. */
static const struct conditional {
	const char *call;
	unsigned argument;
	unsigned bits;
	bool hidden; /* from i386 programs its arguments cannot be seen */
} conditionals[] = {
	{"socket", 0, 32, true},       {"clone", 0, 32, false},    {"unshare", 0, 64, false},
	{"ioctl", 1, 32, false},       {"kill", 1, 32, false},     {"prctl", 0, 32, false},
	{"personality", 0, 32, false}, {"mprotect", 2, 64, false}, {"semget", 2, 32, true},
	{"mount", 3, 64, false},       {"keyctl", 1, 64, false},   {"setns", 1, 32, false},
	{"ptrace", 0, 64, false},      {"mmap", 2, 64, true},      {"fcntl", 1, 32, false},
};

static const struct conditional *conditional_of(const char *call)
{
	for (size_t i = 0; i < COUNT(conditionals); i++)
		if (strcmp(conditionals[i].call, call) == 0)
			return &conditionals[i];
	return NULL;
}

/* `narrow`: the argument has 32 bits; `x32`: of its programs no more than 32 are looked at. */
static bool holds(const struct condition *condition, const struct seccomp_data *call, bool narrow,
		  bool x32)
{
	uint64_t value = x32 ? (uint32_t)call->args[condition->argument]
			     : call->args[condition->argument];
	uint64_t other = condition->value;
	const bool negative = narrow && (int64_t)other < 0;

	if (negative)
		other = (uint32_t)other;
	if (strcmp(condition->operator, "eq") == 0) {
		uint64_t mask = condition->mask ? condition->mask : UINT64_MAX;
		return ((narrow ? (uint32_t)value : value) & mask) == other;
	}
	if (strcmp(condition->operator, "ne") == 0)
		return (negative ? (uint32_t)value : value) != other;
	if (strcmp(condition->operator, "lt") == 0)
		return value < other;
	if (strcmp(condition->operator, "le") == 0)
		return value <= other;
	if (strcmp(condition->operator, "gt") == 0)
		return value > other;
	return value >= other;
}

static unsigned rank(uint32_t answer)
{
	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW: return 0;
	case SECCOMP_RET_LOG: return 1;
	case SECCOMP_RET_ERRNO: return 2;
	default: return 3;
	}
}

/* net/socket.c, sys_socketcall(); ipc/syscall.c, ksys_ipc(), which masks the version away. */
static const char *unhidden(uint32_t number, uint64_t first)
{
	static const char *const sockets[] = {
		NULL,          "socket",      "bind",       "connect",    "listen",  "accept",
		"getsockname", "getpeername", "socketpair", "send",       "recv",    "sendto",
		"recvfrom",    "shutdown",    "setsockopt", "getsockopt", "sendmsg", "recvmsg",
		"accept4",     "recvmmsg",    "sendmmsg"};
	static const char *const ipcs[] = {
		[1] = "semop",   [2] = "semget",  [3] = "semctl",  [4] = "semtimedop",
		[11] = "msgsnd", [12] = "msgrcv", [13] = "msgget", [14] = "msgctl",
		[21] = "shmat",  [22] = "shmdt",  [23] = "shmget", [24] = "shmctl"};

	if (number == 102)
		return first < COUNT(sockets) ? sockets[first] : NULL;
	first &= 0xffff;
	return number == 117 && first < COUNT(ipcs) ? ipcs[first] : NULL;
}

static uint32_t mean(const struct meaning *meaning, const struct seccomp_data *call)
{
	const bool old = call->arch == AUDIT_ARCH_I386;
	const uint32_t number = (uint32_t)call->nr;
	const uint32_t architecture = old                ? SCMP_ARCH_X86
				      : number & X32_BIT ? SCMP_ARCH_X32
							 : SCMP_ARCH_X86_64;
	char name[64] = "";

	if (call->arch != AUDIT_ARCH_I386 && call->arch != AUDIT_ARCH_X86_64)
		return EPERM_ANSWER;
	const char *inner = old ? unhidden(number, call->args[0]) : NULL;
	char *known = inner ? NULL : seccomp_syscall_resolve_num_arch(architecture, call->nr);
	snprintf(name, sizeof(name), "%s", inner ? inner : known ? known : "");
	free(known);
	for (size_t i = meaning->count; i-- > 0;) {
		const struct entry *entry = &meaning->entries[i];
		const struct conditional *conditional = conditional_of(entry->call);
		bool all = true;
		if (strcmp(entry->call, name) != 0)
			continue;
		if (entry->when_count &&
		    (old ? conditional->hidden
			 : architecture == SCMP_ARCH_X32 && conditional->bits == 64))
			return rank(entry->answer) > rank(meaning->otherwise) ? entry->answer
									      : meaning->otherwise;
		for (unsigned j = 0; j < entry->when_count; j++)
			all &= holds(&entry->when[j], call, conditional->bits == 32,
				     architecture == SCMP_ARCH_X32);
		if (all)
			return entry->answer;
	}
	return meaning->otherwise;
}

/* ---- every call, on every entry, against the reference ---- */

static uint64_t random_state;

static uint64_t random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static size_t random_below(size_t limit)
{
	return (size_t)((random_number() >> 16) % limit);
}

static uint64_t edge_value(const struct meaning *meaning)
{
	static const uint64_t fixed[] = {0, 1, UINT32_MAX, 1ull << 32, UINT64_MAX, 1ull << 63};
	const struct entry *entry = &meaning->entries[random_below(meaning->count)];

	if (!entry->when_count || random_below(4) == 0)
		return fixed[random_below(COUNT(fixed))];
	uint64_t value = entry->when[random_below(entry->when_count)].value;
	switch (random_below(8)) {
	case 6: return (uint32_t)value;
	case 7: return (uint32_t)value | random_number() << 32;
	case 0: return value - 1;
	case 1: return value + 1;
	case 2: return value | 1ull << 32;
	case 3: return value | random_number();
	default: return value;
	}
}

static void compare(const struct trial *trial, const struct meaning *meaning,
		    const struct seccomp_data *call, const char *text)
{
	uint32_t answer = ask(trial, "p", call, NULL), right = mean(meaning, call);

	if (answer == right)
		return;
	fprintf(stderr, "%s\n", text);
	fail_msg("architecture 0x%x, number 0x%x (%llx %llx %llx %llx): 0x%x, not 0x%x", call->arch,
		 (uint32_t)call->nr, (unsigned long long)call->args[0],
		 (unsigned long long)call->args[1], (unsigned long long)call->args[2],
		 (unsigned long long)call->args[3], answer, right);
}

static void compare_all(const struct trial *trial, const struct meaning *meaning, const char *text)
{
	static const uint32_t architectures[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_X86_64,
						 AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0};

	for (size_t a = 0; a < COUNT(architectures); a++)
		for (uint32_t number = 0; number <= 600; number++)
			for (unsigned round = 0; round < 4; round++) {
				struct seccomp_data call = {.nr = (int)(number |
									(a == 1 ? X32_BIT : 0)),
							    .arch = architectures[a]};
				if (number == 600)
					call.nr = -1;
				for (unsigned i = 0; round && i < 6; i++)
					call.args[i] = edge_value(meaning);
				if (number == 102 || number == 117)
					call.args[0] = random_below(28) |
						       (random_below(2) ? 0x10000 : 0);
				/* An i386 program's registers have 32 bits. */
				for (unsigned i = 0; a == 2 && i < 6; i++)
					call.args[i] &= UINT32_MAX;
				compare(trial, meaning, &call, text);
			}
}

/* ---- random policies ---- */

static const struct {
	const char *text;
	uint32_t answer;
} answers[] = {
	{"allow", SECCOMP_RET_ALLOW},       {"log", SECCOMP_RET_LOG},
	{"errno(EPERM)", EPERM_ANSWER},     {"errno(ENOSYS)", SECCOMP_RET_ERRNO | ENOSYS},
	{"kill", SECCOMP_RET_KILL_PROCESS},
};

/* An operator that cannot be evaded by the upper half of an argument of 32 bits. */
static const char *some_operator(unsigned bits, bool lets_through)
{
	static const char *const all[] = {"eq", "eq", "ne", "lt", "le", "gt", "ge"};
	static const char *const through[] = {"eq", "eq", "lt", "le"};
	static const char *const denying[] = {"eq", "eq", "ne", "gt", "ge"};

	if (bits == 64)
		return all[random_below(COUNT(all))];
	return lets_through ? through[random_below(COUNT(through))]
			    : denying[random_below(COUNT(denying))];
}

static void add_condition(struct entry *entry, const struct conditional *conditional)
{
	const bool through = rank(entry->answer) < 2;
	struct condition *condition = &entry->when[entry->when_count++];

	condition->argument = conditional->argument;
	/* A negative int: one number, however far its sign reaches. */
	if (conditional->bits == 32 && random_below(4) == 0) {
		condition->operator= random_below(2) ? "eq" : "ne";
		condition->value = -(1 + random_below(100));
		return;
	}
	condition->operator= some_operator(conditional->bits, through);
	condition->value = 1 + random_below(100);
	if (conditional->bits == 64 && random_below(3) == 0)
		condition->value |= (uint64_t)random_below(4) << 32;
	if (strcmp(condition->operator, "eq") == 0 && random_below(2)) {
		condition->mask = condition->value | 1ull << random_below(conditional->bits - 1);
		if (random_below(8) == 0)
			condition->value = 0;
	}
}

static bool has_call(const struct meaning *meaning, const char *call)
{
	for (size_t i = 0; i < meaning->count; i++)
		if (strcmp(meaning->entries[i].call, call) == 0)
			return true;
	return false;
}

static char *some_call(void)
{
	for (;;) {
		char *name = seccomp_syscall_resolve_num_arch(
			random_below(4) ? SCMP_ARCH_X86_64 : SCMP_ARCH_X86, (int)random_below(460));
		if (name && strcmp(name, "execve") != 0 && strcmp(name, "write") != 0 &&
		    strcmp(name, "exit_group") != 0 && strcmp(name, "socketcall") != 0 &&
		    strcmp(name, "ipc") != 0)
			return name;
		free(name);
	}
}

static void make_entries(struct meaning *meaning, size_t count, char **names)
{
	for (size_t i = 0; i < count; i++) {
		const struct conditional *conditional =
			random_below(2) ? &conditionals[random_below(COUNT(conditionals))] : NULL;
		struct entry entry = {.answer = answers[random_below(COUNT(answers))].answer};
		names[i] = conditional ? NULL : some_call();
		entry.call = conditional ? conditional->call : names[i];
		if (has_call(meaning, entry.call))
			continue;
		if (conditional)
			add_condition(&entry, conditional);
		meaning->entries[meaning->count++] = entry;
	}
}

static const char *answer_text(uint32_t answer)
{
	for (size_t i = 0; i < COUNT(answers); i++)
		if (answers[i].answer == answer)
			return answers[i].text;
	return "?";
}

static void write_entry(FILE *out, const struct entry *entry)
{
	const struct condition *when = &entry->when[0];

	fprintf(out, "        - {call: %s", entry->call);
	if (entry->answer != SECCOMP_RET_ALLOW)
		fprintf(out, ", action: %s", answer_text(entry->answer));
	if (entry->when_count) {
		fprintf(out, ", when: [{arg: %u, op: %s, value: %lld", when->argument,
			when->operator,(long long) when->value);
		if (when->mask)
			fprintf(out, ", mask: 0x%llx", (unsigned long long)when->mask);
		fprintf(out, "}]");
	}
	fprintf(out, "}\n");
}

static void write_list(FILE *out, const struct meaning *meaning, size_t from, bool allowed)
{
	fprintf(out, "      %s:\n", allowed ? "allow" : "deny");
	if (allowed)
		fprintf(out, "        - execve\n        - write\n        - exit_group\n");
	else
		fprintf(out, "        - {call: acct, action: errno(EACCES)}\n");
	for (size_t i = from; i < meaning->count; i++)
		if ((meaning->entries[i].answer == SECCOMP_RET_ALLOW) == allowed)
			write_entry(out, &meaning->entries[i]);
}

static void write_policy(FILE *out, const char *name, const struct meaning *meaning, size_t from,
			 bool extends)
{
	fprintf(out, "  %s:\n    no-new-privs: true\n%s    seccomp:\n      default: %s\n", name,
		extends ? "    extends: base\n" : "", answer_text(meaning->otherwise));
	write_list(out, meaning, from, true);
	write_list(out, meaning, from, false);
}

/* A base and a policy that extends it: what the latter says of a call is all that counts of it. */
static void try_policy(void)
{
	static const struct entry always[] = {{.call = "execve", .answer = SECCOMP_RET_ALLOW},
					      {.call = "write", .answer = SECCOMP_RET_ALLOW},
					      {.call = "exit_group", .answer = SECCOMP_RET_ALLOW},
					      {.call = "acct",
					       .answer = SECCOMP_RET_ERRNO | EACCES}};
	struct meaning meaning = {.otherwise = answers[random_below(COUNT(answers))].answer};
	char *names[32] = {0}, *text = NULL;
	size_t size = 0;
	struct trial trial;

	memcpy(meaning.entries, always, sizeof(always));
	meaning.count = COUNT(always);
	make_entries(&meaning, 2 + random_below(14), names);
	const size_t base = meaning.count;
	make_entries(&meaning, 1 + random_below(14), names + 16);
	struct meaning first = meaning;
	first.count = base;
	FILE *out = open_memstream(&text, &size);
	fprintf(out, "keelson: 1\nname: t\npolicies:\n");
	write_policy(out, "base", &first, COUNT(always), false);
	write_policy(out, "p", &meaning, base, true);
	fclose(out);
	if (trial_run(&trial, text))
		fail_msg("%s", (fprintf(stderr, "%s\n", text), trial.told));
	compare_all(&trial, &meaning, text);
	trial_end(&trial);
	free(text);
	for (size_t i = 0; i < COUNT(names); i++)
		free(names[i]);
}

static void a_random_policy_answers_every_call_as_it_is_meant(void **state)
{
	const unsigned count = getenv("KEELSON_TEST_ALL") ? 600 : 40;

	(void)state;
	random_state = 0x9e3779b97f4a7c15ull;
	for (unsigned i = 0; i < count; i++)
		try_policy();
	print_message("# %u random policies, each asked %u times\n", count, 5 * 601 * 4);
}

/* ---- the policies that come with keelson ---- */

static const char *const curated[] = {"containerd", "kubelet", "strict", "logger", "oneshot"};

static void load_curated(struct trial *trial)
{
	static const char text[] = "keelson: 1\nname: t\nextends: policies\nservices:\n"
				   "  a: {exec: [/bin/a], output: none, policy: containerd}\n"
				   "  b: {exec: [/bin/a], output: none, policy: kubelet}\n"
				   "  c: {exec: [/bin/a], output: none, policy: strict}\n"
				   "  d: {exec: [/bin/a], output: none, policy: logger}\n"
				   "  e: {exec: [/bin/a], output: none, policy: oneshot}\n";

	if (trial_run(trial, text))
		fail_msg("%s", trial->told);
	assert_string_equal(trial->told, "");
	assert_int_equal(plan_count(&trial->plan, PLAN_POLICIES), COUNT(curated));
}

static bool has_reason(const struct spec_policy *policy, const char *line)
{
	for (size_t i = 0; i < policy->reason_count; i++)
		if (strcmp(policy->reasons[i].line.text, line) == 0 && policy->reasons[i].why[0])
			return true;
	print_error("%s: %s\n", policy->name.text, line);
	return false;
}

static void each_line_of_a_curated_policy_has_its_reason(void **state)
{
	struct trial trial;

	(void)state;
	load_curated(&trial);
	for (size_t i = 0; i < trial.spec.policy_count; i++) {
		const struct spec_policy *policy = &trial.spec.policies[i];
		for (size_t j = 0; j < policy->rule_count; j++)
			assert_true(has_reason(policy, policy->rules[j].said.text));
		for (size_t j = 0; j < policy->sandbox_count; j++)
			if (policy->sandbox[j].kind != PLAN_SANDBOX_TMP)
				assert_true(has_reason(policy, policy->sandbox[j].path.text));
		if (policy->devices)
			assert_true(has_reason(policy, "devices"));
		if (policy->flags & PLAN_POLICY_NO_NEW_PRIVS)
			assert_true(has_reason(policy, "no-new-privs"));
		if (policy->flags & PLAN_POLICY_KEYRING)
			assert_true(has_reason(policy, "keyring"));
	}
	trial_end(&trial);
}

/* What pods live under must leave them what they need, and what it denies must hold everywhere. */
static void containerd_denies_what_no_pod_may_and_nothing_else(void **state)
{
	static const char *const denied[] = {"kexec_load",  "kexec_file_load", "reboot",
					     "init_module", "finit_module",    "delete_module",
					     "swapon",      "swapoff",         "acct",
					     "iopl",        "ioperm",          "uselib",
					     "ustat",       "sysfs",           "_sysctl",
					     "nfsservctl"};
	static const char *const needed[] = {
		"bpf",           "keyctl",      "mount",           "umount2",
		"pivot_root",    "setns",       "unshare",         "clone3",
		"seccomp",       "prctl",       "capset",          "ptrace",
		"openat2",       "mknodat",     "perf_event_open", "io_uring_setup",
		"clock_settime", "personality", "execveat"};
	static const uint32_t architectures[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32};
	struct trial trial;

	(void)state;
	load_curated(&trial);
	const struct plan_policy *policy = policy_of(&trial, "containerd");
	assert_int_equal(policy->flags & (PLAN_POLICY_NO_NEW_PRIVS | PLAN_POLICY_LANDLOCK |
					  PLAN_POLICY_CONTROL | PLAN_POLICY_PRIVATE_DEV),
			 0);
	assert_int_equal(policy->securebits, 0);
	for (size_t a = 0; a < 3; a++)
		for (size_t i = 0; i < COUNT(denied) + COUNT(needed); i++) {
			const char *name = i < COUNT(denied) ? denied[i]
							     : needed[i - COUNT(denied)];
			struct seccomp_data call = {
				.nr = seccomp_syscall_resolve_name_arch(architectures[a], name),
				.arch = a == 1 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64};
			if (call.nr < 0)
				continue;
			uint32_t answer = ask(&trial, "containerd", &call, NULL);
			if (answer != (i < COUNT(denied) ? EPERM_ANSWER : SECCOMP_RET_ALLOW))
				fail_msg("%s on %zu: 0x%x", name, a, answer);
		}
	trial_end(&trial);
}

/* Where a filter looks at the number only, the kernel answers from a bitmap: nothing is run. */
static void hot_calls_of_pods_cost_no_filter(void **state)
{
	static const char *const hot[] = {"read",   "write",         "futex",  "epoll_wait",
					  "openat", "clock_gettime", "sendto", "recvfrom",
					  "mmap",   "close"};
	struct trial trial;

	(void)state;
	load_curated(&trial);
	for (size_t p = 0; p < COUNT(curated); p++) {
		const struct plan_filter *filter =
			plan_filter(&trial.plan, policy_of(&trial, curated[p])->filters.first);
		for (size_t i = 0; i < COUNT(hot); i++)
			assert_true(filter_is_constant_allow(
				plan_bytes(&trial.plan, filter->program),
				filter->program.size_bytes / 8, AUDIT_ARCH_X86_64,
				(uint32_t)seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64,
									    hot[i])));
	}
	/* One with a condition is not among them. */
	const struct plan_filter *strict = plan_filter(&trial.plan,
						       policy_of(&trial, "strict")->filters.first);
	assert_false(filter_is_constant_allow(plan_bytes(&trial.plan, strict->program),
					      strict->program.size_bytes / 8, AUDIT_ARCH_X86_64,
					      56 /* clone */));
	trial_end(&trial);
}

static void the_worst_case_is_what_the_dearest_call_takes(void **state)
{
	struct trial trial;

	(void)state;
	load_curated(&trial);
	for (size_t p = 0; p < COUNT(curated); p++) {
		const struct plan_filter *filter =
			plan_filter(&trial.plan, policy_of(&trial, curated[p])->filters.first);
		uint32_t dearest = 0, worst = filter_worst(plan_bytes(&trial.plan, filter->program),
							   filter->program.size_bytes / 8);
		for (uint32_t number = 0; number < 3 * 600; number++) {
			struct seccomp_data call = {
				.nr = (int)(number % 600 | (number < 600 ? X32_BIT : 0)),
				.arch = number < 1200 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_I386};
			uint32_t steps;
			ask(&trial, curated[p], &call, &steps);
			dearest = steps > dearest ? steps : dearest;
		}
		print_message("# %s: %u instructions, at worst %u, dearest call %u\n", curated[p],
			      filter->program.size_bytes / 8, worst, dearest);
		assert_true(dearest <= worst);
		/* A tree, not a list: far fewer than there are. */
		assert_true(worst < 64);
	}
	trial_end(&trial);
}

static void each_call_of_a_group_is_known(void **state)
{
	(void)state;
	for (unsigned i = 0; call_group_name(i); i++) {
		char *calls = strdup(call_group(call_group_name(i))), *rest = calls, *call;
		size_t count = 0;
		while ((call = strsep(&rest, " ")) != NULL) {
			if (seccomp_syscall_resolve_name(call) == __NR_SCMP_ERROR)
				fail_msg("%s: %s", call_group_name(i), call);
			count++;
		}
		assert_true(count > 0);
		free(calls);
	}
}

/* ---- audit ---- */

static void audit_logs_what_would_be_denied(void **state)
{
	struct trial trial;
	struct seccomp_data call = {.nr = 169, .arch = AUDIT_ARCH_X86_64};

	(void)state;
	assert_int_equal(trial_run(&trial, "keelson: 1\nname: t\npolicies:\n"
					   "  p: {mode: audit, capabilities: {keep: [chown]}, "
					   "seccomp: {deny: [reboot]}}\n"),
			 0);
	assert_int_equal(ask(&trial, "p", &call, NULL), SECCOMP_RET_LOG);
	call.nr = 1;
	assert_int_equal(ask(&trial, "p", &call, NULL), SECCOMP_RET_ALLOW);
	assert_int_equal(policy_of(&trial, "p")->mode, PLAN_MODE_AUDIT);
	/* The plan says what would be enforced. */
	assert_int_equal(policy_of(&trial, "p")->cap_bounding, 1);
	trial_end(&trial);
}

static void learning_is_warned_of_where_nobody_debugs(void **state)
{
	static const char text[] =
		"keelson: 1\nname: t\n%s"
		"files: [{to: /usr/lib/keelson/keelson-learn, from: \"program:keelson-learn\"},\n"
		"  {to: /usr/bin/watch, from: \"program:keelson-learn\"},\n"
		"  {to: /usr/lib/keelson/other, content: x}]\n"
		"services:\n  a: {exec: [/bin/a], policy: p}\n  b: {exec: [/bin/b], policy: q}\n"
		"policies:\n  p: {mode: audit, seccomp: {deny: [reboot]}}\n"
		"  q: {seccomp: {deny: [reboot]}}\n";

	(void)state;
	for (int debug = 0; debug < 2; debug++) {
		unsigned audit = 0, program = 0, others = 0;
		struct trial trial;
		struct pool pool = {0};

		assert_int_equal(trial_run(&trial, pool_printf(&pool, text,
							       debug ? "rescue: console\n" : "")),
				 0);
		for (size_t i = 0; i < trial.diagnostics.count; i++) {
			const char *told = trial.diagnostics.list[i].text;

			assert_true(trial.diagnostics.list[i].warning);
			if (strncmp(told, "'p' says 'mode: audit': 'a' is denied", 37) == 0)
				audit++;
			else if (strncmp(told, "with keelson-learn", 18) == 0)
				program++;
			else
				others++;
		}
		assert_int_equal(audit, !debug);
		assert_int_equal(program, 2); /* whoever debugs */
		assert_int_equal(others, 0);
		trial_end(&trial);
		pool_free(&pool);
	}
}

static void what_lies_where_keelctl_looks_for_keelson_learn_is_that(void **state)
{
	struct trial trial;

	(void)state;
	assert_int_equal(trial_run(&trial, "keelson: 1\nname: t\nrescue: console\n"
					   "files: [{to: " LEARN_PROGRAM ", content: x}]\n"),
			 0);
	assert_string_equal(trial.told,
			    "4:14 warning: with keelson-learn root can have the kernel "
			    "watch what every process calls | it is for images in which "
			    "policies are made, like those of 'debug'\n");
	trial_end(&trial);
}

/* ---- extends ---- */

static void a_policy_adds_to_what_it_extends_and_takes_back(void **state)
{
	static const char text[] =
		"keelson: 1\nname: t\npolicies:\n"
		"  child:\n    extends: parent\n    remove: [keyring, /proc/kcore]\n"
		"    capabilities: {add: [net_raw], drop: [chown]}\n"
		"    seccomp: {allow: [reboot], deny: [acct]}\n    hidden: [/root]\n"
		"  parent:\n    no-new-privs: true\n    keyring: own\n"
		"    capabilities: {keep: [chown, fowner]}\n"
		"    seccomp: {deny: [\"@reboot\"]}\n    hidden: [/proc/kcore, /boot]\n";
	struct trial trial;
	struct seccomp_data call = {.nr = 169, .arch = AUDIT_ARCH_X86_64};

	(void)state;
	if (trial_run(&trial, text))
		fail_msg("%s", trial.told);
	const struct plan_policy *child = policy_of(&trial, "child");
	assert_true(child->cap_bounding == (1ull << 3 | 1ull << 13));
	assert_int_equal(child->flags, PLAN_POLICY_CAPS | PLAN_POLICY_NO_NEW_PRIVS);
	assert_int_equal(child->sandbox.count, 2);
	assert_string_equal(plan_string(&trial.plan,
					plan_sandbox(&trial.plan, child->sandbox.first)->path),
			    "/boot");
	assert_int_equal(ask(&trial, "child", &call, NULL), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&trial, "parent", &call, NULL), EPERM_ANSWER);
	call.nr = 246; /* kexec_load: of the group, and still denied */
	assert_int_equal(ask(&trial, "child", &call, NULL), EPERM_ANSWER);
	call.nr = 163; /* acct */
	assert_int_equal(ask(&trial, "child", &call, NULL), EPERM_ANSWER);
	assert_int_equal(ask(&trial, "parent", &call, NULL), SECCOMP_RET_ALLOW);
	trial_end(&trial);
}

/* ---- devices ---- */

/* The few instructions of device_program.c, as Documentation/bpf/instruction-set.rst has them. */
static uint64_t run_device(const struct bpf_insn *program, size_t count, uint32_t access,
			   uint32_t type, uint32_t major, uint32_t minor)
{
	const struct bpf_cgroup_dev_ctx context = {access << 16 | type, major, minor};
	uint64_t r[6] = {0};

	for (size_t at = 0; at < count; at++) {
		const struct bpf_insn *step = &program[at];
		uint64_t *to = &r[step->dst_reg];
		switch (step->code) {
		case BPF_LDX | BPF_W | BPF_MEM: {
			uint32_t word;
			memcpy(&word, (const uint8_t *)&context + step->off, sizeof(word));
			*to = word;
			break;
		}
		case BPF_ALU | BPF_AND | BPF_K: *to = (uint32_t)*to & (uint32_t)step->imm; break;
		case BPF_ALU | BPF_RSH | BPF_K: *to = (uint32_t)*to >> step->imm; break;
		case BPF_ALU | BPF_MOV | BPF_X: *to = (uint32_t)r[step->src_reg]; break;
		case BPF_ALU64 | BPF_MOV | BPF_K: *to = (uint64_t)(int64_t)step->imm; break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += *to == (uint64_t)(int64_t)step->imm ? (size_t)step->off : 0;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			at += *to != (uint64_t)(int64_t)step->imm ? (size_t)step->off : 0;
			break;
		case BPF_JMP | BPF_EXIT: return r[0];
		default: fail_msg("instruction 0x%x", step->code);
		}
	}
	fail_msg("the program has no end");
	return 0;
}

static void devices_are_allowed_and_denied_as_they_are_listed(void **state)
{
	enum { MAKE = 1, READ = 2, WRITE = 4, BLOCK = 1, CHAR = 2 };
	static const struct {
		const char *policy;
		uint32_t access, type, major, minor;
		uint64_t allowed;
	} cases[] = {
		{"allows", READ, CHAR, 1, 3, 1},         {"allows", READ | WRITE, CHAR, 1, 3, 1},
		{"allows", MAKE, CHAR, 1, 3, 0},         {"allows", READ | MAKE, CHAR, 1, 3, 0},
		{"allows", READ, CHAR, 1, 4, 0},         {"allows", READ, BLOCK, 1, 3, 0},
		{"allows", MAKE, BLOCK, 8, 77, 1},       {"allows", READ, BLOCK, 8, 77, 0},
		{"allows", READ, CHAR, 136, 1048575, 1}, {"denies", READ, CHAR, 1, 1, 0},
		{"denies", WRITE, CHAR, 1, 1, 0},        {"denies", MAKE, CHAR, 1, 1, 1},
		{"denies", MAKE | READ, CHAR, 1, 1, 0},  {"denies", READ, BLOCK, 1, 1, 1},
		{"denies", READ, CHAR, 10, 229, 1},      {"denies", MAKE, BLOCK, 7, 0, 0},
		{"denies", MAKE, CHAR, 7, 0, 0},
	};
	struct trial trial;

	(void)state;
	if (trial_run(&trial,
		      "keelson: 1\nname: t\npolicies:\n"
		      "  allows: {devices: {allow: ['c 1:3 rw', 'b *:* m', 'c 136:* rw']}}\n"
		      "  denies: {devices: {deny: ['c 1:1 rw', 'a 7:* m']}}\n"))
		fail_msg("%s", trial.told);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct plan_blob blob = policy_of(&trial, cases[i].policy)->device_program;
		if (run_device(plan_bytes(&trial.plan, blob), blob.size_bytes / 8, cases[i].access,
			       cases[i].type, cases[i].major, cases[i].minor) != cases[i].allowed)
			fail_msg("case %zu", i);
	}
	trial_end(&trial);
}

/* ---- what is wrong, and what is said ---- */

#define P "keelson: 1\nname: t\npolicies:\n"
#define IN "  p: {no-new-privs: true, seccomp: {"

static const struct {
	const char *text;
	const char *told;
} wrong[] = {
	{P "  p: {extends: q}\n", "4:16 unknown policy 'q'\n"},
	{P "  p: {extends: bass}\n  base: {}\n",
	 "4:16 unknown policy 'bass' | did you mean 'base'?\n"},
	{P "  p: {extends: p}\n", "4:16 'p' extends itself\n"},
	{P "  p: {extends: q}\n  q: {extends: p}\n", "5:16 'p' extends itself\n"},
	{P "  p: {remove: [seccomp]}\n",
	 "4:16 nothing is extended that 'seccomp' could be removed from\n"},
	{P "  q: {}\n  p: {extends: q, remove: [secomp]}\n",
	 "5:28 'p' extends nothing that 'secomp' could be removed from | did you mean "
	 "'seccomp'?\n"},
	{P "  p: {capabilities: {keep: [chown], add: [fowner]}}\n",
	 "4:21 'add' and 'keep' together: one list says what the other would\n"},
	{P "  p: {capabilities: {add: [fowner]}}\n",
	 "4:27 'add' gives back what 'extends' took, and nothing is extended\n"},
	{P "  p: {capabilities: {}}\n", "4:21 'capabilities' without 'drop' or 'keep'\n"},
	{P "  p: {capabilities: {keep: [chown], ambient: [kill]}}\n",
	 "4:47 'kill' cannot be ambient: the policy does not leave it\n"},
	{P "  p: {capabilities: {keep: [chown], permitted: [kill]}}\n",
	 "4:49 'kill' cannot be permitted: the policy does not leave it\n"},
	{P "  p: {capabilities: {keep: [chown], inheritable: [kill]}}\n",
	 "4:51 'kill' cannot be inheritable: the policy does not leave it\n"},
	{P IN "deny: [\"@rebot\"]}}\n",
	 "4:44 unknown group of system calls '@rebot' | did you mean '@reboot'?\n"},
	{P IN "default: errno(EPRM), deny: []}}\n",
	 "4:46 'default' must be allow, log, kill, or an error such as errno(EPERM), not "
	 "'errno(EPRM)' | did you mean 'errno(EPERM)'?\n"},
	{P IN "}}\n", "4:36 'seccomp' without 'deny', 'allow' or 'default'\n"},
	{P IN "deny: [acct], allow: [sync]}}\n",
	 "4:36 'deny' and 'allow' together need a 'default'\n"},
	{P IN "default: allow, allow: [acct], deny: [acct]}}\n",
	 "4:75 'acct' is listed twice, with different answers\n"},
	{P IN "deny: [acct, acct]}}\n", "4:50 'acct' is listed twice\n"},
	{P IN "deny: [{call: acct, action: errno(ENO)}]}}\n",
	 "4:65 'action' must be allow, log, kill, or an error such as errno(EPERM), not "
	 "'errno(ENO)' | did you mean 'errno(EIO)'?\n"},
	{P IN "deny: [{call: acct, action: allow}]}}\n", "4:65 what 'deny' lists is not allowed\n"},
	{P IN "deny: [acct, {call: kill, when: [{arg: 6, value: 1}]}]}}\n",
	 "4:76 'arg' must be a number from 0 to 5, not '6'\n"},
	{P IN "deny: [{call: kill, when: [{arg: 2, value: 1}]}]}}\n",
	 "4:70 'kill' has no argument 2\n"},
	{P IN "deny: [{call: openat, when: [{arg: 1, value: 1}]}]}}\n",
	 "4:72 argument 1 of 'openat' is a pointer: a filter cannot see what it leads to\n"},
	{P IN "deny: [{call: fallocate, when: [{arg: 2, value: 1}]}]}}\n",
	 "4:75 argument 2 of 'fallocate' lies elsewhere in 32-bit programs\n"},
	{P IN "deny: [{call: kill, when: [{arg: 1, op: lt, value: 9}]}]}}\n",
	 "4:64 this comparison can be evaded: the kernel looks at 32 bits of argument 1 of "
	 "'kill', the filter at 64 | say it the other way round, or with 'eq' and a 'mask'\n"},
	{P IN "deny: [{call: kill, when: [{arg: 1, op: gt, value: -9}]}]}}\n",
	 "4:64 a filter compares without sign: of a negative number only 'eq' and 'ne' have a "
	 "meaning\n"},
	{P IN "deny: [{call: kill, when: [{arg: 0, op: ne, value: -1}, {arg: 1, op: ne, value: "
	      "-9}]}]}}\n",
	 "4:93 one entry cannot have two 'ne' with negative numbers\n"},
	{P IN "deny: [{call: kill, when: [{arg: 1, op: gt, mask: 1, value: 9}]}]}}\n",
	 "4:87 a 'mask' goes with 'eq'\n"},
	{P IN "deny: [{call: \"@mount\", when: [{arg: 1, value: 9}]}]}}\n",
	 "4:67 the calls of a group have different arguments: name the call\n"},
	{P IN "deny: [{call: kill, when: [{arg: 1, value: 9}]}, {call: kill, action: log, when: "
	      "[{arg: 0, value: 9}]}]}}\n",
	 "4:93 this entry of 'kill' and that of line 4 can both match, with different answers\n"},
	{P IN "deny: [{call: kill, when: [{arg: 1, value: 9}, {arg: 1, value: 8}]}]}}\n",
	 "4:51 warning: this entry of 'kill' never matches: its conditions exclude each other\n"
	 "4:51 'kill' cannot be filtered: two conditions on one argument\n"},
	{P "  p: {shared-mounts: true, hidden: [/var]}\n",
	 "4:37 with 'shared-mounts' only paths below /proc, /dev and /sys can differ, not "
	 "'/var'\n"},
	{P "  p: {shared-mounts: true}\nservices:\n  s: {exec: [/bin/s], policy: p, read-only: "
	   "[/var/s]}\n",
	 "6:46 's' lives under 'p', whose mounts are shared: only paths below /proc, /dev and /sys "
	 "can differ, not '/var/s'\n"},
	{P "  p: {private-dev: [/run/null]}\n", "4:21 '/run/null' is not below /dev\n"},
	{P "  p: {devices: {}}\n", "4:16 'devices' without 'deny' or 'allow'\n"},
	{P "  p: {devices: {allow: ['x 1:3 r']}}\n",
	 "4:25 an entry of 'allow' must be devices such as 'c 1:3 rw' or 'b *:* m', not 'x 1:3 "
	 "r'\n"},
	{P "  p: {landlock: {}}\n", "4:17 'landlock' without anything it denies\n"},
	{P "  p: {landlock: {tcp-bind: [80]}}\n", "4:28 'tcp-bind' needs 'abi: 4'\n"},
	{P "  p: {landlock: {abi: 4, scopes: [signals]}}\n", "4:34 'scopes' needs 'abi: 6'\n"},
	{P "  p: {namespaces: [usr]}\n",
	 "4:20 an entry of 'namespaces' must be mount, ipc, uts, net, pid or cgroup, not 'usr'\n"},
	{P IN "deny: [acct]}, why: {act: x}}\n",
	 "4:58 a reason for 'act', which is no line of this policy | did you mean 'acct'?\n"},
	{P "  p: {seccomp: {default: kill, allow: [execve, write, exit_group]}}\n",
	 "4:26 'setgroups' is not allowed, but starting a service takes it | with 'no-new-privs: "
	 "true' the filter comes after that step\n"},
};

static void a_malformed_policy_is_told_of_where_it_is(void **state)
{
	size_t failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct trial trial;
		int error = trial_run(&trial, wrong[i].text);
		/* The last row's error has followers of the same kind. */
		if (error == 0 || strncmp(trial.told, wrong[i].told, strlen(wrong[i].told)) != 0) {
			print_error("%s\nwas:  %s\nwant: %s\n", wrong[i].text, trial.told,
				    wrong[i].told);
			failed++;
		}
		trial_end(&trial);
	}
	assert_int_equal(failed, 0);
}

static const struct {
	const char *text;
	const char *told;
} odd[] = {
	{P IN "deny: [{call: kill, when: [{arg: 1, value: 9}]}, kill]}}\n",
	 "4:51 warning: this entry of 'kill' is shadowed: line 4 names it without conditions\n"},
	{P IN "deny: [kill, {call: kill, when: [{arg: 1, value: 9}]}]}}\n",
	 "4:57 warning: this entry of 'kill' is shadowed: line 4 names it without conditions\n"},
	{P IN "deny: [{call: keyctl, when: [{arg: 1, mask: 2, value: 1}]}]}}\n",
	 "4:51 warning: this entry of 'keyctl' never matches: its conditions exclude each other\n"},
	{P IN "default: allow, allow: [acct]}}\n",
	 "4:61 warning: 'acct' changes nothing: the default is the same\n"},
	{P IN "deny: [s390_pci_mmio_read]}}\n",
	 "4:44 warning: 's390_pci_mmio_read' never matches: no program of an x86-64 machine can "
	 "call it\n"},
};

static void a_rule_that_never_counts_is_a_warning(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(odd); i++) {
		struct trial trial;
		assert_int_equal(trial_run(&trial, odd[i].text), 0);
		assert_string_equal(trial.told, odd[i].told);
		trial_end(&trial);
	}
}

/* kill(-1, ...) is what libc makes it: 64 ones, or 32. Every other number is not -1. */
static void not_a_negative_number_is_every_other_one(void **state)
{
	static const struct {
		uint64_t first;
		uint32_t denied;
	} cases[] = {
		{UINT64_MAX, 0}, {UINT32_MAX, 0}, {0x12ffffffffull, 0},   {0, 1},
		{1, 1},          {INT32_MAX, 1},  {UINT32_MAX - 1ull, 1}, {UINT64_MAX << 32, 1},
	};
	struct trial trial;

	(void)state;
	if (trial_run(&trial, P "  p: {no-new-privs: true, seccomp: {deny: [{call: kill, when: "
				"[{arg: 0, op: ne, value: -1}]}]}}\n"))
		fail_msg("%s", trial.told);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct seccomp_data call = {
			.nr = 62, .arch = AUDIT_ARCH_X86_64, .args = {cases[i].first, 9}};
		if (ask(&trial, "p", &call, NULL) !=
		    (cases[i].denied ? EPERM_ANSWER : SECCOMP_RET_ALLOW))
			fail_msg("0x%llx", (unsigned long long)cases[i].first);
	}
	trial_end(&trial);
}

/* A policy that a spec does not have comes from the profile, with what it extends, and nothing else. */
static void a_curated_policy_is_there_by_its_name(void **state)
{
	struct trial trial;

	(void)state;
	if (trial_run(&trial, "keelson: 1\nname: t\nservices:\n"
			      "  a: {exec: [/bin/a], output: none, policy: kubelet}\n"))
		fail_msg("%s", trial.told);
	assert_int_equal(plan_count(&trial.plan, PLAN_POLICIES), 1);
	assert_string_equal(plan_string(&trial.plan, plan_policy(&trial.plan, 0)->name), "kubelet");
	trial_end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_random_policy_answers_every_call_as_it_is_meant),
		cmocka_unit_test(each_line_of_a_curated_policy_has_its_reason),
		cmocka_unit_test(containerd_denies_what_no_pod_may_and_nothing_else),
		cmocka_unit_test(hot_calls_of_pods_cost_no_filter),
		cmocka_unit_test(the_worst_case_is_what_the_dearest_call_takes),
		cmocka_unit_test(each_call_of_a_group_is_known),
		cmocka_unit_test(audit_logs_what_would_be_denied),
		cmocka_unit_test(learning_is_warned_of_where_nobody_debugs),
		cmocka_unit_test(what_lies_where_keelctl_looks_for_keelson_learn_is_that),
		cmocka_unit_test(a_policy_adds_to_what_it_extends_and_takes_back),
		cmocka_unit_test(devices_are_allowed_and_denied_as_they_are_listed),
		cmocka_unit_test(a_malformed_policy_is_told_of_where_it_is),
		cmocka_unit_test(a_rule_that_never_counts_is_a_warning),
		cmocka_unit_test(not_a_negative_number_is_every_other_one),
		cmocka_unit_test(a_curated_policy_is_there_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
