/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl policy report: names of calls on every architecture, and what would allow them. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svc/policy_report.h"
#include "svc/syscall_name.h"

#define X64 AUDIT_ARCH_X86_64
#define X86 AUDIT_ARCH_I386
#define X32(number) (0x40000000u + (number))

static void calls_have_the_names_of_their_architecture(void **state)
{
	/* arch/x86/entry/syscalls/syscall_64.tbl and syscall_32.tbl, include/uapi/asm-generic/unistd.h */
	static const struct {
		uint32_t arch, number;
		const char *name, *kind;
	} cases[] = {
		{X64, 0, "read", "x86-64"},
		{X64, 83, "mkdir", "x86-64"},
		{X64, 169, "reboot", "x86-64"},
		{X64, 435, "clone3", "x86-64"},
		{X64, 335, NULL, "x86-64"},
		{X64, 100000, NULL, "x86-64"},
		{X64, X32(0), "read", "x32"},
		{X64, X32(528), "kexec_load", "x32"},
		{X64, UINT32_MAX, NULL, "x86-64"},
		{X86, 88, "reboot", "i386"},
		{X86, 0, "restart_syscall", "i386"},
		{X86, 283, "kexec_load", "i386"},
		{AUDIT_ARCH_AARCH64, 142, "reboot", "aarch64"},
		{AUDIT_ARCH_ARM, 88, "reboot", "arm"},
		{0, 1, NULL, "?"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name = syscall_name(cases[i].arch, cases[i].number);

		if ((name == NULL) != (cases[i].name == NULL) ||
		    (name && strcmp(name, cases[i].name) != 0))
			fail_msg("%x %u: %s", cases[i].arch, cases[i].number, name ? name : "none");
		assert_string_equal(syscall_kind(cases[i].arch, cases[i].number), cases[i].kind);
	}
}

static struct world_call calls[WORLD_CALLS];

static struct policy_report report_of(uint32_t count, uint32_t mode)
{
	struct policy_report report = {
		.service = "web", .calls = calls, .count = count, .now_ns = 5000000000};

	report.policy.mode = mode;
	strcpy(report.policy.name, "small");
	policy_report_sort(&report);
	return report;
}

static struct world_call call(uint32_t arch, uint32_t number, uint32_t action, uint32_t flags)
{
	return (struct world_call){.arch = arch,
				   .syscall = number,
				   .action = action,
				   .flags = flags,
				   .count = 7,
				   .last_ns = 3000000000,
				   .pid = 12,
				   .comm = "a\033b"};
}

static char *text_of(void (*write)(FILE *stream, const struct policy_report *report),
		     const struct policy_report *report)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	write(stream, report);
	fclose(stream);
	return text;
}

static uint32_t allowed;

static void write_yaml(FILE *stream, const struct policy_report *report)
{
	allowed = policy_report_yaml(stream, report);
}

static void what_was_denied_is_allowed_once_by_name(void **state)
{
	(void)state;
	calls[0] = call(X64, 169, SECCOMP_RET_ERRNO, 0);
	calls[1] = call(X86, 88, SECCOMP_RET_ERRNO, 0);
	calls[2] = call(X64, 83, SECCOMP_RET_KILL_PROCESS, WORLD_CALL_POD);
	calls[3] = call(X64, X32(169), SECCOMP_RET_ERRNO, 0);
	calls[4] = call(X64, 0, SECCOMP_RET_LOG, 0); /* `log`: allowed already */
	calls[5] = call(X64, 335, SECCOMP_RET_ERRNO, 0);
	struct policy_report report = report_of(6, CONTROL_MODE_ENFORCE);
	char *text = text_of(write_yaml, &report);

	assert_int_equal(allowed, 2);
	assert_string_equal(text, "policies:\n  small-allowed:\n    extends: small\n    seccomp:\n"
				  "      allow: [reboot, mkdir]\n"
				  "# call 335 of x86-64 has no name here\n");
	free(text);
	/* While it only logs, what it logs would be denied. */
	report = report_of(6, CONTROL_MODE_AUDIT);
	text = text_of(write_yaml, &report);
	assert_int_equal(allowed, 3);
	assert_non_null(strstr(text, "allow: [read, reboot, mkdir]\n"));
	free(text);
}

static void a_long_list_is_broken_into_lines(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WORLD_CALLS; i++)
		calls[i] = call(X64, i, SECCOMP_RET_ERRNO, 0);
	struct policy_report report = report_of(WORLD_CALLS, CONTROL_MODE_ENFORCE);
	char *text = text_of(write_yaml, &report), *rest = text, *line;

	assert_int_equal(allowed, WORLD_CALLS);
	while ((line = strsep(&rest, "\n")) != NULL)
		assert_true(strlen(line) <= 110);
	free(text);
}

