/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf(2), as far as it puts something into the kernel: only keelson-learn has it. Every function
 * returns as those of bpf_read.h.
 */
#ifndef KEELSON_BPF_LOAD_H
#define KEELSON_BPF_LOAD_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

int bpf_table_make(enum bpf_map_type type, uint32_t key_bytes, uint32_t value_bytes,
		   uint32_t entries);
int bpf_table_set(int table, const void *key, const void *value);

struct bpf_load {
	enum bpf_prog_type type;
	enum bpf_attach_type attach; /* of BPF_PROG_TYPE_TRACING */
	uint32_t function;           /* ... its number in the kernel's types (btf.h) */
	const struct bpf_insn *steps;
	uint32_t count;
};

/* A refused program is tried once more for the verifier's words: `log` then holds their end. */
int bpf_load_program(const struct bpf_load *load, char *log, size_t log_bytes);

/* To the tracepoint, or NULL: to the function that it was loaded for. A link. */
int bpf_attach_program(int program, const char *tracepoint);

/* Name it below a bpf file system, where it lives on when nobody has it open. */
int bpf_keep(int fd, const char *path);

#endif
