/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan_filter.h"

/* kernel/seccomp.c, seccomp_check_filter(), less BPF_ST, BPF_STX and BPF_MEM. */
static bool is_known(uint16_t code)
{
	static const uint16_t known[] = {
		BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_W | BPF_LEN, BPF_LDX | BPF_W | BPF_LEN,
		BPF_LD | BPF_IMM,         BPF_LDX | BPF_IMM,        BPF_RET | BPF_K,
		BPF_RET | BPF_A,          BPF_MISC | BPF_TAX,       BPF_MISC | BPF_TXA,
		BPF_ALU | BPF_NEG,        BPF_JMP | BPF_JA,
	};
	const uint16_t source = BPF_SRC(code), operation = BPF_OP(code);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (code == known[i])
			return true;
	if (BPF_CLASS(code) == BPF_JMP)
		return code == (BPF_JMP | operation | source) &&
		       (operation == BPF_JEQ || operation == BPF_JGT || operation == BPF_JGE ||
			operation == BPF_JSET);
	return BPF_CLASS(code) == BPF_ALU && code == (BPF_ALU | operation | source) &&
	       (operation == BPF_ADD || operation == BPF_SUB || operation == BPF_MUL ||
		operation == BPF_DIV || operation == BPF_AND || operation == BPF_OR ||
		operation == BPF_XOR || operation == BPF_LSH || operation == BPF_RSH);
}

static bool is_answer(uint32_t value)
{
	switch (value & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW: return (value & SECCOMP_RET_DATA) == 0;
	case SECCOMP_RET_ERRNO: return (value & SECCOMP_RET_DATA) - 1 < 4095; /* MAX_ERRNO */
	default: return false;
	}
}

static const char *check_jump(const struct sock_filter *step, size_t after)
{
	if (BPF_OP(step->code) == BPF_JA)
		return step->k < after ? NULL : "a filter jumps outside";
	return step->jt < after && step->jf < after ? NULL : "a filter jumps outside";
}

/* `after`: how many instructions follow. */
static const char *check_step(const struct sock_filter *step, size_t after)
{
	if (!is_known(step->code))
		return "unknown instruction in a filter";
	switch (BPF_CLASS(step->code)) {
	case BPF_JMP: return check_jump(step, after);
	case BPF_RET:
		return BPF_RVAL(step->code) != BPF_K || is_answer(step->k)
			       ? NULL
			       : "a filter answers what seccomp(2) does not know";
	case BPF_LD:
		return BPF_MODE(step->code) != BPF_ABS ||
				       (step->k % 4 == 0 && step->k < sizeof(struct seccomp_data))
			       ? NULL
			       : "a filter loads from outside of the call";
	case BPF_ALU:
		if (BPF_SRC(step->code) != BPF_K)
			return NULL;
		if (BPF_OP(step->code) == BPF_DIV && step->k == 0)
			return "a filter divides by zero";
		if ((BPF_OP(step->code) == BPF_LSH || BPF_OP(step->code) == BPF_RSH) &&
		    step->k >= 32)
			return "a filter shifts too far";
		return NULL;
	default: return NULL;
	}
}

const char *plan_filter_check(const struct sock_filter *program, size_t count)
{
	if (count == 0 || count > BPF_MAXINSNS)
		return "a filter without instructions, or with too many";
	for (size_t i = 0; i < count; i++) {
		const char *reason = check_step(&program[i], count - 1 - i);
		if (reason)
			return reason;
	}
	return BPF_CLASS(program[count - 1].code) == BPF_RET ? NULL : "a filter without an end";
}

#define DEVICE_REGISTERS 6 /* 0 to 5: those that a call would clobber; none is called */

static bool is_device_code(uint8_t code)
{
	static const uint8_t known[] = {
		BPF_LDX | BPF_W | BPF_MEM, BPF_ALU | BPF_AND | BPF_K, BPF_ALU | BPF_RSH | BPF_K,
		BPF_ALU | BPF_MOV | BPF_K, BPF_ALU | BPF_MOV | BPF_X, BPF_ALU64 | BPF_MOV | BPF_K,
		BPF_JMP | BPF_JA,          BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JNE | BPF_K,
		BPF_JMP | BPF_EXIT,
	};

	for (size_t i = 0; i < sizeof(known); i++)
		if (code == known[i])
			return true;
	return false;
}

static const char *check_device_step(const struct bpf_insn *step, size_t after)
{
	if (!is_device_code(step->code))
		return "unknown instruction in a device program";
	if (step->dst_reg >= DEVICE_REGISTERS || step->src_reg >= DEVICE_REGISTERS)
		return "unknown register in a device program";
	if (BPF_CLASS(step->code) == BPF_LDX &&
	    (step->src_reg != BPF_REG_1 || step->off < 0 || step->off % 4 ||
	     (size_t)step->off >= sizeof(struct bpf_cgroup_dev_ctx)))
		return "a device program loads from outside of the question";
	if (BPF_CLASS(step->code) == BPF_ALU && BPF_OP(step->code) == BPF_RSH &&
	    (uint32_t)step->imm >= 32)
		return "a device program shifts too far";
	if (BPF_CLASS(step->code) == BPF_JMP && BPF_OP(step->code) != BPF_EXIT &&
	    (step->off < 0 || (size_t)step->off >= after))
		return "a device program jumps outside";
	return NULL;
}

const char *plan_device_check(const struct bpf_insn *program, size_t count)
{
	if (count == 0)
		return "a device program without instructions";
	for (size_t i = 0; i < count; i++) {
		const char *reason = check_device_step(&program[i], count - 1 - i);
		if (reason)
			return reason;
	}
	return program[count - 1].code == (BPF_JMP | BPF_EXIT) ? NULL
							       : "a device program without an end";
}
