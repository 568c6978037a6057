/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `keelctl policy report` prints to be pasted is a policy: the language takes it without an error
 * or a warning, and its filter allows what was denied, or what was seen. Every call that has a name is
 * tried.
 */
#include <linux/audit.h>

#include "svc/policy_report.h"
#include "svc/syscall_name.h"
#include "tests/unit/policy_trial.h"

static const struct {
	uint32_t arch, first;
} kinds[] = {{AUDIT_ARCH_X86_64, 0}, {AUDIT_ARCH_X86_64, 0x40000000u}, {AUDIT_ARCH_I386, 0}};

/* ---- what was denied ---- */

static struct world_call calls[WORLD_CALLS];

/* The policy that allows what was denied under `mode`, in a spec with the one that it extends. */
static char *spec_of(uint32_t count, uint32_t mode)
{
	struct policy_report report = {.service = "web", .calls = calls, .count = count};
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	report.policy.mode = mode;
	strcpy(report.policy.name, "small");
	policy_report_sort(&report);
	fputs("keelson: 1\nname: t\n", stream);
	assert_true(policy_report_yaml(stream, &report) > 0);
	fprintf(stream,
		"  small:\n    no-new-privs: true\n    mode: %s\n"
		"    seccomp: {default: errno(EPERM), allow: [execve, write, exit_group]}\n",
		mode == CONTROL_MODE_AUDIT ? "audit" : "enforce");
	fclose(stream);
	return text;
}

static void try_calls(uint32_t count, uint32_t mode)
{
	char *text = spec_of(count, mode);
	struct trial trial;

	if (trial_run(&trial, text) || *trial.told)
		fail_msg("%s\n%s", text, trial.told);
	for (uint32_t i = 0; i < count; i++) {
		const struct seccomp_data call = {.nr = (int)calls[i].syscall,
						  .arch = calls[i].arch};
		if (ask(&trial, "small-allowed", &call, NULL) != SECCOMP_RET_ALLOW)
			fail_msg("call %u of %x is not allowed by:\n%s", calls[i].syscall,
				 calls[i].arch, text);
	}
	trial_end(&trial);
	free(text);
}

static void what_was_denied_becomes_a_policy_that_allows_it(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t kind = 0; kind < COUNT(kinds); kind++) {
		uint32_t count = 0;

		for (uint32_t number = 0; number < 600; number++) {
			const char *name = syscall_name(kinds[kind].arch,
							kinds[kind].first + number);
			if (name && strcmp(name, "execve") != 0 && strcmp(name, "write") != 0 &&
			    strcmp(name, "exit_group") != 0)
				calls[count++] =
					(struct world_call){.arch = kinds[kind].arch,
							    .syscall = kinds[kind].first + number,
							    .action = SECCOMP_RET_ERRNO,
							    .count = 1};
			if (count == WORLD_CALLS || (number == 599 && count)) {
				tried += count;
				try_calls(count, CONTROL_MODE_ENFORCE);
				count = 0;
			}
		}
	}
	print_message("# %u calls\n", tried);
	assert_true(tried > 1000);
}

static void what_would_be_denied_becomes_one_too(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		calls[i] = (struct world_call){.arch = AUDIT_ARCH_X86_64,
					       .syscall = (const uint32_t[]){83, 165, 0}[i],
					       .action = SECCOMP_RET_LOG,
					       .count = 1};
	try_calls(3, CONTROL_MODE_AUDIT);
}

/* ---- what was seen ---- */

static struct learned learned;

/* The least policy after a time under `mode`, in a spec with the one that it extends. */
static char *least_of(uint32_t mode)
{
	struct policy_report report = {.service = "web", .calls = calls, .learned = &learned};
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	report.policy.mode = mode;
	strcpy(report.policy.name, "small");
	fputs("keelson: 1\nname: t\n", stream);
	assert_true(policy_least_yaml(stream, &report));
	fprintf(stream,
		"  small:\n    mode: %s\n    seccomp: {deny: [reboot, {call: clone3, action: "
		"errno(EPERM)}]}\n",
		mode == CONTROL_MODE_AUDIT ? "audit" : "enforce");
	fclose(stream);
	return text;
}

static uint32_t least_answer(const struct trial *trial, uint32_t arch, uint32_t number)
{
	const struct seccomp_data call = {.nr = (int)number, .arch = arch};

	return ask(trial, "small-least", &call, NULL);
}

