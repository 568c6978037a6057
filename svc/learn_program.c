/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
#include "svc/learn_program.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define TS_COMPAT 2        /* arch/x86/include/asm/thread_info.h: a call by the 32-bit entry */
#define X32_BIT 0x40000000 /* __X32_SYSCALL_BIT */
#define NOAUDIT 2          /* CAP_OPT_NOAUDIT of include/linux/security.h */

_Static_assert(LEARN_HINT == NOAUDIT, "the option is the answer's bit");

/* Registers that a helper leaves alone. */
enum { CONTEXT = BPF_REG_6, SLOT = BPF_REG_7, NUMBER = BPF_REG_8, TASK = BPF_REG_9 };

/* Places on the stack. */
enum { AT_INDEX = -4, AT_A = -16, AT_B = -24, AT_C = -32, AT_SLOT = -40, AT_PATH = -168 };

_Static_assert(AT_SLOT - (int)LEARN_PATH_BYTES == AT_PATH, "the path is below the slot");

/* ---- writing instructions ---- */

/* Returns the index of the instruction: that of a jump is landed later. */
static uint32_t add(struct learn_program *program, uint8_t code, uint8_t to, uint8_t from,
		    int16_t offset, int32_t value)
{
	if (program->count < LEARN_INSTRUCTIONS)
		program->steps[program->count] = (struct bpf_insn){.code = code,
								   .dst_reg = to & 15u,
								   .src_reg = from & 15u,
								   .off = offset,
								   .imm = value};
	return program->count++;
}

/* The jump goes to what comes next. */
static void land(struct learn_program *program, uint32_t jump)
{
	if (jump < LEARN_INSTRUCTIONS)
		program->steps[jump].off = (int16_t)(program->count - jump - 1);
}

