/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rootfs-spec/seccomp_filter.h"

static int add_architectures(scmp_filter_ctx filter)
{
	uint32_t native = seccomp_arch_native();
	int error = 0;

	if (native == SCMP_ARCH_X86_64) {
		error = seccomp_arch_add(filter, SCMP_ARCH_X86);
		if (!error)
			error = seccomp_arch_add(filter, SCMP_ARCH_X32);
	} else if (native == SCMP_ARCH_AARCH64) {
		error = seccomp_arch_add(filter, SCMP_ARCH_ARM);
	}
	return error;
}

static int add_calls(scmp_filter_ctx filter, const struct spec_policy *policy,
		     struct diagnostics *diagnostics)
{
	uint32_t action = policy->seccomp_allow ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);

	for (size_t i = 0; i < policy->calls.count; i++) {
		const struct text *call = &policy->calls.list[i];
		int number = seccomp_syscall_resolve_name(call->text);
		int error = seccomp_rule_add(filter, action, number, 0);
		if (!error)
			continue;
		diagnose(diagnostics, call->where, "'%s' cannot be filtered: %s", call->text,
			 strerror(-error));
		return -EINVAL;
	}
	return 0;
}

/* libseccomp writes programs to descriptors only. */
static int export_program(scmp_filter_ctx filter, struct bytes *program)
{
	uint8_t block[4096];
	ssize_t got;
	int fd = memfd_create("seccomp", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	int error = seccomp_export_bpf(filter, fd);
	if (!error && lseek(fd, 0, SEEK_SET) < 0)
		error = -errno;
	while (!error && (got = read(fd, block, sizeof(block))) != 0) {
		if (got > 0)
			bytes_add(program, block, (size_t)got);
		else if (errno != EINTR)
			error = -errno;
	}
	close(fd);
	return error;
}

int seccomp_filter_make(const struct spec_policy *policy, struct diagnostics *diagnostics,
			struct bytes *program)
{
	if (!policy->calls.count)
		return 0;

	scmp_filter_ctx filter = seccomp_init(policy->seccomp_allow ? SCMP_ACT_ERRNO(EPERM)
								    : SCMP_ACT_ALLOW);
	if (!filter)
		return -ENOMEM;
	int error = add_architectures(filter);
	if (!error)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* An architecture that no kernel of this machine runs: nothing to say about it. */
	if (!error)
		error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
	if (!error)
		error = add_calls(filter, policy, diagnostics);
	if (!error)
		error = export_program(filter, program);
	seccomp_release(filter);
	if (!error && program->size / 8 > PLAN_MAX_FILTER) {
		diagnose(diagnostics, policy->where,
			 "the filter of '%s' has %zu instructions; the kernel takes %u",
			 policy->name.text, program->size / 8, PLAN_MAX_FILTER);
		error = -EINVAL;
	}
	return error;
}
