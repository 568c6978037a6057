/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The curated policies against the records of what was used under them (tests/policy/record, made by
 * tests/vm/policy_record.py): a policy that no longer gives a recorded call or capability fails here,
 * before a node does.
 *
 * A record has a line `call NAME [ARGUMENT=VALUE]...` for each system call of x86-64, as often as its
 * arguments were of another kind, and a line `capability NAME`.
 */
#include <linux/audit.h>
#include <seccomp.h>
#include <sys/capability.h>

#include "tests/unit/policy_trial.h"

#define LINES 1024

struct record {
	const char *policy;
	char *text;
	char *lines[LINES];
	size_t count, calls, capabilities;
};

static void read_record(struct record *record, const char *policy)
{
	char path[512], *rest, *line;
	size_t size = 0;

	*record = (struct record){.policy = policy};
	snprintf(path, sizeof(path), POLICY_RECORDS "/%s.txt", policy);
	FILE *file = fopen(path, "re");
	if (!file || getdelim(&record->text, &size, '\0', file) < 0)
		fail_msg("%s: no record", path);
	fclose(file);
	for (rest = record->text; (line = strsep(&rest, "\n")) != NULL;) {
		if (line[0] == '#' || line[0] == '\0')
			continue;
		assert_true(record->count < LINES);
		record->lines[record->count++] = line;
		record->calls += strncmp(line, "call ", 5) == 0;
		record->capabilities += strncmp(line, "capability ", 11) == 0;
	}
	assert_int_equal(record->calls + record->capabilities, record->count);
}

/* Does the policy's filter let a call through that a line describes? */
static bool call_passes(const struct trial *trial, const char *policy, const char *line)
{
	struct seccomp_data call = {.arch = AUDIT_ARCH_X86_64};
	char name[64] = "";
	int end = 0;

	if (sscanf(line, "call %63s%n", name, &end) != 1)
		fail_msg("'%s'", line);
	call.nr = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name);
	if (call.nr < 0)
		fail_msg("'%s': unknown call", line);
	for (const char *at = line + end; *at;) {
		unsigned argument;
		unsigned long long value;
		if (sscanf(at, " %u=%llx%n", &argument, &value, &end) != 2 || argument > 5)
			fail_msg("'%s'", line);
		call.args[argument] = value;
		at += end;
	}
	return ask(trial, policy, &call, NULL) == SECCOMP_RET_ALLOW;
}

static bool capability_is_left(const struct trial *trial, const char *policy, const char *line)
{
	const struct plan_policy *plan = policy_of(trial, policy);
	char name[64] = "cap_";
	cap_value_t value;

	if (sscanf(line, "capability %59s", name + 4) != 1 || cap_from_name(name, &value) != 0)
		fail_msg("'%s'", line);
	return !(plan->flags & PLAN_POLICY_CAPS) ||
	       (plan->cap_bounding & plan->cap_permitted) >> value & 1;
}

/* The lines of the record that the policy does not cover, one after the other; to be freed. */
static char *uncovered(const struct trial *trial, const char *policy, const struct record *record)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < record->count; i++) {
		const char *line = record->lines[i];
		const bool covered = strncmp(line, "call ", 5) == 0
					     ? call_passes(trial, policy, line)
					     : capability_is_left(trial, policy, line);
		if (!covered)
			fprintf(out, "%s\n", line);
	}
	fclose(out);
	return text;
}

/* As little as a record of a service that really ran can have. */
static const struct {
	const char *policy;
	size_t calls, capabilities;
} curated[] = {
	{"containerd", 150, 10}, {"kubelet", 80, 4}, {"logger", 10, 0},
	{"oneshot", 40, 0},      {"strict", 15, 0},
};

static void compile_with(struct trial *trial, const char *policy, const char *lesser)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "keelson: 1\nname: t\nservices:\n  a: {exec: [/bin/a], output: none, policy: p}\n"
		 "policies:\n  p:\n    extends: %s\n%s",
		 policy, lesser);
	if (trial_run(trial, text))
		fail_msg("%s\n%s", text, trial->told);
}

static void each_curated_policy_covers_what_was_used_under_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(curated); i++) {
		struct record record;
		struct trial trial;

		read_record(&record, curated[i].policy);
		print_message("# %s: %zu calls, %zu capabilities\n", record.policy, record.calls,
			      record.capabilities);
		assert_true(record.calls >= curated[i].calls);
		assert_true(record.capabilities >= curated[i].capabilities);
		compile_with(&trial, record.policy, "");
		char *left_out = uncovered(&trial, "p", &record);
		if (*left_out)
			fail_msg("%s does not cover:\n%s", record.policy, left_out);
		free(left_out);
		free(record.text);
		trial_end(&trial);
	}
}

/* Lines of the record that name a call, or a capability, together. */
static char *lines_about(const struct record *record, const char *kind, const char *name)
{
	char *text = NULL, begin[96];
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	snprintf(begin, sizeof(begin), "%s %s", kind, name);
	for (size_t i = 0; i < record->count; i++) {
		const char *line = record->lines[i];
		if (strncmp(line, begin, strlen(begin)) == 0 && strchr(" ", line[strlen(begin)]))
			fprintf(out, "%s\n", line);
	}
	fclose(out);
	return text;
}

static const struct {
	const char *policy, *kind, *name, *lesser;
} lessers[] = {
	{"containerd", "call", "mount", "    seccomp: {deny: [mount]}\n"},
	{"containerd", "call", "keyctl", "    seccomp: {deny: [\"@keyring\"], allow: [add_key]}\n"},
	{"containerd", "call", "futex", "    seccomp: {deny: [{call: futex, action: kill}]}\n"},
	{"containerd", "capability", "sys_chroot", "    capabilities: {drop: [sys_chroot]}\n"},
	{"kubelet", "capability", "sys_admin", "    capabilities: {drop: [sys_admin]}\n"},
	{"kubelet", "call", "epoll_pwait", "    seccomp: {deny: [epoll_pwait]}\n"},
	{"logger", "call", "read", "    seccomp: {deny: [read]}\n"},
	{"strict", "call", "accept", "    seccomp: {deny: [accept]}\n"},
};

static void a_policy_that_loses_one_thing_is_found_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lessers); i++) {
		struct record record;
		struct trial trial;

		read_record(&record, lessers[i].policy);
		compile_with(&trial, lessers[i].policy, lessers[i].lesser);
		char *wanted = lines_about(&record, lessers[i].kind, lessers[i].name);
		char *told = uncovered(&trial, "p", &record);
		if (!*wanted)
			fail_msg("%s %s is not recorded", lessers[i].kind, lessers[i].name);
		assert_string_equal(told, wanted);
		free(told);
		free(wanted);
		free(record.text);
		trial_end(&trial);
	}
}

/* One socket family, one flag of clone: the record knows the arguments apart. */
static void a_condition_that_denies_what_was_used_is_found_out(void **state)
{
	struct record record;
	struct trial trial;

	(void)state;
	read_record(&record, "containerd");
	compile_with(&trial, "containerd",
		     "    seccomp: {deny: [{call: socket, when: [{arg: 0, value: 16}]}]}\n");
	char *told = uncovered(&trial, "p", &record);
	assert_non_null(strstr(told, "call socket 0=0x10 1="));
	assert_null(strstr(told, "call socket 0=0x1 "));
	free(told);
	free(record.text);
	trial_end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_curated_policy_covers_what_was_used_under_it),
		cmocka_unit_test(a_policy_that_loses_one_thing_is_found_out),
		cmocka_unit_test(a_condition_that_denies_what_was_used_is_found_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
