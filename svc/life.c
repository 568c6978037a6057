/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "svc/cgroup.h"
#include "svc/death.h"
#include "svc/fd.h"
#include "svc/log.h"
#include "svc/service.h"
#include "svc/spawn.h"
#include "svc/supervisor_state.h"

#define GENERATION_MASK 0xffffffu

static const struct plan_service *plan_of(const struct supervisor *supervisor, uint32_t index)
{
	return plan_service(supervisor->plan, index);
}

static struct world_service *state_of(struct supervisor *supervisor, uint32_t index)
{
	return &supervisor->world->services[index];
}

void life_init(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->world->service_count; i++)
		supervisor->lives[i] =
			(struct life){.cgroup_fd = -1, .events_fd = -1, .report_fd = -1};
}

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

/* Out of epoll by hand: a child that has not executed yet may hold a copy. */
static void unwatch(struct supervisor *supervisor, int *fd)
{
	if (*fd >= 0)
		epoll_ctl(supervisor->config.epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
	fd_close(fd);
}

/* ---- starting ---- */

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

static void start(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];

	life->generation = (life->generation + 1) & GENERATION_MASK;
	life->report = (struct confine_report){.step = CONFINE_NONE};
	int error = open_group(supervisor, index);

	if (error != 0) {
		start_failed(supervisor, index, CONFINE_CGROUP, error);
		return;
	}
	error = spawn_main(supervisor, index);
	if (error == 0)
		return;
	if (spawn_is_transient(error)) {
		log_warning("service: %s: no room for a process: %s",
			    state_of(supervisor, index)->name, log_errno(error));
		life_deliver(supervisor, index, SERVICE_NO_ROOM);
	} else {
		start_failed(supervisor, index, CONFINE_CLONE, error);
	}
}

/* ---- ending ---- */

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
static void ask_to_stop(struct supervisor *supervisor, uint32_t index)
{
	send_signal(supervisor, index, (int)plan_of(supervisor, index)->stop_signal);
	send_signal(supervisor, index, SIGCONT);
}

void life_kill(struct supervisor *supervisor, uint32_t index)
{
	const struct life *life = &supervisor->lives[index];
	int error;

	if (plan_of(supervisor, index)->kill == PLAN_KILL_MAIN) {
		send_signal(supervisor, index, SIGKILL);
		return;
	}
	if (life->cgroup_fd < 0)
		return;
	error = cgroup_kill(life->cgroup_fd);
	if (error != 0) {
		log_error("service: %s: cgroup.kill: %s", state_of(supervisor, index)->name,
			  log_errno(error));
		send_signal(supervisor, index, SIGKILL);
	}
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

static void release(struct supervisor *supervisor, uint32_t index)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];

	ready_stop(&supervisor->ready, index);
	remove_group(supervisor, index);
	unwatch(supervisor, &life->report_fd);
	unwatch(supervisor, &life->events_fd);
	fd_close(&life->cgroup_fd);
	fd_close(&state->pidfd);
	state->pid = 0;
}

/* The main process is gone and, if the service calls its group its own, so is everything else. */
static void ended(struct supervisor *supervisor, uint32_t index)
{
	life_deliver(supervisor, index,
		     service_verdict(plan_of(supervisor, index), state_of(supervisor, index)));
}

void life_group_changed(struct supervisor *supervisor, uint32_t index, uint32_t generation)
{
	const struct life *life = &supervisor->lives[index];
	const struct world_service *state = state_of(supervisor, index);

	if (life->events_fd < 0 || life->generation != generation)
		return;
	int populated = cgroup_populated(life->events_fd); /* reading also rearms epoll */

	if (populated == 0 && state->pid == 0 && service_is_active(state->state))
		ended(supervisor, index);
}

/* Take what the report pipe holds. True: it is closed, the child executed or failed. */
static bool take_report(struct supervisor *supervisor, uint32_t index)
{
	struct life *life = &supervisor->lives[index];
	ssize_t size = read(life->report_fd, &life->report, sizeof life->report);

	if (size < 0 && errno == EAGAIN)
		return false;
	if (size != sizeof life->report)
		life->report = (struct confine_report){.step = CONFINE_NONE};
	unwatch(supervisor, &life->report_fd);
	return true;
}

void life_report(struct supervisor *supervisor, uint32_t index, uint32_t generation)
{
	struct life *life = &supervisor->lives[index];
	const struct world_service *state = state_of(supervisor, index);

	if (life->report_fd < 0 || life->generation != generation ||
	    !take_report(supervisor, index) || life->report.step != CONFINE_NONE)
		return;
	if (plan_of(supervisor, index)->kind != PLAN_SERVICE_DAEMON ||
	    state->state != SERVICE_STARTING)
		return;
	ready_met(&supervisor->ready, index, PLAN_PROBE_EXEC, clock_boottime_ns());
	life_check_ready(supervisor, index);
}

