/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rootfs-spec/call_groups.h"
#include "rootfs-spec/names.h"
#include "rootfs-spec/policy_values.h"
#include "rootfs-spec/schema.h"
#include "rootfs-spec/schema_suggest.h"
#include "rootfs-spec/value.h"

static bool only(const char *text, const char *letters)
{
	return text[strspn(text, letters)] == '\0';
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static bool is_word(const char *text)
{
	return text[0] && !strpbrk(text, " \t\r\n");
}

static bool is_name(const char *text)
{
	return text[0] && strchr(LOWER DIGIT, text[0]) && only(text, LOWER DIGIT "._-") &&
	       strlen(text) <= 63;
}

static bool is_path(const char *text)
{
	if (text[0] != '/' || strlen(text) > PLAN_MAX_PATH || strpbrk(text, "\n\r"))
		return false;
	for (const char *at = text; at; at = strchr(at, '/'), at = at ? at + 1 : NULL)
		if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == '\0'))
			return false;
	return true;
}

/* As the kernel writes paths: no doubled, trailing or relative parts, so texts can be compared. */
static bool is_normal_path(const char *text)
{
	if (!is_path(text) || strstr(text, "//") || strstr(text, "/./"))
		return false;
	size_t length = strlen(text);
	return length == 1 || (text[length - 1] != '/' && strcmp(text + length - 2, "/.") != 0);
}

static bool is_host_path(const char *text)
{
	return text[0] && strlen(text) <= PLAN_MAX_PATH;
}

static bool is_boolean(const char *text)
{
	bool value;
	return value_boolean(text, &value);
}

static bool is_duration(const char *text)
{
	uint64_t value;
	return value_duration(text, &value) && value <= VALUE_MAX_DURATION_NS;
}

static bool is_size(const char *text)
{
	uint64_t value;
	return value_size(text, &value);
}

static bool is_mode(const char *text)
{
	uint32_t value;
	return value_mode(text, &value);
}

static bool is_signal(const char *text)
{
	uint32_t value;
	return value_signal(text, &value);
}

static bool is_resource(const char *text)
{
	uint32_t value;
	return value_resource(text, &value);
}

static bool is_sysctl(const char *text)
{
	return strpbrk(text, "./") && text[0] != '.' && text[0] != '/' && !strstr(text, "..") &&
	       only(text, LOWER UPPER DIGIT "._-/:") && !strchr("./", text[strlen(text) - 1]);
}

static bool is_variable(const char *text)
{
	return text[0] && !strchr(DIGIT, text[0]) && only(text, LOWER UPPER DIGIT "_");
}

static bool is_file_name(const char *text)
{
	return text[0] && text[0] != '.' && only(text, LOWER UPPER DIGIT "._-");
}

static bool is_cgroup(const char *text)
{
	char before = '/';

	if (!text[0] || strlen(text) > 255 || !only(text, LOWER UPPER DIGIT "._-/:@"))
		return false;
	for (; *text; before = *text++)
		if (before == '/' && (*text == '/' || *text == '.'))
			return false;
	return before != '/';
}

static bool is_limit(const char *text)
{
	int64_t value;
	uint64_t bytes;

	return strcmp(text, "unlimited") == 0 || value_size(text, &bytes) ||
	       (value_integer(text, &value) && value >= 0);
}

static bool is_controller(const char *text)
{
	return text[0] && only(text, LOWER DIGIT "_");
}

static bool is_capability(const char *text)
{
	return names_capability(text) >= 0;
}

static bool is_cpus(const char *text)
{
	uint64_t words[VALUE_CPU_WORDS];
	return value_cpus(text, words);
}

static bool is_call(const char *text)
{
	return text[0] == '@' ? call_group(text) != NULL : names_system_call(text);
}

static bool is_answer(const char *text)
{
	uint32_t answer;

	return value_answer(text, &answer);
}

static bool is_device(const char *text)
{
	struct spec_device device;

	return value_device(text, &device);
}

