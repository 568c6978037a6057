/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <yaml.h>

#include "rootfs-spec/node.h"
#include "rootfs-spec/utf8.h"

#define FOUND_BYTES 80u /* of a text that is no right value, in a message */

struct reader {
	yaml_parser_t parser;
	const struct source *source;
	struct pool *pool;
	struct diagnostics *diagnostics;
	bool failed; /* nothing more can be read */
};

static struct where place(const struct reader *reader, yaml_mark_t mark)
{
	return (struct where){reader->source, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

/* libyaml counts from the wrong end when bytes are not UTF-8: find the line by the offset. */
static struct where place_of_offset(const struct reader *reader, size_t offset)
{
	struct where where = {reader->source, 1, 1};

	for (size_t i = 0; i < offset && i < reader->source->size; i++) {
		/* Columns count characters: continuation bytes of UTF-8 take none. */
		where.column += ((unsigned char)reader->source->text[i] & 0xc0) != 0x80;
		if (reader->source->text[i] == '\n') {
			where.line++;
			where.column = 1;
		}
	}
	return where;
}

/* libyaml stops at a character without naming it; what is meant depends on which one it is. */
static const char *forbidden_start(const struct reader *reader, yaml_mark_t mark)
{
	const char *at = reader->source->text;

	for (size_t line = 0; line < mark.line && at; line++) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	for (size_t column = 0; at && *at && column < mark.column; column++) {
		uint32_t code;
		at += utf8_next(at, &code);
	}
	if (at && *at == '\t')
		return "a tab character: YAML is indented with spaces";
	return at && *at
		       ? pool_printf(reader->pool, "a text that begins with '%c' needs quotes", *at)
		       : "nothing can begin here";
}

static void tell_problem(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "not YAML";

	reader->failed = true;
	if (strcmp(problem, "found character that cannot start any token") == 0)
		problem = forbidden_start(reader, parser->problem_mark);
	if (parser->error == YAML_READER_ERROR) {
		diagnose(reader->diagnostics, place_of_offset(reader, parser->problem_offset), "%s",
			 problem);
		diagnose_hint(reader->diagnostics, "a spec is a text file in UTF-8");
	} else if (parser->context && parser->context_mark.line != parser->problem_mark.line)
		diagnose(reader->diagnostics, place(reader, parser->problem_mark),
			 "%s (%s that began in line %zu)", problem, parser->context,
			 parser->context_mark.line + 1);
	else
		diagnose(reader->diagnostics, place(reader, parser->problem_mark), "%s", problem);
}

/* The next event, to be deleted by the caller; false when reading cannot go on. */
static bool next(struct reader *reader, yaml_event_t *event)
{
	if (reader->failed)
		return false;
	if (yaml_parser_parse(&reader->parser, event))
		return true;
	tell_problem(reader);
	return false;
}

static void refuse_properties(struct reader *reader, const yaml_event_t *event,
			      const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct where where = place(reader, event->start_mark);

	if (anchor)
		diagnose(reader->diagnostics, where,
			 "anchors are not allowed: a spec says each thing where it belongs");
	if (tag)
		diagnose(reader->diagnostics, where, "tags are not allowed");
}

static struct node *new_node(struct reader *reader, enum node_kind kind, const yaml_event_t *event)
{
	struct node *node = pool_alloc(reader->pool, sizeof(*node));

	node->kind = kind;
	node->where = place(reader, event->start_mark);
	return node;
}

static struct node *read_value(struct reader *reader, const yaml_event_t *event, unsigned depth);

static struct node *read_scalar(struct reader *reader, const yaml_event_t *event)
{
	struct node *node = new_node(reader, NODE_SCALAR, event);
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;

	refuse_properties(reader, event, event->data.scalar.anchor, event->data.scalar.tag);
	if (memchr(text, '\0', length)) {
		diagnose(reader->diagnostics, node->where, "a text must not hold a NUL character");
		node->bad = true;
		length = strlen(text);
	}
	node->text = pool_copy(reader->pool, text, length);
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return node;
}

static void append(struct reader *reader, struct node *node, struct node_entry entry)
{
	if (node->count == NODE_MAX_ENTRIES) {
		diagnose(reader->diagnostics, entry.where, "more than %u entries",
			 NODE_MAX_ENTRIES);
		reader->failed = true;
		return;
	}
	POOL_GROW(reader->pool, node->entries, node->count);
	node->entries[node->count++] = entry;
}

static struct node *read_list(struct reader *reader, const yaml_event_t *start, unsigned depth)
{
	struct node *node = new_node(reader, NODE_LIST, start);

	refuse_properties(reader, start, start->data.sequence_start.anchor,
			  start->data.sequence_start.tag);
	for (;;) {
		yaml_event_t event;
		if (!next(reader, &event))
			return node;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return node;
		}
		struct node *value = read_value(reader, &event, depth + 1);
		yaml_event_delete(&event);
		if (value)
			append(reader, node, (struct node_entry){NULL, value->where, value});
	}
}

static void add_pair(struct reader *reader, struct node *node, const struct node *key,
		     struct node *value)
{
	if (!key || !value)
		return;
	if (key->kind != NODE_SCALAR) {
		diagnose(reader->diagnostics, key->where, "a key must be a plain name");
		return;
	}
	const struct node_entry *before = node_entry(node, key->text);
	if (before) {
		diagnose(reader->diagnostics, key->where, "duplicate key '%s', first in line %u",
			 key->text, before->where.line);
		return;
	}
	append(reader, node, (struct node_entry){key->text, key->where, value});
}

static struct node *read_map(struct reader *reader, const yaml_event_t *start, unsigned depth)
{
	struct node *node = new_node(reader, NODE_MAP, start);

