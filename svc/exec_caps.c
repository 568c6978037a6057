/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/exec_caps.h"

#include <errno.h>
#include <linux/securebits.h>

static bool is_secure(const struct exec_process *process, uint32_t bit)
{
	return (process->securebits & bit) != 0;
}

/* P'(permitted) of the file's own capabilities, the ambient ones not counted yet. */
static int file_permitted(const struct exec_process *process, const struct exec_file *file,
			  uint64_t *permitted)
{
	const struct exec_sets *sets = &process->sets;

	*permitted = (sets->bounding & file->cap_permitted) |
		     (sets->inheritable & file->cap_inheritable);
	/* "capability-dumb": it asks for them with the effective bit, so all or nothing. */
	return file->cap_effective && (file->cap_permitted & ~*permitted) ? -EPERM : 0;
}

/* Root's programs have all capabilities, as if their files had. */
static void privilege_root(const struct exec_process *process, const struct exec_file *file,
			   struct exec_process *after, bool *effective)
{
	const struct exec_sets *sets = &process->sets;

	if (is_secure(process, SECBIT_NOROOT))
		return;
	/* A set-user-ID-root program with capabilities, run by somebody else, gets just these. */
	if (file->has_caps && after->uid == 0 && process->uid != 0)
		return;
	if (after->uid != 0 && process->uid != 0)
		return;
	after->sets.permitted = sets->bounding | sets->inheritable;
	if (after->uid == 0)
		*effective = true;
}

int exec_caps_predict(const struct exec_process *process, const struct exec_file *file,
		      struct exec_process *after)
{
	const struct exec_sets *sets = &process->sets;
	bool effective = file->has_caps && file->cap_effective;
	uint64_t permitted = 0;

	*after = *process;
	if (!process->no_new_privs && file->is_setuid)
		after->uid = file->uid;
	if (!process->no_new_privs && file->is_setgid)
		after->gid = file->gid;
	if (file->has_caps && file_permitted(process, file, &permitted) != 0)
		return -EPERM;
	after->sets.permitted = permitted;
	privilege_root(process, file, after, &effective);

	bool is_setid = after->uid != process->uid || after->gid != process->gid;

	/* "no more than they had, and maybe less". */
	if (process->no_new_privs && (after->sets.permitted & ~sets->permitted))
		after->sets.permitted &= sets->permitted;
	if (file->has_caps || is_setid)
		after->sets.ambient = 0;
	after->sets.permitted |= after->sets.ambient;
	after->sets.effective = effective ? after->sets.permitted : after->sets.ambient;
	after->securebits &= ~(uint32_t)SECBIT_KEEP_CAPS;
	return 0;
}

/* The kernel's part of setresuid(2) from 0 to another (capabilities(7), "Effect of user ID changes"). */
static void change_uid(struct exec_process *child, bool keep)
{
	if (child->uid == 0 || is_secure(child, SECBIT_NO_SETUID_FIXUP))
		return;
	child->sets.effective = 0;
	child->sets.ambient = 0;
	if (!keep && !is_secure(child, SECBIT_KEEP_CAPS))
		child->sets.permitted = 0;
}

void exec_caps_confined(const struct exec_process *parent, const struct plan_policy *policy,
			uint32_t uid, uint32_t gid, struct exec_process *child)
{
	bool masks = policy && (policy->flags & PLAN_POLICY_CAPS);
	bool learns = policy && policy->mode == PLAN_MODE_AUDIT;

	*child = *parent;
	child->uid = uid;
	child->gid = gid;
	if (policy && policy->securebits != 0)
		child->securebits = policy->securebits;
	if (policy && (policy->flags & PLAN_POLICY_NO_NEW_PRIVS))
		child->no_new_privs = true;
	if (masks && !learns)
		child->sets.bounding &= policy->cap_bounding;
	change_uid(child, masks);
	if (!masks)
		return;
	child->sets.permitted = parent->sets.permitted;
	if (!learns)
		child->sets.permitted &= policy->cap_permitted;
	child->sets.effective = child->sets.permitted;
	child->sets.inheritable = policy->cap_inheritable;
	child->sets.ambient = policy->cap_ambient;
}
