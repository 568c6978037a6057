/* SPDX-License-Identifier: Apache-2.0 */
/* The deadlines of a service's life: its state's, its hook's, its probes', its watchdog's. */
#include "svc/supervisor_state.h"

static void earlier(uint64_t *deadline_ns, uint64_t at_ns)
{
	if (at_ns != 0 && at_ns < *deadline_ns)
		*deadline_ns = at_ns;
}

void life_touch(struct supervisor *supervisor, uint32_t index)
{
	const struct world_service *state = state_of(supervisor, index);
	uint64_t due_ns = UINT64_MAX;

	earlier(&due_ns, state->deadline_ns);
	if (service_is_active(state->state)) {
		earlier(&due_ns, supervisor->lives[index].retry_ns);
		earlier(&due_ns, supervisor->lives[index].look_ns);
		earlier(&due_ns, state->watchdog_deadline_ns);
		earlier(&due_ns, state->reload_deadline_ns);
		earlier(&due_ns, task_deadline_ns(supervisor, index));
		earlier(&due_ns, probes_deadline_ns(&supervisor->probes, index));
	}
	supervisor->due_ns[index] = due_ns;
}

static bool is_due(uint64_t deadline_ns, uint64_t now_ns)
{
	return deadline_ns != 0 && deadline_ns <= now_ns;
}

void life_tick(struct supervisor *supervisor, uint32_t index, uint64_t now_ns)
{
	const struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];

	task_tick(supervisor, index, now_ns);
	probes_tick(&supervisor->probes, index, now_ns);
	life_check_ready(supervisor, index);
	if (is_due(life->retry_ns, now_ns)) {
		life->retry_ns = 0;
		life_go_on(supervisor, index);
	}
	if (is_due(life->look_ns, now_ns)) {
		life->look_ns = 0;
		life_look(supervisor, index);
	}
	if (is_due(state->watchdog_deadline_ns, now_ns))
		life_watchdog_late(supervisor, index, now_ns);
	if (is_due(state->reload_deadline_ns, now_ns))
		life_reload_late(supervisor, index);
	if (is_due(state->deadline_ns, now_ns))
		life_deliver(supervisor, index, SERVICE_TIMEOUT);
	life_touch(supervisor, index);
}
