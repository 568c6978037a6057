/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/bpf_read.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "svc/fd.h"

/* The kernel wants what it does not know to be zero. */
int bpf_call(enum bpf_cmd command, union bpf_attr *attributes)
{
	long result = syscall(SYS_bpf, command, attributes, sizeof *attributes);

	return result < 0 ? -errno : (int)result;
}

int bpf_table_get(int table, const void *key, void *value)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.map_fd = (uint32_t)table;
	attributes.key = bpf_address(key);
	attributes.value = bpf_address(value);
	return bpf_call(BPF_MAP_LOOKUP_ELEM, &attributes);
}

int bpf_open_kept(const char *path)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.pathname = bpf_address(path);
	return bpf_call(BPF_OBJ_GET, &attributes);
}

static int information(int fd, void *about, uint32_t bytes)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.info.bpf_fd = (uint32_t)fd;
	attributes.info.info_len = bytes;
	attributes.info.info = bpf_address(about);
	return bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attributes);
}

int bpf_link_missed(int link, uint64_t *missed)
{
	struct bpf_link_info of_link;
	struct bpf_prog_info of_program;
	union bpf_attr attributes;

	memset(&of_link, 0, sizeof of_link);
	memset(&of_program, 0, sizeof of_program);
	memset(&attributes, 0, sizeof attributes);
	int error = information(link, &of_link, sizeof of_link);

	if (error)
		return error;
	attributes.prog_id = of_link.prog_id;
	owned_fd int program = bpf_call(BPF_PROG_GET_FD_BY_ID, &attributes);

	if (program < 0)
		return program;
	error = information(program, &of_program, sizeof of_program);
	*missed = of_program.recursion_misses;
	return error;
}
