/* SPDX-License-Identifier: Apache-2.0 */
/* The main process of a service: what it is given, and what is remembered of it. */
#include <linux/sched.h>
#include <signal.h>
#include <sys/epoll.h>

#include "svc/fault_point.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/supervisor_state.h"

bool life_is_heard(const struct plan *plan, const struct plan_service *service)
{
	if (service->watchdog_ns != 0 || service->flags & PLAN_SERVICE_NOTIFY_ALL)
		return true;
	for (uint32_t i = 0; i < service->probes.count; i++)
		if (plan_probe(plan, service->probes.first + i)->kind == PLAN_PROBE_NOTIFY)
			return true;
	return false;
}

void life_request_extra(struct spawn_request *request, const char *variable)
{
	uint32_t i = 0;

	while (i < SPAWN_EXTRA && request->extra[i])
		i++;
	if (i < SPAWN_EXTRA)
		request->extra[i] = variable;
}

void life_request(struct supervisor *supervisor, uint32_t index, struct spawn_request *request)
{
	const struct plan_service *service = plan_of(supervisor, index);

	*request = (struct spawn_request){
		.plan = supervisor->plan,
		.service = service,
		.argv = service->argv,
		.cgroup_fd = -1,
		.null_fd = supervisor->output.null_fd,
		.output_fd = output_fd(&supervisor->output, index),
		.descriptors = service->flags & PLAN_SERVICE_LOGGER
				       ? UINT64_MAX
				       : supervisor->world->descriptors,
		.last_capability = supervisor->last_capability,
		.bounding = supervisor->bounding,
		.permitted = supervisor->permitted,
		.landlock_abi = supervisor->world->landlock_abi,
		.join_fd = -1,
		.ignored_signals = supervisor->ignored_signals,
	};
	if (life_is_heard(supervisor->plan, service))
		life_request_extra(request, supervisor->for_children->notify_environment);
}

static uint32_t ready_number(const struct supervisor *supervisor,
			     const struct plan_service *service)
{
	for (uint32_t i = 0; i < service->probes.count; i++) {
		const struct plan_probe *probe = plan_probe(supervisor->plan,
							    service->probes.first + i);

		if (probe->kind == PLAN_PROBE_FD)
			return probe->number;
	}
	return 0;
}

static void record_main(struct supervisor *supervisor, uint32_t index,
			const struct spawned *spawned)
{
	struct world_service *state = state_of(supervisor, index);

	state->pid = spawned->pid;
	state->pidfd = spawned->pidfd;
	state->pid_start_ticks = spawned->start_ticks;
	state->spawned_pid = 0;
	state->started_ns = clock_boottime_ns();
	state->starts++;
	state->watchdog_ns = plan_of(supervisor, index)->watchdog_ns;
	supervisor->lives[index].main_pid_said = false;
	state->report_fd = spawned->report_fd;
	state->ready_fd = spawned->ready_fd;
	pids_set(&supervisor->pids, state->pid, index);
}

int life_spawn_main(struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *service = plan_of(supervisor, index);
	struct world_service *state = state_of(supervisor, index);
	struct spawn_request request;
	struct spawned spawned;
	char watchdog[48];

	life_request(supervisor, index, &request);
	request.pid = &state->pid;
	request.ready_number = ready_number(supervisor, service);
	if (service->policy != PLAN_NONE)
		request.clone_flags = plan_policy(supervisor->plan, service->policy)->namespaces &
				      CLONE_NEWPID;
	if (service->output == PLAN_OUTPUT_TTY)
		request.tty = plan_string(supervisor->plan, service->output_path);
	if (service->watchdog_ns != 0) {
		format_text(watchdog, sizeof watchdog, "WATCHDOG_USEC=%llu",
			    (unsigned long long)service->watchdog_ns / 1000);
		life_request_extra(&request, watchdog);
	}
	if (service->flags & PLAN_SERVICE_LOGGER) {
		request.passed = supervisor->for_children->passed;
		request.passed_count = output_logger_fds(&supervisor->output, request.passed);
	}
	int error = life_spawn(supervisor, index, &request, false, &spawned);

	if (error != 0) {
		state->pid = 0;
		return error;
	}
	fault_point("spawn: cloned");
	record_main(supervisor, index, &spawned);
	error = life_watch(supervisor, index, state->report_fd, SOURCE_REPORT, EPOLLIN);
	if (error == 0 && state->ready_fd >= 0)
		error = life_watch(supervisor, index, state->ready_fd, SOURCE_READY, EPOLLIN);
	if (error != 0) {
		/* It would never be heard to be ready: end it, and let its end be handled. */
		log_error("service: %s: report pipe: %s", state->name, log_errno(error));
		life_signal(supervisor, index, SIGKILL);
	}
	return 0;
}
