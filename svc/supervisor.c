/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/supervisor.h"

#include <errno.h>
#include <sys/wait.h>

#include "svc/audit.h"
#include "svc/foreign.h"
#include "svc/graph.h"
#include "svc/supervisor_state.h"

/* Children reaped in one turn: orphans may die as fast as they are reaped. */
#define REAP_TURN 256

/*
 * Services started in one turn: PID 1 hears of others in between, and of the programs that were
 * executed. Until then each start holds a descriptor, which the next ones copy and close.
 */
#define STARTS_TURN 32

/* ---- acting ---- */

/* After anything happened: let the graph act, tell who waits, note that the node is up. */
static void settle(struct supervisor *supervisor)
{
	const struct supervisor_hooks *hooks = supervisor->config.hooks;
	struct world *world = supervisor->world;

	if (!supervisor->dirty)
		return;
	supervisor->dirty = graph_act_some(supervisor->plan, world, life_deliver, supervisor,
					   STARTS_TURN);
	control_server_settle(&supervisor->control, clock_boottime_ns());
	if (world->up_ns != 0 || supervisor->world->ending || !graph_all_up(world))
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

	return supervisor->world->ending ? -ESHUTDOWN : mark(supervisor, verb, service);
}

int supervisor_call_reload(void *context, uint32_t service)
{
	struct supervisor *supervisor = context;

	return supervisor->world->ending ? -ESHUTDOWN : life_reload(supervisor, service);
}

int supervisor_call_kill(void *context, uint32_t service, int signal, bool main_only)
{
	return life_signal_by_name(context, service, signal, main_only);
}

int supervisor_call_reexec(void *context)
{
	const struct supervisor *supervisor = context;
	const struct supervisor_hooks *hooks = supervisor->config.hooks;

	return hooks && hooks->reexec ? hooks->reexec(hooks->context) : -ENOTSUP;
}

int supervisor_call_power(void *context, enum control_power action, bool force)
{
	struct supervisor *supervisor = context;
	const struct supervisor_hooks *hooks = supervisor->config.hooks;
	int error = hooks && hooks->power ? hooks->power(hooks->context, action, force) : -ENOTSUP;

	if (error == 0)
		supervisor_ending(supervisor);
	return error;
}

int supervisor_call_bless(void *context)
{
	const struct supervisor *supervisor = context;
	const struct supervisor_hooks *hooks = supervisor->config.hooks;

	return hooks && hooks->bless ? hooks->bless(hooks->context) : -ENODATA;
}

int supervisor_call_slot_status(void *context, struct control_slot_status *status)
{
	const struct supervisor *supervisor = context;
	const struct supervisor_hooks *hooks = supervisor->config.hooks;

	return hooks && hooks->slot_status ? hooks->slot_status(hooks->context, status) : -ENODATA;
}

void supervisor_slots(struct supervisor *supervisor, int error,
		      const struct control_slot_status *status)
{
	control_server_slots(&supervisor->control, error, status, clock_boottime_ns());
}

void supervisor_stop_set(struct supervisor *supervisor, const struct graph_set *services)
{
	graph_mark_stop_set(supervisor->plan, supervisor->world, services);
	supervisor->dirty = true;
	settle(supervisor);
}

void supervisor_start(struct supervisor *supervisor)
{
	graph_mark_boot(supervisor->plan, supervisor->world);
	supervisor->dirty = true;
	settle(supervisor);
}

void supervisor_ending(struct supervisor *supervisor)
{
	supervisor->world->ending = 1;
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
	uint32_t service = probes_handle(&supervisor->probes, probe, generation,
					 clock_boottime_ns());

	if (service != PLAN_NONE)
		life_check_ready(supervisor, service);
}

