/* SPDX-License-Identifier: Apache-2.0 */
/* How a service's life ends: asked, killed, and what is given back after it. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "svc/cgroup.h"
#include "svc/fd.h"
#include "svc/group_signal.h"
#include "svc/log.h"
#include "svc/supervisor_state.h"

/* Out of epoll by hand: a child that has not executed yet may hold a copy. */
void life_unwatch(struct supervisor *supervisor, int *fd)
{
	if (*fd >= 0)
		epoll_ctl(supervisor->config.epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
	fd_close(fd);
}

static int send_signal(int pidfd, int number)
{
	return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 ? -errno : 0;
}

void life_signal(struct supervisor *supervisor, uint32_t index, int number)
{
	int pidfd = state_of(supervisor, index)->pidfd;
	int error = pidfd < 0 ? 0 : send_signal(pidfd, number);

	/* ESRCH: it ended and will be reaped in a moment. */
	if (error != 0 && error != -ESRCH)
		log_error("service: %s: signal %d: %s", state_of(supervisor, index)->name, number,
			  log_errno(error));
}

/* Nothing of the service has run, so there is nothing to clean up after. */
static void give_up_judging(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);

	task_drop(supervisor, task_of_service(index));
	state->flags |= SERVICE_MARK_CLEANED;
	state->last_death = (struct world_death){
		.at_ns = clock_boottime_ns(), .error = -ETIMEDOUT, .reason = state->reason};
}

/*
 * A stopped process (SIGSTOP) would never see the signal: wake it too. A hook is what there is of
 * the service while it runs. SIGABRT for one that does not feed its watchdog: it leaves a core.
 */
void life_ask_to_stop(struct supervisor *supervisor, uint32_t index)
{
	const struct world_service *state = state_of(supervisor, index);
	bool hook = state->stage != WORLD_STAGE_MAIN;
	int number = state->reason == WORLD_REASON_WATCHDOG
			     ? SIGABRT
			     : (int)plan_of(supervisor, index)->stop_signal;

	/* Whoever looks for a path may hang there, and is none of the service's. */
	if (life_is_judging(supervisor, index))
		give_up_judging(supervisor, index);
	if (life_is_empty(supervisor, index)) {
		life_finish(supervisor, index);
		return;
	}
	life_signal(supervisor, index, number);
	life_signal(supervisor, index, SIGCONT);
	if (hook) {
		task_signal(supervisor, task_of_service(index), SIGTERM);
		task_signal(supervisor, task_of_service(index), SIGCONT);
	}
}

/*
 * The main process by its own descriptor too: it may have left the group for another one, as
 * programs that keep a cgroup tree of their own do.
 */
void life_kill(struct supervisor *supervisor, uint32_t index)
{
	const struct life *life = &supervisor->lives[index];

	/* Whatever it waited for does not come: there is nothing to kill. */
	if (life_is_empty(supervisor, index)) {
		if (state_of(supervisor, index)->stage == WORLD_STAGE_POST)
			log_warning("service: %s: post: given up",
				    state_of(supervisor, index)->name);
		life_finish(supervisor, index);
		return;
	}
	if (plan_of(supervisor, index)->kill == PLAN_KILL_CGROUP && life->has_group) {
		int error = life_kill_group(supervisor, index);

		if (error != 0)
			log_error("service: %s: cgroup.kill: %s", state_of(supervisor, index)->name,
				  log_errno(error));
	}
	life_signal(supervisor, index, SIGKILL);
	task_signal(supervisor, task_of_service(index), SIGKILL);
}

static int signal_group(struct supervisor *supervisor, uint32_t index, int number)
{
	int group = life_group(supervisor, index);

	return group < 0 ? group
			 : group_signal(group,
					plan_string(supervisor->plan,
						    plan_of(supervisor, index)->cgroup),
					number);
}

int life_signal_by_name(struct supervisor *supervisor, uint32_t index, int number, bool main_only)
{
	const struct world_service *state = state_of(supervisor, index);
	int pidfd = state->pidfd;

	if (!service_is_active(state->state))
		return -ESRCH;
	if (!main_only && plan_of(supervisor, index)->kill == PLAN_KILL_CGROUP)
		return number == SIGKILL ? life_kill_group(supervisor, index)
					 : signal_group(supervisor, index, number);
	if (pidfd < 0 && !main_only)
		pidfd = world_task(supervisor->world, task_of_service(index))->pidfd;
	return pidfd < 0 ? -ESRCH : send_signal(pidfd, number);
}

/* Remove the group unless something lives on in it, as with `kill: main`: then it is left alone. */
static void remove_group(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];
	int group = life_group(supervisor, index);

	if (group < 0)
		return;
	/* A group with processes refuses; one with groups of its own has to be known to be empty. */
	if (life->events_fd < 0)
		life->events_fd = cgroup_open_events(group);
	if (cgroup_populated(life->events_fd) == 0)
		(void)cgroup_remove(supervisor->cgroup_root,
				    plan_string(supervisor->plan,
						plan_of(supervisor, index)->cgroup));
}

void life_forget_main(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);

	pids_remove(&supervisor->pids, state->pid, index);
	pids_remove(&supervisor->pids, state->spawned_pid, index);
	life_unwatch(supervisor, &state->pidfd);
	state->pid = state->spawned_pid = 0;
}

void life_release(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];

	probes_stop(&supervisor->probes, index);
	task_drop_all(supervisor, index);
	remove_group(supervisor, index);
	life_unwatch(supervisor, &state->report_fd);
	life_unwatch(supervisor, &state->ready_fd);
	life_unwatch(supervisor, &life->events_fd);
	fd_close(&life->cgroup_fd);
	life->has_group = false;
	life_forget_main(supervisor, index);
	life->retry_ns = 0;
	life->look_ns = 0;
	life_touch(supervisor, index);
}
