/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over everything that a verified plan holds, as the node's programs walk it and then some:
 * each string to its end, each list, each blob, each edge both ways. Under AddressSanitizer a step
 * outside the file ends the program; what plan_verify() promises is asserted with abort(). Shared by
 * the mutation test and the fuzzer.
 */
#ifndef KEELSON_TESTS_PLAN_WALK_H
#define KEELSON_TESTS_PLAN_WALK_H

#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/plan.h"
#include "tests/unit/bpf.h"

struct plan_walk {
	const struct plan *plan;
	uint64_t sum; /* of what was read, so that no read is optimised away */
};

static inline void walk_assert(int truth)
{
	if (!truth)
		abort();
}

static inline const char *walk_string(struct plan_walk *walk, plan_str string)
{
	const char *text = plan_string(walk->plan, string);

	walk->sum += strlen(text);
	return text;
}

static inline void walk_strings(struct plan_walk *walk, struct plan_list list)
{
	for (uint32_t i = 0; i < list.count; i++)
		walk->sum += strlen(plan_list_string(walk->plan, list, i));
}

static inline void walk_setting(struct plan_walk *walk, uint32_t index)
{
	const struct plan_setting *setting = plan_setting(walk->plan, index);

	walk_assert(walk_string(walk, setting->path)[0] != '\0');
	walk_string(walk, setting->value);
	walk->sum += setting->flags;
}

static inline void walk_command(struct plan_walk *walk, uint32_t index)
{
	const struct plan_command *command = plan_command(walk->plan, index);

	walk_assert(command->argv.count &&
		    plan_list_string(walk->plan, command->argv, 0)[0] == '/');
	walk_strings(walk, command->argv);
	walk_assert(command->timeout_ns != 0);
}

static inline void walk_probes(struct plan_walk *walk, struct plan_list list, int alive)
{
	walk_assert(list.count <= PLAN_MAX_PROBES);
	for (uint32_t i = 0; i < list.count; i++) {
		const struct plan_probe *probe = plan_probe(walk->plan, list.first + i);
		walk_string(walk, probe->target);
		walk_assert((probe->failures != 0) == alive);
		walk_assert((probe->command != PLAN_NONE) == (probe->kind == PLAN_PROBE_COMMAND));
		if (probe->command != PLAN_NONE)
			walk_command(walk, probe->command);
	}
}

static inline void walk_system(struct plan_walk *walk)
{
	const struct plan_system *system = walk->plan->system;

	walk_assert(walk_string(walk, system->name)[0] != '\0');
	walk_string(walk, system->image_version);
	walk_assert(strlen(walk_string(walk, system->hostname)) <= 64);
	walk_string(walk, system->pods_cgroup);
	walk_string(walk, system->controllers);
	walk_strings(walk, system->keys);
	for (uint32_t i = 0; i < system->sysctls.count; i++)
		walk_setting(walk, system->sysctls.first + i);
	for (uint32_t i = 0; i < system->healthy.count; i++) {
		uint32_t service = *plan_ref(walk->plan, system->healthy.first + i);
		walk_string(walk, plan_service(walk->plan, service)->name);
	}
	if (system->logger != PLAN_NONE)
		walk_assert(plan_service(walk->plan, system->logger)->flags & PLAN_SERVICE_LOGGER);
	walk_assert(walk->plan->header->kind != PLAN_KIND_NODE || system->shutdown_timeout_ns);
}

static inline void walk_bytes(struct plan_walk *walk, struct plan_blob blob)
{
	const uint8_t *bytes = plan_bytes(walk->plan, blob);

	walk_assert(blob.size_bytes % 8 == 0);
	for (uint32_t i = 0; i < blob.size_bytes; i++)
		walk->sum += bytes[i];
}

/* Any call comes to an end in it, in as many steps as it has instructions. */
static inline void walk_filter(struct plan_walk *walk, struct plan_blob blob)
{
	const struct sock_filter *program = plan_bytes(walk->plan, blob);
	const struct seccomp_data call = {.nr = 1, .arch = AUDIT_ARCH_X86_64};

	walk_bytes(walk, blob);
	walk->sum += bpf_run(program, blob.size_bytes / 8, &call, NULL);
}

