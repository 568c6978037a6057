/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs-spec/filter_run.h"

#include <stdlib.h>
#include <string.h>

/* One jump: how far it leads. -1: not an instruction that is known here. */
static int64_t jump(const struct sock_filter *step, uint32_t a)
{
	switch (step->code) {
	case BPF_JMP | BPF_JA: return step->k;
	case BPF_JMP | BPF_JEQ | BPF_K: return a == step->k ? step->jt : step->jf;
	case BPF_JMP | BPF_JGE | BPF_K: return a >= step->k ? step->jt : step->jf;
	case BPF_JMP | BPF_JGT | BPF_K: return a > step->k ? step->jt : step->jf;
	case BPF_JMP | BPF_JSET | BPF_K: return a & step->k ? step->jt : step->jf;
	default: return -1;
	}
}

/* `arguments`: it may look at them. False: it did although it may not, or is not known here. */
static bool run(const struct sock_filter *program, size_t count, const struct seccomp_data *call,
		bool arguments, uint32_t *answer)
{
	uint32_t a = 0;

	for (size_t at = 0; at < count; at++) {
		const struct sock_filter *step = &program[at];
		switch (step->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (step->k > sizeof(*call) - sizeof(a) ||
			    (!arguments && step->k != offsetof(struct seccomp_data, nr) &&
			     step->k != offsetof(struct seccomp_data, arch)))
				return false;
			memcpy(&a, (const uint8_t *)call + step->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K: a &= step->k; break;
		case BPF_RET | BPF_K: *answer = step->k; return true;
		default: {
			int64_t far = jump(step, a);
			if (far < 0)
				return false;
			at += (size_t)far;
		}
		}
	}
	return false;
}

uint32_t filter_answer(const struct sock_filter *program, size_t count,
		       const struct seccomp_data *call)
{
	uint32_t answer = SECCOMP_RET_KILL_PROCESS;

	run(program, count, call, true, &answer);
	return answer;
}

uint32_t filter_worst(const struct sock_filter *program, size_t count)
{
	uint32_t *from = calloc(count + 1, sizeof(*from)), worst;

	if (!from)
		return 0;
	/* All jumps lead forwards: from the end to the beginning, the longest way from each. */
	for (size_t at = count; at-- > 0;) {
		const struct sock_filter *step = &program[at];
		const bool branches = BPF_CLASS(step->code) == BPF_JMP &&
				      BPF_OP(step->code) != BPF_JA;
		size_t yes = at + 1 + (branches ? step->jt : 0),
		       no = at + 1 + (branches ? step->jf : 0);
		if (step->code == (BPF_JMP | BPF_JA))
			yes = no = at + 1 + step->k;
		from[at] = 1;
		if (BPF_CLASS(step->code) == BPF_RET || yes >= count || no >= count)
			continue;
		from[at] += from[yes] > from[no] ? from[yes] : from[no];
	}
	worst = from[0];
	free(from);
	return worst;
}

bool filter_is_constant_allow(const struct sock_filter *program, size_t count, uint32_t audit_arch,
			      uint32_t number)
{
	const struct seccomp_data call = {.nr = (int)number, .arch = audit_arch};
	uint32_t answer;

	return run(program, count, &call, false, &answer) && answer == SECCOMP_RET_ALLOW;
}
