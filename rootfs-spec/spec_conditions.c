/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/seccomp.h>
#include <string.h>

#include "rootfs-spec/call_arguments.h"
#include "rootfs-spec/spec_conditions.h"

/* The least and the greatest value that a condition lets through. */
static void range_of(const struct spec_argument *argument, uint64_t *least, uint64_t *most)
{
	*least = 0;
	*most = UINT64_MAX;
	switch (argument->operator) {
	case SPEC_EQUAL:
		*least = argument->value;
		*most = argument->value | ~argument->mask;
		break;
	case SPEC_LESS: *most = argument->value - 1; break; /* less than 0 is told before */
	case SPEC_LESS_EQUAL: *most = argument->value; break;
	case SPEC_GREATER: *least = argument->value + 1; break;
	case SPEC_GREATER_EQUAL: *least = argument->value; break;
	default: break;
	}
}

bool condition_exclude(const struct spec_argument *a, const struct spec_argument *b)
{
	uint64_t least_a, most_a, least_b, most_b;

	if (a->number != b->number)
		return false;
	if (a->operator== SPEC_EQUAL && b->operator== SPEC_EQUAL)
		return ((a->value ^ b->value) & a->mask & b->mask) != 0;
	if (b->operator== SPEC_NOT_EQUAL)
		return a->operator== SPEC_EQUAL &&(b->mask & ~a->mask) == 0 && a->value == b->value;
	if (a->operator== SPEC_NOT_EQUAL)
		return condition_exclude(b, a);
	range_of(a, &least_a, &most_a);
	range_of(b, &least_b, &most_b);
	return most_a < least_b || most_b < least_a;
}

bool condition_disjoint(const struct spec_rule *a, const struct spec_rule *b)
{
	for (size_t i = 0; i < a->when_count; i++)
		for (size_t j = 0; j < b->when_count; j++)
			if (condition_exclude(&a->when[i], &b->when[j]))
				return true;
	return false;
}

bool condition_never(const struct spec_argument *argument)
{
	return (argument->operator== SPEC_EQUAL && argument->value & ~argument->mask) ||
	       (argument->operator== SPEC_LESS && argument->value == 0) ||
	       (argument->operator== SPEC_GREATER && argument->value == UINT64_MAX);
}

/*
 * Of an argument of 32 bits the kernel looks at the lower half of the register, the filter at all of
 * it: a program that fills the upper half must not get more than one that does not.
 */
static bool narrow(const struct view *view, struct spec_argument *argument, const char *call,
		   bool lets_through)
{
	const bool widens = lets_through
		? argument->operator!= SPEC_LESS && argument->operator!= SPEC_LESS_EQUAL
	    : argument->
	      operator== SPEC_LESS || argument->
	      operator== SPEC_LESS_EQUAL;

	const bool negative = argument->value >> 31 == 0x1ffffffffull;

	if (negative)
		argument->value &= UINT32_MAX;
	if (argument->operator== SPEC_EQUAL) {
		if (argument->mask != UINT64_MAX && argument->mask >> 32)
			diagnose(view->diagnostics, argument->where,
				 "argument %u of '%s' has 32 bits, and the mask more",
				 argument->number, call);
		argument->mask &= UINT32_MAX;
		return true;
	}
	/* libc hands -1 to the kernel as 64 ones, others may as 32: it is one number all the same. */
	if (negative && argument->operator== SPEC_NOT_EQUAL) {
		argument->mask = UINT32_MAX;
		return true;
	}
	if (negative) {
		diagnose(view->diagnostics, argument->where,
			 "a filter compares without sign: of a negative number only 'eq' and 'ne' "
			 "have a meaning");
		return false;
	}
	if (!widens)
		return true;
	diagnose(view->diagnostics, argument->where,
		 "this comparison can be evaded: the kernel looks at 32 bits of argument %u of "
		 "'%s', the filter at 64",
		 argument->number, call);
	diagnose_hint(view->diagnostics, "say it the other way round, or with 'eq' and a 'mask'");
	return false;
}

static enum spec_operator operator_of(const char *text)
{
	static const char names[][3] = {"eq", "ne", "lt", "le", "gt", "ge"};

	for (size_t i = 0; i < 6; i++)
		if (strcmp(names[i], text) == 0)
			return SPEC_EQUAL + (enum spec_operator)i;
	return SPEC_EQUAL;
}

static bool read_argument(const struct view *view, const char *call, bool lets_through,
			  struct spec_argument *argument)
{
	const char *arguments = call_arguments(call);

	view_require(view);
	if (!view_node(view, "arg") || !view_node(view, "value"))
		return false;
	*argument = (struct spec_argument){
		.number = (uint32_t)view_integer(view, "arg"),
		.operator= operator_of(view_text(view, "op").text),
		.value = (uint64_t)view_integer(view, "value"),
		.mask = view_node(view, "mask") ? (uint64_t)view_integer(view, "mask") : UINT64_MAX,
		.where = view->where,
	};
	if (view_has(view, "mask") && argument->operator!= SPEC_EQUAL) {
		diagnose(view->diagnostics, view_where(view, "mask"), "a 'mask' goes with 'eq'");
		return false;
	}
	if (!arguments) {
		diagnose(view->diagnostics, view->where,
			 "what '%s' takes is not known here, so it cannot have conditions", call);
		return false;
	}
	if (argument->number >= strlen(arguments)) {
		diagnose(view->diagnostics, view_where(view, "arg"), "'%s' has no argument %u",
			 call, argument->number);
		return false;
	}
	const char type = arguments[argument->number];
	if (type == 'p' || memchr(arguments, 'o', argument->number + 1)) {
		diagnose(view->diagnostics, view_where(view, "arg"),
			 type == 'p'
				 ? "argument %u of '%s' is a pointer: a filter cannot see what it "
				   "leads to"
				 : "argument %u of '%s' lies elsewhere in 32-bit programs",
			 argument->number, call);
		return false;
	}
	return type != 'i' || narrow(view, argument, call, lets_through);
}

bool condition_read(const struct view *entry, const char *call, struct spec_rule *rule)
{
	const struct node *list = view_node(entry, "when");
	const struct schema *schema = schema_find(entry->schema, "when")->schema->element;
	const bool lets_through = rule->answer == SECCOMP_RET_ALLOW ||
				  rule->answer == SECCOMP_RET_LOG;
	unsigned halves = 0;

	for (size_t i = 0; list && i < list->count; i++) {
		const struct node *node = list->entries[i].value;
		struct view view = {node, schema, node->where, entry->pool, entry->diagnostics};
		struct spec_argument argument;
		if (node->bad || !read_argument(&view, call, lets_through, &argument))
			return false;
		if (argument.operator== SPEC_NOT_EQUAL && argument.mask == UINT32_MAX &&
		    halves++> 0) {
			diagnose(view.diagnostics, argument.where,
				 "one entry cannot have two 'ne' with negative numbers");
			return false;
		}
		POOL_GROW(entry->pool, rule->when, rule->when_count);
		rule->when[rule->when_count++] = argument;
	}
	return true;
}