/* How each kind of scalar is told and judged. NULL: judged elsewhere, or anything goes. */
static const struct {
	const char *text;
	bool (*is)(const char *text);
} scalars[SCHEMA_SCALARS] = {
	[SCHEMA_TEXT] = {"a text", NULL},
	[SCHEMA_WORD] = {"a word without blanks", is_word},
	[SCHEMA_NAME] = {"a name of lower-case letters, digits, '.', '_' and '-'", is_name},
	[SCHEMA_PATH] = {"an absolute path without '..', '.' or a trailing '/'", is_normal_path},
	[SCHEMA_HOST_PATH] = {"a path", is_host_path},
	[SCHEMA_PROGRAM] = {"a program's name or path", is_host_path},
	[SCHEMA_GLOB] = {"an absolute path; '*', '?' and '**' are wildcards", is_path},
	[SCHEMA_INTEGER] = {"a whole number", NULL},
	[SCHEMA_BOOLEAN] = {"true or false", is_boolean},
	[SCHEMA_DURATION] = {"a duration such as 100ms, 30s or 5min", is_duration},
	[SCHEMA_SIZE] = {"a size such as 64KiB, 96MiB or 1GiB", is_size},
	[SCHEMA_MODE] = {"an octal mode such as 0644", is_mode},
	[SCHEMA_SIGNAL] = {"a signal such as TERM", is_signal},
	[SCHEMA_CHOICE] = {"one of the words", NULL},
	[SCHEMA_RESOURCE] = {"a resource such as nofile", is_resource},
	[SCHEMA_SYSCTL] = {"a sysctl such as net.ipv4.ip_forward", is_sysctl},
	[SCHEMA_VARIABLE] = {"a name of an environment variable", is_variable},
	[SCHEMA_FILE_NAME] = {"a cgroup file such as memory.max", is_file_name},
	[SCHEMA_CGROUP] = {"a cgroup below the root, such as runtime/containerd", is_cgroup},
	[SCHEMA_LIMIT] = {"a number, a size or unlimited", is_limit},
	[SCHEMA_CONTROLLER] = {"a cgroup controller such as memory", is_controller},
	[SCHEMA_CAPABILITY] = {"a capability such as net_admin", is_capability},
	[SCHEMA_CALL] = {"a system call such as reboot, or a group such as @mount", is_call},
	[SCHEMA_ANSWER] = {"allow, log, kill, or an error such as errno(EPERM)", is_answer},
	[SCHEMA_DEVICE] = {"devices such as 'c 1:3 rw' or 'b *:* m'", is_device},
	[SCHEMA_CPUS] = {"a set of CPUs such as 0-1,3", is_cpus},
};

const char *schema_scalar_text(enum schema_scalar scalar)
{
	return scalars[scalar].text;
}

const struct schema_key *schema_find(const struct schema *schema, const char *name)
{
	for (const struct schema_key *key = schema->keys; key && key->name; key++)
		if (strcmp(key->name, name) == 0)
			return key;
	return NULL;
}

/* "a duration such as 30s, or a list": everything the schema allows. */
static const char *expected(const struct schema *schema, struct pool *pool)
{
	const char *text = NULL;

	if (schema->scalar == SCHEMA_CHOICE) {
		for (size_t i = 0; schema->choices && schema->choices[i]; i++)
			text = i == 0 ? schema->choices[0]
				      : pool_printf(pool, "%s%s%s", text,
						    schema->choices[i + 1] ? ", " : " or ",
						    schema->choices[i]);
	} else if (schema->scalar == SCHEMA_INTEGER && schema->most) {
		text = pool_printf(pool, "a number from %lld to %lld", (long long)schema->least,
				   (long long)schema->most);
	} else if (schema->scalar) {
		text = scalars[schema->scalar].text;
	}
	if (schema->element)
		text = text ? pool_printf(pool, "%s, or a list", text) : "a list";
	if (schema->keys || schema->value)
		text = text ? pool_printf(pool, "%s, or a map", text) : "a map";
	return text;
}

/* Few are told at once; the keys of a service fill a page of the manual. */
static void hint_keys(const struct schema *schema, struct diagnostics *diagnostics)
{
	const char *names = "";
	size_t count = 0;

	for (; schema->keys[count].name; count++)
		names = pool_printf(diagnostics->pool, "%s%s%s", names, count ? ", " : "",
				    schema->keys[count].name);
	if (count <= 6)
		diagnose_hint(diagnostics, "its keys are %s", names);
}

static void tell_wrong(struct node *node, const struct schema *schema, const char *label,
		       struct diagnostics *diagnostics)
{
	node->bad = true;
	diagnose(diagnostics, node->where, "%s must be %s, not %s", label,
		 expected(schema, diagnostics->pool), node_found(node, diagnostics->pool));
	if (node->kind != NODE_LIST && schema->element && !schema->scalar)
		diagnose_hint(diagnostics, "a list is written [a, b], or with '- ' before each "
					   "entry on a line of its own");
	else if (schema->keys && !schema->element && !schema->scalar)
		hint_keys(schema, diagnostics);
}

