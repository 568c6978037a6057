/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs-spec/schema_chapters.h"

static size_t add(struct schema_chapter *list, size_t count, const char *title,
		  const struct schema *schema)
{
	if (!schema || !schema->keys || count == SCHEMA_MAX_CHAPTERS)
		return count;
	for (size_t i = 0; i < count; i++)
		if (list[i].schema->keys == schema->keys)
			return count;
	list[count] = (struct schema_chapter){title, schema};
	return count + 1;
}

size_t schema_chapters(struct schema_chapter list[SCHEMA_MAX_CHAPTERS], struct pool *pool)
{
	size_t count = add(list, 0, "", &schema_spec);

	for (size_t i = 0; i < count; i++) {
		const char *title = list[i].title;
		for (const struct schema_key *key = list[i].schema->keys; key->name; key++) {
			const struct schema *inner = key->schema;
			const char *full = title[0] ? pool_printf(pool, "%s.%s", title, key->name)
						    : key->name;
			count = add(list, count, full, inner);
			count = add(list, count, pool_printf(pool, "%s[]", full), inner->element);
			count = add(list, count, pool_printf(pool, "%s.NAME", full), inner->value);
		}
	}
	return count;
}

static void print_or(struct bytes *out, bool *first)
{
	bytes_text(out, *first ? "" : ", or ");
	*first = false;
}

void schema_type_text(const struct schema *schema, struct bytes *out)
{
	bool first = true;

	if (schema->scalar == SCHEMA_CHOICE) {
		print_or(out, &first);
		for (size_t i = 0; schema->choices[i]; i++)
			bytes_printf(out, "%s`%s`", i ? " " : "", schema->choices[i]);
	} else if (schema->scalar == SCHEMA_INTEGER && schema->most) {
		print_or(out, &first);
		bytes_printf(out, "number %lld to %lld", (long long)schema->least,
			     (long long)schema->most);
	} else if (schema->scalar) {
		print_or(out, &first);
		bytes_text(out, schema_scalar_text(schema->scalar));
	}
	if (schema->element) {
		print_or(out, &first);
		bytes_text(out, "list of (");
		schema_type_text(schema->element, out);
		bytes_text(out, ")");
	}
	if (schema->keys) {
		print_or(out, &first);
		bytes_text(out, "map");
	}
	if (schema->value) {
		print_or(out, &first);
		bytes_printf(out, "map from %s to (", schema_scalar_text(schema->key));
		schema_type_text(schema->value, out);
		bytes_text(out, ")");
	}
}
