/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a policy: its filters, its Landlock rules, itself. */
#include <linux/sched.h>
#include <string.h>

#include "rootfs-spec/plan_check.h"
#include "rootfs-spec/plan_fields.h"
#include "rootfs-spec/plan_filter.h"

#define KNOWN_SECUREBITS 0xffu /* linux/securebits.h: four bits and a lock for each */
#define KNOWN_NAMESPACES                                                                     \
	((uint64_t)CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWPID | \
	 CLONE_NEWCGROUP)
#define KNOWN_FLAGS                                                                                \
	(PLAN_POLICY_NO_NEW_PRIVS | PLAN_POLICY_CAPS | PLAN_POLICY_KEYRING | PLAN_POLICY_CONTROL | \
	 PLAN_POLICY_LANDLOCK | PLAN_POLICY_LANDLOCK_IF_SUPPORTED | PLAN_POLICY_SHARED_MOUNTS |    \
	 PLAN_POLICY_PRIVATE_DEV | PLAN_POLICY_LOG)

/* Whole instructions of 8 bytes, in their section. */
static bool is_program(const struct plan *plan, struct plan_blob blob, uint32_t most)
{
	uint32_t bytes = plan->span[PLAN_BYTES].count;

	return blob.size_bytes && blob.offset % 8 == 0 && blob.size_bytes % 8 == 0 &&
	       blob.size_bytes / 8 <= most && blob.offset < bytes &&
	       blob.size_bytes <= bytes - blob.offset;
}

const char *plan_check_filter(const struct plan *plan, uint32_t i)
{
	const struct plan_filter *filter = plan_filter(plan, i);

	if (filter->audit_arch == 0)
		return "a filter without an architecture";
	if (filter->zero)
		return "a reserved field is not zero";
	if (!is_program(plan, filter->program, PLAN_MAX_FILTER))
		return "a filter is not a list of at most 4096 instructions in its section";
	return plan_filter_check(plan_bytes(plan, filter->program), filter->program.size_bytes / 8);
}

const char *plan_check_landlock(const struct plan *plan, uint32_t i)
{
	const struct plan_landlock *rule = plan_landlock(plan, i);
	const bool path = rule->kind == PLAN_LANDLOCK_PATH;

	if (!path && rule->kind != PLAN_LANDLOCK_PORT)
		return "unknown kind of Landlock rule";
	if (rule->flags & ~PLAN_LANDLOCK_OPTIONAL)
		return "unknown flag of a Landlock rule";
	if (rule->access == 0 ||
	    rule->access & ~(path ? PLAN_LANDLOCK_FS_KNOWN : PLAN_LANDLOCK_NET_KNOWN))
		return "a Landlock rule gives nothing, or what is not known";
	if (path ? !field_absolute(plan, rule->path) : rule->path != 0)
		return path ? "the path of a Landlock rule is not absolute"
			    : "a Landlock rule that has no path has one";
	if (path ? rule->port != 0 : rule->port > 65535)
		return "not a port of a Landlock rule";
	return NULL;
}

static const char *check_landlock(const struct plan *plan, const struct plan_policy *policy)
{
	if (!field_list(plan, policy->landlock, PLAN_LANDLOCK, PLAN_MAX_LANDLOCK))
		return "the Landlock rules of a policy lie outside their section";
	if (policy->landlock_fs & ~PLAN_LANDLOCK_FS_KNOWN ||
	    policy->landlock_net & ~PLAN_LANDLOCK_NET_KNOWN ||
	    policy->landlock_scoped & ~PLAN_LANDLOCK_SCOPE_KNOWN)
		return "Landlock handles what is not known";
	for (uint32_t i = 0; i < policy->landlock.count; i++) {
		const struct plan_landlock *rule = plan_landlock(plan, policy->landlock.first + i);
		if (rule->access & ~(rule->kind == PLAN_LANDLOCK_PATH ? policy->landlock_fs
								      : policy->landlock_net))
			return "a Landlock rule gives what the policy does not handle";
	}
	const bool any = policy->landlock_fs | policy->landlock_net | policy->landlock_scoped;
	if (any != !!(policy->flags & PLAN_POLICY_LANDLOCK) ||
	    (!any && (policy->flags & PLAN_POLICY_LANDLOCK_IF_SUPPORTED)))
		return "Landlock without anything that it handles, or the other way round";
	return NULL;
}

static const char *check_filters(const struct plan *plan, struct plan_list list)
{
	if (!field_list(plan, list, PLAN_FILTERS, PLAN_MAX_FILTERS))
		return "the filters of a policy lie outside their section";
	for (uint32_t i = 0; i < list.count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (plan_filter(plan, list.first + i)->audit_arch ==
			    plan_filter(plan, list.first + j)->audit_arch)
				return "two filters of a policy for one architecture";
	return NULL;
}

static const char *check_devices(const struct plan *plan, const struct plan_policy *policy)
{
	struct plan_blob program = policy->device_program;

	if (!field_strings(plan, policy->devices, PLAN_MAX_DEVICES))
		return "the devices of a policy are not a list of strings";
	if (policy->devices.count && !(policy->flags & PLAN_POLICY_PRIVATE_DEV))
		return "devices of a /dev that is not private";
	for (uint32_t i = 0; i < policy->devices.count; i++) {
		plan_str path = *plan_ref(plan, policy->devices.first + i);
		if (!field_absolute(plan, path) ||
		    strncmp(plan_string(plan, path), "/dev/", 5) != 0)
			return "a device that is not below /dev";
	}
	if (program.size_bytes == 0)
		return program.offset ? "an empty device program has a place" : NULL;
	if (!is_program(plan, program, PLAN_MAX_DEVICE_CODE))
		return "a device program is not a list of at most 512 instructions in its section";
	return plan_device_check(plan_bytes(plan, program), program.size_bytes / 8);
}

const char *plan_check_policy(const struct plan *plan, uint32_t i)
{
	const struct plan_policy *policy = plan_policy(plan, i);
	const char *reason;

	if (!field_filled(plan, policy->name))
		return "a policy without a name";
	if (policy->flags & ~KNOWN_FLAGS)
		return "unknown flag of a policy";
	if (policy->mode != PLAN_MODE_ENFORCE && policy->mode != PLAN_MODE_AUDIT)
		return "unknown mode of a policy";
	if (policy->proc < PLAN_PROC_ALL || policy->proc > PLAN_PROC_PROCESSES)
		return "unknown kind of /proc";
	if (policy->zero)
		return "a reserved field is not zero";
	if (policy->securebits & ~KNOWN_SECUREBITS)
		return "unknown securebits";
	if (policy->namespaces & ~KNOWN_NAMESPACES)
		return "unknown namespaces";
	/* capabilities(7): the kernel refuses an ambient capability that is not in both. */
	if (policy->cap_ambient & ~(policy->cap_permitted & policy->cap_inheritable))
		return "an ambient capability is not permitted and inheritable";
	if (!field_list(plan, policy->sandbox, PLAN_SANDBOX, PLAN_MAX_SANDBOX))
		return "the paths of a policy lie outside their section";
	reason = check_filters(plan, policy->filters);
	if (!reason)
		reason = check_landlock(plan, policy);
	return reason ? reason : check_devices(plan, policy);
}
