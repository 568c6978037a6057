/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: names of capabilities into masks, and what a filter must leave to the child itself. */
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>

#include "rootfs-spec/names.h"
#include "rootfs-spec/spec_parts.h"

/* Not cap_max_bits(3): that is the builder's kernel, and the same spec must give the same bytes. */
#define EVERY_CAPABILITY ((2ull << CAP_LAST_CAP) - 1)

static uint64_t mask_of(const struct view *view, const char *key)
{
	struct texts names = view_texts(view, key);
	uint64_t mask = 0;

	for (size_t i = 0; i < names.count; i++)
		mask |= 1ull << names_capability(names.list[i].text);
	return mask;
}

static void read_capabilities(const struct view *policy_view, struct spec_policy *policy)
{
	struct view view = view_map(policy_view, "capabilities");
	bool drop = view_has(&view, "drop"), keep = view_has(&view, "keep");

	if (drop && keep)
		diagnose(view.diagnostics, view.where,
			 "'drop' and 'keep' together: one list says what the other would");
	else if (!drop && !keep)
		diagnose(view.diagnostics, view.where, "'capabilities' without 'drop' or 'keep'");
	policy->capabilities = true;
	policy->bounding = keep ? mask_of(&view, "keep")
				: EVERY_CAPABILITY & ~mask_of(&view, "drop");
	policy->ambient = mask_of(&view, "ambient");
	struct texts ambient = view_texts(&view, "ambient");
	for (size_t i = 0; i < ambient.count; i++)
		if (!(policy->bounding >> names_capability(ambient.list[i].text) & 1))
			diagnose(view.diagnostics, ambient.list[i].where,
				 "'%s' cannot be ambient: the policy does not leave it",
				 ambient.list[i].text);
}

static void read_securebits(const struct view *view, struct spec_policy *policy)
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

	for (size_t i = 0; i < names.count; i++)
		for (size_t j = 0; j < sizeof(bits) / sizeof(bits[0]); j++)
			if (strcmp(bits[j].name, names.list[i].text) == 0)
				policy->securebits |= bits[j].bit;
}

static const struct text *find_call(const struct texts *calls, const char *name)
{
	for (size_t i = 0; i < calls->count; i++)
		if (strcmp(calls->list[i].text, name) == 0)
			return &calls->list[i];
	return NULL;
}

/*
 * The filter is there before the service's program is: it must admit the steps of confinement that
 * are still to come (svc/confine.h gives the order), the execve, and the report of its failure.
 */
static void check_steps(const struct view *view, const struct spec_policy *policy)
{
	static const char *const always[] = {"execve", "write", "exit_group", NULL};
	static const char *const without_nnp[] = {"setgroups", "setresgid", "setresuid",
						  "capset",    "prctl",     NULL};
	const char *const *lists[] = {always, policy->no_new_privs ? NULL : without_nnp};

	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; lists[i] && lists[i][j]; j++) {
			const char *call = lists[i][j];
			const struct text *said = find_call(&policy->calls, call);
			if (policy->seccomp_allow && !said)
				diagnose(view->diagnostics, view_where(view, "allow"),
					 "'%s' is not allowed, but starting a service takes it",
					 call);
			else if (!policy->seccomp_allow && said)
				diagnose(view->diagnostics, said->where,
					 "'%s' must not be denied: starting a service takes it",
					 call);
			else
				continue;
			if (lists[i] == without_nnp)
				diagnose_hint(view->diagnostics, "with 'no-new-privs: true' the "
								 "filter comes after that step");
		}
	}
}

static void read_seccomp(const struct view *policy_view, struct spec_policy *policy)
{
	struct view view = view_map(policy_view, "seccomp");
	bool deny = view_has(&view, "deny"), allow = view_has(&view, "allow");

	if (deny == allow) {
		diagnose(view.diagnostics, view.where,
			 deny ? "'deny' and 'allow' together: a filter is one or the other"
			      : "'seccomp' without 'deny' or 'allow'");
		return;
	}
	policy->seccomp_allow = allow;
	policy->calls = view_texts(&view, allow ? "allow" : "deny");
	for (size_t i = 0; i < policy->calls.count; i++) {
		const struct text *call = &policy->calls.list[i];
		if (find_call(&policy->calls, call->text) != call)
			diagnose(view.diagnostics, call->where, "'%s' is listed twice", call->text);
	}
	check_steps(&view, policy);
}

void spec_read_policies(const struct view *root, struct spec *spec)
{
	const struct node *map = view_node(root, "policies");
	const struct schema *schema = schema_find(root->schema, "policies")->schema->value;

	for (size_t i = 0; map && i < map->count; i++) {
		const struct node_entry *entry = &map->entries[i];
		struct view view = {entry->value, schema, entry->where, root->pool,
				    root->diagnostics};
		struct spec_policy policy = {.name = {entry->key, entry->where},
					     .where = entry->where};
		if (entry->value->kind == NODE_MAP && !entry->value->bad) {
			policy.no_new_privs = view_boolean(&view, "no-new-privs");
			if (view_node(&view, "capabilities"))
				read_capabilities(&view, &policy);
			read_securebits(&view, &policy);
			if (view_node(&view, "seccomp"))
				read_seccomp(&view, &policy);
		}
		POOL_GROW(spec->pool, spec->policies, spec->policy_count);
		spec->policies[spec->policy_count++] = policy;
	}
}

const struct spec_policy *spec_policy(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->policy_count; i++)
		if (strcmp(spec->policies[i].name.text, name) == 0)
			return &spec->policies[i];
	return NULL;
}
