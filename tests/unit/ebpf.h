/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's BPF (Documentation/bpf/instruction-set.rst), as far as svc/learn_program.c writes it:
 * runs a program over memory of the test, which stands for the kernel's. What a program must not do is
 * asserted with abort().
 */
#ifndef KEELSON_TESTS_EBPF_H
#define KEELSON_TESTS_EBPF_H

#include <linux/bpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EBPF_STACK 512

/* A helper: its answer, from R1 to R5. */
typedef uint64_t (*ebpf_helper)(void *context, int32_t which, const uint64_t arguments[static 5]);

static inline uint64_t ebpf_compute(uint8_t code, uint64_t a, uint64_t b)
{
	switch (BPF_OP(code)) {
	case BPF_MOV: return b;
	case BPF_ADD: return a + b;
	case BPF_MUL: return a * b;
	case BPF_AND: return a & b;
	case BPF_OR: return a | b;
	case BPF_RSH: return a >> b;
	default: abort();
	}
}

static inline int ebpf_compare(uint8_t code, uint64_t a, uint64_t b)
{
	switch (BPF_OP(code)) {
	case BPF_JA: return 1;
	case BPF_JEQ: return a == b;
	case BPF_JNE: return a != b;
	case BPF_JLT: return a < b;
	case BPF_JSET: return (a & b) != 0;
	default: abort();
	}
}

static inline size_t ebpf_size(uint8_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_W: return 4;
	case BPF_DW: return 8;
	default: abort();
	}
}

/* Loads and stores reach the stack, and what a helper gave or the program began with. */
static inline void ebpf_memory(const struct bpf_insn *step, uint64_t registers[static 11])
{
	const uint8_t class = BPF_CLASS(step->code);
	const size_t size = ebpf_size(step->code);
	const uint8_t base = class == BPF_LDX ? step->src_reg : step->dst_reg;
	void *at = (uint8_t *)(uintptr_t)registers[base] + step->off;
	uint64_t value = class == BPF_ST ? (uint64_t)(int64_t)step->imm : registers[step->src_reg];

	if (class == BPF_LDX) {
		value = 0;
		memcpy(&value, at, size);
		registers[step->dst_reg] = value;
		return;
	}
	if (BPF_MODE(step->code) == BPF_ATOMIC) {
		uint64_t old;

		if (step->imm != BPF_ADD)
			abort();
		memcpy(&old, at, size);
		value += old;
	}
	memcpy(at, &value, size);
}

static inline uint64_t ebpf_run(const struct bpf_insn *program, uint32_t count, void *input,
				ebpf_helper helper, void *context)
{
	uint64_t registers[11] = {0};
	uint8_t stack[EBPF_STACK];

	memset(stack, 0xa5, sizeof(stack));
	registers[BPF_REG_1] = (uintptr_t)input;
	registers[BPF_REG_10] = (uintptr_t)(stack + sizeof(stack));
	for (uint32_t at = 0; at < count; at++) {
		const struct bpf_insn *step = &program[at];
		const uint8_t class = BPF_CLASS(step->code);
		const uint64_t operand = BPF_SRC(step->code) == BPF_X
						 ? registers[step->src_reg]
						 : (uint64_t)(int64_t)step->imm;

		if (class == BPF_LD) { /* of 64 bits, in two instructions */
			registers[step->dst_reg] = (uint32_t)step->imm;
			at++;
		} else if (class == BPF_LDX || class == BPF_ST || class == BPF_STX) {
			ebpf_memory(step, registers);
		} else if (class == BPF_ALU64) {
			registers[step->dst_reg] = ebpf_compute(step->code,
								registers[step->dst_reg], operand);
		} else if (class == BPF_ALU) {
			registers[step->dst_reg] = (uint32_t)ebpf_compute(
				step->code, registers[step->dst_reg], (uint32_t)operand);
		} else if (class == BPF_JMP && BPF_OP(step->code) == BPF_EXIT) {
			return registers[BPF_REG_0];
		} else if (class == BPF_JMP && BPF_OP(step->code) == BPF_CALL) {
			registers[BPF_REG_0] = helper(context, step->imm, registers + 1);
			/* A helper may leave anything in these. */
			for (int i = BPF_REG_1; i <= BPF_REG_5; i++)
				registers[i] = 0x5a5a5a5a5a5a5a5a;
		} else if (class == BPF_JMP) {
			if (step->off < 0)
				abort(); /* a loop */
			if (ebpf_compare(step->code, registers[step->dst_reg], operand))
				at = (uint32_t)((int32_t)at + step->off);
		} else {
			abort();
		}
	}
	abort(); /* over the end */
}

#endif
