/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The programs of learn.h as instructions of the kernel's BPF (Documentation/bpf/instruction-set.rst),
 * for tables and offsets that are known only on the node. Pure.
 *
 * They call helpers that the kernel gives to programs under the GPL only and are loaded as such
 * (bpf_load.c), so what writes them may be had under either licence.
 */
#ifndef KEELSON_LEARN_PROGRAM_H
#define KEELSON_LEARN_PROGRAM_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "svc/learn.h"

#define LEARN_INSTRUCTIONS 256u
#define LEARN_LEVELS 8u       /* of the tree of groups, the root not counted */
#define LEARN_PATH_BYTES 128u /* of a group: "/a/b", NUL-terminated, filled up with NUL */

/* Where the running kernel keeps things, in bytes (btf.h). */
struct learn_offsets {
	uint32_t task_status; /* task_struct.thread_info.status */
	uint32_t task_parent; /* task_struct.real_parent */
	uint32_t task_tgid;   /* task_struct.tgid */
	uint32_t task_mm;     /* task_struct.mm */
	uint32_t mm_file;     /* mm_struct.exe_file */
	uint32_t user_level;  /* user_namespace.level */
	uint32_t cgroup_node; /* cgroup.kn */
	uint32_t node_number; /* kernfs_node.id */
};

struct learn_tables {
	int groups; /* hash: uint64_t number of a group -> uint32_t slot, or LEARN_NOBODY */
	int names;  /* hash: char[LEARN_PATH_BYTES] -> the same */
	int calls;
	int filtered;
	int capabilities;
	int facts;
	uint32_t levels; /* bit n: services have groups at level n of the tree */
	uint32_t elsewhere; /* slot of who is in no group that is known; LEARN_NOBODY: is not counted */
	struct learn_offsets offsets;
};

struct learn_program {
	struct bpf_insn steps[LEARN_INSTRUCTIONS];
	uint32_t count;
};

/* 0, or -E2BIG: it does not fit, and would not be that program. */
int learn_program_make(enum learn_which which, const struct learn_tables *tables,
		       struct learn_program *program);

#endif
