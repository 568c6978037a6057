/* SPDX-License-Identifier: Apache-2.0 */
/* A service of a plan, as people read it. */
#include "rootfs-spec/plan_print_parts.h"
#include "rootfs-spec/value.h"

static const char *const service_kinds[] = {"?", "daemon", "oneshot", "timer"};
static const char *const restarts[] = {"?", "never", "on-failure", "always"};
static const char *const kills[] = {"?", "cgroup", "main"};
static const char *const outputs[] = {"?", "none", "log", "kmsg", "tty"};
static const char *const edges[] = {"?", "requires", "wants", "after", "conflicts"};

static void print_probe(struct bytes *out, const struct plan *plan, const char *key,
			const struct plan_probe *probe)
{
	bytes_printf(out, "  %s: ", key);
	switch (probe->kind) {
	case PLAN_PROBE_EXEC: bytes_text(out, "exec\n"); return;
	case PLAN_PROBE_NOTIFY: bytes_text(out, "notify\n"); return;
	case PLAN_PROBE_FD: bytes_printf(out, "fd %u\n", probe->number); return;
	case PLAN_PROBE_SOCKET:
		bytes_printf(out, "socket %s\n", plan_string(plan, probe->target));
		break;
	case PLAN_PROBE_HTTP:
		bytes_printf(out, "http 127.0.0.1:%u%s\n", probe->number,
			     plan_string(plan, probe->target));
		break;
	default: plan_print_strings(out, plan, "command", plan_command(plan, probe->command)->argv);
	}
	plan_print_duration(out, "    every", probe->interval_ns);
	if (probe->timeout_ns)
		plan_print_duration(out, "    timeout", probe->timeout_ns);
	if (probe->failures)
		bytes_printf(out, "    failures: %u\n", probe->failures);
}

static void print_command(struct bytes *out, const struct plan *plan, const char *key,
			  uint32_t index)
{
	const struct plan_command *command = plan_command(plan, index);

	plan_print_strings(out, plan, key, command->argv);
	plan_print_duration(out, "    timeout", command->timeout_ns);
	if (command->flags & PLAN_COMMAND_OPTIONAL)
		bytes_text(out, "    optional: true\n");
}

static void print_commands(struct bytes *out, const struct plan *plan, const char *key,
			   struct plan_list list)
{
	for (uint32_t i = 0; i < list.count; i++)
		print_command(out, plan, key, list.first + i);
}

static void print_conditions(struct bytes *out, const struct plan *plan, struct plan_list list)
{
	static const char *const kinds[] = {"?",          "path",         "kernel-word",
					    "first-boot", "architecture", "virtualization"};

	for (uint32_t i = 0; i < list.count; i++) {
		const struct plan_condition *condition = plan_condition(plan, list.first + i);
		bytes_printf(out, "  condition: %s%s%s%s\n",
			     condition->flags & PLAN_CONDITION_NOT ? "not " : "",
			     kinds[condition->kind], condition->value ? " " : "",
			     plan_string(plan, condition->value));
	}
}

void plan_print_sandbox(struct bytes *out, const struct plan *plan, struct plan_list list)
{
	static const char *const kinds[] = {"?",      "private-tmp", "read-only",
					    "hidden", "bind",        "bind read-only"};

	for (uint32_t i = 0; i < list.count; i++) {
		const struct plan_sandbox *sandbox = plan_sandbox(plan, list.first + i);
		bytes_printf(out, "  %s: %s%s%s%s\n", kinds[sandbox->kind],
			     plan_string(plan, sandbox->source), sandbox->source ? " at " : "",
			     plan_string(plan, sandbox->path),
			     sandbox->flags & PLAN_SANDBOX_OPTIONAL ? " (optional)" : "");
	}
}

static void print_exits(struct bytes *out, const char *key, const uint64_t exits[4])
{
	bool first = true;

	for (unsigned status = 0; status < 256; status++)
		if (exits[status / 64] >> status % 64 & 1) {
			if (first)
				bytes_printf(out, "%s:", key);
			bytes_printf(out, " %u", status);
			first = false;
		}
	bytes_text(out, first ? "" : "\n");
}

/* Everything that most services do not say. */
static void print_life(struct bytes *out, const struct plan *plan,
		       const struct plan_service *service)
{
	if (service->watchdog_ns)
		plan_print_duration(out, "  watchdog", service->watchdog_ns);
	if (service->kind == PLAN_SERVICE_TIMER) {
		plan_print_duration(out, "  first", service->timer_first_ns);
		plan_print_duration(out, "  every", service->timer_every_ns);
		plan_print_duration(out, "  jitter", service->timer_jitter_ns);
	}
	print_conditions(out, plan, service->conditions);
	print_commands(out, plan, "  pre", service->pre);
	print_commands(out, plan, "  post", service->post);
	if (service->reload_signal)
		bytes_printf(out, "  reload-signal: %u\n", service->reload_signal);
	if (service->reload_command != PLAN_NONE)
		print_command(out, plan, "  reload", service->reload_command);
	print_exits(out, "  success", service->exits_clean);
	print_exits(out, "  final", service->exits_final);
}

static void print_scheduling(struct bytes *out, const struct plan *plan,
			     const struct plan_service *service)
{
	static const char *const policies[] = {"other", "fifo", "rr", "batch", "?", "idle"};
	static const char *const classes[] = {"?", "realtime", "best-effort", "idle"};
	const uint64_t *words = plan_bytes(plan, service->affinity);
	bool first = true;

	if (service->scheduler)
		bytes_printf(out, "  scheduler: %s %u\n", policies[service->scheduler],
			     service->scheduler_priority);
	if (service->io_priority)
		bytes_printf(out, "  io-priority: %s %u\n", classes[service->io_priority >> 13],
			     service->io_priority & 7);
	for (uint32_t cpu = 0; cpu < service->affinity.size_bytes * 8; cpu++)
		if (words[cpu / 64] >> cpu % 64 & 1) {
			bytes_printf(out, "%s%u", first ? "  cpus: " : ",", cpu);
			first = false;
		}
	bytes_text(out, first ? "" : "\n");
}

