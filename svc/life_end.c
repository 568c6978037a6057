/* SPDX-License-Identifier: Apache-2.0 */
/* How a service's life ends: asked, killed, and what is given back after it. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "svc/cgroup.h"
#include "svc/fd.h"
#include "svc/log.h"
#include "svc/supervisor_state.h"

/* Out of epoll by hand: a child that has not executed yet may hold a copy. */
void life_unwatch(struct supervisor *supervisor, int *fd)
{
	if (*fd >= 0)
		epoll_ctl(supervisor->config.epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
	fd_close(fd);
}

static void send_signal(struct supervisor *supervisor, uint32_t index, int number)
{
	int pidfd = state_of(supervisor, index)->pidfd;

	/* ESRCH: it ended and will be reaped in a moment. */
	if (pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 &&
	    errno != ESRCH)
		log_error("service: %s: signal %d: %s", state_of(supervisor, index)->name, number,
			  log_errno(errno));
}

/* A stopped process (SIGSTOP) would never see the signal: wake it too. */
void life_ask_to_stop(struct supervisor *supervisor, uint32_t index)
{
	send_signal(supervisor, index, (int)plan_of(supervisor, index)->stop_signal);
	send_signal(supervisor, index, SIGCONT);
}

/*
 * The main process by its own descriptor too: it may have left the group for another one, as
 * programs that keep a cgroup tree of their own do.
 */
void life_kill(struct supervisor *supervisor, uint32_t index)
{
	const struct life *life = &supervisor->lives[index];

	if (plan_of(supervisor, index)->kill == PLAN_KILL_CGROUP && life->cgroup_fd >= 0) {
		int error = cgroup_kill(life->cgroup_fd);

		if (error != 0)
			log_error("service: %s: cgroup.kill: %s", state_of(supervisor, index)->name,
				  log_errno(error));
	}
	send_signal(supervisor, index, SIGKILL);
}

/* Remove the group unless something lives on in it, as with `kill: main`: then it is left alone. */
static void remove_group(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];

	if (life->cgroup_fd < 0)
		return;
	if (life->events_fd < 0)
		life->events_fd = cgroup_open_events(life->cgroup_fd);
	if (cgroup_populated(life->events_fd) == 0)
		(void)cgroup_remove(supervisor->cgroup_root,
				    plan_string(supervisor->plan,
						plan_of(supervisor, index)->cgroup));
}

void life_release(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];

	ready_stop(&supervisor->ready, index);
	remove_group(supervisor, index);
	life_unwatch(supervisor, &life->report_fd);
	life_unwatch(supervisor, &life->events_fd);
	fd_close(&life->cgroup_fd);
	fd_close(&state->pidfd);
	state->pid = 0;
}
