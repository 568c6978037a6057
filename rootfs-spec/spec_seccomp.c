/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries of system calls into rules. libseccomp takes contradicting rules without a word, and which
 * of them then counts follows from its tree: so what could contradict is told here.
 *
 * A call that is named beats a group that holds it; of two groups the denying one counts; what a
 * policy says about a call replaces everything that it inherited about it.
 */
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

#include "rootfs-spec/call_arguments.h"
#include "rootfs-spec/call_groups.h"
#include "rootfs-spec/policy_values.h"
#include "rootfs-spec/spec_conditions.h"
#include "rootfs-spec/spec_policies.h"

#define DENIED (SECCOMP_RET_ERRNO | 1u) /* EPERM */

struct reader {
	const struct view *view; /* of 'seccomp' */
	struct spec_policy *policy;
	struct spec_rule *rules; /* of this policy alone */
	size_t count;
};

static bool is_group(const struct spec_rule *rule)
{
	return rule->said.text[0] == '@';
}

/* Does any program of an x86-64 machine have the call? */
static bool is_reachable(const char *call)
{
	static const uint32_t architectures[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32};

	for (size_t i = 0; i < 3; i++)
		if (seccomp_syscall_resolve_name_arch(architectures[i], call) >= 0)
			return true;
	return call_is_hidden(call); /* by socketcall(2) or ipc(2) */
}

/* ---- entries ---- */

static void tell_never(const struct reader *reader, const struct spec_rule *rule)
{
	bool never = false;

	for (size_t i = 0; i < rule->when_count; i++) {
		never |= condition_never(&rule->when[i]);
		for (size_t j = 0; j < i; j++)
			never |= condition_exclude(&rule->when[i], &rule->when[j]);
	}
	if (never)
		diagnose_warning(reader->view->diagnostics, rule->said.where,
				 "this entry of '%s' never matches: its conditions exclude each "
				 "other",
				 rule->call);
	else if (!is_group(rule) && !is_reachable(rule->call))
		diagnose_warning(reader->view->diagnostics, rule->said.where,
				 "'%s' never matches: no program of an x86-64 machine can call it",
				 rule->call);
}

/* What two entries about one call have to do with each other. True: the new one is left out. */
static bool settle(struct reader *reader, const struct spec_rule *fresh)
{
	struct diagnostics *diagnostics = reader->view->diagnostics;

	for (size_t i = 0; i < reader->count; i++) {
		struct spec_rule *old = &reader->rules[i];
		if (strcmp(old->call, fresh->call) != 0)
			continue;
		if (is_group(old) != is_group(fresh)) {
			if (is_group(fresh))
				return true;
			*old = reader->rules[--reader->count];
			i--;
			continue;
		}
		if (is_group(fresh)) {
			if (old->answer == SECCOMP_RET_ALLOW)
				old->answer = fresh->answer, old->said = fresh->said;
			return true;
		}
		if (!old->when_count && !fresh->when_count) {
			diagnose(diagnostics, fresh->said.where,
				 old->answer == fresh->answer ? "'%s' is listed twice"
							      : "'%s' is listed twice, with "
								"different answers",
				 fresh->call);
			return true;
		}
		if (!old->when_count || !fresh->when_count) {
			const struct spec_rule *general = old->when_count ? fresh : old;
			const struct spec_rule *special = old->when_count ? old : fresh;
			diagnose_warning(diagnostics, special->said.where,
					 "this entry of '%s' is shadowed: line %u names it without "
					 "conditions",
					 fresh->call, general->said.where.line);
			if (general == old)
				return true;
			*old = reader->rules[--reader->count];
			i--;
			continue;
		}
		if (old->answer != fresh->answer && !condition_disjoint(old, fresh)) {
			diagnose(diagnostics, fresh->said.where,
				 "this entry of '%s' and that of line %u can both match, with "
				 "different answers",
				 fresh->call, old->said.where.line);
			return true;
		}
	}
	return false;
}

static void add_rule(struct reader *reader, const struct spec_rule *rule)
{
	if (!is_group(rule))
		tell_never(reader, rule);
	if (settle(reader, rule))
		return;
	POOL_GROW(reader->view->pool, reader->rules, reader->count);
	reader->rules[reader->count++] = *rule;
}

static void add_group(struct reader *reader, struct spec_rule rule, const char *calls)
{
	while (*calls) {
		size_t length = strcspn(calls, " ");
		rule.call = pool_copy(reader->view->pool, calls, length);
		if (seccomp_syscall_resolve_name(rule.call) != __NR_SCMP_ERROR)
			add_rule(reader, &rule);
		calls += length + (calls[length] == ' ');
	}
}

