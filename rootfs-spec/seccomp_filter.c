/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rootfs-spec/call_arguments.h"
#include "rootfs-spec/seccomp_filter.h"

#define MOST_ARGUMENTS 12

uint32_t seccomp_filter_answer(const struct spec_policy *policy, uint32_t answer)
{
	return policy->mode == PLAN_MODE_AUDIT && answer != SECCOMP_RET_ALLOW ? SECCOMP_RET_LOG
									      : answer;
}

/* libseccomp's actions are the kernel's numbers (seccomp.h, "seccomp actions"). */
_Static_assert(SCMP_ACT_KILL_PROCESS == SECCOMP_RET_KILL_PROCESS, "actions");
_Static_assert(SCMP_ACT_LOG == SECCOMP_RET_LOG && SCMP_ACT_ALLOW == SECCOMP_RET_ALLOW, "actions");
_Static_assert(SCMP_ACT_ERRNO(1) == (SECCOMP_RET_ERRNO | 1), "actions");

/* Which of the two answers denies more? */
static uint32_t stricter(uint32_t a, uint32_t b)
{
	const uint32_t order[] = {SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_ERRNO};

	for (size_t i = 0; i < 3; i++) {
		if ((a & SECCOMP_RET_ACTION_FULL) == order[i])
			return b;
		if ((b & SECCOMP_RET_ACTION_FULL) == order[i])
			return a;
	}
	return a;
}

enum truth { NEVER, ALWAYS, DEPENDS };

/* A condition for programs whose registers have 32 bits, cut to what they can give. */
static enum truth cut(struct spec_argument *argument)
{
	const bool high = argument->value >> 32 != 0;

	switch (argument->operator) {
	case SPEC_EQUAL:
		if (argument->value & ~argument->mask || high)
			return NEVER;
		argument->mask &= UINT32_MAX;
		return argument->mask ? DEPENDS : ALWAYS;
	case SPEC_NOT_EQUAL: return high ? ALWAYS : DEPENDS;
	case SPEC_LESS:
	case SPEC_LESS_EQUAL: return high ? ALWAYS : DEPENDS;
	default: return high ? NEVER : DEPENDS;
	}
}

/* libseccomp keeps one comparison an argument. */
static int add_comparison(struct scmp_arg_cmp *list, unsigned *count,
			  const struct spec_argument *argument)
{
	static const enum scmp_compare compares[] = {
		[SPEC_EQUAL] = SCMP_CMP_MASKED_EQ, [SPEC_NOT_EQUAL] = SCMP_CMP_NE,
		[SPEC_LESS] = SCMP_CMP_LT,         [SPEC_LESS_EQUAL] = SCMP_CMP_LE,
		[SPEC_GREATER] = SCMP_CMP_GT,      [SPEC_GREATER_EQUAL] = SCMP_CMP_GE,
	};
	struct scmp_arg_cmp *to = &list[*count];

	for (unsigned i = 0; i < *count; i++)
		if (list[i].arg == argument->number)
			return -EEXIST;
	if (*count == MOST_ARGUMENTS)
		return -E2BIG;
	*to = (struct scmp_arg_cmp){.arg = argument->number,
				    .op = compares[argument->operator],
				    .datum_a = argument->value};
	if (argument->operator== SPEC_EQUAL) {
		to->datum_a = argument->mask;
		to->datum_b = argument->value;
	}
	(*count)++;
	return 0;
}

/*
 * Can a program of this kind hide what the rule looks at? Of an x32 program libseccomp compares 32
 * bits, but the kernel takes all 64.
 */
static bool is_hidden(uint32_t architecture, const struct spec_rule *rule)
{
	const char *arguments = call_arguments(rule->call);

	if (architecture == SCMP_ARCH_X86)
		return rule->when_count && call_is_hidden(rule->call);
	for (size_t i = 0; architecture == SCMP_ARCH_X32 && i < rule->when_count; i++)
		if (arguments[rule->when[i].number] != 'i')
			return true;
	return false;
}

/*
 * ipc(2) of i386 takes a version in the upper half of its first argument, and the kernel masks it away
 * (ipc/syscall.c): libseccomp's rule for the whole argument would be evaded by any version but 0.
 */
static int add_ipc(scmp_filter_ctx filter, uint32_t answer, const char *call)
{
	static const struct {
		const char *call;
		unsigned number;
	} calls[] = {
		{"semop", 1},   {"semget", 2},  {"semctl", 3},  {"semtimedop", 4},
		{"msgsnd", 11}, {"msgrcv", 12}, {"msgget", 13}, {"msgctl", 14},
		{"shmat", 21},  {"shmdt", 22},  {"shmget", 23}, {"shmctl", 24},
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].call, call) == 0)
			return seccomp_rule_add(
				filter, answer, seccomp_syscall_resolve_name("ipc"), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffff, calls[i].number));
	return 0;
}

/*
 * A rule whose comparisons are in the list. libseccomp compares a whole register with "not equal": what
 * has to differ in its lower half, differs in one of these bits.
 */
