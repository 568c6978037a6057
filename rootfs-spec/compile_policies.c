/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

#include "rootfs-spec/compile_parts.h"
#include "rootfs-spec/confine_calls.h"
#include "rootfs-spec/device_program.h"
#include "rootfs-spec/filter_run.h"
#include "rootfs-spec/seccomp_filter.h"

/*
 * The finished program, asked about every call that the child still has to make: what the policy
 * means, and what libseccomp made of it.
 */
static int prove_start(struct compiler *compiler, const struct spec_policy *policy,
		       const struct bytes *program)
{
	int error = 0;

	for (size_t i = 0; program->size && i < CONFINE_CALLS; i++) {
		const struct confine_call *step = &confine_calls[i];
		struct seccomp_data call = {
			.nr = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, step->name),
			.arch = AUDIT_ARCH_X86_64};
		memcpy(call.args, step->arguments, sizeof(call.args));
		if (policy->flags & PLAN_POLICY_NO_NEW_PRIVS && step->before_no_new_privs)
			continue;
		uint32_t answer = filter_answer((const void *)program->data, program->size / 8,
						&call);
		if (answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG)
			continue;
		diagnose(compiler->diagnostics, policy->where,
			 "the filter of '%s' denies '%s' of step '%s': the service could not start",
			 policy->name.text, step->name, step->step);
		error = -EINVAL;
	}
	return error;
}

static struct plan_list put_filter(struct compiler *compiler, const struct bytes *program)
{
	struct plan_filter filter = {.audit_arch = AUDIT_ARCH_X86_64};

	if (!program->size)
		return (struct plan_list){0};
	filter.program = plan_write_blob(compiler->writer, program->data, program->size);
	return (struct plan_list){plan_write_filter(compiler->writer, &filter), 1};
}

static struct plan_list put_landlock(struct compiler *compiler, const struct spec_policy *from)
{
	struct plan_list list = {0};

	for (size_t i = 0; i < from->landlock_count; i++) {
		struct plan_landlock rule = {
			.kind = from->landlock[i].kind,
			.access = from->landlock[i].access,
			.path = compile_text(compiler, from->landlock[i].path.text),
			.port = from->landlock[i].port,
		};
		uint32_t index = plan_write_landlock(compiler->writer, &rule);
		if (i == 0)
			list = (struct plan_list){index, (uint32_t)from->landlock_count};
	}
	return list;
}

static struct plan_list put_nodes(struct compiler *compiler, const struct texts *nodes)
{
	const char *list[PLAN_MAX_DEVICES];
	size_t count = nodes->count < PLAN_MAX_DEVICES ? nodes->count : PLAN_MAX_DEVICES;

	for (size_t i = 0; i < count; i++)
		list[i] = nodes->list[i].text;
	return plan_write_strings(compiler->writer, list, count);
}

static void put_policy(struct compiler *compiler, const struct spec_policy *from,
		       const struct bytes *program)
{
	/* Records in statements of their own: the same spec gives the same bytes from any compiler. */
	struct bytes devices = {0};
	struct plan_policy policy = {
		.flags = from->flags,
		.mode = from->mode,
		.proc = from->proc,
		.securebits = from->securebits,
		.namespaces = from->namespaces,
		.landlock_fs = from->landlock_fs,
		.landlock_net = from->landlock_net,
		.landlock_scoped = from->landlock_scoped,
	};

	policy.name = compile_text(compiler, from->name.text);
	policy.filters = put_filter(compiler, program);
	policy.sandbox = compile_sandbox(compiler, from->sandbox, from->sandbox_count);
	policy.landlock = put_landlock(compiler, from);
	policy.devices = put_nodes(compiler, &from->nodes);
	if (from->flags & PLAN_POLICY_CAPS) {
		policy.cap_bounding = from->bounding;
		policy.cap_permitted = from->permitted;
		policy.cap_inheritable = from->inheritable;
		policy.cap_ambient = from->ambient;
	}
	device_program_make(from, &devices);
	policy.device_program = plan_write_blob(compiler->writer, devices.data, devices.size);
	plan_write_policy(compiler->writer, &policy);
	bytes_free(&devices);
}

static int compile_policy(struct compiler *compiler, const struct spec_policy *from)
{
	struct bytes program = {0};
	int error = seccomp_filter_make(from, compiler->diagnostics, &program);

	if (error && error != -EINVAL)
		diagnose(compiler->diagnostics, from->where, "the filter of '%s': %s",
			 from->name.text, strerror(-error));
	if (!error)
		error = prove_start(compiler, from, &program);
	if (!error)
		put_policy(compiler, from, &program);
	bytes_free(&program);
	return error;
}

uint32_t compile_policy_index(const struct spec *spec, const char *name)
{
	uint32_t index = 0;

	for (size_t i = 0; name && i < spec->policy_count; i++) {
		if (strcmp(spec->policies[i].name.text, name) == 0)
			return spec->policies[i].used ? index : PLAN_NONE;
		index += spec->policies[i].used;
	}
	return PLAN_NONE;
}

int compile_policies(struct compiler *compiler)
{
	int error = 0;

	for (size_t i = 0; i < compiler->spec->policy_count && !error; i++)
		if (compiler->spec->policies[i].used)
			error = compile_policy(compiler, &compiler->spec->policies[i]);
	return error;
}
