/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "rootfs-spec/compile_parts.h"
#include "rootfs-spec/seccomp_filter.h"

static int put_policy(struct compiler *compiler, const struct spec_policy *from)
{
	struct bytes program = {0};
	int error = seccomp_filter_make(from, compiler->diagnostics, &program);

	if (!error) {
		struct plan_policy policy = {
			.name = compile_text(compiler, from->name.text),
			.flags = (from->capabilities ? PLAN_POLICY_CAPS : 0) |
				 (from->no_new_privs ? PLAN_POLICY_NO_NEW_PRIVS : 0),
			.cap_bounding = from->bounding,
			.cap_inheritable = from->ambient,
			.cap_permitted = from->bounding,
			.cap_ambient = from->ambient,
			.securebits = from->securebits,
			.seccomp = plan_write_blob(compiler->writer, program.data, program.size),
		};
		plan_write_policy(compiler->writer, &policy);
	}
	if (error && error != -EINVAL)
		diagnose(compiler->diagnostics, from->where, "the filter of '%s': %s",
			 from->name.text, strerror(-error));
	bytes_free(&program);
	return error;
}

int compile_policies(struct compiler *compiler)
{
	int error = 0;

	for (size_t i = 0; i < compiler->spec->policy_count && !error; i++)
		error = put_policy(compiler, &compiler->spec->policies[i]);
	return error;
}
