/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rootfs-spec/compile_parts.h"

static uint32_t policy_index(const struct spec *spec, const char *name)
{
	for (uint32_t i = 0; name && i < spec->policy_count; i++)
		if (strcmp(spec->policies[i].name.text, name) == 0)
			return i;
	return PLAN_NONE;
}

static struct plan_list put_limits(struct compiler *compiler, const struct spec_service *from)
{
	struct plan_list list = {0};

	for (size_t i = 0; i < from->limit_count; i++) {
		struct plan_limit limit = {.resource = from->limits[i].resource,
					   .soft = from->limits[i].soft,
					   .hard = from->limits[i].hard};
		uint32_t index = plan_write_limit(compiler->writer, &limit);
		if (i == 0)
			list = (struct plan_list){index, (uint32_t)from->limit_count};
	}
	return list;
}

static struct plan_list put_probes(struct compiler *compiler, const struct spec_service *from)
{
	struct plan_list list = {0};

	for (size_t i = 0; i < from->probe_count; i++) {
		struct plan_probe probe = {.kind = from->probes[i].kind,
					   .port = from->probes[i].port,
					   .target = compile_text(compiler,
								  from->probes[i].target.text),
					   .interval_ns = from->probes[i].interval_ns};
		uint32_t index = plan_write_probe(compiler->writer, &probe);
		if (i == 0)
			list = (struct plan_list){index, (uint32_t)from->probe_count};
	}
	return list;
}

static void put_service(struct compiler *compiler, const struct spec_service *from)
{
	struct plan_service service = {
		.name = compile_text(compiler, from->name.text),
		.kind = from->kind,
		.flags = from->flags,
		.restart = from->restart,
		.kill = from->kill,
		.output = from->output,
		.output_path = compile_text(compiler, from->output_path.text),
		.stop_signal = from->stop_signal,
		.log_max_bytes = from->log_max_bytes,
		.log_keep = from->log_keep,
		.policy = policy_index(compiler->spec, from->policy.text),
		.argv = compile_texts(compiler, &from->exec),
		.environment = compile_texts(compiler, &from->environment),
		.directory = compile_text(compiler, from->directory.text),
		.cgroup = compile_text(compiler, from->cgroup.text),
		.cgroup_settings = compile_settings(compiler, from->cgroup_settings,
						    from->cgroup_setting_count, false),
		.limits = put_limits(compiler, from),
		.probes = put_probes(compiler, from),
		.groups = plan_write_refs(compiler->writer, from->groups, from->group_count),
		.uid = from->uid,
		.gid = from->gid,
		.oom_score_adj = from->oom_score_adj,
		.nice = from->nice,
		.umask = from->umask,
		.burst = from->burst,
		.start_timeout_ns = from->start_timeout_ns,
		.stop_timeout_ns = from->stop_timeout_ns,
		.backoff_min_ns = from->backoff_min_ns,
		.backoff_max_ns = from->backoff_max_ns,
		.stable_ns = from->stable_ns,
	};
	plan_write_service(compiler->writer, &service);
}

void compile_services(struct compiler *compiler)
{
	const struct spec *spec = compiler->spec;

	compiler->place = pool_alloc(compiler->pool, (spec->service_count + 1) * sizeof(uint32_t));
	for (uint32_t i = 0; i < spec->service_count; i++) {
		compiler->place[spec->order[i]] = i;
		put_service(compiler, &spec->services[spec->order[i]]);
	}
	for (uint32_t i = 0; i < spec->service_count; i++)
		for (size_t j = 0; j < spec->services[i].edge_count; j++) {
			const struct spec_edge *edge = &spec->services[i].edges[j];
			plan_write_edge(compiler->writer, compiler->place[i],
					compiler->place[edge->service], edge->kind);
		}
}
