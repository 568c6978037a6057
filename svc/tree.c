/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/tree.h"

#include <stdlib.h>

struct walk {
	const struct control_service *services;
	uint32_t count;
	bool *drawn;
	void (*draw)(void *context, const struct tree_line *line);
	void *context;
};

/* The k-th need is a branch: requirements and wishes; what merely comes before is none. */
static bool is_branch(const struct walk *walk, const struct control_service *service, uint32_t k)
{
	/* A plan has whoever is needed first: nothing leads back up, so a walk down ends. */
	return service->needs[k] < service->index && service->needs[k] < walk->count &&
	       (service->need_kinds[k] == PLAN_EDGE_REQUIRES ||
		service->need_kinds[k] == PLAN_EDGE_WANTS);
}

static bool has_branches(const struct walk *walk, const struct control_service *service)
{
	for (uint32_t k = 0; k < service->needs_count; k++)
		if (is_branch(walk, service, k))
			return true;
	return false;
}

static uint32_t last_branch(const struct walk *walk, const struct control_service *service)
{
	uint32_t last = 0;

	for (uint32_t k = 0; k < service->needs_count; k++)
		if (is_branch(walk, service, k))
			last = k;
	return last;
}

static void descend(struct walk *walk, struct tree_line line)
{
	const struct control_service *service = line.service;
	bool branches = has_branches(walk, service);
	uint32_t last = last_branch(walk, service);

	line.again = branches && walk->drawn[service->index];
	walk->draw(walk->context, &line);
	if (!branches || line.again || line.depth >= TREE_DEPTH)
		return;
	walk->drawn[service->index] = true;
	for (uint32_t k = 0; k < service->needs_count; k++) {
		if (!is_branch(walk, service, k))
			continue;
		struct tree_line below = {
			.service = &walk->services[service->needs[k]],
			.depth = line.depth + 1,
			.last = line.last | (uint64_t)(k == last) << (line.depth + 1),
			.wanted = service->need_kinds[k] == PLAN_EDGE_WANTS,
		};

		descend(walk, below);
	}
}

static bool is_root(const struct walk *walk, uint32_t index)
{
	for (uint32_t i = index + 1; i < walk->count; i++)
		for (uint32_t k = 0; k < walk->services[i].needs_count; k++)
			if (walk->services[i].needs[k] == index &&
			    is_branch(walk, &walk->services[i], k))
				return false;
	return true;
}

void tree_walk(const struct control_service *services, uint32_t count,
	       const struct control_service *only,
	       void (*draw)(void *context, const struct tree_line *line), void *context)
{
	struct walk walk = {services, count, calloc(count + 1, sizeof(bool)), draw, context};

	if (!walk.drawn)
		return;
	for (uint32_t i = 0; i < count; i++)
		if (only ? only == &services[i] : is_root(&walk, i))
			descend(&walk, (struct tree_line){.service = &services[i]});
	free(walk.drawn);
}
