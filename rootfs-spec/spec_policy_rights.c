/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities and securebits of a policy: names into masks. */
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>

#include "rootfs-spec/names.h"
#include "rootfs-spec/spec_policies.h"

/* Not cap_max_bits(3): that is the builder's kernel, and the same spec must give the same bytes. */
const uint64_t policy_every_capability = (2ull << CAP_LAST_CAP) - 1;

static uint64_t mask_of(const struct view *view, const char *key)
{
	struct texts names = view_texts(view, key);
	uint64_t mask = 0;

	for (size_t i = 0; i < names.count; i++)
		mask |= 1ull << names_capability(names.list[i].text);
	return mask;
}

static void check_lists(const struct view *view, bool extends)
{
	const bool drop = view_has(view, "drop"), keep = view_has(view, "keep"),
		   add = view_has(view, "add");

	if (keep && (drop || add))
		diagnose(view->diagnostics, view->where,
			 "'%s' and 'keep' together: one list says what the other would",
			 drop ? "drop" : "add");
	else if (add && !extends)
		diagnose(view->diagnostics, view_where(view, "add"),
			 "'add' gives back what 'extends' took, and nothing is extended");
	else if (!drop && !keep && !add && !extends)
		diagnose(view->diagnostics, view->where, "'capabilities' without 'drop' or 'keep'");
}

/* What the policy does not leave cannot be had in another set. */
static void check_part(const struct view *view, const char *key, uint64_t of, const char *what)
{
	struct texts names = view_texts(view, key);

	for (size_t i = 0; i < names.count; i++)
		if (!(of >> names_capability(names.list[i].text) & 1))
			diagnose(view->diagnostics, names.list[i].where,
				 "'%s' cannot be %s: the policy does not leave it",
				 names.list[i].text, what);
}

void policy_read_capabilities(const struct view *policy_view, struct spec_policy *policy)
{
	struct view view = view_map(policy_view, "capabilities");
	const uint64_t before = policy->flags & PLAN_POLICY_CAPS ? policy->bounding
								 : policy_every_capability;

	if (!view_node(policy_view, "capabilities"))
		return;
	check_lists(&view, policy->extends.text != NULL);
	policy->flags |= PLAN_POLICY_CAPS;
	if (view_has(&view, "keep"))
		policy->bounding = mask_of(&view, "keep");
	else
		policy->bounding = (before & ~mask_of(&view, "drop")) | mask_of(&view, "add");
	for (unsigned cap = 0; cap < 64; cap++)
		if ((before ^ policy->bounding) >> cap & 1 ||
		    (view_has(&view, "keep") && mask_of(&view, "keep") >> cap & 1))
			policy->bounding_policy[cap] = policy->name.text;
	if (view_has(&view, "ambient"))
		policy->ambient = mask_of(&view, "ambient");
	policy->ambient &= policy->bounding | mask_of(&view, "ambient");
	check_part(&view, "ambient", policy->bounding, "ambient");
	check_part(&view, "permitted", policy->bounding, "permitted");
	policy->permitted = view_has(&view, "permitted")
				    ? mask_of(&view, "permitted") | policy->ambient
				    : policy->bounding;
	policy->inheritable = policy->ambient;
	if (view_has(&view, "inheritable")) {
		policy->inheritable |= mask_of(&view, "inheritable");
		/* capset(2): nothing outside of the bounding set can be made inheritable. */
		check_part(&view, "inheritable", policy->bounding, "inheritable");
	}
}

void policy_read_securebits(const struct view *view, struct spec_policy *policy)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} bits[] = {
		{"noroot", SECBIT_NOROOT},
		{"noroot-locked", SECBIT_NOROOT_LOCKED},
		{"no-setuid-fixup", SECBIT_NO_SETUID_FIXUP},
		{"no-setuid-fixup-locked", SECBIT_NO_SETUID_FIXUP_LOCKED},
		{"keep-caps", SECBIT_KEEP_CAPS},
		{"keep-caps-locked", SECBIT_KEEP_CAPS_LOCKED},
		{"no-cap-ambient-raise", SECBIT_NO_CAP_AMBIENT_RAISE},
		{"no-cap-ambient-raise-locked", SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED},
	};
	struct texts names = view_texts(view, "securebits");

	if (view_has(view, "securebits"))
		policy->securebits = 0;
	for (size_t i = 0; i < names.count; i++)
		for (size_t j = 0; j < sizeof(bits) / sizeof(bits[0]); j++)
			if (strcmp(bits[j].name, names.list[i].text) == 0)
				policy->securebits |= bits[j].bit;
	/* The bit that the ambient step would need is taken by the step before it. */
	if (policy->securebits & SECBIT_NO_CAP_AMBIENT_RAISE && policy->ambient)
		diagnose(view->diagnostics, view_where(view, "securebits"),
			 "'no-cap-ambient-raise' and ambient capabilities: none could be raised");
}