static void a_report_says_who_called_what_and_what_it_got(void **state)
{
	(void)state;
	calls[0] = call(X64, 83, SECCOMP_RET_ERRNO, 0);
	calls[1] = call(X86, 88, SECCOMP_RET_LOG, WORLD_CALL_POD);
	struct policy_report report = report_of(2, CONTROL_MODE_AUDIT);

	report.policy.lost = 3;
	report.policy.unknown = 2;
	char *text = text_of(policy_report_show, &report);

	assert_non_null(strstr(text, "which only logs"));
	assert_non_null(strstr(text, "mkdir"));
	assert_non_null(strstr(text, "would be denied"));
	assert_non_null(strstr(text, "calls of pods"));
	assert_non_null(strstr(text, "at least 3 records"));
	assert_non_null(strstr(text, "2 calls were of processes that were gone"));
	assert_non_null(strstr(text, "2.0s"));
	assert_null(strchr(text, '\033')); /* names that a process chose do nothing to a terminal */
	free(text);
	report.policy.heard_error = -EPERM;
	report.count = 0;
	text = text_of(policy_report_show, &report);
	assert_non_null(strstr(text, "hears nothing of filters here: "));
	assert_null(strstr(text, "nothing was denied"));
	free(text);
}

/* ---- what was learned ---- */

static struct learned learned;

static void learn(uint32_t arch, uint32_t number, bool elsewhere)
{
	learned.calls[learned.count++] = (struct learned_call){
		.count = 3, .arch = arch, .number = number, .elsewhere = elsewhere};
}

static struct policy_report learned_report(uint32_t count, uint32_t mode, uint32_t flags)
{
	struct policy_report report = report_of(count, mode);

	memset(&learned, 0, sizeof(learned));
	learned.goes_on = learned.has_capabilities = true;
	learned.started_ns = 1000000000;
	learn(X64, 83, false);
	learn(X86, 39, true); /* mkdir, too */
	learn(X64, X32(0), true);
	learned.capabilities[0][0][0] = 2;
	learned.capabilities[1][13][0] = 1;
	learned.capabilities[0][21][LEARN_HINT] = 9;
	learned.capabilities[0][12][LEARN_REFUSED] = 1;
	learned.capabilities[0][12][LEARN_HINT | LEARN_REFUSED] = 4;
	report.learned = &learned;
	report.policy.flags = flags;
	return report;
}

static bool written;

static void write_least(FILE *stream, const struct policy_report *report)
{
	written = policy_least_yaml(stream, report);
}

static void the_least_policy_holds_what_was_seen_and_what_a_start_needs(void **state)
{
	(void)state;
	calls[0] = call(X64, 169, SECCOMP_RET_LOG, 0);
	calls[1] = call(X64, 246, SECCOMP_RET_ERRNO, 0); /* denied, and it works all the same */
	struct policy_report report = learned_report(2, CONTROL_MODE_AUDIT, 0);
	char *text = text_of(write_least, &report);

	assert_true(written);
	assert_string_equal(
		text, "# Not tried: the devices, if `small` names any. `mode: audit` does "
		      "not load them.\n"
		      "policies:\n  small-least:\n    extends: small\n"
		      "    remove: [seccomp]\n    mode: enforce\n"
		      "    capabilities:\n      keep: [cap_chown, cap_net_raw]\n"
		      "      # asked for as a hint only: cap_sys_admin\n"
		      "    seccomp:\n      default: errno(ENOSYS)\n      log: true\n"
		      "      allow: [capset, execve, exit, exit_group, mkdir, prctl, read, reboot,"
		      "\n        restart_syscall, rt_sigreturn, setgroups, setresgid, "
		      "setresuid, sigreturn, write]\n");
	free(text);
	report = learned_report(0, CONTROL_MODE_ENFORCE, PLAN_POLICY_NO_NEW_PRIVS);
	learned.count = 1; /* nothing of 32 bits */
	report.policy.name[0] = '\0';
	text = text_of(write_least, &report);
	assert_string_equal(text, "policies:\n  web-least:\n"
				  "    capabilities:\n      keep: [cap_chown, cap_net_raw]\n"
				  "      # asked for as a hint only: cap_sys_admin\n    seccomp:\n"
				  "      default: errno(ENOSYS)\n      log: true\n"
				  "      allow: [execve, exit, exit_group, mkdir, restart_syscall, "
				  "rt_sigreturn, write]\n");
	free(text);
}

