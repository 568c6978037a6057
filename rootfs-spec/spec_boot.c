/* SPDX-License-Identifier: Apache-2.0 */
/* What the boot starts, and what can never be up together. */
#include <string.h>

#include "rootfs-spec/spec_parts.h"

/* Services that are started, and whom each was started for; PLAN_NONE: for itself. */
struct started {
	bool *is;
	uint32_t *puller;
	uint32_t *stack;
	size_t depth;
};

static void start(struct started *started, uint32_t service, uint32_t puller)
{
	if (started->is[service])
		return;
	started->is[service] = true;
	started->puller[service] = puller;
	started->stack[started->depth++] = service;
}

static bool pulls(const struct spec_edge *edge)
{
	return (edge->kind == PLAN_EDGE_REQUIRES || edge->kind == PLAN_EDGE_WANTS) &&
	       edge->service != PLAN_NONE;
}

static struct started boot(const struct spec *spec)
{
	size_t count = spec->service_count + 1;
	struct started started = {.is = pool_alloc(spec->pool, count * sizeof(bool)),
				  .puller = pool_alloc(spec->pool, count * sizeof(uint32_t)),
				  .stack = pool_alloc(spec->pool, count * sizeof(uint32_t))};

	for (uint32_t i = 0; i < spec->service_count; i++)
		if (!(spec->services[i].flags & PLAN_SERVICE_MANUAL))
			start(&started, i, PLAN_NONE);
	while (started.depth) {
		uint32_t at = started.stack[--started.depth];
		const struct spec_service *service = &spec->services[at];
		for (size_t i = 0; i < service->edge_count; i++)
			if (pulls(&service->edges[i]))
				start(&started, service->edges[i].service, at);
	}
	return started;
}

const bool *spec_started_at_boot(const struct spec *spec)
{
	return boot(spec).is;
}

/* ---- conflicts ---- */

struct conflict {
	uint32_t a, b; /* who says it, and of whom */
	struct where where;
	bool told;
};

struct conflicts {
	const struct spec *spec;
	struct diagnostics *diagnostics;
	struct conflict *list;
	size_t count;
	uint64_t **required; /* of each service: itself and what it requires, as a set */
	size_t words;
};

static const char *name_of(const struct conflicts *conflicts, uint32_t service)
{
	return conflicts->spec->services[service].name.text;
}

static bool holds(const uint64_t *set, uint32_t service)
{
	return set[service / 64] >> service % 64 & 1;
}

static void collect(struct conflicts *conflicts)
{
	const struct spec *spec = conflicts->spec;

	for (uint32_t i = 0; i < spec->service_count; i++)
		for (size_t j = 0; j < spec->services[i].edge_count; j++) {
			const struct spec_edge *edge = &spec->services[i].edges[j];
			if (edge->kind != PLAN_EDGE_CONFLICTS || edge->service == PLAN_NONE)
				continue;
			POOL_GROW(spec->pool, conflicts->list, conflicts->count);
			conflicts->list[conflicts->count++] =
				(struct conflict){i, edge->service, edge->name.where, false};
		}
}

/* In topological order, so that what a service requires is complete before it. */
static void collect_required(struct conflicts *conflicts)
{
	const struct spec *spec = conflicts->spec;

	conflicts->words = spec->service_count / 64 + 1;
	conflicts->required = pool_alloc(spec->pool,
					 (spec->service_count + 1) * sizeof(uint64_t *));
	for (uint32_t i = 0; i < spec->service_count; i++)
		conflicts->required[i] = pool_alloc(spec->pool,
						    conflicts->words * sizeof(uint64_t));
	for (uint32_t i = 0; i < spec->service_count; i++) {
		uint32_t at = spec->order[i];
		uint64_t *set = conflicts->required[at];
		set[at / 64] |= 1ull << at % 64;
		for (size_t j = 0; j < spec->services[at].edge_count; j++) {
			const struct spec_edge *edge = &spec->services[at].edges[j];
			if (edge->kind != PLAN_EDGE_REQUIRES || edge->service == PLAN_NONE)
				continue;
			for (size_t k = 0; k < conflicts->words; k++)
				set[k] |= conflicts->required[edge->service][k];
		}
	}
}

