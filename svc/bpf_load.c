/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/bpf_load.h"

#include <string.h>

#include "svc/bpf_read.h"

int bpf_table_make(enum bpf_map_type type, uint32_t key_bytes, uint32_t value_bytes,
		   uint32_t entries)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.map_type = type;
	attributes.key_size = key_bytes;
	attributes.value_size = value_bytes;
	attributes.max_entries = entries;
	return bpf_call(BPF_MAP_CREATE, &attributes);
}

int bpf_table_set(int table, const void *key, const void *value)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.map_fd = (uint32_t)table;
	attributes.key = bpf_address(key);
	attributes.value = bpf_address(value);
	return bpf_call(BPF_MAP_UPDATE_ELEM, &attributes);
}

static int load_once(const struct bpf_load *load, char *log, size_t log_bytes)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.prog_type = load->type;
	attributes.expected_attach_type = load->attach;
	attributes.attach_btf_id = load->function;
	attributes.insns = bpf_address(load->steps);
	attributes.insn_cnt = load->count;
	/*
	 * Some helpers are for programs of this licence only: bpf_probe_read_kernel() is one. Programs
	 * may be loaded here that are under it: those of learn_program.c are.
	 */
	attributes.license = bpf_address("GPL");
	if (log) {
		attributes.log_level = 1;
		attributes.log_buf = bpf_address(log);
		attributes.log_size = (uint32_t)log_bytes;
	}
	return bpf_call(BPF_PROG_LOAD, &attributes);
}

int bpf_load_program(const struct bpf_load *load, char *log, size_t log_bytes)
{
	int program = load_once(load, NULL, 0);

	if (log_bytes > 0)
		log[0] = '\0';
	if (program >= 0 || log_bytes == 0)
		return program;
	return load_once(load, log, log_bytes);
}

int bpf_attach_program(int program, const char *tracepoint)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.raw_tracepoint.name = bpf_address(tracepoint);
	attributes.raw_tracepoint.prog_fd = (uint32_t)program;
	return bpf_call(BPF_RAW_TRACEPOINT_OPEN, &attributes);
}

int bpf_keep(int fd, const char *path)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.pathname = bpf_address(path);
	attributes.bpf_fd = (uint32_t)fd;
	return bpf_call(BPF_OBJ_PIN, &attributes);
}
