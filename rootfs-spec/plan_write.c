/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/crc32.h"
#include "rootfs-spec/plan_check.h"
#include "rootfs-spec/plan_write.h"

#define SECOND 1000000000ull

struct buffer {
	uint8_t *bytes;
	size_t size;
	size_t room;
};

struct plan_writer {
	enum plan_kind kind;
	bool failed;
	struct plan_system system;
	struct buffer section[PLAN_SECTION_COUNT];
	uint32_t *interned; /* open addressing: offsets of strings, 0 is free */
	size_t interned_places;
	size_t interned_count;
};

/* Room for `size` more bytes at the end, zeroed; NULL without memory (remembered). */
static void *extend(struct plan_writer *writer, struct buffer *buffer, size_t size)
{
	if (writer->failed || size > PLAN_MAX_BYTES || buffer->size > PLAN_MAX_BYTES)
		goto failed;
	if (buffer->size + size > buffer->room) {
		size_t room = 2 * (buffer->size + size) + 64;
		uint8_t *bytes = realloc(buffer->bytes, room);
		if (!bytes)
			goto failed;
		buffer->bytes = bytes;
		buffer->room = room;
	}
	void *at = buffer->bytes + buffer->size;
	memset(at, 0, size);
	buffer->size += size;
	return at;
failed:
	writer->failed = true;
	return NULL;
}

static uint32_t append(struct plan_writer *writer, enum plan_section section, const void *record,
		       size_t size)
{
	struct buffer *buffer = &writer->section[section];
	uint32_t index = (uint32_t)(buffer->size / plan_section_stride(section));
	void *at = extend(writer, buffer, size);

	if (at)
		memcpy(at, record, size);
	return index;
}

struct plan_writer *plan_write_new(enum plan_kind kind)
{
	struct plan_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return NULL;
	writer->kind = kind;
	writer->system.logger = PLAN_NONE;
	writer->system.critical = PLAN_CRITICAL_REBOOT;
	append(writer, PLAN_STRINGS, "", 1);
	return writer;
}

void plan_write_free(struct plan_writer *writer)
{
	if (!writer)
		return;
	for (size_t i = 0; i < PLAN_SECTION_COUNT; i++)
		free(writer->section[i].bytes);
	free(writer->interned);
	free(writer);
}

struct plan_system *plan_write_system(struct plan_writer *writer)
{
	return &writer->system;
}

/* ---- strings ---- */

static const char *string_at(const struct plan_writer *writer, uint32_t offset)
{
	return (const char *)writer->section[PLAN_STRINGS].bytes + offset;
}

static uint32_t *intern_place(struct plan_writer *writer, const char *string)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const char *at = string; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	for (;; hash++) {
		uint32_t *place = &writer->interned[hash % writer->interned_places];
		if (*place == 0 || strcmp(string_at(writer, *place), string) == 0)
			return place;
	}
}

static bool intern_grow(struct plan_writer *writer)
{
	uint32_t *old = writer->interned;
	size_t places = writer->interned_places;

	if (2 * writer->interned_count < places)
		return true;
	uint32_t *fresh = calloc(2 * places + 64, sizeof(*fresh));
	if (!fresh)
		return false;
	writer->interned = fresh;
	writer->interned_places = 2 * places + 64;
	for (size_t i = 0; i < places; i++)
		if (old[i])
			*intern_place(writer, string_at(writer, old[i])) = old[i];
	free(old);
	return true;
}

plan_str plan_write_string(struct plan_writer *writer, const char *string)
{
	if (!string || !string[0] || writer->failed)
		return 0;
	if (!intern_grow(writer)) {
		writer->failed = true;
		return 0;
	}
	uint32_t *place = intern_place(writer, string);
	if (*place == 0) {
		*place = append(writer, PLAN_STRINGS, string, strlen(string) + 1);
		writer->interned_count++;
	}
	return *place;
}

/* ---- lists, blobs, records ---- */

struct plan_list plan_write_refs(struct plan_writer *writer, const uint32_t *refs, size_t count)
{
	if (count == 0)
		return (struct plan_list){0};
	return (struct plan_list){append(writer, PLAN_REFS, refs, count * sizeof(*refs)),
				  (uint32_t)count};
}

