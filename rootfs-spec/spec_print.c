/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/node.h"
#include "rootfs-spec/schema.h"
#include "rootfs-spec/spec.h"
#include "rootfs-spec/utf8.h"
#include "rootfs-spec/view.h"

#define ORIGIN_COLUMN 56

struct printer {
	struct bytes *out;
	struct pool *pool;
	bool origins;
	size_t line_start; /* in `out` */
};

/* May the text stand without quotes and still be this text? */
static bool plain(const char *text)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_./+=@%$-*:";
	size_t length = strlen(text);

	if (!length || text[strspn(text, safe)] || strchr("-:*%@=", text[0]) ||
	    text[length - 1] == ':')
		return false;
	return strcmp(text, "~") != 0 && strcmp(text, "null") != 0;
}

static void print_text(struct printer *printer, const char *text)
{
	if (plain(text)) {
		bytes_text(printer->out, text);
		return;
	}
	bytes_text(printer->out, "\"");
	while (*text) {
		uint32_t code;
		size_t length = utf8_next(text, &code);
		if (*text == '"' || *text == '\\')
			bytes_printf(printer->out, "\\%c", *text);
		else if (*text == '\n')
			bytes_text(printer->out, "\\n");
		else if (*text == '\t')
			bytes_text(printer->out, "\\t");
		else if (!utf8_is_printable(code))
			bytes_printf(printer->out, "\\u%04x", code);
		else
			bytes_add(printer->out, text, length);
		text += length;
	}
	bytes_text(printer->out, "\"");
}

/*
 * A path of this machine is relative to the file that says it. For people it is made absolute, so
 * that what they see is a spec that may lie anywhere.
 */
static const char *shown(const struct printer *printer, const struct node *node,
			 const struct schema *schema)
{
	bool name = !strchr(node->text, '/') && schema && schema->scalar == SCHEMA_PROGRAM;
	bool path = schema &&
		    (schema->scalar == SCHEMA_HOST_PATH || schema->scalar == SCHEMA_PROGRAM);

	if (!printer->origins || !path || name || strncmp(node->text, "program:", 8) == 0)
		return node->text;
	const char *resolved = view_resolve(node_text(node), printer->pool);
	char *real = realpath(resolved, NULL);
	const char *text = real ? pool_strdup(printer->pool, real) : resolved;
	free(real);
	return text;
}

static void end_line(struct printer *printer, const struct where *where)
{
	if (printer->origins && where->source) {
		size_t column = printer->out->size - printer->line_start;
		int gap = column < ORIGIN_COLUMN ? (int)(ORIGIN_COLUMN - column) : 1;
		bytes_printf(printer->out, "%*s# %s:%u", gap, "", where->source->path, where->line);
	}
	bytes_text(printer->out, "\n");
	printer->line_start = printer->out->size;
}

static void print_node(struct printer *printer, const struct node *node,
		       const struct schema *schema, unsigned indent);

/* What follows "key:" or "-": on the same line a scalar, below it everything else. */
static void print_value(struct printer *printer, const struct node_entry *entry,
			const struct schema *schema, unsigned indent)
{
	const struct node *value = entry->value;

	if (value->kind == NODE_SCALAR) {
		bytes_text(printer->out, " ");
		print_text(printer, shown(printer, value, schema));
		end_line(printer, &value->where);
	} else if (value->count == 0) {
		bytes_text(printer->out, value->kind == NODE_LIST ? " []" : " {}");
		end_line(printer, &value->where);
	} else {
		end_line(printer, &entry->where);
		print_node(printer, value, schema, indent + 2);
	}
}

static const struct schema *schema_below(const struct schema *schema, const char *key)
{
	const struct schema_key *known = schema && key ? schema_find(schema, key) : NULL;

	if (!schema || known)
		return known ? known->schema : NULL;
	return key ? schema->value : schema->element;
}

static void print_node(struct printer *printer, const struct node *node,
		       const struct schema *schema, unsigned indent)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct node_entry *entry = &node->entries[i];
		bytes_printf(printer->out, "%*s", (int)indent, "");
		if (entry->key) {
			print_text(printer, entry->key);
			bytes_text(printer->out, ":");
		} else {
			bytes_text(printer->out, "-");
		}
		print_value(printer, entry, schema_below(schema, entry->key), indent);
	}
}

void spec_print(const struct spec *spec, bool origins, struct bytes *out)
{
	struct printer printer = {
		.out = out, .pool = spec->pool, .origins = origins, .line_start = out->size};

	if (spec->root)
		print_node(&printer, spec->root, &schema_spec, 0);
}
