/* SPDX-License-Identifier: Apache-2.0 */
/* The language as Markdown: docs/spec.md. */
#include <string.h>

#include "rootfs-spec/schema.h"

static const char intro[] =
	"<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
	"<!-- Made by `keelson show --schema`; edit rootfs-spec/spec_schema.c instead. -->\n"
	"# The spec\n"
	"\n"
	"A spec says what a node is: what its image holds, what PID 1 prepares, which services "
	"run,\n"
	"what they may do, and when the node is healthy. It is one YAML document, checked and\n"
	"compiled on the builder's machine; a node never reads it.\n"
	"\n"
	"```yaml\n"
	"keelson: 1\n"
	"name: edge-node\n"
	"extends: minimal\n"
	"files:\n"
	"  - {to: /etc/kubernetes/manifests/web.yaml, from: web.yaml}\n"
	"services:\n"
	"  agent:\n"
	"    exec: [/usr/bin/agent, --quiet]\n"
	"    after: [kubelet]\n"
	"```\n"
	"\n"
	"## Rules\n"
	"\n"
	"- Strict: an unknown key, a wrong type, a duplicate key is an error with its place and "
	"the\n"
	"  nearest valid name. `keelson check` tells all of them at once. Anchors, aliases, tags "
	"and\n"
	"  several documents are errors, too.\n"
	"- `extends` names one other spec: a profile (`NAME.yaml` beside the file, in `--profiles "
	"DIR`,\n"
	"  or where keelson is installed) or a path relative to the file. Maps merge by key; "
	"lists\n"
	"  marked *adds up* are joined, an entry for the same thing replacing the inherited one;\n"
	"  everything else replaces what was inherited. `null` removes it; a key with no value at "
	"all\n"
	"  is an error.\n"
	"- Durations: `100ms`, `30s`, `5min`, `1h30min`. Sizes: `64KiB`, `96MiB`, `1GiB` (also "
	"`Ki`,\n"
	"  `Mi`, `Gi`), or bytes. Modes are octal. `true` and `false` are the only truth values.\n"
	"- Paths of the builder's machine are relative to the file that says them.\n";

/* Maps that still have to be described, each once, in the order they are met. */
struct chapters {
	struct {
		const char *title;
		const struct schema *schema;
	} list[64];
	size_t count;
};

static void queue(struct chapters *chapters, const char *title, const struct schema *schema)
{
	if (!schema || !schema->keys)
		return;
	for (size_t i = 0; i < chapters->count; i++)
		if (chapters->list[i].schema->keys == schema->keys)
			return;
	if (chapters->count == sizeof(chapters->list) / sizeof(chapters->list[0]))
		return;
	chapters->list[chapters->count].title = title;
	chapters->list[chapters->count++].schema = schema;
}

static void print_or(struct bytes *out, bool *first)
{
	bytes_text(out, *first ? "" : ", or ");
	*first = false;
}

static void print_type(struct bytes *out, const struct schema *schema)
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
		print_type(out, schema->element);
		bytes_text(out, ")");
	}
	if (schema->keys) {
		print_or(out, &first);
		bytes_text(out, "map");
	}
	if (schema->value) {
		print_or(out, &first);
		bytes_printf(out, "map from %s to (", schema_scalar_text(schema->key));
		print_type(out, schema->value);
		bytes_text(out, ")");
	}
}

static void print_chapter(struct bytes *out, const char *title, const struct schema *schema,
			  struct chapters *chapters, struct pool *pool)
{
	bytes_printf(out, "\n## %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
		     title[0] ? title : "The document");
	for (const struct schema_key *key = schema->keys; key->name; key++) {
		const struct schema *inner = key->schema;
		const char *full = title[0] ? pool_printf(pool, "%s.%s", title, key->name)
					    : key->name;
		bytes_printf(out, "| `%s`%s | ", key->name, key->required ? " (required)" : "");
		print_type(out, inner);
		if (inner->merge == SCHEMA_APPEND)
			bytes_text(out, "; adds up");
		bytes_printf(out, " | %s%s%s | %s |\n", key->fallback ? "`" : "",
			     key->fallback ? key->fallback : "", key->fallback ? "`" : "",
			     key->doc);
		queue(chapters, full, inner);
		if (inner->element)
			queue(chapters, pool_printf(pool, "%s[]", full), inner->element);
		if (inner->value)
			queue(chapters, pool_printf(pool, "%s.NAME", full), inner->value);
	}
}

void schema_print(struct bytes *out)
{
	struct chapters chapters = {0};
	struct pool pool = {0};

	bytes_text(out, intro);
	queue(&chapters, "", &schema_spec);
	for (size_t i = 0; i < chapters.count; i++)
		print_chapter(out, chapters.list[i].title, chapters.list[i].schema, &chapters,
			      &pool);
	pool_free(&pool);
}
