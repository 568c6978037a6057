/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: each one begins with what it extends, takes away what it removes, and adds what it says.
 */
#include <linux/seccomp.h>
#include <string.h>

#include "rootfs-spec/call_groups.h"
#include "rootfs-spec/confine_calls.h"
#include "rootfs-spec/names.h"
#include "rootfs-spec/nearest.h"
#include "rootfs-spec/spec_parts.h"
#include "rootfs-spec/spec_policies.h"

struct policies {
	const struct view *root;
	const struct node *map;
	const struct schema *schema;
	struct spec *spec;
	bool *open;   /* being read: whoever meets one of them goes round in circles */
	size_t *read; /* index into spec->policies and 1; 0: not read yet */
};

static const struct spec_policy *read_entry(struct policies *policies, size_t index);

/* ---- extending ---- */

static size_t find_entry(const struct policies *policies, const char *name)
{
	for (size_t i = 0; i < policies->map->count; i++)
		if (strcmp(policies->map->entries[i].key, name) == 0)
			return i;
	return SIZE_MAX;
}

static const struct spec_policy *base_of(struct policies *policies, const struct view *view)
{
	struct text extends = view_text(view, "extends");
	struct nearest nearest = {.name = extends.text};
	size_t index = extends.text ? find_entry(policies, extends.text) : SIZE_MAX;

	if (!extends.text)
		return NULL;
	if (index == SIZE_MAX) {
		for (size_t i = 0; i < policies->map->count; i++)
			nearest_offer(&nearest, policies->map->entries[i].key);
		diagnose(view->diagnostics, extends.where, "unknown policy '%s'", extends.text);
		diagnose_suggest(view->diagnostics, nearest.best);
		return NULL;
	}
	if (policies->open[index]) {
		diagnose(view->diagnostics, extends.where, "'%s' extends itself", extends.text);
		return NULL;
	}
	return read_entry(policies, index);
}

/* ---- reasons ---- */

/* Is there a line of that text? */
static bool is_line(const struct view *view, const struct spec_policy *policy, const char *line)
{
	if (names_capability(line) >= 0 || schema_find(view->schema, line))
		return true;
	for (size_t i = 0; i < policy->rule_count; i++)
		if (strcmp(policy->rules[i].said.text, line) == 0)
			return true;
	for (size_t i = 0; i < policy->sandbox_count; i++)
		if (strcmp(policy->sandbox[i].path.text, line) == 0)
			return true;
	for (size_t i = 0; i < policy->device_count; i++)
		if (strcmp(policy->device_rules[i].said.text, line) == 0)
			return true;
	for (size_t i = 0; i < policy->nodes.count; i++)
		if (strcmp(policy->nodes.list[i].text, line) == 0)
			return true;
	for (size_t i = 0; i < policy->landlock_count; i++)
		if (policy->landlock[i].path.text &&
		    strcmp(policy->landlock[i].path.text, line) == 0)
			return true;
	return false;
}

static void read_reasons(const struct view *policy_view, struct spec_policy *policy)
{
	struct view view = view_map(policy_view, "why");
	const struct spec_policy before = *policy;

	policy->reasons = NULL;
	policy->reason_count = 0;
	for (size_t i = 0; view.map && i < view.map->count; i++) {
		const struct node_entry *entry = &view.map->entries[i];
		if (entry->value->bad || entry->value->kind != NODE_SCALAR)
			continue;
		if (!is_line(policy_view, policy, entry->key)) {
			struct nearest nearest = {.name = entry->key};
			for (size_t j = 0; j < policy->rule_count; j++)
				nearest_offer(&nearest, policy->rules[j].said.text);
			for (size_t j = 0; j < policy->sandbox_count; j++)
				nearest_offer(&nearest, policy->sandbox[j].path.text);
			diagnose(view.diagnostics, entry->where,
				 "a reason for '%s', which is no line of this policy", entry->key);
			diagnose_suggest(view.diagnostics, nearest.best);
		}
		POOL_GROW(view.pool, policy->reasons, policy->reason_count);
		policy->reasons[policy->reason_count++] = (struct spec_reason){
			{entry->key, entry->where}, entry->value->text, policy->name.text};
	}
	for (size_t i = 0; i < before.reason_count; i++) {
		POOL_GROW(view.pool, policy->reasons, policy->reason_count);
		policy->reasons[policy->reason_count++] = before.reasons[i];
	}
}

