/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rootfs-spec/plan_check.h"

/* Twice as many places as services, so a chain of collisions is short. */
#define TABLE_PLACES (2 * PLAN_MAX_SERVICES)
#define TABLE_STEPS 256u /* a longer chain is no accident */

/*
 * The `needs` lists are the first half of the edges, service by service, each sorted by `to`; the
 * `needed_by` lists are the second half, each sorted by `from`. So walking the first half in order
 * meets the edges of each needed_by list in that list's order, and one cursor a service proves that
 * the two halves hold the same edges.
 */
static const char *check_needs(const struct plan *plan, uint32_t half, uint32_t *index)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES); i++) {
		struct plan_list needs = plan_service(plan, i)->needs;
		if (needs.first != (needs.count ? at : 0) || needs.count > half - at)
			return "the needs of a service are not where those before it end";
		for (uint32_t j = 0; j < needs.count; j++, at++) {
			const struct plan_edge *edge = plan_edge(plan, at);
			*index = at;
			if (edge->zero)
				return "a reserved field is not zero";
			if (edge->kind < PLAN_EDGE_REQUIRES || edge->kind > PLAN_EDGE_CONFLICTS)
				return "unknown kind of edge";
			if (edge->from != i)
				return "an edge in the list of another service";
			if (edge->to >= i)
				return "services are not in topological order";
			if (j && edge->to == plan_edge(plan, at - 1)->to)
				return "two edges between the same services";
			if (j && edge->to < plan_edge(plan, at - 1)->to)
				return "edges are out of order";
			/* A timer rests between its runs; whoever requires it would wait for ever. */
			if (edge->kind == PLAN_EDGE_REQUIRES &&
			    plan_service(plan, edge->to)->kind == PLAN_SERVICE_TIMER)
				return "a timer is required, which is never up";
		}
	}
	return at == half ? NULL : "an edge belongs to no service";
}

static const char *check_needed_by(const struct plan *plan, uint32_t half, uint32_t *index,
				   uint32_t *cursor)
{
	uint32_t at = half;

	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES); i++) {
		struct plan_list list = plan_service(plan, i)->needed_by;
		*index = at;
		if (list.first != (list.count ? at : 0) || list.count > 2 * half - at)
			return "the dependents of a service are not where those before it end";
		cursor[i] = at;
		at += list.count;
	}
	if (at != 2 * half)
		return "an edge belongs to no service";
	for (uint32_t i = 0; i < half; i++) {
		const struct plan_edge *edge = plan_edge(plan, i);
		struct plan_list list = plan_service(plan, edge->to)->needed_by;
		uint32_t place = cursor[edge->to]++;
		*index = i;
		if (list.count == 0 || place >= list.first + list.count ||
		    memcmp(plan_edge(plan, place), edge, sizeof(*edge)) != 0)
			return "needs and dependents do not mirror each other";
	}
	return NULL;
}

const char *plan_check_graph(const struct plan *plan, uint32_t *section, uint32_t *index)
{
	/* Static, not on PID 1's stack; verification runs once and in one thread. */
	static uint32_t cursor[PLAN_MAX_SERVICES];
	uint32_t count = plan_count(plan, PLAN_EDGES);
	const char *reason;

	*section = PLAN_EDGES;
	*index = 0;
	if (count % 2)
		return "an odd number of edges";
	reason = check_needs(plan, count / 2, index);
	return reason ? reason : check_needed_by(plan, count / 2, index, cursor);
}

/* A set of names, by reference into the plan: 1 + index of the service, 0 for a free place. */
struct table {
	const struct plan *plan;
	plan_str (*name)(const struct plan *plan, uint32_t service);
	uint16_t places[TABLE_PLACES];
};

static plan_str service_name(const struct plan *plan, uint32_t service)
{
	return plan_service(plan, service)->name;
}

static plan_str service_cgroup(const struct plan *plan, uint32_t service)
{
	return plan_service(plan, service)->cgroup;
}

/* FNV-1a; where `text` of `length` bytes is or belongs. TABLE_PLACES: the chain is too long. */
static uint32_t table_find(const struct table *table, const char *text, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 16777619u;
	for (uint32_t step = 0; step < TABLE_STEPS; step++) {
		uint32_t place = (hash + step) % TABLE_PLACES;
		if (!table->places[place])
			return place;
		uint32_t service = table->places[place] - 1u;
		const char *other = plan_string(table->plan, table->name(table->plan, service));
		if (strncmp(other, text, length) == 0 && other[length] == '\0')
			return place;
	}
	return TABLE_PLACES;
}

static const char *table_fill(struct table *table, uint32_t *index)
{
	memset(table->places, 0, sizeof(table->places));
	for (uint32_t i = 0; i < plan_count(table->plan, PLAN_SERVICES); i++) {
		const char *name = plan_string(table->plan, table->name(table->plan, i));
		uint32_t place = table_find(table, name, strlen(name));
		*index = i;
		if (place == TABLE_PLACES)
			return "names that collide too often";
		if (table->places[place])
			return "a name or cgroup is used twice";
		table->places[place] = (uint16_t)(i + 1);
	}
	return NULL;
}

/* Does a service live in `path` itself (`whole`) or in a cgroup above it? */
static bool table_holds_above(const struct table *table, const char *path, bool whole)
{
	for (const char *end = strchr(path, '/'); end; end = strchr(end + 1, '/')) {
		uint32_t place = table_find(table, path, (size_t)(end - path));
		if (place == TABLE_PLACES || table->places[place])
			return true;
	}
	if (!whole)
		return false;
	uint32_t place = table_find(table, path, strlen(path));
	return place == TABLE_PLACES || table->places[place];
}

const char *plan_check_names(const struct plan *plan, uint32_t *section, uint32_t *index)
{
	static struct table table;
	const char *reason, *pods = plan_string(plan, plan->system->pods_cgroup);
	size_t length = strlen(pods);

	*section = PLAN_SERVICES;
	table.plan = plan;
	table.name = service_name;
	reason = table_fill(&table, index);
	if (reason)
		return reason;
	table.name = service_cgroup;
	reason = table_fill(&table, index);
	if (reason)
		return reason;

	/* cgroups(7), "no internal processes": a group with processes has no groups below it. */
	for (*index = 0; *index < plan_count(plan, PLAN_SERVICES); (*index)++) {
		const char *path = plan_string(plan, service_cgroup(plan, *index));
		if (table_holds_above(&table, path, false))
			return "the cgroup of a service lies inside that of another";
		if (length && strncmp(path, pods, length) == 0 && path[length] == '/')
			return "the cgroup of a service lies inside that of the pods";
	}
	*index = 0;
	*section = PLAN_SYSTEM;
	return length && table_holds_above(&table, pods, true)
		       ? "the pods' cgroup lies inside that of a service"
		       : NULL;
}