	refuse_properties(reader, start, start->data.mapping_start.anchor,
			  start->data.mapping_start.tag);
	for (;;) {
		yaml_event_t event;
		if (!next(reader, &event))
			return node;
		if (event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			return node;
		}
		const struct node *key = read_value(reader, &event, depth + 1);
		yaml_event_delete(&event);
		if (!next(reader, &event))
			return node;
		struct node *value = read_value(reader, &event, depth + 1);
		yaml_event_delete(&event);
		add_pair(reader, node, key, value);
	}
}

static struct node *read_value(struct reader *reader, const yaml_event_t *event, unsigned depth)
{
	if (depth > NODE_MAX_DEPTH) {
		diagnose(reader->diagnostics, place(reader, event->start_mark),
			 "nested deeper than %u levels", NODE_MAX_DEPTH);
		reader->failed = true;
		return NULL;
	}
	switch (event->type) {
	case YAML_SCALAR_EVENT: return read_scalar(reader, event);
	case YAML_SEQUENCE_START_EVENT: return read_list(reader, event, depth);
	case YAML_MAPPING_START_EVENT: return read_map(reader, event, depth);
	case YAML_ALIAS_EVENT:
		diagnose(reader->diagnostics, place(reader, event->start_mark),
			 "aliases are not allowed: a spec says each thing where it belongs");
		return NULL;
	default:
		diagnose(reader->diagnostics, place(reader, event->start_mark),
			 "a value was expected here");
		reader->failed = true;
		return NULL;
	}
}

static struct node *read_stream(struct reader *reader)
{
	struct node *node = NULL;
	unsigned documents = 0;

	for (;;) {
		yaml_event_t event;
		if (!next(reader, &event))
			return node;
		yaml_event_type_t type = event.type;
		if (type == YAML_DOCUMENT_START_EVENT && ++documents == 2) {
			diagnose(reader->diagnostics, place(reader, event.start_mark),
				 "a second document: a spec is one document");
			reader->failed = true;
		} else if (type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT &&
			   type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT) {
			node = read_value(reader, &event, 0);
		}
		yaml_event_delete(&event);
		if (type == YAML_STREAM_END_EVENT)
			return node;
	}
}

struct node *node_read(const struct source *source, struct pool *pool,
		       struct diagnostics *diagnostics)
{
	struct reader reader = {.source = source, .pool = pool, .diagnostics = diagnostics};
	size_t errors = diagnostics->errors;

	if (!yaml_parser_initialize(&reader.parser)) {
		diagnose(diagnostics, (struct where){.source = source}, "out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)source->text,
				     source->size);
	struct node *node = read_stream(&reader);
	yaml_parser_delete(&reader.parser);
	/* Half a document would only give errors that follow from the first. */
	if (reader.failed)
		node = NULL;
	if (!node && diagnostics->errors == errors)
		diagnose(diagnostics, (struct where){source, 1, 1}, "the file is empty");
	return node;
}

struct node_entry *node_entry(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->entries[i].key, key) == 0)
			return &map->entries[i];
	return NULL;
}

struct node *node_value(const struct node *map, const char *key)
{
	const struct node_entry *entry = node_entry(map, key);

	return entry ? entry->value : NULL;
}

bool node_is_null(const struct node *node)
{
	return node->kind == NODE_SCALAR && !node->quoted &&
	       (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
		strcmp(node->text, "null") == 0);
}

const char *node_found(const struct node *node, struct pool *pool)
{
	if (node->kind == NODE_LIST)
		return "a list";
	if (node->kind == NODE_MAP)
		return "a map";
	if (node_is_null(node))
		return "nothing";
	/* One line of a message, whatever a text holds. */
	size_t length = strcspn(node->text, "\n");
	bool whole = node->text[length] == '\0' && length <= FOUND_BYTES;

	if (length > FOUND_BYTES)
		for (length = FOUND_BYTES; (node->text[length] & 0xc0) == 0x80;)
			length--; /* not within a character of UTF-8 */
	return pool_printf(pool, "'%.*s%s'", (int)length, node->text, whole ? "" : "...");
}