/* One edge between two services is all that a plan holds, and all that makes sense. */
static void check_direct(struct conflicts *conflicts, struct conflict *conflict)
{
	static const char *const said[] = {
		[PLAN_EDGE_REQUIRES] = "requires",
		[PLAN_EDGE_WANTS] = "wants",
		[PLAN_EDGE_AFTER] = "is after",
	};
	uint32_t pair[2] = {conflict->a, conflict->b};

	if (conflict->a == conflict->b) {
		conflict->told = true;
		diagnose(conflicts->diagnostics, conflict->where, "'%s' conflicts with itself",
			 name_of(conflicts, conflict->a));
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		const struct spec_service *from = &conflicts->spec->services[pair[i]];
		for (size_t j = 0; j < from->edge_count; j++) {
			const struct spec_edge *edge = &from->edges[j];
			if (edge->service != pair[1 - i] || edge->kind == PLAN_EDGE_CONFLICTS)
				continue;
			conflict->told = true;
			diagnose(conflicts->diagnostics, conflict->where,
				 "'%s' conflicts with '%s', and '%s' %s '%s'",
				 name_of(conflicts, conflict->a), name_of(conflicts, conflict->b),
				 from->name.text, said[edge->kind], edge->name.text);
			return;
		}
	}
}

/* Somebody that it requires cannot be up either, for the same reason: told there. */
static bool told_below(const struct conflicts *conflicts, uint32_t service,
		       const struct conflict *conflict)
{
	const struct spec_service *from = &conflicts->spec->services[service];

	for (size_t i = 0; i < from->edge_count; i++) {
		const struct spec_edge *edge = &from->edges[i];
		if (edge->kind != PLAN_EDGE_REQUIRES || edge->service == PLAN_NONE)
			continue;
		const uint64_t *set = conflicts->required[edge->service];
		if (holds(set, conflict->a) && holds(set, conflict->b))
			return true;
	}
	return false;
}

static void check_required(struct conflicts *conflicts, struct conflict *conflict)
{
	const struct spec *spec = conflicts->spec;
	const char *a = name_of(conflicts, conflict->a), *b = name_of(conflicts, conflict->b);
	bool told = conflict->told;

	for (uint32_t i = 0; !told && i < spec->service_count; i++) {
		const uint64_t *set = conflicts->required[i];
		if (!holds(set, conflict->a) || !holds(set, conflict->b) ||
		    told_below(conflicts, i, conflict))
			continue;
		conflict->told = true;
		if (i == conflict->a || i == conflict->b)
			diagnose(conflicts->diagnostics, conflict->where,
				 "'%s' conflicts with '%s', which '%s' requires through others", a,
				 b, spec->services[i].name.text);
		else
			diagnose(conflicts->diagnostics, spec->services[i].where,
				 "'%s' requires '%s' and '%s', which conflict",
				 spec->services[i].name.text, a, b);
	}
}

static const char *why(const struct conflicts *conflicts, const struct started *started,
		       uint32_t service)
{
	uint32_t puller = started->puller[service];
	struct pool *pool = conflicts->spec->pool;

	if (puller == PLAN_NONE)
		return pool_printf(pool, "'%s' is not 'manual'", name_of(conflicts, service));
	return pool_printf(pool, "'%s' is started for '%s'", name_of(conflicts, service),
			   name_of(conflicts, puller));
}

static void check_started(struct conflicts *conflicts, const struct conflict *conflict,
			  const struct started *started)
{
	if (conflict->told || !started->is[conflict->a] || !started->is[conflict->b])
		return;
	diagnose(conflicts->diagnostics, conflict->where,
		 "'%s' and '%s' conflict, and the boot starts both",
		 name_of(conflicts, conflict->a), name_of(conflicts, conflict->b));
	diagnose_hint(conflicts->diagnostics, "%s; %s", why(conflicts, started, conflict->a),
		      why(conflicts, started, conflict->b));
}

/* A timer rests between its runs, and is never up. */
static void check_timers(const struct spec *spec, struct diagnostics *diagnostics)
{
	for (uint32_t i = 0; i < spec->service_count; i++)
		for (size_t j = 0; j < spec->services[i].edge_count; j++) {
			const struct spec_edge *edge = &spec->services[i].edges[j];
			if (edge->kind == PLAN_EDGE_REQUIRES && edge->service != PLAN_NONE &&
			    spec->services[edge->service].kind == PLAN_SERVICE_TIMER)
				diagnose(diagnostics, edge->name.where,
					 "'%s' requires '%s', a timer, which is never up",
					 spec->services[i].name.text, edge->name.text);
		}
}

void spec_check_boot(const struct spec *spec, struct diagnostics *diagnostics)
{
	struct conflicts conflicts = {.spec = spec, .diagnostics = diagnostics};
	struct started started = boot(spec);

	check_timers(spec, diagnostics);
	collect(&conflicts);
	if (!conflicts.count)
		return;
	collect_required(&conflicts);
	for (size_t i = 0; i < conflicts.count; i++) {
		struct conflict *conflict = &conflicts.list[i];
		/* Both may say it; it is one conflict. */
		for (size_t j = 0; j < i; j++)
			conflict->told |= conflicts.list[j].a == conflict->b &&
					  conflicts.list[j].b == conflict->a;
		if (conflict->told)
			continue;
		check_direct(&conflicts, conflict);
		check_required(&conflicts, conflict);
		check_started(&conflicts, conflict, &started);
	}
}