static int add_comparisons(scmp_filter_ctx filter, uint32_t answer, const char *call,
			   const struct scmp_arg_cmp *list, unsigned count,
			   const struct spec_argument *half)
{
	const int number = seccomp_syscall_resolve_name(call);
	struct scmp_arg_cmp all[MOST_ARGUMENTS + 1];
	int error = 0;

	if (!half)
		return seccomp_rule_add_array(filter, answer, number, count, list);
	memcpy(all, list, count * sizeof(*list));
	for (unsigned bit = 0; bit < 32 && !error; bit++) {
		const uint64_t mask = 1ull << bit;
		all[count] = (struct scmp_arg_cmp){.arg = half->number,
						   .op = SCMP_CMP_MASKED_EQ,
						   .datum_a = mask,
						   .datum_b = ~half->value & mask};
		error = seccomp_rule_add_array(filter, answer, number, count + 1, all);
	}
	return error;
}

static int add_rule(scmp_filter_ctx filter, uint32_t architecture, const struct spec_policy *policy,
		    const struct spec_rule *rule)
{
	const bool narrow = architecture != SCMP_ARCH_X86_64;
	const uint32_t otherwise = seccomp_filter_answer(policy, policy->default_answer);
	uint32_t answer = seccomp_filter_answer(policy, rule->answer);
	struct scmp_arg_cmp list[MOST_ARGUMENTS];
	const struct spec_argument *half = NULL;
	unsigned count = 0;
	int error = 0;

	if (is_hidden(architecture, rule))
		answer = stricter(answer, otherwise);
	else
		for (size_t i = 0; i < rule->when_count && !error; i++) {
			struct spec_argument argument = rule->when[i];
			enum truth truth = narrow ? cut(&argument) : DEPENDS;
			if (argument.operator== SPEC_EQUAL && argument.value & ~argument.mask)
				truth = NEVER;
			if (truth == NEVER)
				return 0;
			if (!narrow && argument.operator== SPEC_NOT_EQUAL &&
				       argument.mask == UINT32_MAX)
				half = &rule->when[i];
			else if (truth == DEPENDS)
				error = add_comparison(list, &count, &argument);
		}
	if (error || answer == otherwise)
		return error;
	error = add_comparisons(filter, answer, rule->call, list, count, half);
	return error || architecture != SCMP_ARCH_X86 ? error : add_ipc(filter, answer, rule->call);
}

/* An empty filter for programs of one architecture. */
static int new_filter(const struct spec_policy *policy, uint32_t architecture,
		      scmp_filter_ctx *filter)
{
	const uint32_t native = seccomp_arch_native();
	int error = 0;

	*filter = seccomp_init(seccomp_filter_answer(policy, policy->default_answer));
	if (!*filter)
		return -ENOMEM;
	if (architecture != native)
		error = seccomp_arch_add(*filter, architecture);
	if (!error && architecture != native)
		error = seccomp_arch_remove(*filter, native);
	if (!error)
		error = seccomp_attr_set(*filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* An architecture that no kernel of this machine runs: nothing to say about it. */
	if (!error)
		error = seccomp_attr_set(*filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
	return error;
}

static int fill(scmp_filter_ctx filter, uint32_t architecture, const struct spec_policy *policy,
		struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct spec_rule *rule = &policy->rules[i];
		int error = add_rule(filter, architecture, policy, rule);
		if (!error)
			continue;
		diagnose(diagnostics, rule->said.where,
			 error == -EEXIST && rule->when_count
				 ? "'%s' cannot be filtered: two conditions on one argument"
				 : "'%s' cannot be filtered: %s",
			 rule->call, strerror(-error));
		return -EINVAL;
	}
	return 0;
}

/* libseccomp writes programs to descriptors only. */
static int export_program(scmp_filter_ctx filter, struct bytes *program)
{
	uint8_t block[4096];
	ssize_t got;
	int fd = memfd_create("seccomp", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	int error = seccomp_export_bpf(filter, fd);
	if (!error && lseek(fd, 0, SEEK_SET) < 0)
		error = -errno;
	while (!error && (got = read(fd, block, sizeof(block))) != 0) {
		if (got > 0)
			bytes_add(program, block, (size_t)got);
		else if (errno != EINTR)
			error = -errno;
	}
	close(fd);
	return error;
}

int seccomp_filter_make(const struct spec_policy *policy, struct diagnostics *diagnostics,
			struct bytes *program)
{
	static const uint32_t architectures[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32};
	scmp_filter_ctx whole = NULL;
	int error = 0;

	if (!policy->seccomp)
		return 0;
	for (size_t i = 0; i < 3 && !error; i++) {
		scmp_filter_ctx part = NULL;
		error = new_filter(policy, architectures[i], &part);
		if (!error)
			error = fill(part, architectures[i], policy, diagnostics);
		if (!error && whole)
			error = seccomp_merge(whole, part); /* takes it */
		if (!whole)
			whole = part;
		else if (error && part)
			seccomp_release(part);
	}
	if (!error)
		error = export_program(whole, program);
	if (whole)
		seccomp_release(whole);
	if (!error && program->size / 8 > PLAN_MAX_FILTER) {
		diagnose(diagnostics, policy->where,
			 "the filter of '%s' has %zu instructions; the kernel takes %u",
			 policy->name.text, program->size / 8, PLAN_MAX_FILTER);
		error = -EINVAL;
	}
	return error;
}