static void the_least_policy_says_what_is_not_known_of_it(void **state)
{
	(void)state;
	struct policy_report report = learned_report(0, CONTROL_MODE_ENFORCE, 0);
	char *text = text_of(write_least, &report);

	assert_non_null(strstr(text, "# DO NOT RELY ON IT: `small` was in force."));
	assert_null(strstr(text, "Not tried"));
	assert_null(strstr(text, "Not all"));
	assert_null(strstr(text, "# Cap"));
	assert_null(strstr(text, "pods"));
	free(text);
	learned.missed_unknown = true;
	text = text_of(write_least, &report);
	assert_non_null(strstr(text, "# Not all was counted, or it is not known"));
	free(text);
	report = learned_report(0, CONTROL_MODE_AUDIT, PLAN_POLICY_LANDLOCK);
	learn(X64, 639, false);
	learned.has_capabilities = false;
	learned.beyond = 1;
	learned.is_runtime = true;
	text = text_of(write_least, &report);
	assert_null(strstr(text, "RELY"));
	assert_non_null(
		strstr(text, "# Not tried: the Landlock rules, and the devices, if `small`"));
	assert_non_null(strstr(text, "# Not all was counted"));
	assert_non_null(strstr(text, "# This service runs the pods: every shim and pod"));
	assert_non_null(strstr(text, "# Call 639 of x86-64 is missing"));
	assert_non_null(
		strstr(text, "# Capabilities could not be learned: it has those of small.\n"));
	assert_null(strstr(text, "keep"));
	free(text);
	report.policy.name[0] = '\0';
	report.policy.mode =
		CONTROL_MODE_ENFORCE; /* as PID 1 tells of a service without a policy */
	text = text_of(write_least, &report);
	assert_null(strstr(text, "RELY"));
	assert_null(strstr(text, "Not tried"));
	assert_non_null(strstr(text, "# Capabilities could not be learned: it has all of them.\n"));
	free(text);
	learned.count = 0;
	text = text_of(write_least, &report);
	assert_false(written);
	assert_string_equal(text, "");
	free(text);
	text = text_of(policy_report_show, &report);
	assert_non_null(strstr(text, "none: it has not run since"));
	assert_null(strstr(text, "the least"));
	free(text);
}

static void a_report_shows_what_was_learned_and_what_is_doubtful(void **state)
{
	(void)state;
	struct policy_report report = learned_report(0, CONTROL_MODE_ENFORCE, 0);
	char *text = text_of(policy_report_show, &report);

	assert_non_null(strstr(text, "learned since 4.0s ago: system calls"));
	assert_non_null(strstr(text, "\n  x86-64: [mkdir]\n"));
	assert_non_null(strstr(text, "\n  i386, in pods and elsewhere: [mkdir]\n"));
	assert_non_null(strstr(text, "\n  x32, in pods and elsewhere: [read]\n"));
	assert_null(strstr(text, "its filter denied or logged"));
	assert_null(strstr(text, "not counted"));
	assert_non_null(strstr(text, "  cap_net_admin                   0          1          0"
				     "          4\n"));
	assert_non_null(strstr(text, "the least that covers"));
	free(text);
	learn(X64, 639, false);
	learned.filtered[learned.filtered_count++] = learned.calls[0];
	learned.missed = 5;
	learned.no_room = 6;
	learned.beyond = 7;
	learned.goes_on = learned.has_capabilities = false;
	text = text_of(policy_report_show, &report);
	assert_non_null(strstr(text, "4.0s ago, and not any more"));
	assert_non_null(strstr(text, "call 639 of x86-64 has no name here"));
	assert_non_null(strstr(text, "its filter denied or logged, of processes that are gone"));
	assert_non_null(strstr(text, "5 calls or checks of the node were not counted"));
	assert_non_null(strstr(text, "6 groups of the node"));
	assert_non_null(strstr(text, "7 calls of the node had numbers"));
	assert_non_null(strstr(text, "this kernel did not let them be learned"));
	free(text);
	learned.missed_unknown = true;
	text = text_of(policy_report_show, &report);
	assert_non_null(strstr(text, "at least 5 calls or checks of the node were not counted"));
	free(text);
	learned.missed = 0;
	text = text_of(policy_report_show, &report);
	assert_non_null(strstr(text, "how much was missed is not known"));
	assert_null(strstr(text, "calls or checks of the node"));
	free(text);
	text = text_of(policy_report_json, &report);
	assert_non_null(strstr(text, "\"missed\": 0, \"missed_unknown\": true"));
	assert_non_null(strstr(text, "\"learned\": {\"goes_on\": false"));
	assert_non_null(strstr(text, "{\"name\": \"cap_net_raw\", \"had\": 1, \"had_not\": 0, "
				     "\"hint_had\": 0, \"hint_had_not\": 0, \"elsewhere\": "
				     "true}"));
	assert_non_null(strstr(text, "\"filtered\": [{\"name\": \"mkdir\""));
	free(text);
	report.learned = NULL;
	text = text_of(policy_report_json, &report);
	assert_non_null(strstr(text, "\"learned\": null}"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_have_the_names_of_their_architecture),
		cmocka_unit_test(what_was_denied_is_allowed_once_by_name),
		cmocka_unit_test(a_long_list_is_broken_into_lines),
		cmocka_unit_test(a_report_says_who_called_what_and_what_it_got),
		cmocka_unit_test(the_least_policy_holds_what_was_seen_and_what_a_start_needs),
		cmocka_unit_test(the_least_policy_says_what_is_not_known_of_it),
		cmocka_unit_test(a_report_shows_what_was_learned_and_what_is_doubtful),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