static void print_limits(struct bytes *out, const struct plan *plan, struct plan_list list)
{
	for (uint32_t i = 0; i < list.count; i++) {
		const struct plan_limit *limit = plan_limit(plan, list.first + i);
		uint64_t values[2] = {limit->soft, limit->hard};
		uint32_t number, name = 0;
		while (value_resources[name] && !(value_resource(value_resources[name], &number) &&
						  number == limit->resource))
			name++;
		bytes_printf(out, "  limit: %s",
			     value_resources[name] ? value_resources[name] : "?");
		for (size_t j = 0; j < 2; j++)
			if (values[j] == UINT64_MAX)
				bytes_text(out, " unlimited");
			else
				bytes_printf(out, " %llu", (unsigned long long)values[j]);
		bytes_text(out, "\n");
	}
}

static void print_edges(struct bytes *out, const struct plan *plan,
			const struct plan_service *service)
{
	for (uint32_t i = 0; i < service->needs.count; i++) {
		const struct plan_edge *edge = plan_edge(plan, service->needs.first + i);
		bytes_printf(out, "  %s: %s\n", edges[edge->kind],
			     plan_string(plan, plan_service(plan, edge->to)->name));
	}
	for (uint32_t i = 0; i < service->needed_by.count; i++) {
		const struct plan_edge *edge = plan_edge(plan, service->needed_by.first + i);
		/* A conflict has no direction. */
		bytes_printf(out, "  %s%s: %s\n",
			     edge->kind == PLAN_EDGE_AFTER ? "before, said" : edges[edge->kind],
			     edge->kind == PLAN_EDGE_CONFLICTS ? "" : " by",
			     plan_string(plan, plan_service(plan, edge->from)->name));
	}
}

void plan_print_service(const struct plan *plan, uint32_t index, struct bytes *out)
{
	static const char *const flags[] = {"critical", "manual",     "logger",
					    "delegate", "notify-all", NULL};
	const struct plan_service *service = plan_service(plan, index);

	bytes_printf(out, "\nservice %u: %s\n  kind: %s\n", index, plan_string(plan, service->name),
		     service_kinds[service->kind]);
	plan_print_strings(out, plan, "  exec", service->argv);
	plan_print_flags(out, "  flags", service->flags, flags);
	print_edges(out, plan, service);
	for (uint32_t i = 0; i < service->probes.count; i++)
		print_probe(out, plan, "ready", plan_probe(plan, service->probes.first + i));
	for (uint32_t i = 0; i < service->liveness.count; i++)
		print_probe(out, plan, "liveness", plan_probe(plan, service->liveness.first + i));
	print_life(out, plan, service);
	bytes_printf(out, "  restart: %s\n  burst: %u\n", restarts[service->restart],
		     service->burst);
	plan_print_duration(out, "  backoff-min", service->backoff_min_ns);
	plan_print_duration(out, "  backoff-max", service->backoff_max_ns);
	plan_print_duration(out, "  stable", service->stable_ns);
	plan_print_duration(out, "  start-timeout", service->start_timeout_ns);
	plan_print_duration(out, "  stop-timeout", service->stop_timeout_ns);
	bytes_printf(out, "  stop-signal: %u\n  kill: %s\n", service->stop_signal,
		     kills[service->kill]);
	bytes_printf(out, "  output: %s%s%s\n", outputs[service->output],
		     service->output_path ? " " : "", plan_string(plan, service->output_path));
	if (service->output == PLAN_OUTPUT_LOG)
		bytes_printf(out, "  log-max: %llu\n  log-keep: %u\n  log-when-full: %s\n",
			     (unsigned long long)service->log_max_bytes, service->log_keep,
			     service->flags & PLAN_SERVICE_LOG_DROP ? "drop" : "wait");
	if (service->policy != PLAN_NONE)
		bytes_printf(out, "  policy: %s\n",
			     plan_string(plan, plan_policy(plan, service->policy)->name));
	bytes_printf(out, "  user: %u\n  group: %u\n", service->uid, service->gid);
	for (uint32_t i = 0; i < service->groups.count; i++)
		bytes_printf(out, "  supplementary: %u\n",
			     *plan_ref(plan, service->groups.first + i));
	bytes_printf(out, "  directory: %s\n  cgroup: %s\n", plan_string(plan, service->directory),
		     plan_string(plan, service->cgroup));
	for (uint32_t i = 0; i < service->cgroup_settings.count; i++) {
		const struct plan_setting *setting =
			plan_setting(plan, service->cgroup_settings.first + i);
		bytes_printf(out, "  %s: %s\n", plan_string(plan, setting->path),
			     plan_string(plan, setting->value));
	}
	print_limits(out, plan, service->limits);
	bytes_printf(out, "  oom-score-adj: %d\n  nice: %d\n  umask: 0%03o\n",
		     service->oom_score_adj, service->nice, service->umask);
	print_scheduling(out, plan, service);
	plan_print_sandbox(out, plan, service->sandbox);
	for (uint32_t i = 0; i < service->environment.count; i++)
		bytes_printf(out, "  environment: %s\n",
			     plan_list_string(plan, service->environment, i));
}
