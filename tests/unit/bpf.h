/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's classic BPF, as seccomp runs it (Documentation/networking/filter.rst,
 * kernel/seccomp.c): every instruction that plan_filter_check() accepts. What that function promises
 * is asserted with abort(): a test or a fuzzer that gets here with a program it accepted finds it out.
 */
#ifndef KEELSON_TESTS_BPF_H
#define KEELSON_TESTS_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline uint32_t bpf_compute(uint16_t code, uint32_t a, uint32_t operand)
{
	switch (BPF_OP(code)) {
	case BPF_ADD: return a + operand;
	case BPF_SUB: return a - operand;
	case BPF_MUL: return a * operand;
	case BPF_DIV: return a / operand;
	case BPF_AND: return a & operand;
	case BPF_OR: return a | operand;
	case BPF_XOR: return a ^ operand;
	case BPF_LSH: return a << (operand & 31);
	case BPF_RSH: return a >> (operand & 31);
	case BPF_NEG: return -a;
	default: abort();
	}
}

static inline int bpf_compare(uint16_t code, uint32_t a, uint32_t operand)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ: return a == operand;
	case BPF_JGT: return a > operand;
	case BPF_JGE: return a >= operand;
	case BPF_JSET: return (a & operand) != 0;
	default: abort();
	}
}

/* The filter's answer to a call. `steps`, if not NULL, becomes the number of instructions run. */
static inline uint32_t bpf_run(const struct sock_filter *program, size_t count,
			       const struct seccomp_data *call, uint32_t *steps)
{
	uint32_t a = 0, x = 0, run = 0;

	for (size_t at = 0; at < count; at++) {
		const struct sock_filter *step = &program[at];
		const uint32_t operand = BPF_SRC(step->code) == BPF_X ? x : step->k;

		run++;
		switch (BPF_CLASS(step->code)) {
		case BPF_LD:
			if (BPF_MODE(step->code) == BPF_ABS) {
				if (step->k % 4 || step->k >= sizeof(*call))
					abort();
				memcpy(&a, (const uint8_t *)call + step->k, sizeof(a));
			} else {
				a = BPF_MODE(step->code) == BPF_IMM ? step->k : sizeof(*call);
			}
			break;
		case BPF_LDX: x = BPF_MODE(step->code) == BPF_IMM ? step->k : sizeof(*call); break;
		case BPF_ALU:
			if (BPF_OP(step->code) == BPF_DIV && operand == 0)
				return 0; /* net/core/filter.c: the program ends */
			a = bpf_compute(step->code, a, operand);
			break;
		case BPF_MISC:
			*(BPF_MISCOP(step->code) == BPF_TAX ? &x : &a) =
				BPF_MISCOP(step->code) == BPF_TAX ? a : x;
			break;
		case BPF_JMP:
			if (BPF_OP(step->code) == BPF_JA)
				at += step->k;
			else
				at += bpf_compare(step->code, a, operand) ? step->jt : step->jf;
			break;
		case BPF_RET:
			if (steps)
				*steps = run;
			return BPF_RVAL(step->code) == BPF_A ? a : step->k;
		default: abort();
		}
	}
	abort(); /* over the end */
}

#endif
