/* SPDX-License-Identifier: Apache-2.0 */
/* The checks that take more than one part of the spec to see. */
#include <ctype.h>
#include <string.h>

#include "rootfs-spec/nearest.h"
#include "rootfs-spec/spec_parts.h"

/* ---- the service graph ---- */

static uint32_t find_service(const struct spec *spec, const char *name)
{
	for (uint32_t i = 0; i < spec->service_count; i++)
		if (strcmp(spec->services[i].name.text, name) == 0)
			return i;
	return PLAN_NONE;
}

static const char *nearest_service(const struct spec *spec, const char *name)
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
	};
	return keys[kind];
}

static void resolve_edges(struct spec *spec, struct diagnostics *diagnostics)
{
	for (uint32_t i = 0; i < spec->service_count; i++) {
		struct spec_service *service = &spec->services[i];
		for (size_t j = 0; j < service->edge_count; j++) {
			struct spec_edge *edge = &service->edges[j];
			edge->service = find_service(spec, edge->name.text);
			if (edge->service == PLAN_NONE) {
				diagnose(diagnostics, edge->name.where,
					 "'%s' %s unknown service '%s'", service->name.text,
					 edge->kind == PLAN_EDGE_AFTER ? "is after"
								       : edge_key(edge->kind),
					 edge->name.text);
				diagnose_suggest(diagnostics,
						 nearest_service(spec, edge->name.text));
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
		uint32_t next = service->edges[walk->edge[walk->depth - 1]++].service;
		if (next == PLAN_NONE || walk->colour[next] == 2)
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

/* ---- names across parts ---- */

static void check_policies(const struct spec *spec, struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < spec->service_count; i++) {
		const struct text *policy = &spec->services[i].policy;
		if (!policy->text || spec_policy(spec, policy->text))
			continue;
		struct nearest nearest = {.name = policy->text};
		for (size_t j = 0; j < spec->policy_count; j++)
			nearest_offer(&nearest, spec->policies[j].name.text);
		diagnose(diagnostics, policy->where, "unknown policy '%s'", policy->text);
		diagnose_suggest(diagnostics, nearest.best);
	}
}

/* A slot that can never be healthy would be rolled back after each update. */
static void check_health(const struct spec *spec, struct diagnostics *diagnostics)
{
	const struct spec_slots *slots = &spec->slots;

	for (size_t i = 0; i < slots->healthy_services.count; i++) {
		struct text name = slots->healthy_services.list[i];
		uint32_t index = find_service(spec, name.text);
		if (index == PLAN_NONE) {
			diagnose(diagnostics, name.where,
				 "the health condition names unknown service '%s'", name.text);
			diagnose_suggest(diagnostics, nearest_service(spec, name.text));
			continue;
		}
		const struct spec_service *service = &spec->services[index];
		if (service->kind == PLAN_SERVICE_ONESHOT)
			diagnose(diagnostics, name.where,
				 "the health condition names '%s', a oneshot, which is never up",
				 name.text);
		else if (service->flags & PLAN_SERVICE_MANUAL)
			diagnose(diagnostics, name.where,
				 "the health condition names '%s', which is not started at boot",
				 name.text);
	}
	if (slots->healthy_deadline_ns && slots->healthy_for_ns >= slots->healthy_deadline_ns)
		diagnose(diagnostics, slots->where,
			 "no slot can be healthy 'for' longer than 'deadline'");
}

static void check_cgroup(const struct spec *spec, uint32_t index, struct diagnostics *diagnostics)
{
	const struct spec_service *service = &spec->services[index];
	const char *own = service->cgroup.text, *pods = spec->pods.cgroup.text;

	if (!own)
		return;
	size_t length = strlen(own), pods_length = pods ? strlen(pods) : 0;
	for (uint32_t i = 0; i < spec->service_count; i++) {
		const struct spec_service *other = &spec->services[i];
		if (i == index || !other->cgroup.text)
			continue;
		if (i < index && strcmp(own, other->cgroup.text) == 0)
			diagnose(diagnostics, service->cgroup.where,
				 "'%s' and '%s' share the cgroup '%s'", other->name.text,
				 service->name.text, own);
		/* cgroups(7), no internal processes. */
		if (strncmp(own, other->cgroup.text, length) == 0 &&
		    other->cgroup.text[length] == '/')
			diagnose(diagnostics, other->cgroup.where,
				 "the cgroup of '%s' lies inside that of '%s', which has processes",
				 other->name.text, service->name.text);
	}
	if (pods_length && strncmp(own, pods, pods_length) == 0 &&
	    (own[pods_length] == '/' || own[pods_length] == '\0'))
		diagnose(diagnostics, service->cgroup.where, "'%s' is the cgroup of the pods", own);
	if (pods_length && strncmp(own, pods, length) == 0 && pods[length] == '/')
		diagnose(diagnostics, service->cgroup.where,
			 "the pods' cgroup '%s' lies inside that of '%s'", pods,
			 service->name.text);
}

static void check_logs(const struct spec *spec, uint32_t index, struct diagnostics *diagnostics)
{
	const struct spec_service *service = &spec->services[index];

	if (service->output != PLAN_OUTPUT_LOG || !service->output_path.text)
		return;
	for (uint32_t i = 0; i < index; i++) {
		const struct spec_service *other = &spec->services[i];
		if (other->output == PLAN_OUTPUT_LOG && other->output_path.text &&
		    strcmp(other->output_path.text, service->output_path.text) == 0)
			diagnose(diagnostics,
				 service->output_path.where.source ? service->output_path.where
								   : service->where,
				 "'%s' and '%s' log to the same file", other->name.text,
				 service->name.text);
	}
}

static void check_unique(struct text a, struct text b, const char *what,
			 struct diagnostics *diagnostics)
{
	if (strcmp(a.text, b.text) == 0)
		diagnose(diagnostics, b.where, "%s '%s' is given twice, first in line %u", what,
			 b.text, a.where.line);
}

static void check_duplicates(const struct spec *spec, struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < spec->file_count; i++)
		for (size_t j = 0; j < i; j++)
			if (spec->files[i].kind != SPEC_FILE_TREE &&
			    spec->files[j].kind != SPEC_FILE_TREE)
				check_unique(spec->files[j].to, spec->files[i].to, "the file",
					     diagnostics);
	for (size_t i = 0; i < spec->path_count; i++)
		for (size_t j = 0; j < i; j++)
			check_unique(spec->paths[j].path, spec->paths[i].path, "the path",
				     diagnostics);
	for (size_t i = 0; i < spec->packages.install_count; i++)
		for (size_t j = 0; j < i; j++)
			check_unique(spec->packages.install[j].name, spec->packages.install[i].name,
				     "the package", diagnostics);
}

/* RFC 1123; kubelet registers the node by this name, and takes no other characters. */
static bool is_hostname(const char *name)
{
	char before = '.';

	for (; *name; before = *name++) {
		bool inner = *name == '-' || *name == '.';
		if (!inner && !isalnum((unsigned char)*name))
			return false;
		if ((inner && before == '.') || (*name == '.' && before == '-'))
			return false;
	}
	return before != '.' && before != '-';
}

static void check_hostname(const struct spec *spec, struct diagnostics *diagnostics)
{
	const struct text *hostname = &spec->hostname;

	if (!hostname->text)
		return;
	if (strlen(hostname->text) > 64)
		diagnose(diagnostics, hostname->where, "a host name has at most 64 bytes");
	if (is_hostname(hostname->text))
		return;
	diagnose(diagnostics, hostname->where, "'%s' is no host name: letters, digits, '-' and '.'",
		 hostname->text);
	if (hostname->text == spec->name.text)
		diagnose_hint(diagnostics, "without 'hostname' the name is the host's, too");
}

void spec_check_parts(struct spec *spec, struct diagnostics *diagnostics)
{
	check_policies(spec, diagnostics);
	check_health(spec, diagnostics);
	check_duplicates(spec, diagnostics);
	for (uint32_t i = 0; i < spec->service_count; i++) {
		check_cgroup(spec, i, diagnostics);
		check_logs(spec, i, diagnostics);
	}
	check_hostname(spec, diagnostics);
}