static void check_scalar(struct node *node, const struct schema *schema, const char *label,
			 struct diagnostics *diagnostics)
{
	bool right;
	int64_t number;
	uint64_t longer;

	if (!schema->scalar || node_is_null(node)) {
		tell_wrong(node, schema, label, diagnostics);
		return;
	}
	if (schema->scalar == SCHEMA_CHOICE) {
		right = false;
		for (size_t i = 0; schema->choices && schema->choices[i]; i++)
			right |= strcmp(schema->choices[i], node->text) == 0;
	} else if (schema->scalar == SCHEMA_INTEGER) {
		right = value_integer(node->text, &number) &&
			(!schema->most || (number >= schema->least && number <= schema->most));
	} else {
		right = !scalars[schema->scalar].is || scalars[schema->scalar].is(node->text);
	}
	if (right)
		return;
	node->bad = true;
	if (schema->scalar == SCHEMA_CAPABILITY)
		diagnose(diagnostics, node->where, "unknown capability '%s'", node->text);
	else if (schema->scalar == SCHEMA_CALL)
		diagnose(diagnostics, node->where, "unknown %s '%s'",
			 node->text[0] == '@' ? "group of system calls" : "system call",
			 node->text);
	else if (schema->scalar == SCHEMA_DURATION && value_duration(node->text, &longer))
		diagnose(diagnostics, node->where, "%s must be at most 365d, not '%s'", label,
			 node->text);
	else
		tell_wrong(node, schema, label, diagnostics);
	diagnose_suggest(diagnostics, schema_suggest_value(schema, node->text, diagnostics->pool));
}

static void check_free_key(const struct node_entry *entry, const struct schema *schema,
			   struct diagnostics *diagnostics)
{
	const struct schema key = {.scalar = schema->key};
	struct node text = {
		.kind = NODE_SCALAR, .where = entry->where, .text = entry->key, .quoted = true};

	check_scalar(&text, &key, pool_printf(diagnostics->pool, "a key of %s", schema->what),
		     diagnostics);
	if (text.bad)
		entry->value->bad = true;
}

static void tell_unknown(const struct node_entry *entry, const struct schema *schema,
			 struct diagnostics *diagnostics)
{
	diagnose(diagnostics, entry->where, "unknown key '%s' in %s", entry->key, schema->what);
	diagnose_suggest(diagnostics, schema_suggest_key(schema, entry->key));
	entry->value->bad = true;
}

/* Often a line below is not indented, or everything below is commented out. */
static void tell_empty(const struct node_entry *entry, struct diagnostics *diagnostics)
{
	if (entry->value->bad)
		return;
	diagnose(diagnostics, entry->where, "'%s' has no value", entry->key);
	diagnose_hint(
		diagnostics,
		"what belongs to it is indented below it; '%s: null' removes what is inherited",
		entry->key);
	entry->value->bad = true;
	entry->value->quoted = true; /* a wrong value, and no null */
}

static void check_map(struct node *node, const struct schema *schema, struct pool *pool,
		      struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct node_entry *entry = &node->entries[i];
		const struct schema_key *key = schema_find(schema, entry->key);
		if (!key && !schema->value) {
			tell_unknown(entry, schema, diagnostics);
			continue;
		}
		if (!key)
			check_free_key(entry, schema, diagnostics);
		/* null removes what was inherited; merging judges whether there is such a thing. */
		if (node_is_null(entry->value) && !entry->value->text[0])
			tell_empty(entry, diagnostics);
		else if (!node_is_null(entry->value) && !entry->value->bad)
			schema_check(entry->value, key ? key->schema : schema->value,
				     pool_printf(pool, "'%s'", entry->key), pool, diagnostics);
	}
}

void schema_check(struct node *node, const struct schema *schema, const char *label,
		  struct pool *pool, struct diagnostics *diagnostics)
{
	switch (node->kind) {
	case NODE_SCALAR: check_scalar(node, schema, label, diagnostics); break;
	case NODE_LIST:
		if (!schema->element) {
			tell_wrong(node, schema, label, diagnostics);
			break;
		}
		for (size_t i = 0; i < node->count; i++)
			schema_check(node->entries[i].value, schema->element,
				     pool_printf(pool, "an entry of %s", label), pool, diagnostics);
		break;
	case NODE_MAP:
		if (schema->keys || schema->value)
			check_map(node, schema, pool, diagnostics);
		else
			tell_wrong(node, schema, label, diagnostics);
		break;
	}
}
