/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rootfs-spec/spec.h"
#include "rootfs-spec/node.h"

#define ORIGIN_COLUMN 56

struct printer {
	struct bytes *out;
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
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			bytes_printf(printer->out, "\\%c", *text);
		else if (*text == '\n')
			bytes_text(printer->out, "\\n");
		else if (*text == '\t')
			bytes_text(printer->out, "\\t");
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			bytes_printf(printer->out, "\\x%02x", (unsigned char)*text);
		else
			bytes_add(printer->out, text, 1);
	}
	bytes_text(printer->out, "\"");
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

static void print_node(struct printer *printer, const struct node *node, unsigned indent);

/* What follows "key:" or "-": on the same line a scalar, below it everything else. */
static void print_value(struct printer *printer, const struct node_entry *entry, unsigned indent)
{
	const struct node *value = entry->value;

	if (value->kind == NODE_SCALAR) {
		bytes_text(printer->out, " ");
		print_text(printer, value->text);
		end_line(printer, &value->where);
	} else if (value->count == 0) {
		bytes_text(printer->out, value->kind == NODE_LIST ? " []" : " {}");
		end_line(printer, &value->where);
	} else {
		end_line(printer, &entry->where);
		print_node(printer, value, indent + 2);
	}
}

static void print_node(struct printer *printer, const struct node *node, unsigned indent)
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
		print_value(printer, entry, indent);
	}
}

void spec_print(const struct spec *spec, bool origins, struct bytes *out)
{
	struct printer printer = {.out = out, .origins = origins, .line_start = out->size};

	if (spec->root)
		print_node(&printer, spec->root, 0);
}