static inline void walk_records(struct plan_walk *walk)
{
	const struct plan *plan = walk->plan;

	for (uint32_t i = 0; i < plan_count(plan, PLAN_MODULES); i++) {
		walk_assert(walk_string(walk, plan_module(plan, i)->path)[0] == '/');
		walk_string(walk, plan_module(plan, i)->parameters);
	}
	for (uint32_t i = 0; i < plan_count(plan, PLAN_PATHS); i++) {
		walk_assert(walk_string(walk, plan_path(plan, i)->path)[0] == '/');
		walk_string(walk, plan_path(plan, i)->content);
	}
	for (uint32_t i = 0; i < plan_count(plan, PLAN_SETTINGS); i++)
		walk_setting(walk, i);
	for (uint32_t i = 0; i < plan_count(plan, PLAN_MOUNTS); i++) {
		const struct plan_mount *mount = plan_mount(plan, i);
		walk_assert(walk_string(walk, mount->target)[0] == '/');
		walk_assert(walk_string(walk, mount->type)[0] != '\0');
		walk_string(walk, mount->source);
		walk_string(walk, mount->data);
		walk_assert(mount->options.count % 2 == 0);
		walk_strings(walk, mount->options);
		walk_strings(walk, mount->lowers);
		walk_string(walk, mount->upper);
		walk_string(walk, mount->work);
	}
	for (uint32_t i = 0; i < plan_count(plan, PLAN_POLICIES); i++) {
		const struct plan_policy *policy = plan_policy(plan, i);
		walk_string(walk, policy->name);
		walk_assert(policy->filters.count <= PLAN_MAX_FILTERS);
		walk_assert(policy->sandbox.count <= PLAN_MAX_SANDBOX);
		walk_strings(walk, policy->devices);
		walk_bytes(walk, policy->device_program);
		for (uint32_t j = 0; j < policy->filters.count; j++)
			walk->sum += plan_filter(plan, policy->filters.first + j)->audit_arch;
		for (uint32_t j = 0; j < policy->landlock.count; j++)
			walk->sum += plan_landlock(plan, policy->landlock.first + j)->access;
		for (uint32_t j = 0; j < policy->sandbox.count; j++)
			walk->sum += plan_sandbox(plan, policy->sandbox.first + j)->kind;
	}
	for (uint32_t i = 0; i < plan_count(plan, PLAN_FILTERS); i++)
		walk_filter(walk, plan_filter(plan, i)->program);
	for (uint32_t i = 0; i < plan_count(plan, PLAN_LANDLOCK); i++)
		walk_string(walk, plan_landlock(plan, i)->path);
	for (uint32_t i = 0; i < plan_count(plan, PLAN_LIMITS); i++)
		walk_assert(plan_limit(plan, i)->soft <= plan_limit(plan, i)->hard);
	for (uint32_t i = 0; i < plan_count(plan, PLAN_PROBES); i++)
		walk_string(walk, plan_probe(plan, i)->target);
	for (uint32_t i = 0; i < plan_count(plan, PLAN_COMMANDS); i++)
		walk_command(walk, i);
	for (uint32_t i = 0; i < plan_count(plan, PLAN_CONDITIONS); i++)
		walk_string(walk, plan_condition(plan, i)->value);
	for (uint32_t i = 0; i < plan_count(plan, PLAN_SANDBOX); i++) {
		walk_assert(walk_string(walk, plan_sandbox(plan, i)->path)[0] == '/');
		walk_string(walk, plan_sandbox(plan, i)->source);
	}
}

static inline void walk_edges(struct plan_walk *walk, uint32_t index)
{
	const struct plan *plan = walk->plan;
	const struct plan_service *service = plan_service(plan, index);

	for (uint32_t i = 0; i < service->needs.count; i++) {
		const struct plan_edge *edge = plan_edge(plan, service->needs.first + i);
		walk_assert(edge->from == index && edge->to < index);
		walk_assert(edge->kind != PLAN_EDGE_REQUIRES ||
			    plan_service(plan, edge->to)->kind != PLAN_SERVICE_TIMER);
		/* The other half says the same. */
		const struct plan_list back = plan_service(plan, edge->to)->needed_by;
		uint32_t found = 0;
		for (uint32_t j = 0; j < back.count; j++)
			found += plan_edge(plan, back.first + j)->from == index;
		walk_assert(found == 1);
	}
	for (uint32_t i = 0; i < service->needed_by.count; i++) {
		const struct plan_edge *edge = plan_edge(plan, service->needed_by.first + i);
		walk_assert(edge->to == index && edge->from > index);
		walk_assert(edge->from < plan_count(plan, PLAN_SERVICES));
	}
}

static inline void walk_service(struct plan_walk *walk, uint32_t index)
{
	const struct plan *plan = walk->plan;
	const struct plan_service *service = plan_service(plan, index);

	walk_assert(walk_string(walk, service->name)[0] != '\0');
	for (uint32_t i = 0; i < index; i++)
		walk_assert(strcmp(plan_string(plan, service->name),
				   plan_string(plan, plan_service(plan, i)->name)) != 0);
	walk_assert(service->argv.count && plan_list_string(plan, service->argv, 0)[0] == '/');
	walk_strings(walk, service->argv);
	for (uint32_t i = 0; i < service->environment.count; i++)
		walk_assert(strchr(plan_list_string(plan, service->environment, i), '=') != NULL);
	walk_assert(walk_string(walk, service->directory)[0] == '/');
	walk_assert(walk_string(walk, service->cgroup)[0] != '/');
	walk_string(walk, service->output_path);
	for (uint32_t i = 0; i < service->cgroup_settings.count; i++)
		walk_setting(walk, service->cgroup_settings.first + i);
	for (uint32_t i = 0; i < service->limits.count; i++)
		walk->sum += plan_limit(plan, service->limits.first + i)->resource;
	walk_probes(walk, service->probes, 0);
	walk_probes(walk, service->liveness, 1);
	for (uint32_t i = 0; i < service->pre.count; i++)
		walk_command(walk, service->pre.first + i);
	for (uint32_t i = 0; i < service->post.count; i++)
		walk_command(walk, service->post.first + i);
	if (service->reload_command != PLAN_NONE)
		walk_command(walk, service->reload_command);
	for (uint32_t i = 0; i < service->conditions.count; i++)
		walk->sum += plan_condition(plan, service->conditions.first + i)->kind;
	for (uint32_t i = 0; i < service->sandbox.count; i++)
		walk->sum += plan_sandbox(plan, service->sandbox.first + i)->kind;
	const uint64_t *cpus = plan_bytes(plan, service->affinity);
	for (uint32_t i = 0; i < service->affinity.size_bytes / 8; i++)
		walk->sum += cpus[i];
	for (uint32_t i = 0; i < service->groups.count; i++)
		walk->sum += *plan_ref(plan, service->groups.first + i);
	if (service->policy != PLAN_NONE)
		walk_string(walk, plan_policy(plan, service->policy)->name);
	walk_assert(service->start_timeout_ns && service->stop_timeout_ns);
	walk_edges(walk, index);
}

static inline uint64_t plan_walk(const struct plan *plan)
{
	struct plan_walk walk = {.plan = plan};

	walk_system(&walk);
	walk_records(&walk);
	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES); i++)
		walk_service(&walk, i);
	return walk.sum;
}

#endif
