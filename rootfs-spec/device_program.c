/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>

#include "rootfs-spec/device_program.h"

/* struct bpf_cgroup_dev_ctx: access_type is the access << 16 | the type; major; minor. */
enum { CONTEXT = BPF_REG_1, TYPE = BPF_REG_2, ACCESS, MAJOR, MINOR };

static void add(struct bytes *program, uint8_t code, uint8_t to, uint8_t from, int16_t off,
		int32_t value)
{
	const struct bpf_insn step = {
		.code = code, .dst_reg = to & 15u, .src_reg = from & 15u, .off = off, .imm = value};

	bytes_add(program, &step, sizeof(step));
}

static void answer(struct bytes *program, int32_t allow)
{
	add(program, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
	add(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Up to where the rule's answer is: what does not match jumps over the rest of the rule. */
static void add_rule(struct bytes *program, const struct spec_device *rule, bool allow)
{
	/* Each comparison leads behind the five instructions at the end, and over those between. */
	int16_t over = (int16_t)(5 + (rule->type != 'a') + (rule->major >= 0) + (rule->minor >= 0));

	if (rule->type != 'a')
		add(program, BPF_JMP | BPF_JNE | BPF_K, TYPE, 0, --over,
		    rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (rule->major >= 0)
		add(program, BPF_JMP | BPF_JNE | BPF_K, MAJOR, 0, --over, (int32_t)rule->major);
	if (rule->minor >= 0)
		add(program, BPF_JMP | BPF_JNE | BPF_K, MINOR, 0, --over, (int32_t)rule->minor);
	add(program, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_0, ACCESS, 0, 0);
	/* Allowed when nothing is asked for beyond the rule; denied when any of it is. */
	add(program, BPF_ALU | BPF_AND | BPF_K, BPF_REG_0, 0, 0,
	    (int32_t)(allow ? ~rule->access & 7u : rule->access));
	add(program, allow ? BPF_JMP | BPF_JNE | BPF_K : BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2,
	    0);
	answer(program, allow);
}

void device_program_make(const struct spec_policy *policy, struct bytes *program)
{
	if (!policy->devices)
		return;
	add(program, BPF_LDX | BPF_W | BPF_MEM, TYPE, CONTEXT, 0, 0);
	add(program, BPF_ALU | BPF_MOV | BPF_X, ACCESS, TYPE, 0, 0);
	add(program, BPF_ALU | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
	add(program, BPF_ALU | BPF_RSH | BPF_K, ACCESS, 0, 0, 16);
	add(program, BPF_LDX | BPF_W | BPF_MEM, MAJOR, CONTEXT, 4, 0);
	add(program, BPF_LDX | BPF_W | BPF_MEM, MINOR, CONTEXT, 8, 0);
	for (size_t i = 0; i < policy->device_count; i++)
		add_rule(program, &policy->device_rules[i], policy->devices_allow);
	answer(program, !policy->devices_allow);
}