struct plan_list plan_write_strings(struct plan_writer *writer, const char *const *strings,
				    size_t count)
{
	struct plan_list list = {0};

	for (size_t i = 0; i < count; i++) {
		uint32_t ref = plan_write_string(writer, strings[i]);
		uint32_t index = append(writer, PLAN_REFS, &ref, sizeof(ref));
		if (i == 0)
			list = (struct plan_list){index, (uint32_t)count};
	}
	return list;
}

struct plan_blob plan_write_blob(struct plan_writer *writer, const void *bytes, size_t size)
{
	struct buffer *buffer = &writer->section[PLAN_BYTES];

	if (size == 0)
		return (struct plan_blob){0};
	for (size_t at = 0; at + size <= buffer->size; at += 8)
		if (memcmp(buffer->bytes + at, bytes, size) == 0)
			return (struct plan_blob){(uint32_t)at, (uint32_t)size};
	struct plan_blob blob = {append(writer, PLAN_BYTES, bytes, size), (uint32_t)size};
	extend(writer, buffer, -size % 8);
	return blob;
}

#define WRITE(name, SECTION)                                                                   \
	uint32_t plan_write_##name(struct plan_writer *writer, const struct plan_##name *name) \
	{                                                                                      \
		return append(writer, SECTION, name, sizeof(*name));                           \
	}
WRITE(module, PLAN_MODULES)
WRITE(path, PLAN_PATHS)
WRITE(setting, PLAN_SETTINGS)
WRITE(mount, PLAN_MOUNTS)
WRITE(filter, PLAN_FILTERS)
WRITE(landlock, PLAN_LANDLOCK)
WRITE(policy, PLAN_POLICIES)
WRITE(limit, PLAN_LIMITS)
WRITE(probe, PLAN_PROBES)
WRITE(command, PLAN_COMMANDS)
WRITE(condition, PLAN_CONDITIONS)
WRITE(sandbox, PLAN_SANDBOX)
WRITE(service, PLAN_SERVICES)
#undef WRITE

struct plan_list plan_write_probes(struct plan_writer *writer, const struct plan_probe *probes,
				   size_t count)
{
	const struct buffer *buffer = &writer->section[PLAN_PROBES];
	const struct plan_probe *known = (const void *)buffer->bytes;
	struct plan_list list = {0, (uint32_t)count};

	if (count == 1 && !probes->interval_ns)
		for (uint32_t i = 0; i < buffer->size / sizeof(*known); i++)
			if (memcmp(&known[i], probes, sizeof(*probes)) == 0)
				return (struct plan_list){i, 1};
	for (size_t i = 0; i < count; i++) {
		uint32_t index = plan_write_probe(writer, &probes[i]);
		if (i == 0)
			list.first = index;
	}
	return list;
}

void plan_write_edge(struct plan_writer *writer, uint32_t from, uint32_t to,
		     enum plan_edge_kind kind)
{
	struct plan_edge edge = {.from = from, .to = to, .kind = kind};

	/* A conflict has no direction; the plan tells it once, from the later service. */
	if (kind == PLAN_EDGE_CONFLICTS && from < to)
		edge = (struct plan_edge){.from = to, .to = from, .kind = kind};
	append(writer, PLAN_EDGES, &edge, sizeof(edge));
}

struct plan_service plan_write_service_defaults(struct plan_writer *writer, const char *name,
						const char *const *argv)
{
	size_t count = 0;

	while (argv[count])
		count++;
	struct plan_probe probe = {.kind = PLAN_PROBE_EXEC, .command = PLAN_NONE};
	return (struct plan_service){
		.name = plan_write_string(writer, name),
		.kind = PLAN_SERVICE_DAEMON,
		.restart = PLAN_RESTART_ALWAYS,
		.kill = PLAN_KILL_CGROUP,
		.output = PLAN_OUTPUT_NULL,
		.stop_signal = SIGTERM,
		.policy = PLAN_NONE,
		.reload_command = PLAN_NONE,
		.argv = plan_write_strings(writer, argv, count),
		.directory = plan_write_string(writer, "/"),
		.cgroup = plan_write_string(writer, name),
		.probes = plan_write_probes(writer, &probe, 1),
		.umask = 022,
		.start_timeout_ns = 30 * SECOND,
		.stop_timeout_ns = 10 * SECOND,
		.backoff_min_ns = SECOND / 10,
		.backoff_max_ns = 10 * SECOND,
		.stable_ns = 10 * SECOND,
	};
}

