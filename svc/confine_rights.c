/* SPDX-License-Identifier: Apache-2.0 */
/* What the program may do: its policy and its ids. */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>

#include "svc/confine_steps.h"
#include "svc/raw.h"

static bool has_capabilities(const struct plan_policy *policy)
{
	return policy && (policy->flags & PLAN_POLICY_CAPS);
}

static bool has_no_new_privs(const struct plan_policy *policy)
{
	return policy && (policy->flags & PLAN_POLICY_NO_NEW_PRIVS);
}

long confine_securebits(struct confine_child *child)
{
	const struct plan_policy *policy = confine_policy(child);

	if (!policy || policy->securebits == 0)
		return 0;
	return raw_syscall5(__NR_prctl, PR_SET_SECUREBITS, policy->securebits, 0, 0, 0);
}

static bool is_learning(const struct plan_policy *policy)
{
	return policy->mode == PLAN_MODE_AUDIT;
}

/* What PID 1 itself lacks needs no dropping, and needs no right to drop. */
long confine_bounding(struct confine_child *child)
{
	const struct plan_policy *policy = confine_policy(child);

	if (!has_capabilities(policy) || is_learning(policy))
		return 0;
	uint64_t drop = child->bounding & ~policy->cap_bounding;

	for (uint32_t cap = 0; cap <= child->last_capability; cap++) {
		if (!(drop >> cap & 1))
			continue;
		long error = raw_syscall5(__NR_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);

		if (error < 0)
			return error;
	}
	return 0;
}

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

/* A policy that filters, but not on this machine: then the service does not start. */
static long install_filter(struct confine_child *child)
{
	const struct plan_policy *policy = confine_policy(child);
	const struct plan_filter *filter = NULL;
	long flags = policy->flags & PLAN_POLICY_LOG ? SECCOMP_FILTER_FLAG_LOG : 0;

	for (uint32_t i = 0; i < policy->filters.count; i++)
		if (plan_filter(child->plan, policy->filters.first + i)->audit_arch == OWN_ARCH)
			filter = plan_filter(child->plan, policy->filters.first + i);
	if (!filter)
		return -ENOEXEC;
	struct sock_fprog program = {
		.len = (unsigned short)(filter->program.size_bytes / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(uintptr_t)plan_bytes(child->plan, filter->program),
	};
	return raw_syscall3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, (long)&program);
}

static bool has_filter(const struct plan_policy *policy)
{
	return policy && policy->filters.count != 0;
}

long confine_seccomp_privileged(struct confine_child *child)
{
	const struct plan_policy *policy = confine_policy(child);

	return has_filter(policy) && !has_no_new_privs(policy) ? install_filter(child) : 0;
}

long confine_seccomp_last(struct confine_child *child)
{
	const struct plan_policy *policy = confine_policy(child);

	return has_filter(policy) && has_no_new_privs(policy) ? install_filter(child) : 0;
}

/*
 * Unless the securebits keep capabilities across a change of ids by themselves: they may also have
 * locked that bit, and then the prctl is EPERM (capabilities(7), "The securebits flags").
 */
static bool needs_keepcaps(const struct plan_policy *policy)
{
	return has_capabilities(policy) &&
	       !(policy->securebits & (SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP));
}

long confine_ids(struct confine_child *child)
{
	const struct plan_service *service = child->service;
	uint32_t groups[PLAN_MAX_GROUPS];
	uint32_t count = service->groups.count < PLAN_MAX_GROUPS ? service->groups.count
								 : PLAN_MAX_GROUPS;
	long error = 0;

	for (uint32_t i = 0; i < count; i++)
		groups[i] = *plan_ref(child->plan, service->groups.first + i);
	error = raw_syscall2(__NR_setgroups, count, (long)groups);
	if (error >= 0)
		error = raw_syscall3(__NR_setresgid, service->gid, service->gid, service->gid);
	/* The capabilities step decides what is kept; the bit ends with the execve. */
	if (error >= 0 && service->uid != 0 && needs_keepcaps(confine_policy(child)))
		error = raw_syscall5(__NR_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (error >= 0)
		error = raw_syscall3(__NR_setresuid, service->uid, service->uid, service->uid);
	return error;
}

long confine_capabilities(struct confine_child *child)
{
	const struct plan_policy *policy = confine_policy(child);
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (!has_capabilities(policy))
		return 0;
	uint64_t permitted = is_learning(policy) ? child->permitted : policy->cap_permitted;

	for (unsigned half = 0; half < 2; half++) {
		data[half].permitted = (uint32_t)(permitted >> 32 * half);
		data[half].effective = (uint32_t)(permitted >> 32 * half);
		data[half].inheritable = (uint32_t)(policy->cap_inheritable >> 32 * half);
	}
	return raw_syscall2(__NR_capset, (long)&header, (long)data);
}

long confine_ambient(struct confine_child *child)
{
	const struct plan_policy *policy = confine_policy(child);

	if (!has_capabilities(policy))
		return 0;
	for (uint32_t cap = 0; cap <= child->last_capability; cap++) {
		if (!(policy->cap_ambient >> cap & 1))
			continue;
		long error = raw_syscall5(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0,
					  0);

		if (error < 0)
			return error;
	}
	return 0;
}

long confine_no_new_privs(struct confine_child *child)
{
	if (!has_no_new_privs(confine_policy(child)))
		return 0;
	return raw_syscall5(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
