/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rootfs-spec/nearest.h"
#include "rootfs-spec/value.h"
#include "rootfs-spec/view.h"

const struct node *view_node(const struct view *view, const char *key)
{
	const struct node *node = node_value(view->map, key);

	return node && !node->bad && !node_is_null(node) ? node : NULL;
}

bool view_has(const struct view *view, const char *key)
{
	const struct node *node = node_value(view->map, key);

	return node && !node_is_null(node);
}

struct where view_where(const struct view *view, const char *key)
{
	const struct node_entry *entry = node_entry(view->map, key);

	return entry ? entry->value->where : view->where;
}

struct view view_map(const struct view *view, const char *key)
{
	const struct node *node = view_node(view, key);
	struct view inner = *view;

	inner.map = node && node->kind == NODE_MAP ? node : NULL;
	inner.schema = schema_find(view->schema, key)->schema;
	if (node)
		inner.where = node->where;
	return inner;
}

struct text node_text(const struct node *node)
{
	return (struct text){node->text, node->where};
}

struct text view_text(const struct view *view, const char *key)
{
	const struct node *node = view_node(view, key);

	if (node && node->kind == NODE_SCALAR)
		return node_text(node);
	return (struct text){.text = schema_find(view->schema, key)->fallback};
}

int64_t view_integer(const struct view *view, const char *key)
{
	struct text text = view_text(view, key);
	int64_t value = 0;

	return text.text && value_integer(text.text, &value) ? value : 0;
}

bool view_boolean(const struct view *view, const char *key)
{
	struct text text = view_text(view, key);
	bool value = false;

	return text.text && value_boolean(text.text, &value) && value;
}

uint64_t view_duration(const struct view *view, const char *key)
{
	struct text text = view_text(view, key);
	uint64_t value = 0;

	return text.text && value_duration(text.text, &value) ? value : 0;
}

uint64_t view_size(const struct view *view, const char *key)
{
	struct text text = view_text(view, key);
	uint64_t value = 0;

	return text.text && value_size(text.text, &value) ? value : 0;
}

uint32_t view_mode(const struct view *view, const char *key)
{
	struct text text = view_text(view, key);
	uint32_t value = 0;

	return text.text && value_mode(text.text, &value) ? value : 0;
}

void texts_add(struct texts *texts, struct text text, struct pool *pool)
{
	POOL_GROW(pool, texts->list, texts->count);
	texts->list[texts->count++] = text;
}

static void add_split(struct texts *texts, const char *fallback, struct pool *pool)
{
	while (*fallback) {
		size_t length = strcspn(fallback, ",");
		texts_add(texts, (struct text){.text = pool_copy(pool, fallback, length)}, pool);
		fallback += length;
		fallback += strspn(fallback, ", ");
	}
}

struct texts view_texts(const struct view *view, const char *key)
{
	const struct node *node = view_node(view, key);
	const char *fallback = schema_find(view->schema, key)->fallback;
	struct texts texts = {0};

	if (!node && fallback)
		add_split(&texts, fallback, view->pool);
	if (node && node->kind == NODE_SCALAR)
		texts_add(&texts, node_text(node), view->pool);
	for (size_t i = 0; node && node->kind == NODE_LIST && i < node->count; i++) {
		const struct node *value = node->entries[i].value;
		if (value->kind == NODE_SCALAR && !value->bad)
			texts_add(&texts, node_text(value), view->pool);
	}
	return texts;
}

/* An unknown key was told with this one as its suggestion: that is the same mistake. */
static bool is_mistyped(const struct view *view, const char *key)
{
	for (size_t i = 0; view->map && i < view->map->count; i++) {
		struct nearest nearest = {.name = view->map->entries[i].key};
		if (!schema_find(view->schema, nearest.name))
			nearest_offer(&nearest, key);
		if (nearest.best)
			return true;
	}
	return false;
}

void view_require(const struct view *view)
{
	for (const struct schema_key *key = view->schema->keys; key->name; key++)
		if (key->required && !view_has(view, key->name) && !is_mistyped(view, key->name))
			diagnose(view->diagnostics, view->where, "%s without '%s'",
				 view->schema->what, key->name);
}

const char *view_resolve(struct text text, struct pool *pool)
{
	const char *slash = text.where.source ? strrchr(text.where.source->path, '/') : NULL;

	if (text.text[0] == '/' || !slash)
		return text.text;
	return pool_printf(pool, "%.*s/%s", (int)(slash - text.where.source->path),
			   text.where.source->path, text.text);
}
