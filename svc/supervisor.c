/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/supervisor.h"

#include <errno.h>
#include <sys/wait.h>

#include "svc/graph.h"
#include "svc/supervisor_state.h"

/* Children reaped in one turn: orphans may die as fast as they are reaped. */
#define REAP_TURN 256

/* ---- acting ---- */

/* After anything happened: let the graph act, tell who waits, note that the node is up. */
static void settle(struct supervisor *supervisor)
{
	const struct supervisor_hooks *hooks = supervisor->config.hooks;
	struct world *world = supervisor->world;

	if (!supervisor->dirty)
		return;
	graph_act(supervisor->plan, world, life_deliver, supervisor);
	supervisor->dirty = false;
	control_server_settle(&supervisor->control, clock_boottime_ns());
	if (world->up_ns != 0 || supervisor->ending || !graph_all_up(world))
		return;
	world->up_ns = clock_boottime_ns();
	if (hooks && hooks->up)
		hooks->up(hooks->context);
}

static int mark(struct supervisor *supervisor, enum control_verb verb, uint32_t service)
{
	switch (verb) {
	case CONTROL_VERB_START:
		graph_mark_start(supervisor->plan, supervisor->world, service);
		break;
	case CONTROL_VERB_STOP:
		graph_mark_stop(supervisor->plan, supervisor->world, service);
		break;
	case CONTROL_VERB_RESTART:
		graph_mark_restart(supervisor->plan, supervisor->world, service);
		break;
	default: return -EINVAL;
	}
	supervisor->dirty = true;
	return 0;
}

int supervisor_call_request(void *context, enum control_verb verb, uint32_t service)
{
	struct supervisor *supervisor = context;

	return supervisor->ending ? -ESHUTDOWN : mark(supervisor, verb, service);
}

int supervisor_call_power(void *context, enum control_power action)
{
	struct supervisor *supervisor = context;
	const struct supervisor_hooks *hooks = supervisor->config.hooks;
	int error = hooks && hooks->power ? hooks->power(hooks->context, action) : -ENOTSUP;

	if (error == 0)
		supervisor_ending(supervisor);
	return error;
}

int supervisor_call_slot_status(void *context, struct control_slot_status *status)
{
	const struct supervisor *supervisor = context;
	const struct supervisor_hooks *hooks = supervisor->config.hooks;

	return hooks && hooks->slot_status ? hooks->slot_status(hooks->context, status) : -ENODATA;
}

int supervisor_request(struct supervisor *supervisor, enum control_verb verb, uint32_t service)
{
	int error = mark(supervisor, verb, service);

	settle(supervisor);
	return error;
}

void supervisor_start(struct supervisor *supervisor)
{
	graph_mark_boot(supervisor->plan, supervisor->world);
	supervisor->dirty = true;
	settle(supervisor);
}

void supervisor_ending(struct supervisor *supervisor)
{
	supervisor->ending = true;
}

void supervisor_stop_all(struct supervisor *supervisor)
{
	supervisor_ending(supervisor);
	graph_mark_shutdown(supervisor->plan, supervisor->world);
	supervisor->dirty = true;
	settle(supervisor);
}

void supervisor_kill_all(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->world->service_count; i++)
		if (service_is_active(supervisor->world->services[i].state))
			life_kill(supervisor, i);
}

bool supervisor_stopped(const struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->world->service_count; i++)
		if (service_is_active(supervisor->world->services[i].state))
			return false;
	return true;
}

bool supervisor_settled(const struct supervisor *supervisor)
{
	return !supervisor->dirty && graph_settled(supervisor->world);
}

/* ---- hearing ---- */

static void handle_probe(struct supervisor *supervisor, uint32_t probe, uint32_t generation)
{
	uint32_t service = ready_handle(&supervisor->ready, probe, generation, clock_boottime_ns());

	if (service != PLAN_NONE)
		life_check_ready(supervisor, service);
}

void supervisor_handle(struct supervisor *supervisor, const struct epoll_event *event)
{
	uint64_t key = event->data.u64;
	uint32_t index = (uint32_t)key;
	uint32_t generation = (uint32_t)(key >> 32) & SUPERVISOR_GENERATION_MASK;

	switch ((enum supervisor_source)(key >> 56)) {
	case SOURCE_LISTEN: control_server_accept(&supervisor->control, clock_boottime_ns()); break;
	case SOURCE_CLIENT:
		control_server_handle(&supervisor->control, index, generation, clock_boottime_ns());
		break;
	case SOURCE_NOTIFY: hear_messages(supervisor); break;
	case SOURCE_PROBE: handle_probe(supervisor, index, generation); break;
	case SOURCE_REPORT:
		if (index < supervisor->world->service_count)
			life_report(supervisor, index, generation);
		break;
	case SOURCE_GROUP:
		if (index < supervisor->world->service_count)
			life_group_changed(supervisor, index, generation);
		break;
	}
	settle(supervisor);
}

uint64_t supervisor_deadline_ns(const struct supervisor *supervisor)
{
	uint64_t deadline = control_server_deadline_ns(&supervisor->control);

	for (uint32_t i = 0; i < supervisor->world->service_count; i++) {
		const struct world_service *state = &supervisor->world->services[i];
		uint64_t probe = state->state == SERVICE_STARTING
					 ? ready_deadline_ns(&supervisor->ready, i)
					 : UINT64_MAX;

		if (state->deadline_ns != 0 && state->deadline_ns < deadline)
			deadline = state->deadline_ns;
		if (probe < deadline)
			deadline = probe;
	}
	return deadline;
}

void supervisor_tick(struct supervisor *supervisor, uint64_t now_ns)
{
	for (uint32_t i = 0; i < supervisor->world->service_count; i++) {
		const struct world_service *state = &supervisor->world->services[i];

		if (state->state == SERVICE_STARTING) {
			ready_tick(&supervisor->ready, i, now_ns);
			life_check_ready(supervisor, i);
		}
		if (state->deadline_ns != 0 && state->deadline_ns <= now_ns)
			life_deliver(supervisor, i, SERVICE_TIMEOUT);
	}
	control_server_tick(&supervisor->control, now_ns);
	settle(supervisor);
}

static uint32_t find_main(const struct world *world, int pid)
{
	for (uint32_t i = 0; i < world->service_count; i++)
		if (world->services[i].pid == pid)
			return i;
	return PLAN_NONE;
}

static void reap_other(struct supervisor *supervisor, const siginfo_t *info)
{
	const struct supervisor_hooks *hooks = supervisor->config.hooks;
	siginfo_t reaped;

	if (hooks && hooks->child_ended)
		hooks->child_ended(hooks->context, info);
	supervisor->world->reaped_orphans++;
	waitid(P_PID, (id_t)info->si_pid, &reaped, WEXITED | WNOHANG);
}

bool supervisor_reap(struct supervisor *supervisor)
{
	bool more = true;

	for (uint32_t i = 0; more && i < REAP_TURN; i++) {
		siginfo_t info = {0};

		more = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		       info.si_pid != 0;
		if (!more)
			break;
		uint32_t index = find_main(supervisor->world, info.si_pid);

		if (index == PLAN_NONE)
			reap_other(supervisor, &info);
		else
			life_main_ended(supervisor, index, &info);
	}
	settle(supervisor);
	return more;
}
