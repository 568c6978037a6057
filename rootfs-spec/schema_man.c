/* SPDX-License-Identifier: Apache-2.0 */
/* The language as a man page: docs/keelson-spec.5. */
#include <ctype.h>

#include "rootfs-spec/schema.h"
#include "rootfs-spec/schema_chapters.h"

static const char intro[] =
	".\\\" SPDX-License-Identifier: Apache-2.0\n"
	".\\\" Made by `keelson show --schema=man`; edit rootfs-spec/spec_schema*.c instead.\n"
	".TH KEELSON\\-SPEC 5 \"\" \"keelson\" \"File formats\"\n"
	".SH NAME\n"
	"keelson\\-spec \\- what a keelson node is\n"
	".SH DESCRIPTION\n"
	"A spec says what a node is: what its image holds, what PID 1 prepares, which services "
	"run,\n"
	"what they may do, and when the node is healthy. It is one YAML document, checked and\n"
	"compiled on the builder's machine by\n"
	".BR keelson (1);\n"
	"a node never reads it.\n"
	".PP\n"
	".nf\n"
	".RS\n"
	"keelson: 1\n"
	"name: edge\\-node\n"
	"extends: minimal\n"
	"files:\n"
	"  \\- {to: /etc/kubernetes/manifests/web.yaml, from: web.yaml}\n"
	"services:\n"
	"  agent:\n"
	"    exec: [/usr/bin/agent, \\-\\-quiet]\n"
	"    after: [kubelet]\n"
	".RE\n"
	".fi\n"
	".PP\n"
	"An unknown key, a wrong type, a duplicate key, a key without a value, anchors, aliases, "
	"tags\n"
	"and several documents are errors. Durations are written 100ms, 30s, 5min or 1h30min; "
	"sizes\n"
	"64KiB, 96MiB, 1GiB, or bytes; modes in octal. Paths of the builder's machine are relative "
	"to\n"
	"the file that says them.\n"
	".PP\n"
	".B extends\n"
	"names one other spec: a profile\n"
	".RI ( NAME .yaml\n"
	"beside the file, in\n"
	".B \\-\\-profiles\n"
	".IR DIR ,\n"
	"or where keelson is installed) or a path relative to the file. Maps merge by key; lists "
	"that\n"
	"add up are joined, an entry for the same thing replacing the inherited one; everything "
	"else\n"
	"replaces what was inherited, and\n"
	".B null\n"
	"removes it.\n";

static const char outro[] = ".SH SEE ALSO\n"
			    ".BR keelson (1),\n"
			    ".BR keelson\\-init (8),\n"
			    ".BR capabilities (7),\n"
			    ".BR mount (8)\n";

/* Words in backticks become bold; what roff would take for its own is escaped (man-pages(7)). */
static void print_text(struct bytes *out, const char *text)
{
	bool bold = false;
	char before = ' ';

	for (; *text; before = *text++) {
		if (*text == '`') {
			bold = !bold;
			bytes_text(out, bold ? "\\fB" : "\\fP");
		} else if (*text == '-') {
			bytes_text(out, "\\-");
		} else if (*text == '\\') {
			bytes_text(out, "\\e");
		} else if (*text == '\'') {
			bytes_text(out, "\\(aq");
		} else if (*text == '.' && !isalnum((unsigned char)before)) {
			bytes_text(out, "\\&.");
		} else {
			bytes_add(out, text, 1);
		}
	}
	bytes_text(out, "\n");
}

static void print_key(struct bytes *out, const struct schema_key *key)
{
	struct bytes type = {0};

	bytes_text(out, ".TP\n.B ");
	print_text(out, key->name);
	print_text(out, key->doc);
	schema_type_text(key->schema, &type);
	bytes_text(&type, key->schema->merge == SCHEMA_APPEND ? "; adds up" : "");
	bytes_text(&type, key->required ? "; required" : "");
	if (key->fallback)
		bytes_printf(&type, "; default `%s`", key->fallback);
	bytes_text(out, ".br\n(");
	/* Before the line's end, which print_text() writes. */
	bytes_text(&type, ")");
	bytes_add(&type, "", 1);
	print_text(out, (const char *)type.data);
	bytes_free(&type);
}

void schema_print_man(struct bytes *out)
{
	struct schema_chapter chapters[SCHEMA_MAX_CHAPTERS];
	struct pool pool = {0};
	size_t count = schema_chapters(chapters, &pool);

	bytes_text(out, intro);
	for (size_t i = 0; i < count; i++) {
		bytes_text(out, ".SH ");
		print_text(out, chapters[i].title[0] ? chapters[i].title : "THE DOCUMENT");
		for (const struct schema_key *key = chapters[i].schema->keys; key->name; key++)
			print_key(out, key);
	}
	bytes_text(out, outro);
	pool_free(&pool);
}
