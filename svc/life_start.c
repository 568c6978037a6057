/* SPDX-License-Identifier: Apache-2.0 */
/* How a service's life begins: its cgroup, its process, the watches on both. */
#include <errno.h>
#include <sys/epoll.h>

#include "svc/cgroup.h"
#include "svc/log.h"
#include "svc/spawn.h"
#include "svc/supervisor_state.h"

static int watch(struct supervisor *supervisor, uint32_t index, int fd,
		 enum supervisor_source source, uint32_t events)
{
	const struct life *life = &supervisor->lives[index];
	struct epoll_event event = {
		.events = events,
		.data.u64 = source_key(source) | (uint64_t)life->generation << 32 | index,
	};

	return epoll_ctl(supervisor->config.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int write_group_settings(struct supervisor *supervisor, uint32_t index, int group)
{
	struct plan_list list = plan_of(supervisor, index)->cgroup_settings;

	for (uint32_t i = 0; i < list.count; i++) {
		const struct plan_setting *setting = plan_setting(supervisor->plan, list.first + i);
		const char *file = plan_string(supervisor->plan, setting->path);
		int error = cgroup_write(group, file,
					 plan_string(supervisor->plan, setting->value));

		if (error == 0)
			continue;
		log_line(setting->flags & PLAN_SETTING_OPTIONAL ? LOG_LEVEL_WARNING
								: LOG_LEVEL_ERROR,
			 "service: %s: cgroup file %s: %s", state_of(supervisor, index)->name, file,
			 log_errno(error));
		if (!(setting->flags & PLAN_SETTING_OPTIONAL))
			return error;
	}
	return 0;
}

/* Make the group, set it up and watch it empty. */
static int open_group(struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *service = plan_of(supervisor, index);
	struct life *life = &supervisor->lives[index];

	if (supervisor->cgroup_root < 0)
		return -ENOTSUP;
	life->cgroup_fd =
		cgroup_make(supervisor->cgroup_root, plan_string(supervisor->plan, service->cgroup),
			    plan_string(supervisor->plan, supervisor->plan->system->controllers));
	if (life->cgroup_fd < 0)
		return life->cgroup_fd;
	int error = write_group_settings(supervisor, index, life->cgroup_fd);

	if (error != 0 || service->kill != PLAN_KILL_CGROUP)
		return error;
	life->events_fd = cgroup_open_events(life->cgroup_fd);
	if (life->events_fd < 0)
		return life->events_fd;
	return watch(supervisor, index, life->events_fd, SOURCE_GROUP, EPOLLPRI);
}

static bool wants_notify(const struct supervisor *supervisor, const struct plan_service *service)
{
	for (uint32_t i = 0; i < service->probes.count; i++)
		if (plan_probe(supervisor->plan, service->probes.first + i)->kind ==
		    PLAN_PROBE_NOTIFY)
			return true;
	return false;
}

static int spawn_main(struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *service = plan_of(supervisor, index);
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];
	struct spawned spawned;
	struct spawn_request request = {
		.plan = supervisor->plan,
		.service = service,
		.cgroup_fd = life->cgroup_fd,
		.null_fd = supervisor->output.null_fd,
		.output_fd = output_fd(&supervisor->output, index),
		.descriptors = service->flags & PLAN_SERVICE_LOGGER ? UINT64_MAX
								    : supervisor->descriptors,
		.last_capability = supervisor->last_capability,
	};

	if (service->output == PLAN_OUTPUT_TTY)
		request.tty = plan_string(supervisor->plan, service->output_path);
	if (wants_notify(supervisor, service))
		request.extra_environment = supervisor->notify_environment;
	if (service->flags & PLAN_SERVICE_LOGGER) {
		request.passed = supervisor->passed;
		request.passed_count = output_logger_fds(&supervisor->output, supervisor->passed);
	}
	int error = spawn(&request, &spawned);

	if (error != 0)
		return error;
	state->pid = spawned.pid;
	state->pidfd = spawned.pidfd;
	state->pid_start_ticks = spawned.start_ticks;
	state->started_ns = clock_boottime_ns();
	state->starts++;
	life->report_fd = spawned.report_fd;
	error = watch(supervisor, index, life->report_fd, SOURCE_REPORT, EPOLLIN);
	if (error != 0) {
		/* It would never be heard to be ready: end it, and let its end be handled. */
		log_error("service: %s: report pipe: %s", state->name, log_errno(error));
		life_kill(supervisor, index);
	}
	return 0;
}

/* Nothing was spawned, by `step`: the service ended before it began. */
static void start_failed(struct supervisor *supervisor, uint32_t index, enum confine_step step,
			 int error)
{
	struct world_service *state = state_of(supervisor, index);

	state->starts++;
	state->last_death =
		(struct world_death){.at_ns = clock_boottime_ns(), .error = error, .step = step};
	life_deliver(supervisor, index, service_verdict(plan_of(supervisor, index), state));
}

/* Said once for a row of attempts: room may be short for long. */
static void no_room(struct supervisor *supervisor, uint32_t index, int error)
{
	struct life *life = &supervisor->lives[index];

	if (!life->no_room)
		log_warning("service: %s: no room for a process, waiting for it: %s",
			    state_of(supervisor, index)->name, log_errno(error));
	life->no_room = true;
	life_deliver(supervisor, index, SERVICE_NO_ROOM);
}

void life_start(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];
	enum confine_step step = CONFINE_CGROUP;

	life->generation = (life->generation + 1) & SUPERVISOR_GENERATION_MASK;
	life->report = (struct confine_report){.step = CONFINE_NONE};
	int error = open_group(supervisor, index);

	if (error == 0) {
		step = CONFINE_CLONE;
		error = spawn_main(supervisor, index);
	}
	if (error != 0 && spawn_is_transient(error))
		no_room(supervisor, index, error);
	else if (error != 0)
		start_failed(supervisor, index, step, error);
	else
		life->no_room = false;
}