/* ---- finish ---- */

static int compare_numbers(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int by_from(const void *a, const void *b)
{
	const struct plan_edge *left = a, *right = b;
	int order = compare_numbers(left->from, right->from);

	if (!order)
		order = compare_numbers(left->to, right->to);
	return order ? order : compare_numbers(left->kind, right->kind);
}

static int by_to(const void *a, const void *b)
{
	const struct plan_edge *left = a, *right = b;
	int order = compare_numbers(left->to, right->to);

	return order ? order : compare_numbers(left->from, right->from);
}

/*
 * Of two needs the stronger is enough. A conflict is no weaker need: beside one it stays, and
 * plan_verify() refuses the two.
 */
static bool implied(const struct plan_edge *edge, const struct plan_edge *before)
{
	return edge->from == before->from && edge->to == before->to &&
	       (edge->kind == before->kind || edge->kind != PLAN_EDGE_CONFLICTS);
}

/* Sort the edges, drop weaker duplicates, append the mirrored half, and fill the services' lists. */
static void lay_edges(struct plan_writer *writer)
{
	struct buffer *buffer = &writer->section[PLAN_EDGES];
	size_t count = buffer->size / sizeof(struct plan_edge), kept = 0;

	if (count == 0 || writer->failed)
		return;
	struct plan_edge *edge = (void *)buffer->bytes;
	qsort(edge, count, sizeof(*edge), by_from);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || !implied(&edge[i], &edge[kept - 1]))
			edge[kept++] = edge[i];
	buffer->size = kept * sizeof(*edge);
	if (!extend(writer, buffer, kept * sizeof(*edge)))
		return;
	edge = (void *)buffer->bytes;
	memcpy(edge + kept, edge, kept * sizeof(*edge));
	qsort(edge + kept, kept, sizeof(*edge), by_to);

	struct plan_service *service = (void *)writer->section[PLAN_SERVICES].bytes;
	size_t services = writer->section[PLAN_SERVICES].size / sizeof(*service);
	for (size_t i = 0; i < 2 * kept; i++) {
		uint32_t owner = i < kept ? edge[i].from : edge[i].to;
		if (owner >= services)
			continue; /* plan_verify() refuses it */
		struct plan_list *list = i < kept ? &service[owner].needs
						  : &service[owner].needed_by;
		if (list->count++ == 0)
			list->first = (uint32_t)i;
	}
}

static size_t align8(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

int plan_write_finish(struct plan_writer *writer, const uint8_t build_id[32], void **bytes,
		      size_t *size, struct plan_fault *fault)
{
	struct plan_span span[PLAN_SECTION_COUNT] = {0};
	struct plan_header header = {
		.version = PLAN_VERSION, .kind = writer->kind, .section_count = PLAN_SECTION_COUNT};
	size_t total = sizeof(header) + sizeof(span);

	append(writer, PLAN_SYSTEM, &writer->system, sizeof(writer->system));
	lay_edges(writer);
	if (writer->failed)
		return -ENOMEM;
	for (uint32_t i = 0; i < PLAN_SECTION_COUNT; i++) {
		uint32_t stride = plan_section_stride(i);
		span[i].offset = (uint32_t)total;
		span[i].stride = stride;
		span[i].count = (uint32_t)(writer->section[i].size / stride);
		total += align8(writer->section[i].size);
		if (total > PLAN_MAX_BYTES)
			return -EMSGSIZE;
	}
	memcpy(header.magic, PLAN_MAGIC, sizeof(header.magic));
	header.size_bytes = (uint32_t)total;
	if (build_id)
		memcpy(header.build_id, build_id, sizeof(header.build_id));

	uint8_t *file = calloc(1, total);
	if (!file)
		return -ENOMEM;
	memcpy(file, &header, sizeof(header));
	memcpy(file + sizeof(header), span, sizeof(span));
	for (uint32_t i = 0; i < PLAN_SECTION_COUNT; i++)
		if (writer->section[i].size)
			memcpy(file + span[i].offset, writer->section[i].bytes,
			       writer->section[i].size);
	((struct plan_header *)(void *)file)->crc32 = crc32(0, file, total);

	struct plan plan;
	int error = plan_verify(file, total, writer->kind, &plan, fault);
	if (error) {
		free(file);
		return error;
	}
	*bytes = file;
	*size = total;
	return 0;
}
