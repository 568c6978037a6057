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
	for (uint32_t i = 0; i < system->healthy.count; i++)
		if (*plan_ref(plan, system->healthy.first + i) >= plan->span[PLAN_SERVICES].count)
			return "the health condition names no service";
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
	if (!field_strings(plan, system->keys, PLAN_MAX_KEYS))
		return "the keys are not a list of strings";
	for (uint32_t j = 0; j < system->keys.count; j++)
		if (!field_absolute(plan, *plan_ref(plan, system->keys.first + j)))
			return "the path of a key is not absolute";
	if (node && system->keys.count)
		return "keys in a node plan";
	return check_healthy(plan, system);
}
