/* SPDX-License-Identifier: Apache-2.0 */
/* The device program of a group: bpf(2), Documentation/admin-guide/cgroup-v2.rst, "Device controller". */
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "svc/cgroup.h"
#include "svc/fd.h"

#define PROGRAMS_MAX 64u /* BPF_CGROUP_MAX_PROGS of the kernel */

/* The kernel looks at no more bytes of its union than the command has, and the rest is zero. */
static int call(enum bpf_cmd command, union bpf_attr *attributes)
{
	long result = syscall(SYS_bpf, command, attributes, sizeof *attributes);

	return result < 0 ? -errno : (int)result;
}

int cgroup_load_devices(const void *program, uint32_t size_bytes)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attributes.expected_attach_type = BPF_CGROUP_DEVICE;
	attributes.insns = (uint64_t)(uintptr_t)program;
	attributes.insn_cnt = size_bytes / (uint32_t)sizeof(struct bpf_insn);
	attributes.license = (uint64_t)(uintptr_t) "GPL";
	return call(BPF_PROG_LOAD, &attributes);
}

/* The programs of the group itself. How many, or a negative errno. */
static int list(int group, uint32_t ids[static PROGRAMS_MAX])
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.query.target_fd = (uint32_t)group;
	attributes.query.attach_type = BPF_CGROUP_DEVICE;
	attributes.query.prog_ids = (uint64_t)(uintptr_t)ids;
	attributes.query.prog_cnt = PROGRAMS_MAX;
	int error = call(BPF_PROG_QUERY, &attributes);

	return error < 0 ? error : (int)attributes.query.prog_cnt;
}

static int attach(int group, int program)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.target_fd = (uint32_t)group;
	attributes.attach_bpf_fd = (uint32_t)program;
	attributes.attach_type = BPF_CGROUP_DEVICE;
	attributes.attach_flags = BPF_F_ALLOW_MULTI;
	return call(BPF_PROG_ATTACH, &attributes);
}

static int detach(int group, uint32_t id)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof attributes);
	attributes.prog_id = id;
	owned_fd int program = call(BPF_PROG_GET_FD_BY_ID, &attributes);

	if (program < 0)
		return program;
	memset(&attributes, 0, sizeof attributes);
	attributes.target_fd = (uint32_t)group;
	attributes.attach_bpf_fd = (uint32_t)program;
	attributes.attach_type = BPF_CGROUP_DEVICE;
	return call(BPF_PROG_DETACH, &attributes);
}

int cgroup_device_programs(int group)
{
	uint32_t ids[PROGRAMS_MAX];

	return list(group, ids);
}

/* The kernel's number of a loaded program. */
static int id_of(int program, uint32_t *id)
{
	struct bpf_prog_info info;
	union bpf_attr attributes;

	memset(&info, 0, sizeof info);
	memset(&attributes, 0, sizeof attributes);
	attributes.info.bpf_fd = (uint32_t)program;
	attributes.info.info_len = sizeof info;
	attributes.info.info = (uint64_t)(uintptr_t)&info;
	int error = call(BPF_OBJ_GET_INFO_BY_FD, &attributes);

	*id = info.id;
	return error;
}

/* What an earlier life left; there is no moment without a program. */
static int replace(int group, int program, const uint32_t *old, int count)
{
	bool attached = false;
	uint32_t id;
	int error = id_of(program, &id);

	for (int i = 0; i < count; i++)
		attached = attached || old[i] == id;
	/* The same one cannot be attached twice. */
	if (error == 0 && !attached)
		error = attach(group, program);
	for (int i = 0; error == 0 && i < count; i++)
		if (old[i] != id)
			error = detach(group, old[i]);
	return error;
}

int cgroup_attach_devices(int group, int program)
{
	uint32_t old[PROGRAMS_MAX];
	int count = list(group, old);

	if (count > 0)
		return replace(group, program, old, count);
	return count < 0 ? count : attach(group, program);
}