static void set(struct learn_program *program, uint8_t to, int32_t value)
{
	add(program, BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}

static void copy(struct learn_program *program, uint8_t to, uint8_t from)
{
	add(program, BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}

static void compute(struct learn_program *program, uint8_t operation, uint8_t to, int32_t value)
{
	add(program, (uint8_t)(BPF_ALU64 | operation | BPF_K), to, 0, 0, value);
}

static void load(struct learn_program *program, uint8_t size, uint8_t to, uint8_t from, int offset)
{
	add(program, (uint8_t)(BPF_LDX | size | BPF_MEM), to, from, (int16_t)offset, 0);
}

static void store(struct learn_program *program, uint8_t size, int at, uint8_t from)
{
	add(program, (uint8_t)(BPF_STX | size | BPF_MEM), BPF_REG_10, from, (int16_t)at, 0);
}

static uint32_t jump_if(struct learn_program *program, uint8_t test, uint8_t of, int32_t value)
{
	return add(program, (uint8_t)(BPF_JMP | test | BPF_K), of, 0, 0, value);
}

static void call(struct learn_program *program, enum bpf_func_id helper)
{
	add(program, BPF_JMP | BPF_CALL, 0, 0, 0, (int32_t)helper);
}

static void leave(struct learn_program *program)
{
	set(program, BPF_REG_0, 0);
	add(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void address(struct learn_program *program, uint8_t to, int at)
{
	copy(program, to, BPF_REG_10);
	compute(program, BPF_ADD, to, at);
}

/* R1 becomes the table; two instructions. */
static void table(struct learn_program *program, int fd)
{
	add(program, BPF_LD | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, fd); /* and BPF_IMM, 0 */
	add(program, 0, 0, 0, 0, 0);
}

/* R0 = the entry for the key at `at`, or 0. */
static void look_up(struct learn_program *program, int fd, int at)
{
	table(program, fd);
	address(program, BPF_REG_2, at);
	call(program, BPF_FUNC_map_lookup_elem);
}

/* `size` bytes of the kernel's memory at `from` + `offset` to `at`; 0 if there is none. */
static void read_kernel(struct learn_program *program, int at, int32_t size, uint8_t from,
			uint32_t offset)
{
	copy(program, BPF_REG_3, from);
	compute(program, BPF_ADD, BPF_REG_3, (int32_t)offset);
	address(program, BPF_REG_1, at);
	set(program, BPF_REG_2, size);
	call(program, BPF_FUNC_probe_read_kernel);
}

/* The same, from the address that is at `base` on the stack. */
static void follow(struct learn_program *program, int at, int32_t size, int base, uint32_t offset)
{
	load(program, BPF_DW, BPF_REG_5, BPF_REG_10, base);
	read_kernel(program, at, size, BPF_REG_5, offset);
}

/* ---- what the programs have in common ---- */

/* SLOT = `elsewhere`, for a process that is in no group of `groups`; who is in the root leaves. */
static uint32_t take_elsewhere(struct learn_program *program, uint32_t elsewhere)
{
	/* The root holds the kernel's threads only. */
	set(program, BPF_REG_1, 1);
	call(program, BPF_FUNC_get_current_ancestor_cgroup_id);
	uint32_t somewhere = jump_if(program, BPF_JNE, BPF_REG_0, 0);

	leave(program);
	land(program, somewhere);
	set(program, SLOT, (int32_t)elsewhere);
	return add(program, BPF_JMP | BPF_JA, 0, 0, 0, 0);
}

/* SLOT = whose the running process is; who is nobody's leaves. The innermost group counts. */
static void find_slot(struct learn_program *program, const struct learn_tables *tables)
{
	const bool has_elsewhere = tables->elsewhere != LEARN_NOBODY;
	uint32_t found[LEARN_LEVELS], count = 0, elsewhere = 0;

	for (int level = LEARN_LEVELS; level > 0; level--) {
		if (!(tables->levels >> level & 1))
			continue;
		set(program, BPF_REG_1, level);
		call(program, BPF_FUNC_get_current_ancestor_cgroup_id);
		store(program, BPF_DW, AT_A, BPF_REG_0);
		look_up(program, tables->groups, AT_A);
		found[count++] = jump_if(program, BPF_JNE, BPF_REG_0, 0);
	}
	if (has_elsewhere)
		elsewhere = take_elsewhere(program, tables->elsewhere);
	else
		leave(program);
	for (uint32_t i = 0; i < count; i++)
		land(program, found[i]);
	load(program, BPF_W, SLOT, BPF_REG_0, 0);
	/* SLOT == LEARN_NOBODY; as a constant that would be extended with its sign. */
	copy(program, BPF_REG_1, SLOT);
	compute(program, BPF_ADD, BPF_REG_1, 1);
	compute(program, BPF_RSH, BPF_REG_1, 32);
	uint32_t somebody = jump_if(program, BPF_JEQ, BPF_REG_1, 0);

	leave(program);
	land(program, somebody);
	if (has_elsewhere)
		land(program, elsewhere);
}

/*
 * A child of PID 1 that still runs PID 1's program leaves: it did not execute the service's yet. TASK
 * is the running task.
 */
static void leave_if_starting(struct learn_program *program, const struct learn_offsets *offsets)
{
	read_kernel(program, AT_A, 8, TASK, offsets->task_parent);
	follow(program, AT_B, 4, AT_A, offsets->task_tgid);
	load(program, BPF_W, BPF_REG_1, BPF_REG_10, AT_B);
	uint32_t other_parent = jump_if(program, BPF_JNE, BPF_REG_1, 1);

	follow(program, AT_B, 8, AT_A, offsets->task_mm);
	follow(program, AT_B, 8, AT_B, offsets->mm_file);
	read_kernel(program, AT_C, 8, TASK, offsets->task_mm);
	follow(program, AT_C, 8, AT_C, offsets->mm_file);
	load(program, BPF_DW, BPF_REG_1, BPF_REG_10, AT_B);
	load(program, BPF_DW, BPF_REG_2, BPF_REG_10, AT_C);
	uint32_t other_file = add(program, BPF_JMP | BPF_JNE | BPF_X, BPF_REG_1, BPF_REG_2, 0, 0);

	leave(program);
	land(program, other_parent);
	land(program, other_file);
}

/* One more at the entry that the register points to. */
static void count_at(struct learn_program *program, uint8_t entry)
{
	set(program, BPF_REG_1, 1);
	add(program, BPF_STX | BPF_ATOMIC | BPF_DW, entry, BPF_REG_1, 0, BPF_ADD);
}

static void count_fact(struct learn_program *program, const struct learn_tables *tables,
		       enum learn_fact fact)
{
	add(program, BPF_ST | BPF_W | BPF_MEM, BPF_REG_10, 0, AT_INDEX, (int32_t)fact);
	look_up(program, tables->facts, AT_INDEX);
	uint32_t none = jump_if(program, BPF_JEQ, BPF_REG_0, 0);

	count_at(program, BPF_REG_0);
	land(program, none);
}

/*
 * Count at SLOT, which is the index of an entry of `fd` by now. Only the first of an entry asks
 * whether the process is a service already: later ones would not change what is known.
 */
static void count_once_started(struct learn_program *program, const struct learn_tables *tables,
			       int fd)
{
	store(program, BPF_W, AT_INDEX, SLOT);
	look_up(program, fd, AT_INDEX);
	uint32_t entry = jump_if(program, BPF_JNE, BPF_REG_0, 0);

	leave(program);
	land(program, entry);
	copy(program, SLOT, BPF_REG_0);
	load(program, BPF_DW, BPF_REG_1, SLOT, 0);
	uint32_t known = jump_if(program, BPF_JNE, BPF_REG_1, 0);

	call(program, BPF_FUNC_get_current_task);
	copy(program, TASK, BPF_REG_0);
	leave_if_starting(program, &tables->offsets);
	land(program, known);
	count_at(program, SLOT);
	leave(program);
}

/* ---- the programs ---- */

/*
 * TP_PROTO(struct pt_regs *regs, long id) of include/trace/events/syscalls.h, or
 * audit_seccomp(unsigned long syscall, long signr, int code): the call's number is argument `which`.
 */
static void make_call(struct learn_program *program, const struct learn_tables *tables, int which,
		      int fd)
{
	copy(program, CONTEXT, BPF_REG_1);
	find_slot(program, tables);
	load(program, BPF_DW, NUMBER, CONTEXT, which * 8);
	call(program, BPF_FUNC_get_current_task);
	copy(program, TASK, BPF_REG_0);
	read_kernel(program, AT_A, 4, TASK, tables->offsets.task_status);
	load(program, BPF_W, BPF_REG_1, BPF_REG_10, AT_A);
	set(program, BPF_REG_2, LEARN_I386 * LEARN_NUMBERS);
	uint32_t compat = jump_if(program, BPF_JSET, BPF_REG_1, TS_COMPAT);

	set(program, BPF_REG_2, LEARN_X86_64 * LEARN_NUMBERS);
	copy(program, BPF_REG_1, NUMBER);
	compute(program, BPF_AND, BPF_REG_1, X32_BIT);
	uint32_t plain = jump_if(program, BPF_JEQ, BPF_REG_1, 0);

	set(program, BPF_REG_2, LEARN_X32 * LEARN_NUMBERS);
	compute(program, BPF_AND, NUMBER, ~X32_BIT);
	land(program, plain);
	land(program, compat);
	uint32_t within = jump_if(program, BPF_JLT, NUMBER, LEARN_NUMBERS);

	count_fact(program, tables, LEARN_FACT_BEYOND);
	leave(program);
	land(program, within);
	compute(program, BPF_MUL, SLOT, LEARN_CALLS);
	add(program, BPF_ALU64 | BPF_ADD | BPF_X, SLOT, BPF_REG_2, 0, 0);
	add(program, BPF_ALU64 | BPF_ADD | BPF_X, SLOT, NUMBER, 0, 0);
	count_once_started(program, tables, fd);
}

/*
 * int cap_capable(const struct cred *, struct user_namespace *targ_ns, int cap, unsigned int opts):
 * the arguments, and the answer behind them.
 */
static void make_capable(struct learn_program *program, const struct learn_tables *tables)
{
	copy(program, CONTEXT, BPF_REG_1);
	find_slot(program, tables);
	/* Within a user namespace of its own a process has what the node's policy cannot take. */
	load(program, BPF_DW, BPF_REG_5, CONTEXT, 8);
	read_kernel(program, AT_A, 4, BPF_REG_5, tables->offsets.user_level);
	load(program, BPF_W, BPF_REG_1, BPF_REG_10, AT_A);
	uint32_t of_node = jump_if(program, BPF_JEQ, BPF_REG_1, 0);

	leave(program);
	land(program, of_node);
	/* Of an int only the lower half counts. */
	load(program, BPF_DW, NUMBER, CONTEXT, 16);
	add(program, BPF_ALU | BPF_MOV | BPF_X, NUMBER, NUMBER, 0, 0);
	uint32_t within = jump_if(program, BPF_JLT, NUMBER, LEARN_CAPABILITIES);

	leave(program);
	land(program, within);
	load(program, BPF_DW, BPF_REG_2, CONTEXT, 24);
	compute(program, BPF_AND, BPF_REG_2, NOAUDIT);
	load(program, BPF_DW, BPF_REG_1, CONTEXT, 32);
	add(program, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_1, 0, 0);
	uint32_t granted = jump_if(program, BPF_JEQ, BPF_REG_1, 0);

	compute(program, BPF_OR, BPF_REG_2, LEARN_REFUSED);
	land(program, granted);
	compute(program, BPF_MUL, SLOT, LEARN_CAPABILITIES);
	add(program, BPF_ALU64 | BPF_ADD | BPF_X, SLOT, NUMBER, 0, 0);
	compute(program, BPF_MUL, SLOT, LEARN_ANSWERS);
	add(program, BPF_ALU64 | BPF_ADD | BPF_X, SLOT, BPF_REG_2, 0, 0);
	count_once_started(program, tables, tables->capabilities);
}

/* AT_B = the number of the group that is the first argument. */
static void group_number(struct learn_program *program, const struct learn_offsets *offsets)
{
	load(program, BPF_DW, BPF_REG_5, CONTEXT, 0);
	read_kernel(program, AT_B, 8, BPF_REG_5, offsets->cgroup_node);
	follow(program, AT_B, 8, AT_B, offsets->node_number);
}

/* TP_PROTO(struct cgroup *cgrp, const char *path) of include/trace/events/cgroup.h. */
static void make_mkdir(struct learn_program *program, const struct learn_tables *tables)
{
	copy(program, CONTEXT, BPF_REG_1);
	for (int at = 0; at < (int)LEARN_PATH_BYTES; at += 8)
		add(program, BPF_ST | BPF_DW | BPF_MEM, BPF_REG_10, 0, (int16_t)(AT_PATH + at), 0);
	load(program, BPF_DW, BPF_REG_3, CONTEXT, 8);
	address(program, BPF_REG_1, AT_PATH);
	set(program, BPF_REG_2, LEARN_PATH_BYTES);
	call(program, BPF_FUNC_probe_read_kernel_str);
	look_up(program, tables->names, AT_PATH);
	uint32_t known = jump_if(program, BPF_JNE, BPF_REG_0, 0);

	leave(program);
	land(program, known);
	load(program, BPF_W, BPF_REG_1, BPF_REG_0, 0);
	store(program, BPF_W, AT_SLOT, BPF_REG_1);
	group_number(program, &tables->offsets);
	table(program, tables->groups);
	address(program, BPF_REG_2, AT_B);
	address(program, BPF_REG_3, AT_SLOT);
	set(program, BPF_REG_4, BPF_ANY);
	call(program, BPF_FUNC_map_update_elem);
	uint32_t done = jump_if(program, BPF_JEQ, BPF_REG_0, 0);

	count_fact(program, tables, LEARN_FACT_NO_ROOM);
	land(program, done);
	leave(program);
}

static void make_rmdir(struct learn_program *program, const struct learn_tables *tables)
{
	copy(program, CONTEXT, BPF_REG_1);
	group_number(program, &tables->offsets);
	table(program, tables->groups);
	address(program, BPF_REG_2, AT_B);
	call(program, BPF_FUNC_map_delete_elem);
	leave(program);
}

int learn_program_make(enum learn_which which, const struct learn_tables *tables,
		       struct learn_program *program)
{
	program->count = 0;
	/* Nobody could be found. */
	if ((tables->levels & ((2u << LEARN_LEVELS) - 2)) == 0)
		return -EINVAL;
	switch (which) {
	case LEARN_MKDIR: make_mkdir(program, tables); break;
	case LEARN_RMDIR: make_rmdir(program, tables); break;
	case LEARN_ENTER: make_call(program, tables, 1, tables->calls); break;
	case LEARN_FILTERED: make_call(program, tables, 0, tables->filtered); break;
	case LEARN_CAPABLE: make_capable(program, tables); break;
	case LEARN_PROGRAMS: return -EINVAL;
	}
	return program->count <= LEARN_INSTRUCTIONS ? 0 : -E2BIG;
}
