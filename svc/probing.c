/* SPDX-License-Identifier: Apache-2.0 */
/* What the probes (probe.h) ask of the supervisor, and what it tells them. */
#include "svc/supervisor_state.h"

/* The exit status of a child that asks: what probe_answered() takes for 0 is a socket that accepts. */
static int ask(const char *path)
{
	return -probe_socket_ask_slowly(path);
}

static int run(void *context, uint32_t probe)
{
	struct supervisor *supervisor = context;
	const struct plan_probe *plan = plan_probe(supervisor->plan, probe);

	if (plan->kind == PLAN_PROBE_SOCKET)
		return task_ask(supervisor, task_of_probe(supervisor->world, probe), ask,
				plan_string(supervisor->plan, plan->target), PROBE_TIMEOUT_NS);
	return task_start(supervisor, task_of_probe(supervisor->world, probe), plan->command);
}

static void drop(void *context, uint32_t probe)
{
	struct supervisor *supervisor = context;

	task_drop(supervisor, task_of_probe(supervisor->world, probe));
}

static void sick(void *context, uint32_t service)
{
	life_sick(context, service, WORLD_REASON_LIVENESS);
}

void probing_init(struct supervisor *supervisor, struct probe *table)
{
	supervisor->probe_calls = (struct probe_calls){
		.context = supervisor,
		.run = run,
		.drop = drop,
		.sick = sick,
	};

	const struct probes probes = {
		.plan = supervisor->plan,
		.world = supervisor->world,
		.epoll_fd = supervisor->config.epoll_fd,
		.key = source_key(SOURCE_PROBE),
		.local = supervisor->config.runtime_directory,
		.calls = &supervisor->probe_calls,
		.table = table,
	};

	probes_init(&supervisor->probes, &probes);
}

void probe_command_ended(struct supervisor *supervisor, uint32_t probe,
			 const struct world_death *death)
{
	uint32_t service = supervisor->probes.table[probe].service;

	probe_answered(&supervisor->probes, probe, death, clock_boottime_ns());
	life_touch(supervisor, service);
	life_check_ready(supervisor, service);
}
