/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rootfs-spec/plan_check.h"
#include "rootfs-spec/plan_fields.h"

#define MAX_HOSTNAME 64u /* sethostname(2) */
#define MAX_TRIES 15u    /* four bits of the GPT's attributes */

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *check_healthy(const struct plan *plan, const struct plan_system *system)
{
	if (!field_list(plan, system->healthy, PLAN_REFS, PLAN_MAX_SERVICES))
		return "the health condition lies outside its section";
	for (uint32_t i = 0; i < system->healthy.count; i++) {
		uint32_t service = *plan_ref(plan, system->healthy.first + i);
		if (service >= plan->span[PLAN_SERVICES].count)
			return "the health condition names no service";
		if (plan_service(plan, service)->kind == PLAN_SERVICE_TIMER)
			return "the health condition names a timer, which is never up";
	}
	return NULL;
}

/* What a node trusts lies where nothing but its verified root can put it. */
static const char *check_keys(const struct plan *plan, const struct plan_system *system, bool node)
{
	if (!field_strings(plan, system->keys, PLAN_MAX_KEYS))
		return "the keys are not a list of strings";
	for (uint32_t i = 0; i < system->keys.count; i++) {
		const char *path = plan_list_string(plan, system->keys, i);

		if (!field_absolute(plan, *plan_ref(plan, system->keys.first + i)))
			return "the path of a key is not absolute";
		if (node && !has_prefix(path, PLAN_NODE_KEYS "/"))
			return "a key of the node is not below " PLAN_NODE_KEYS;
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(path, plan_list_string(plan, system->keys, j)) == 0)
				return "a key is there twice";
	}
	return NULL;
}

/* "+cpu +memory" as cgroup.subtree_control takes it, or nothing. */
static bool controllers_ok(const char *text)
{
	if (text[0] == '\0')
		return true;
	for (;;) {
		if (*text++ != '+')
			return false;
		size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
		text += name;
		if (name == 0)
			return false;
		if (*text == '\0')
			return true;
		if (*text++ != ' ')
			return false;
	}
}

const char *plan_check_system(const struct plan *plan, uint32_t i)
{
	const struct plan_system *system = plan->system;
	bool node = plan->header->kind == PLAN_KIND_NODE;

	(void)i;
	if (!field_filled(plan, system->name) || !field_string(plan, system->image_version) ||
	    !field_string(plan, system->controllers))
		return "a string lies outside its section";
	if (!field_shorter(plan, system->hostname, MAX_HOSTNAME))
		return "the host name is too long";
	if (system->flags & ~(PLAN_SYSTEM_RESCUE | PLAN_SYSTEM_LOOPBACK | PLAN_SYSTEM_MACHINE_ID))
		return "unknown flag of the system";
	if (!field_list(plan, system->sysctls, PLAN_SETTINGS, UINT32_MAX))
		return "the sysctls lie outside their section";
	for (uint32_t j = 0; j < system->sysctls.count; j++) {
		const struct plan_setting *setting = plan_setting(plan, system->sysctls.first + j);
		if (!has_prefix(plan_string(plan, setting->path), "/proc/sys/"))
			return "a sysctl is not below /proc/sys";
	}
	if (system->tries > MAX_TRIES)
		return "more tries than a partition's attributes hold";
	if (system->logger != PLAN_NONE && system->logger >= plan->span[PLAN_SERVICES].count)
		return "no such logger";
	if (!field_string(plan, system->pods_cgroup) ||
	    (system->pods_cgroup && !field_cgroup(plan, system->pods_cgroup)))
		return "not a name of a cgroup";
	if (!controllers_ok(plan_string(plan, system->controllers)))
		return "not a list of controllers";
	if (node && system->shutdown_timeout_ns == 0)
		return "a shutdown without an end";
	if (system->critical < PLAN_CRITICAL_REBOOT || system->critical > PLAN_CRITICAL_HALT)
		return "unknown answer to a critical service";
	if (!field_shorter(plan, system->kernel_release, PLAN_MAX_RELEASE))
		return "the kernel's release is too long";
	if (!field_shorter(plan, system->kernel_cmdline, PLAN_MAX_CMDLINE))
		return "the kernel's command line is too long";
	if (system->zero)
		return "a reserved field is not zero";
	const char *reason = check_keys(plan, system, node);
	return reason ? reason : check_healthy(plan, system);
}
