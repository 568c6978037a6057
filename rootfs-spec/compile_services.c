/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "rootfs-spec/compile_parts.h"

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

static struct plan_command command_of(struct compiler *compiler, const struct texts *argv,
				      uint64_t timeout_ns)
{
	return (struct plan_command){.argv = compile_texts(compiler, argv),
				     .timeout_ns = timeout_ns};
}

static struct plan_list put_probes(struct compiler *compiler, const struct spec_probe *from,
				   size_t count)
{
	struct plan_probe *probes = pool_alloc(compiler->pool, (count + 1) * sizeof(*probes));

	for (size_t i = 0; i < count; i++) {
		probes[i] =
			(struct plan_probe){.kind = from[i].kind,
					    .number = from[i].number,
					    .command = PLAN_NONE,
					    .target = compile_text(compiler, from[i].target.text),
					    .interval_ns = from[i].interval_ns,
					    .timeout_ns = from[i].timeout_ns,
					    .failures = from[i].failures};
		if (probes[i].kind != PLAN_PROBE_COMMAND)
			continue;
		struct plan_command command = command_of(compiler, &from[i].command,
							 from[i].timeout_ns);
		probes[i].command = plan_write_command(compiler->writer, &command);
	}
	return count ? plan_write_probes(compiler->writer, probes, count) : (struct plan_list){0};
}

static struct plan_list put_commands(struct compiler *compiler, const struct spec_commands *from)
{
	struct plan_list list = {0};

	for (size_t i = 0; i < from->count; i++) {
		struct plan_command command = command_of(compiler, &from->list[i].argv,
							 from->list[i].timeout_ns);
		if (from->list[i].optional)
			command.flags = PLAN_COMMAND_OPTIONAL;
		uint32_t index = plan_write_command(compiler->writer, &command);
		if (i == 0)
			list = (struct plan_list){index, (uint32_t)from->count};
	}
	return list;
}

static struct plan_list put_conditions(struct compiler *compiler, const struct spec_service *from)
{
	struct plan_list list = {0};

	for (size_t i = 0; i < from->condition_count; i++) {
		const struct spec_condition *one = &from->conditions[i];
		struct plan_condition condition = {.kind = one->kind,
						   .flags = one->negated ? PLAN_CONDITION_NOT : 0,
						   .value = compile_text(compiler,
									 one->value.text)};
		uint32_t index = plan_write_condition(compiler->writer, &condition);
		if (i == 0)
			list = (struct plan_list){index, (uint32_t)from->condition_count};
	}
	return list;
}

struct plan_list compile_sandbox(struct compiler *compiler, const struct spec_sandbox *entries,
				 size_t count)
{
	struct plan_list list = {0};

	for (size_t i = 0; i < count; i++) {
		const struct spec_sandbox *one = &entries[i];
		struct plan_sandbox sandbox = {.kind = one->kind,
					       .flags = one->optional ? PLAN_SANDBOX_OPTIONAL : 0,
					       .path = compile_text(compiler, one->path.text),
					       .source = compile_text(compiler, one->source.text)};
		uint32_t index = plan_write_sandbox(compiler->writer, &sandbox);
		if (i == 0)
			list = (struct plan_list){index, (uint32_t)count};
	}
	return list;
}

/* Words up to the last one that has a CPU: the plan knows no other form. */
static struct plan_blob put_cpus(struct compiler *compiler, const struct spec_service *from)
{
	size_t words = PLAN_MAX_CPUS / 64;

	while (words && !from->cpus[words - 1])
		words--;
	return plan_write_blob(compiler->writer, from->cpus, words * sizeof(from->cpus[0]));
}

static void put_service(struct compiler *compiler, const struct spec_service *from)
{
	/* In statements of their own: the same spec gives the same bytes from any compiler. */
	struct plan_service service = {
		.kind = from->kind,
		.flags = from->flags,
		.restart = from->restart,
		.kill = from->kill,
		.output = from->output,
		.stop_signal = from->stop_signal,
		.log_max_bytes = from->log_max_bytes,
		.log_keep = from->log_keep,
		.policy = compile_policy_index(compiler->spec, from->policy.text),
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
		.watchdog_ns = from->watchdog_ns,
		.timer_first_ns = from->timer_first_ns,
		.timer_every_ns = from->timer_every_ns,
		.timer_jitter_ns = from->timer_jitter_ns,
		.reload_signal = from->reload_signal,
		.reload_command = PLAN_NONE,
		.scheduler = from->scheduler,
		.scheduler_priority = from->scheduler_priority,
		.io_priority = from->io_priority,
	};

	memcpy(service.exits_clean, from->exits_clean, sizeof(service.exits_clean));
	memcpy(service.exits_final, from->exits_final, sizeof(service.exits_final));
	service.name = compile_text(compiler, from->name.text);
	service.output_path = compile_text(compiler, from->output_path.text);
	service.argv = compile_texts(compiler, &from->exec);
	service.environment = compile_texts(compiler, &from->environment);
	service.directory = compile_text(compiler, from->directory.text);
	service.cgroup = compile_text(compiler, from->cgroup.text);
	service.cgroup_settings = compile_settings(compiler, from->cgroup_settings,
						   from->cgroup_setting_count, false);
	service.limits = put_limits(compiler, from);
	/* Readiness first: a plan has its polled probes in this order (plan_check_sharing()). */
	service.probes = put_probes(compiler, from->probes, from->probe_count);
	service.liveness = put_probes(compiler, from->liveness, from->liveness_count);
	service.groups = plan_write_refs(compiler->writer, from->groups, from->group_count);
	service.pre = put_commands(compiler, &from->pre);
	service.post = put_commands(compiler, &from->post);
	if (from->reload.count)
		service.reload_command = put_commands(compiler, &from->reload).first;
	service.conditions = put_conditions(compiler, from);
	service.sandbox = compile_sandbox(compiler, from->sandbox, from->sandbox_count);
	service.affinity = put_cpus(compiler, from);
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
