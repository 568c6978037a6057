/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rootfs-spec/document_merge.h"
#include "rootfs-spec/nearest.h"
#include "rootfs-spec/schema.h"

struct merger {
	struct pool *pool;
	struct diagnostics *diagnostics;
};

static struct node *merge(const struct merger *merger, struct node *base, struct node *over,
			  const struct schema *schema);

static const struct schema *schema_of(const struct schema *schema, const char *key)
{
	const struct schema_key *known = schema_find(schema, key);

	return known ? known->schema : schema->value;
}

static void tell_nothing_to_remove(const struct merger *merger, const struct node *base,
				   const struct node_entry *entry, const struct schema *schema)
{
	struct nearest nearest = {.name = entry->key};

	diagnose(merger->diagnostics, entry->where,
		 "null removes what was inherited, but there is no inherited '%s'", entry->key);
	for (size_t i = 0; schema && schema->choices && schema->choices[i]; i++)
		if (strcmp(schema->choices[i], "none") == 0)
			diagnose_hint(merger->diagnostics, "did you mean '%s: none'?", entry->key);
	for (size_t i = 0; base && i < base->count; i++)
		nearest_offer(&nearest, base->entries[i].key);
	diagnose_suggest(merger->diagnostics, nearest.best);
}

static void append(const struct merger *merger, struct node *node, struct node_entry entry)
{
	POOL_GROW(merger->pool, node->entries, node->count);
	node->entries[node->count++] = entry;
}

/* A new map; `base` may be NULL: then only the nulls of `over` are told and dropped. */
static struct node *merge_maps(const struct merger *merger, struct node *base, struct node *over,
			       const struct schema *schema)
{
	struct node *merged = pool_alloc(merger->pool, sizeof(*merged));

	*merged = (struct node){.kind = NODE_MAP, .where = over->where, .bad = over->bad};
	for (size_t i = 0; base && i < base->count; i++) {
		const struct node_entry *old = &base->entries[i];
		struct node_entry *fresh = node_entry(over, old->key);
		if (!fresh)
			append(merger, merged, *old);
		else if (!node_is_null(fresh->value))
			append(merger, merged,
			       (struct node_entry){fresh->key, fresh->where,
						   merge(merger, old->value, fresh->value,
							 schema_of(schema, fresh->key))});
	}
	for (size_t i = 0; i < over->count; i++) {
		const struct node_entry *fresh = &over->entries[i];
		if (base && node_entry(base, fresh->key))
			continue;
		if (!node_is_null(fresh->value))
			append(merger, merged,
			       (struct node_entry){fresh->key, fresh->where,
						   merge(merger, NULL, fresh->value,
							 schema_of(schema, fresh->key))});
		else if (!fresh->value->bad)
			tell_nothing_to_remove(merger, base, fresh, schema_of(schema, fresh->key));
	}
	return merged;
}

/* What tells two entries of a list apart: a scalar's text, the only key of a map, or a key's value. */
static const char *identity_of(const struct node *node, const struct schema *schema)
{
	if (!schema->identity)
		return NULL;
	if (node->kind == NODE_SCALAR)
		return node->text;
	if (node->kind != NODE_MAP)
		return NULL;
	if (!schema->identity[0])
		return node->count == 1 ? node->entries[0].key : NULL;
	const struct node *value = node_value(node, schema->identity);
	return value && value->kind == NODE_SCALAR ? value->text : NULL;
}

static const struct node *find_identity(const struct node *list, const char *identity,
					const struct schema *schema)
{
	for (size_t i = 0; identity && i < list->count; i++) {
		const char *other = identity_of(list->entries[i].value, schema);
		if (other && strcmp(other, identity) == 0)
			return list->entries[i].value;
	}
	return NULL;
}

static struct node *join_lists(const struct merger *merger, const struct node *base,
			       struct node *over, const struct schema *schema)
{
	struct node *joined = pool_alloc(merger->pool, sizeof(*joined));

	*joined = (struct node){.kind = NODE_LIST, .where = over->where, .bad = over->bad};
	for (size_t i = 0; i < base->count; i++) {
		const char *identity = identity_of(base->entries[i].value, schema);
		if (!find_identity(over, identity, schema))
			append(merger, joined, base->entries[i]);
	}
	for (size_t i = 0; i < over->count; i++)
		append(merger, joined, over->entries[i]);
	return joined;
}

static struct node *merge(const struct merger *merger, struct node *base, struct node *over,
			  const struct schema *schema)
{
	/* Half of it is wrong and was told of: nothing is to be read from the whole. */
	if (base && base->bad)
		over->bad = true;
	if (!schema || over->bad)
		return over;
	if (over->kind == NODE_MAP) {
		bool by_key = base && base->kind == NODE_MAP && schema->merge != SCHEMA_REPLACE;
		return merge_maps(merger, by_key ? base : NULL, over, schema);
	}
	if (base && base->kind == NODE_LIST && over->kind == NODE_LIST &&
	    schema->merge == SCHEMA_APPEND)
		return join_lists(merger, base, over, schema);
	return over;
}

struct node *document_merge(struct node *base, struct node *over, struct pool *pool,
			    struct diagnostics *diagnostics)
{
	const struct merger merger = {pool, diagnostics};

	return merge(&merger, base, over, &schema_spec);
}