void life_check_ready(struct supervisor *supervisor, uint32_t index)
{
	const struct plan_service *service = plan_of(supervisor, index);
	const struct world_service *state = state_of(supervisor, index);

	if (state->state == SERVICE_STARTING && service->kind == PLAN_SERVICE_DAEMON &&
	    state->pid != 0 && supervisor->lives[index].report_fd < 0 &&
	    service_probes_complete(service, state->probes_met))
		life_deliver(supervisor, index, SERVICE_READY);
}

void life_main_ended(struct supervisor *supervisor, uint32_t index, const siginfo_t *info)
{
	struct world_service *state = state_of(supervisor, index);
	struct life *life = &supervisor->lives[index];
	siginfo_t reaped;

	if (life->report_fd >= 0)
		take_report(supervisor, index);
	state->last_death = (struct world_death){
		.at_ns = clock_boottime_ns(),
		.code = info->si_code,
		.status = info->si_status,
		.error = life->report.step != CONFINE_NONE ? life->report.error : 0,
		.step = life->report.step,
	};
	/* Recorded; only now may its pid be used again. */
	waitid(P_PID, (id_t)state->pid, &reaped, WEXITED | WNOHANG);
	fd_close(&state->pidfd);
	state->pid = 0;
	if (life->events_fd >= 0 && cgroup_populated(life->events_fd) == 1)
		life_deliver(supervisor, index, SERVICE_LEFTOVERS);
	else
		ended(supervisor, index);
}

/* ---- events ---- */

static unsigned long long ms(uint64_t ns)
{
	return ns / 1000000;
}

static void tell(const struct supervisor *supervisor, uint32_t index, uint32_t before,
		 enum service_event event)
{
	const struct plan_service *service = plan_of(supervisor, index);
	const struct world_service *state = &supervisor->world->services[index];
	char death[128];

	death_text(&state->last_death, death, sizeof death);
	if (event == SERVICE_TIMEOUT && before == SERVICE_STARTING)
		log_warning("service: %s: not ready within %llu ms, stopping it", state->name,
			    ms(service->start_timeout_ns));
	if (event == SERVICE_TIMEOUT && before == SERVICE_STOPPING)
		log_warning("service: %s: not stopped within %llu ms, killing it", state->name,
			    ms(service->stop_timeout_ns));
	if (before == state->state)
		return;
	switch (state->state) {
	case SERVICE_UP:
	case SERVICE_DONE:
		log_info("service: %s: %s after %llu ms", state->name,
			 service_state_name(state->state), ms(state->ready_ns - state->started_ns));
		break;
	case SERVICE_BACKOFF:
		if (event != SERVICE_NO_ROOM)
			log_warning("service: %s: %s, next try in %llu ms", state->name, death,
				    ms(state->deadline_ns - state->state_since_ns));
		break;
	case SERVICE_FAILED: log_error("service: %s: failed: %s", state->name, death); break;
	case SERVICE_DOWN:
		if (service_is_active(before))
			log_info("service: %s: down: %s", state->name, death);
		break;
	default: log_debug("service: %s: %s", state->name, service_state_name(state->state));
	}
}

/* xorshift32: jitter, not secrets. */
static uint32_t next_random(struct supervisor *supervisor)
{
	uint32_t x = supervisor->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return supervisor->random = x;
}

static void note_failed(struct supervisor *supervisor, uint32_t index)
{
	const struct supervisor_hooks *hooks = supervisor->config.hooks;

	if ((plan_of(supervisor, index)->flags & PLAN_SERVICE_CRITICAL) && hooks &&
	    hooks->critical_failed)
		hooks->critical_failed(hooks->context, index);
}

void life_deliver(void *context, uint32_t index, enum service_event event)
{
	struct supervisor *supervisor = context;
	struct world_service *state = state_of(supervisor, index);
	uint32_t before = state->state;
	uint64_t now = clock_boottime_ns();
	uint32_t actions = service_apply(plan_of(supervisor, index), state, event, now,
					 next_random(supervisor));

	supervisor->dirty = true;
	if (state->state != before)
		timeline_point(&supervisor->world->timeline, TIMELINE_SERVICE, state->name,
			       (uint16_t)state->state, now);
	tell(supervisor, index, before, event);
	if (actions & SERVICE_ACT_SIGNAL)
		ask_to_stop(supervisor, index);
	if (actions & SERVICE_ACT_KILL)
		life_kill(supervisor, index);
	if (actions & SERVICE_ACT_RELEASE)
		release(supervisor, index);
	if (state->state == SERVICE_FAILED && before != SERVICE_FAILED)
		note_failed(supervisor, index);
	/* Last: a start that fails at once delivers the next event from here, once. */
	if (actions & SERVICE_ACT_SPAWN)
		start(supervisor, index);
}
