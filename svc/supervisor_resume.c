/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services of the execution before: facts from the kernel, and what reconcile.h makes of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "svc/adopt.h"
#include "svc/cgroup.h"
#include "svc/fault_point.h"
#include "svc/fd.h"
#include "svc/log.h"
#include "svc/process.h"
#include "svc/reconcile.h"
#include "svc/supervisor_state.h"

static bool has_start(int pid, uint64_t ticks)
{
	uint64_t now;

	return ticks == 0 || (process_start_ticks(pid, &now) == 0 && now == ticks);
}

/*
 * The main process, and a pidfd for it. A child's number is its own until it is reaped, and only an
 * orphan could have got the number of one that was reaped: the start tells. A process that MAINPID=
 * named may be somebody else's child.
 */
static enum reconcile_main prove_main(struct world_service *state)
{
	siginfo_t info = {0};

	state->pidfd = -1;
	if (state->pid == 0)
		return RECONCILE_NONE;
	owned_fd int fd = (int)syscall(SYS_pidfd_open, state->pid, 0);

	if (fd < 0 || !has_start(state->pid, state->pid_start_ticks))
		return RECONCILE_GONE;
	if (waitid((idtype_t)PROCESS_P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 &&
	    state->spawned_pid == 0 && state->pid_start_ticks == 0)
		return RECONCILE_GONE;
	state->pidfd = fd_take(&fd);
	return info.si_pid != 0 && state->spawned_pid == 0 ? RECONCILE_ENDED : RECONCILE_LIVES;
}

static bool is_mute(const struct supervisor *supervisor, uint32_t index)
{
	const struct world_service *state = &supervisor->world->services[index];

	return state->state == SERVICE_STARTING && state->pid != 0 && state->report_fd < 0 &&
	       !supervisor->lives[index].executed;
}

static void adopt_tasks(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->world->task_count; i++)
		if (world_task(supervisor->world, i)->pid != 0)
			(void)task_adopt(supervisor, i);
}

static void look(struct supervisor *supervisor, uint32_t index, struct reconcile_facts *facts)
{
	struct world_service *state = state_of(supervisor, index);

	facts->state = state->state;
	facts->stage = state->stage;
	facts->main = prove_main(state);
	life_adopt(supervisor, index);
	facts->mute = is_mute(supervisor, index);
	facts->populated = facts->main != RECONCILE_LIVES && life_is_populated(supervisor, index);
	facts->task = task_running(supervisor, task_of_service(index));
	facts->death_recorded = state->last_death.at_ns != 0 &&
				state->last_death.at_ns >= state->state_since_ns &&
				state->last_death.at_ns >= state->started_ns;
	facts->own_group = plan_of(supervisor, index)->kill == PLAN_KILL_CGROUP;
}

/* Its group is still there if the end was not brought to its end; what lives in it is killed. */
static void release(struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *plan = plan_of(supervisor, index);
	struct life *life = &supervisor->lives[index];

	if (supervisor->cgroup_root >= 0 && plan->kill == PLAN_KILL_CGROUP)
		life->cgroup_fd = openat(supervisor->cgroup_root,
					 plan_string(supervisor->plan, plan->cgroup),
					 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	life->has_group = life->cgroup_fd >= 0;
	if (life->has_group)
		life_kill(supervisor, index);
	task_drop_all(supervisor, index);
	life_release(supervisor, index);
}

static void act(struct supervisor *supervisor, uint32_t index, enum reconcile_action action)
{
	switch (action) {
	case RECONCILE_KEEP: life_resume(supervisor, index); break;
	case RECONCILE_END:
		life_forget_main(supervisor, index);
		life_finish(supervisor, index);
		break;
	case RECONCILE_LOST: life_lost(supervisor, index); break;
	case RECONCILE_RETRY:
		if (!life_is_empty(supervisor, index)) /* to kill nothing would be an end */
			life_kill(supervisor, index);
		life_deliver(supervisor, index, SERVICE_NO_ROOM);
		break;
	case RECONCILE_ASK: life_ask_to_stop(supervisor, index); break;
	case RECONCILE_KILL:
		life_forget_main(supervisor, index);
		life_kill(supervisor, index);
		life_resume(supervisor, index);
		break;
	case RECONCILE_RELEASE: release(supervisor, index); break;
	case RECONCILE_ACTION_COUNT: break;
	}
}

/* Readiness that does not depend on what is asked: its program runs. */
static void go_on_proving(struct supervisor *supervisor, uint32_t index)
{
	const struct world_service *state = state_of(supervisor, index);
	uint64_t now_ns = clock_boottime_ns();

	if (state->state == SERVICE_STARTING && supervisor->lives[index].executed)
		ready_met(&supervisor->probes, index, PLAN_PROBE_EXEC, now_ns);
	/* Until its program runs, whoever answers is not the service. */
	if (state->state != SERVICE_STARTING || supervisor->lives[index].executed)
		probes_resume(&supervisor->probes, index, now_ns);
	life_check_ready(supervisor, index);
	life_touch(supervisor, index);
}

void supervisor_resume(struct supervisor *supervisor, bool crashed)
{
	adopt_tasks(supervisor);
	for (uint32_t i = 0; i < supervisor->world->service_count; i++) {
		struct reconcile_facts facts = {.crashed = crashed};
		enum reconcile_action action;

		look(supervisor, i, &facts);
		action = reconcile_decide(&facts);
		fault_point("resume: service");
		if (action != RECONCILE_KEEP && action != RECONCILE_RELEASE)
			log_notice("service: %s: %s: %s", state_of(supervisor, i)->name,
				   service_state_name(facts.state), reconcile_action_name(action));
		act(supervisor, i, action);
		go_on_proving(supervisor, i);
	}
	supervisor->dirty = true;
}
