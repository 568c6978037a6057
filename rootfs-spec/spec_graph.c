/* SPDX-License-Identifier: Apache-2.0 */
/* Who needs whom: names become indices, and an order in which everything comes after its needs. */
#include <string.h>

#include "rootfs-spec/nearest.h"
#include "rootfs-spec/spec_parts.h"

uint32_t spec_find_service(const struct spec *spec, const char *name)
{
	for (uint32_t i = 0; i < spec->service_count; i++)
		if (strcmp(spec->services[i].name.text, name) == 0)
			return i;
	return PLAN_NONE;
}

const char *spec_nearest_service(const struct spec *spec, const char *name)
{
	struct nearest nearest = {.name = name};

	for (size_t i = 0; i < spec->service_count; i++)
		nearest_offer(&nearest, spec->services[i].name.text);
	return nearest.best;
}

static const char *edge_key(enum plan_edge_kind kind)
{
	static const char *const keys[] = {
		[PLAN_EDGE_REQUIRES] = "requires",
		[PLAN_EDGE_WANTS] = "wants",
		[PLAN_EDGE_AFTER] = "after",
		[PLAN_EDGE_CONFLICTS] = "conflicts with",
	};
	return keys[kind];
}

static void resolve_edges(struct spec *spec, struct diagnostics *diagnostics)
{
	for (uint32_t i = 0; i < spec->service_count; i++) {
		struct spec_service *service = &spec->services[i];
		for (size_t j = 0; j < service->edge_count; j++) {
			struct spec_edge *edge = &service->edges[j];
			edge->service = spec_find_service(spec, edge->name.text);
			if (edge->service == PLAN_NONE) {
				diagnose(diagnostics, edge->name.where,
					 "'%s' %s unknown service '%s'", service->name.text,
					 edge->kind == PLAN_EDGE_AFTER ? "is after"
								       : edge_key(edge->kind),
					 edge->name.text);
				diagnose_suggest(diagnostics,
						 spec_nearest_service(spec, edge->name.text));
			}
			for (size_t k = 0; k < j; k++)
				if (strcmp(service->edges[k].name.text, edge->name.text) == 0 &&
				    service->edges[k].kind == edge->kind)
					diagnose(diagnostics, edge->name.where,
						 "'%s' is listed twice", edge->name.text);
		}
	}
}

/* A depth-first walk without recursion: a spec may hold thousands of services in a row. */
struct walk {
	struct spec *spec;
	struct diagnostics *diagnostics;
	uint8_t *colour; /* 0 not met, 1 on the path, 2 done */
	uint32_t *path;
	size_t *edge; /* of each on the path: the next edge to follow */
	size_t depth;
	uint32_t placed;
};

/* "a -> b -> a", from where the path meets itself, with the lines that say so. */
static void tell_cycle(const struct walk *walk, uint32_t back)
{
	const struct spec *spec = walk->spec;
	struct pool *pool = spec->pool;
	const char *names = "", *lines = "";
	size_t start = 0;

	while (walk->path[start] != back)
		start++;
	for (size_t i = start; i < walk->depth; i++) {
		const struct spec_service *service = &spec->services[walk->path[i]];
		const struct spec_edge *edge = &service->edges[walk->edge[i] - 1];
		names = pool_printf(pool, "%s%s -> ", names, service->name.text);
		lines = pool_printf(pool, "%s%s%s %s %s (%s:%u:%u)", lines, *lines ? ", " : "",
				    service->name.text, edge_key(edge->kind), edge->name.text,
				    edge->name.where.source ? edge->name.where.source->path : "?",
				    edge->name.where.line, edge->name.where.column);
	}
	const struct spec_service *first = &spec->services[walk->path[start]];
	diagnose(walk->diagnostics, first->edges[walk->edge[start] - 1].name.where,
		 "dependency cycle: %s%s", names, first->name.text);
	diagnose_hint(walk->diagnostics, "%s", lines);
}

static void walk_from(struct walk *walk, uint32_t start)
{
	walk->depth = 0;
	walk->path[walk->depth] = start;
	walk->edge[walk->depth++] = 0;
	walk->colour[start] = 1;
	while (walk->depth) {
		uint32_t at = walk->path[walk->depth - 1];
		const struct spec_service *service = &walk->spec->services[at];
		if (walk->edge[walk->depth - 1] == service->edge_count) {
			walk->colour[at] = 2;
			walk->spec->order[walk->placed++] = at;
			walk->depth--;
			continue;
		}
		const struct spec_edge *edge = &service->edges[walk->edge[walk->depth - 1]++];
		uint32_t next = edge->service;
		if (edge->kind == PLAN_EDGE_CONFLICTS || next == PLAN_NONE ||
		    walk->colour[next] == 2)
			continue;
		if (walk->colour[next] == 1) {
			tell_cycle(walk, next);
			continue;
		}
		walk->colour[next] = 1;
		walk->path[walk->depth] = next;
		walk->edge[walk->depth++] = 0;
	}
}

void spec_check_graph(struct spec *spec, struct diagnostics *diagnostics)
{
	size_t count = spec->service_count;
	struct walk walk = {.spec = spec, .diagnostics = diagnostics};

	resolve_edges(spec, diagnostics);
	spec->order = pool_alloc(spec->pool, (count + 1) * sizeof(*spec->order));
	walk.colour = pool_alloc(spec->pool, count + 1);
	walk.path = pool_alloc(spec->pool, (count + 1) * sizeof(*walk.path));
	walk.edge = pool_alloc(spec->pool, (count + 1) * sizeof(*walk.edge));
	/* The logger first: what the others write early has somewhere to go. */
	if (spec->logger != PLAN_NONE)
		walk_from(&walk, spec->logger);
	for (uint32_t i = 0; i < count; i++)
		if (!walk.colour[i])
			walk_from(&walk, i);
}
