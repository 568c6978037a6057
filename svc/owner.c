/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/owner.h"

#include "svc/cgroup.h"

uint32_t owner_runtime(const struct plan *plan)
{
	uint32_t found = PLAN_NONE;

	if (*plan_string(plan, plan->system->pods_cgroup) == '\0')
		return PLAN_NONE;
	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES); i++) {
		const struct plan_service *service = plan_service(plan, i);

		if (service->kill == PLAN_KILL_MAIN && service->policy != PLAN_NONE)
			return i;
		if (service->kill == PLAN_KILL_MAIN && found == PLAN_NONE)
			found = i;
	}
	return found;
}

/* ... and under whose filter they live. */
static uint32_t runtime_with_policy(const struct plan *plan)
{
	uint32_t runtime = owner_runtime(plan);

	return runtime != PLAN_NONE && plan_service(plan, runtime)->policy != PLAN_NONE ? runtime
											: PLAN_NONE;
}

uint32_t owner_of_group(const struct plan *plan, const char *path, bool *is_pod)
{
	const char *pods = plan_string(plan, plan->system->pods_cgroup);

	*is_pod = false;
	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES); i++)
		if (cgroup_contains(plan_string(plan, plan_service(plan, i)->cgroup), path))
			return i;
	if (pods[0] == '\0' || !cgroup_contains(pods, path))
		return PLAN_NONE;
	*is_pod = true;
	return runtime_with_policy(plan);
}

uint32_t owner_of_filter(const struct plan *plan, const char *path, bool *elsewhere)
{
	uint32_t owner = owner_of_group(plan, path, elsewhere);

	if (owner != PLAN_NONE || *elsewhere || *path == '\0' ||
	    cgroup_contains(CGROUP_INIT_LEAF, path))
		return owner;
	owner = runtime_with_policy(plan);
	*elsewhere = owner != PLAN_NONE;
	return owner;
}

enum owner_kind owner_kind_of_group(const struct plan *plan, const char *path)
{
	bool is_pod;
	uint32_t service = owner_of_group(plan, path, &is_pod);

	if (is_pod)
		return OWNER_POD;
	if (service == PLAN_NONE || plan_service(plan, service)->policy == PLAN_NONE)
		return OWNER_FREE;
	return plan_policy(plan, plan_service(plan, service)->policy)->flags & PLAN_POLICY_CONTROL
		       ? OWNER_ALLOWED
		       : OWNER_CONFINED;
}
