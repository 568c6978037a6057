/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy does not take over from the one that it extends. */
#include <string.h>

#include "rootfs-spec/nearest.h"
#include "rootfs-spec/spec_policies.h"

static void forget_kind(struct spec_policy *policy, enum plan_sandbox_kind a,
			enum plan_sandbox_kind b, struct pool *pool)
{
	const struct spec_policy before = *policy;

	policy->sandbox = NULL;
	policy->sandbox_count = 0;
	for (size_t i = 0; i < before.sandbox_count; i++) {
		if (before.sandbox[i].kind == a || before.sandbox[i].kind == b)
			continue;
		POOL_GROW(pool, policy->sandbox, policy->sandbox_count);
		policy->sandbox[policy->sandbox_count++] = before.sandbox[i];
	}
}

static bool forget_path(struct spec_policy *policy, const char *path, struct pool *pool)
{
	const struct spec_policy before = *policy;

	policy->sandbox = NULL;
	policy->sandbox_count = 0;
	for (size_t i = 0; i < before.sandbox_count; i++) {
		if (strcmp(before.sandbox[i].path.text, path) == 0)
			continue;
		POOL_GROW(pool, policy->sandbox, policy->sandbox_count);
		policy->sandbox[policy->sandbox_count++] = before.sandbox[i];
	}
	return policy->sandbox_count != before.sandbox_count;
}

static const char *const removable[] = {
	"capabilities", "securebits", "no-new-privs", "seccomp",      "namespaces",  "hidden",
	"read-only",    "bind",       "private-tmp",  "proc",         "private-dev", "devices",
	"landlock",     "keyring",    "control",      "shared-mounts"};

/* True: a key of that name is not taken over. */
static bool forget(struct spec_policy *policy, const char *key, struct pool *pool)
{
	static const uint32_t flags[16] = {[0] = PLAN_POLICY_CAPS,
					   [2] = PLAN_POLICY_NO_NEW_PRIVS,
					   [3] = PLAN_POLICY_LOG,
					   [10] = PLAN_POLICY_PRIVATE_DEV,
					   [12] = PLAN_POLICY_LANDLOCK |
						  PLAN_POLICY_LANDLOCK_IF_SUPPORTED,
					   [13] = PLAN_POLICY_KEYRING,
					   [14] = PLAN_POLICY_CONTROL,
					   [15] = PLAN_POLICY_SHARED_MOUNTS};
	unsigned i = 0;

	while (i < 16 && strcmp(removable[i], key) != 0)
		i++;
	if (i == 16)
		return key[0] == '/' && forget_path(policy, key, pool);
	policy->flags &= ~flags[i];
	switch (i) {
	case 0:
		policy->bounding = policy->permitted = policy_every_capability;
		policy->ambient = policy->inheritable = 0;
		memset(policy->bounding_policy, 0, sizeof(policy->bounding_policy));
		break;
	case 1: policy->securebits = 0; break;
	case 3:
		policy->seccomp = false;
		policy->rules = NULL;
		policy->rule_count = 0;
		break;
	case 4: policy->namespaces = 0; break;
	case 5: forget_kind(policy, PLAN_SANDBOX_HIDDEN, PLAN_SANDBOX_HIDDEN, pool); break;
	case 6: forget_kind(policy, PLAN_SANDBOX_READ_ONLY, PLAN_SANDBOX_READ_ONLY, pool); break;
	case 7: forget_kind(policy, PLAN_SANDBOX_BIND, PLAN_SANDBOX_BIND_READ_ONLY, pool); break;
	case 8: forget_kind(policy, PLAN_SANDBOX_TMP, PLAN_SANDBOX_TMP, pool); break;
	case 9: policy->proc = PLAN_PROC_ALL; break;
	case 10: policy->nodes = (struct texts){0}; break;
	case 11:
		policy->devices = false;
		policy->device_rules = NULL;
		policy->device_count = 0;
		break;
	case 12:
		policy->landlock_fs = policy->landlock_net = policy->landlock_scoped = 0;
		policy->landlock = NULL;
		policy->landlock_count = 0;
		break;
	default: break;
	}
	return true;
}

void policy_read_remove(const struct view *view, struct spec_policy *policy)
{
	struct texts keys = view_texts(view, "remove");

	for (size_t i = 0; i < keys.count; i++) {
		struct nearest nearest = {.name = keys.list[i].text};
		if (!policy->extends.text) {
			diagnose(view->diagnostics, keys.list[i].where,
				 "nothing is extended that '%s' could be removed from",
				 keys.list[i].text);
			continue;
		}
		for (unsigned j = 0; j < 16; j++)
			nearest_offer(&nearest, removable[j]);
		for (size_t j = 0; j < policy->sandbox_count; j++)
			nearest_offer(&nearest, policy->sandbox[j].path.text);
		if (forget(policy, keys.list[i].text, view->pool))
			continue;
		diagnose(view->diagnostics, keys.list[i].where,
			 "'%s' extends nothing that '%s' could be removed from", policy->name.text,
			 keys.list[i].text);
		diagnose_suggest(view->diagnostics, nearest.best);
	}
}