static void add_entry(struct reader *reader, const struct node *node, const struct schema *schema,
		      bool denies)
{
	struct view view = {node, schema, node->where, reader->view->pool,
			    reader->view->diagnostics};
	struct spec_rule rule = {.answer = denies ? DENIED : SECCOMP_RET_ALLOW,
				 .policy = reader->policy->name.text};

	if (node->bad)
		return;
	if (node->kind == NODE_SCALAR) {
		rule.said = node_text(node);
	} else {
		view_require(&view);
		rule.said = view_text(&view, "call");
		if (!rule.said.text)
			return;
		struct text action = view_text(&view, "action");
		if (action.text)
			value_answer(action.text, &rule.answer);
		if (action.text && (!denies || rule.answer == SECCOMP_RET_ALLOW)) {
			diagnose(view.diagnostics, action.where,
				 denies ? "what 'deny' lists is not allowed"
					: "what 'allow' lists is allowed: an 'action' goes with "
					  "'deny'");
			return;
		}
		if (is_group(&rule) && view_has(&view, "when")) {
			diagnose(view.diagnostics, view_where(&view, "when"),
				 "the calls of a group have different arguments: name the call");
			return;
		}
		if (!is_group(&rule) && !condition_read(&view, rule.said.text, &rule))
			return;
	}
	rule.call = rule.said.text;
	if (is_group(&rule))
		add_group(reader, rule, call_group(rule.said.text));
	else
		add_rule(reader, &rule);
}

static void add_list(struct reader *reader, const char *key, bool denies)
{
	const struct node *list = view_node(reader->view, key);
	const struct schema *schema = schema_find(reader->view->schema, key)->schema->element;

	for (size_t i = 0; list && i < list->count; i++)
		add_entry(reader, list->entries[i].value, schema, denies);
}

static void read_default(const struct view *view, struct spec_policy *policy)
{
	const bool deny = view_has(view, "deny"), allow = view_has(view, "allow");

	if (!policy->seccomp)
		policy->default_answer = SECCOMP_RET_ALLOW; /* what is wrong is told once */
	if (view_has(view, "default")) {
		policy->default_said = view_text(view, "default");
		if (policy->default_said.text)
			value_answer(policy->default_said.text, &policy->default_answer);
	} else if (policy->seccomp) {
		return; /* as inherited */
	} else if (deny == allow) {
		diagnose(view->diagnostics, view->where,
			 deny ? "'deny' and 'allow' together need a 'default'"
			      : "'seccomp' without 'deny', 'allow' or 'default'");
	} else {
		policy->default_answer = allow ? DENIED : SECCOMP_RET_ALLOW;
		policy->default_said.where = view_where(view, allow ? "allow" : "deny");
	}
	policy->default_policy = policy->name.text;
}

static bool about(const struct reader *reader, const char *call)
{
	for (size_t i = 0; i < reader->count; i++)
		if (strcmp(reader->rules[i].call, call) == 0)
			return true;
	return false;
}

/* An entry that says what the default says anyway, and takes nothing inherited back. */
static void tell_idle(const struct reader *reader, const struct spec_policy *before)
{
	for (size_t i = 0; i < reader->count; i++) {
		const struct spec_rule *rule = &reader->rules[i];
		bool replaces = false;
		for (size_t j = 0; j < before->rule_count; j++)
			replaces |= strcmp(before->rules[j].call, rule->call) == 0;
		if (!is_group(rule) && !replaces &&
		    rule->answer == reader->policy->default_answer &&
		    !(view_has(reader->view, "allow") && view_has(reader->view, "deny")))
			diagnose_warning(reader->view->diagnostics, rule->said.where,
					 "'%s' changes nothing: the default is the same",
					 rule->call);
	}
}

void policy_read_seccomp(const struct view *policy_view, struct spec_policy *policy)
{
	struct view view = view_map(policy_view, "seccomp");
	struct reader reader = {.view = &view, .policy = policy};
	const struct spec_policy before = *policy;

	if (!view_node(policy_view, "seccomp"))
		return;
	read_default(&view, policy);
	policy->seccomp = true;
	if (view_has(&view, "log"))
		policy->flags = (policy->flags & ~PLAN_POLICY_LOG) |
				(view_boolean(&view, "log") ? PLAN_POLICY_LOG : 0);
	add_list(&reader, "allow", false);
	add_list(&reader, "deny", true);
	tell_idle(&reader, &before);
	policy->rules = NULL;
	policy->rule_count = 0;
	for (size_t i = 0; i < before.rule_count + reader.count; i++) {
		const bool old = i < before.rule_count;
		const struct spec_rule *rule = old ? &before.rules[i]
						   : &reader.rules[i - before.rule_count];
		if (old && about(&reader, rule->call))
			continue;
		POOL_GROW(view.pool, policy->rules, policy->rule_count);
		policy->rules[policy->rule_count++] = *rule;
	}
}