/* What follows from it for other services is done in supervisor_tick(), once a turn. */
void supervisor_handle(struct supervisor *supervisor, const struct epoll_event *event)
{
	uint64_t key = event->data.u64;
	enum supervisor_source source = (enum supervisor_source)(key >> 56);
	uint32_t index = (uint32_t)key;
	uint32_t generation = (uint32_t)(key >> 32) & SUPERVISOR_GENERATION_MASK;
	bool is_service = index < supervisor->world->service_count;

	switch (source) {
	case SOURCE_LISTEN: control_server_accept(&supervisor->control, clock_boottime_ns()); break;
	case SOURCE_CLIENT:
		control_server_handle(&supervisor->control, index, generation, clock_boottime_ns());
		break;
	case SOURCE_NOTIFY: hear_messages(supervisor); break;
	case SOURCE_AUDIT: audit_hear(supervisor); break;
	case SOURCE_PROBE: handle_probe(supervisor, index, generation); break;
	case SOURCE_REPORT:
		if (is_service)
			life_report(supervisor, index, generation);
		break;
	case SOURCE_GROUP:
		if (is_service)
			life_group_changed(supervisor, index, generation);
		break;
	case SOURCE_READY:
		if (is_service)
			life_ready_written(supervisor, index, generation);
		break;
	case SOURCE_MAIN:
		if (is_service)
			life_main_gone(supervisor, index, generation);
		break;
	}
}

uint64_t supervisor_deadline_ns(const struct supervisor *supervisor)
{
	uint64_t deadline = control_server_deadline_ns(&supervisor->control);

	if (supervisor->dirty)
		return clock_boottime_ns();
	if (supervisor->hear_again_ns != 0 && supervisor->hear_again_ns < deadline)
		deadline = supervisor->hear_again_ns;
	for (uint32_t i = 0; i < supervisor->world->service_count; i++)
		if (supervisor->due_ns[i] < deadline)
			deadline = supervisor->due_ns[i];
	return deadline;
}

void supervisor_tick(struct supervisor *supervisor, uint64_t now_ns)
{
	hear_tick(supervisor, now_ns);
	for (uint32_t i = 0; i < supervisor->world->service_count; i++)
		if (supervisor->due_ns[i] <= now_ns)
			life_tick(supervisor, i, now_ns);
	settle(supervisor);
	control_server_tick(&supervisor->control, now_ns);
}

/* ---- reaping ---- */

static void reap_other(struct supervisor *supervisor, const siginfo_t *info)
{
	const struct supervisor_hooks *hooks = supervisor->config.hooks;
	siginfo_t reaped;

	foreign_ended(info->si_pid);
	if (hooks && hooks->child_ended)
		hooks->child_ended(hooks->context, info);
	supervisor->world->reaped_orphans++;
	waitid(P_PID, (id_t)info->si_pid, &reaped, WEXITED | WNOHANG);
}

/* The child that PID 1 spawned ended, and another process is the main one: a handover. */
static void reap_spawned(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);
	siginfo_t reaped;

	pids_remove(&supervisor->pids, state->spawned_pid, index);
	waitid(P_PID, (id_t)state->spawned_pid, &reaped, WEXITED | WNOHANG);
	state->spawned_pid = 0;
}

/* The index of the service that the owner of a pid is, or belongs to. */
static uint32_t service_of_child(const struct supervisor *supervisor, uint32_t owner)
{
	return owner & PIDS_TASK ? supervisor->tasks[owner & ~PIDS_TASK].service : owner;
}

static void reap_one(struct supervisor *supervisor, const siginfo_t *info)
{
	uint32_t owner = pids_find(&supervisor->pids, info->si_pid);

	if (owner != PIDS_NONE)
		audit_reaped(supervisor, info->si_pid, service_of_child(supervisor, owner));
	if (owner == PIDS_NONE)
		reap_other(supervisor, info);
	else if (owner & PIDS_TASK)
		task_ended(supervisor, owner & ~PIDS_TASK, info);
	else if (info->si_pid == state_of(supervisor, owner)->pid)
		life_main_ended(supervisor, owner, info);
	else if (info->si_pid == state_of(supervisor, owner)->spawned_pid)
		reap_spawned(supervisor, owner);
	else
		reap_other(supervisor, info);
}

bool supervisor_reap(struct supervisor *supervisor)
{
	hear_before_reaping(supervisor);
	audit_hear(supervisor);
	for (uint32_t i = 0; i < REAP_TURN; i++) {
		siginfo_t info = {0};

		/* One SIGCHLD stands for any number of deaths: until there is none left. */
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return false;
		reap_one(supervisor, &info);
	}
	return true;
}
