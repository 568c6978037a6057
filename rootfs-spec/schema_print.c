/* SPDX-License-Identifier: Apache-2.0 */
/* The language as Markdown: docs/spec.md. */
#include "rootfs-spec/schema.h"
#include "rootfs-spec/schema_chapters.h"

static const char intro[] =
	"<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
	"<!-- Made by `keelson show --schema`; edit rootfs-spec/spec_schema*.c instead. -->\n"
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

static void print_chapter(struct bytes *out, const struct schema_chapter *chapter)
{
	bytes_printf(out, "\n## %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
		     chapter->title[0] ? chapter->title : "The document");
	for (const struct schema_key *key = chapter->schema->keys; key->name; key++) {
		bytes_printf(out, "| `%s`%s | ", key->name, key->required ? " (required)" : "");
		schema_type_text(key->schema, out);
		if (key->schema->merge == SCHEMA_APPEND)
			bytes_text(out, "; adds up");
		bytes_printf(out, " | %s%s%s | %s |\n", key->fallback ? "`" : "",
			     key->fallback ? key->fallback : "", key->fallback ? "`" : "",
			     key->doc);
	}
}

void schema_print(struct bytes *out)
{
	struct schema_chapter chapters[SCHEMA_MAX_CHAPTERS];
	struct pool pool = {0};
	size_t count = schema_chapters(chapters, &pool);

	bytes_text(out, intro);
	for (size_t i = 0; i < count; i++)
		print_chapter(out, &chapters[i]);
	pool_free(&pool);
}