/* ---- what a filter must leave to the child ---- */

/*
 * The filter is there before the service's program is: it must admit what is still to be called then
 * (confine_calls.h). Told here by the entry; compiling runs the finished program over the calls.
 */
static void check_steps(const struct view *view, const struct spec_policy *policy)
{
	const bool nnp = policy->flags & PLAN_POLICY_NO_NEW_PRIVS;

	for (size_t i = 0; policy->seccomp && i < CONFINE_CALLS; i++) {
		const struct confine_call *call = &confine_calls[i];
		const struct spec_rule *rule = NULL;
		if (nnp && call->before_no_new_privs)
			continue;
		for (size_t j = 0; j < policy->rule_count && !rule; j++)
			if (strcmp(policy->rules[j].call, call->name) == 0)
				rule = &policy->rules[j];
		uint32_t answer = rule && !rule->when_count ? rule->answer : policy->default_answer;
		if (rule && rule->when_count)
			continue;
		if (answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG)
			continue;
		if (rule)
			diagnose(view->diagnostics, rule->said.where,
				 "'%s' must not be denied: starting a service takes it",
				 call->name);
		else
			diagnose(view->diagnostics,
				 policy->default_said.where.source ? policy->default_said.where
								   : policy->where,
				 "'%s' is not allowed, but starting a service takes it",
				 call->name);
		if (call->before_no_new_privs)
			diagnose_hint(view->diagnostics, "with 'no-new-privs: true' the filter "
							 "comes after that step");
	}
}

/* ---- reading ---- */

static void read_policy(struct policies *policies, const struct view *view,
			struct spec_policy *policy)
{
	const struct spec_policy *base = base_of(policies, view);
	const struct text name = policy->name;

	if (base)
		*policy = *base;
	policy->name = name;
	policy->where = name.where;
	policy->used = false;
	policy->extends = base ? view_text(view, "extends") : (struct text){0};
	if (view_has(view, "mode"))
		policy->mode = view_text(view, "mode").text[0] == 'a' ? PLAN_MODE_AUDIT
								      : PLAN_MODE_ENFORCE;
	policy_read_remove(view, policy);
	policy_read_capabilities(view, policy);
	policy_read_securebits(view, policy);
	policy_read_surroundings(view, policy);
	policy_read_landlock(view, policy);
	policy_read_seccomp(view, policy);
	read_reasons(view, policy);
	check_steps(view, policy);
}

static const struct spec_policy *read_entry(struct policies *policies, size_t index)
{
	const struct node_entry *entry = &policies->map->entries[index];
	struct spec *spec = policies->spec;
	struct view view = {entry->value, policies->schema, entry->where, policies->root->pool,
			    policies->root->diagnostics};
	struct spec_policy policy = {.name = {entry->key, entry->where},
				     .where = entry->where,
				     .mode = PLAN_MODE_ENFORCE,
				     .proc = PLAN_PROC_ALL,
				     .bounding = policy_every_capability,
				     .permitted = policy_every_capability};

	if (policies->read[index])
		return &spec->policies[policies->read[index] - 1];
	policies->open[index] = true;
	if (entry->value->kind == NODE_MAP && !entry->value->bad)
		read_policy(policies, &view, &policy);
	policies->open[index] = false;
	POOL_GROW(spec->pool, spec->policies, spec->policy_count);
	spec->policies[spec->policy_count++] = policy;
	policies->read[index] = spec->policy_count;
	return &spec->policies[spec->policy_count - 1];
}

void spec_read_policies(const struct view *root, struct spec *spec)
{
	const struct node *map = view_node(root, "policies");
	const size_t count = map ? map->count : 0;
	struct policies policies = {
		.root = root,
		.map = map,
		.schema = schema_find(root->schema, "policies")->schema->value,
		.spec = spec,
		.open = pool_alloc(root->pool, count + 1),
		.read = pool_alloc(root->pool, (count + 1) * sizeof(size_t)),
	};

	for (size_t i = 0; i < count; i++)
		read_entry(&policies, i);
}

const struct spec_policy *spec_policy(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->policy_count; i++)
		if (strcmp(spec->policies[i].name.text, name) == 0)
			return &spec->policies[i];
	return NULL;
}
