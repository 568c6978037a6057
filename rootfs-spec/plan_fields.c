/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rootfs-spec/plan_fields.h"

#define MAX_CGROUP 255u /* bytes of its path; longer names are nobody's intention */

bool field_string(const struct plan *plan, plan_str string)
{
	return string < plan->span[PLAN_STRINGS].count;
}

bool field_list(const struct plan *plan, struct plan_list list, enum plan_section section,
		uint32_t most)
{
	uint32_t count = plan->span[section].count;

	if (list.count == 0)
		return list.first == 0;
	return list.count <= most && list.first < count && list.count <= count - list.first;
}

bool field_strings(const struct plan *plan, struct plan_list list, uint32_t most)
{
	if (!field_list(plan, list, PLAN_REFS, most))
		return false;
	for (uint32_t i = 0; i < list.count; i++)
		if (!field_string(plan, *plan_ref(plan, list.first + i)))
			return false;
	return true;
}

bool field_no_parent(const char *path)
{
	size_t length = strnlen(path, PLAN_MAX_PATH + 1);

	if (length > PLAN_MAX_PATH)
		return false;
	for (const char *at = path; at; at = strchr(at, '/'), at = at ? at + 1 : NULL)
		if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == '\0'))
			return false;
	return true;
}

bool field_absolute(const struct plan *plan, plan_str string)
{
	if (!field_string(plan, string))
		return false;
	const char *path = plan_string(plan, string);
	return path[0] == '/' && field_no_parent(path);
}

bool field_filled(const struct plan *plan, plan_str string)
{
	return field_string(plan, string) && plan_string(plan, string)[0] != '\0';
}

bool field_shorter(const struct plan *plan, plan_str string, size_t most)
{
	return field_string(plan, string) && strnlen(plan_string(plan, string), most + 1) <= most;
}

bool field_cgroup(const struct plan *plan, plan_str string)
{
	if (!field_filled(plan, string) || !field_shorter(plan, string, MAX_CGROUP))
		return false;
	const char *path = plan_string(plan, string);
	char before = '/';
	for (const char *at = path; *at; before = *at++)
		if (before == '/' && (*at == '/' || *at == '.'))
			return false;
	return before != '/';
}