/* A trial of what was learned of one kind's calls, those of whose numbers `seen` % `of` is `rest`. */
static unsigned try_least(size_t kind, uint32_t of, uint32_t rest, uint32_t mode)
{
	struct trial trial;

	memset(&learned, 0, sizeof learned);
	for (uint32_t number = 0; number < LEARN_NUMBERS; number++)
		if (number % of == rest &&
		    syscall_name(kinds[kind].arch, kinds[kind].first + number))
			learned.calls[learned.count++] =
				(struct learned_call){.count = 1,
						      .arch = kinds[kind].arch,
						      .number = kinds[kind].first + number};
	char *text = least_of(mode);

	if (trial_run(&trial, text) || *trial.told)
		fail_msg("%s\n%s", text, trial.told);
	for (uint32_t i = 0; i < learned.count; i++)
		if (least_answer(&trial, learned.calls[i].arch, learned.calls[i].number) !=
		    SECCOMP_RET_ALLOW)
			fail_msg("call %u of %x is not allowed by:\n%s", learned.calls[i].number,
				 learned.calls[i].arch, text);
	trial_end(&trial);
	free(text);
	return learned.count;
}

static void what_was_seen_becomes_a_policy_that_allows_it(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t kind = 0; kind < COUNT(kinds); kind++) {
		tried += try_least(kind, 1, 0, CONTROL_MODE_AUDIT);
		for (uint32_t rest = 0; rest < 3; rest++)
			(void)try_least(kind, 3, rest, CONTROL_MODE_ENFORCE);
	}
	print_message("# %u calls\n", tried);
	assert_true(tried > 1000);
}

static void what_was_not_seen_is_not_there_but_for_what_every_program_needs(void **state)
{
	/* arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl */
	static const struct {
		uint32_t arch, number, answer;
	} cases[] = {
		{AUDIT_ARCH_X86_64, 2, SECCOMP_RET_ALLOW},   /* open, which was seen */
		{AUDIT_ARCH_X86_64, 15, SECCOMP_RET_ALLOW},  /* rt_sigreturn */
		{AUDIT_ARCH_X86_64, 60, SECCOMP_RET_ALLOW},  /* exit */
		{AUDIT_ARCH_X86_64, 231, SECCOMP_RET_ALLOW}, /* exit_group */
		{AUDIT_ARCH_X86_64, 219, SECCOMP_RET_ALLOW}, /* restart_syscall */
		{AUDIT_ARCH_X86_64, 59, SECCOMP_RET_ALLOW},  /* execve: PID 1's child calls it */
		{AUDIT_ARCH_I386, 119, SECCOMP_RET_ALLOW},   /* sigreturn: 32-bit calls were seen */
		{AUDIT_ARCH_X86_64, 435, SECCOMP_RET_ERRNO | ENOSYS}, /* clone3: go back to clone */
		{AUDIT_ARCH_X86_64, 169, SECCOMP_RET_ERRNO | ENOSYS}, /* reboot */
		{AUDIT_ARCH_X86_64, 600, SECCOMP_RET_ERRNO | ENOSYS}, /* of a kernel to come */
	};
	struct trial trial;

	(void)state;
	memset(&learned, 0, sizeof learned);
	learned.has_capabilities = true;
	learned.capabilities[0][0][0] = 1;
	learned.calls[0] =
		(struct learned_call){.count = 1, .arch = AUDIT_ARCH_X86_64, .number = 2};
	learned.calls[1] = (struct learned_call){.count = 1, .arch = AUDIT_ARCH_I386, .number = 5};
	learned.count = 2;
	char *text = least_of(CONTROL_MODE_AUDIT);

	if (trial_run(&trial, text) || *trial.told)
		fail_msg("%s\n%s", text, trial.told);
	for (size_t i = 0; i < COUNT(cases); i++)
		if (least_answer(&trial, cases[i].arch, cases[i].number) != cases[i].answer)
			fail_msg("call %u of %x in:\n%s", cases[i].number, cases[i].arch, text);
	assert_int_equal(policy_of(&trial, "small-least")->cap_bounding, 1);
	assert_int_equal(policy_of(&trial, "small-least")->mode, PLAN_MODE_ENFORCE);
	trial_end(&trial);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_denied_becomes_a_policy_that_allows_it),
		cmocka_unit_test(what_would_be_denied_becomes_one_too),
		cmocka_unit_test(what_was_seen_becomes_a_policy_that_allows_it),
		cmocka_unit_test(what_was_not_seen_is_not_there_but_for_what_every_program_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
