/* SPDX-License-Identifier: Apache-2.0 */
/* What happens in a service's life, and what follows from it. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "svc/cgroup.h"
#include "svc/death.h"
#include "svc/fd.h"
#include "svc/log.h"
#include "svc/supervisor_state.h"

void life_init(struct supervisor *supervisor)
{
	for (uint32_t i = 0; i < supervisor->world->service_count; i++)
		supervisor->lives[i] =
			(struct life){.cgroup_fd = -1, .events_fd = -1, .report_fd = -1};
}

/* The main process is gone and, if the service calls its group its own, so is everything else. */
static void ended(struct supervisor *supervisor, uint32_t index)
{
	life_deliver(supervisor, index,
		     service_verdict(plan_of(supervisor, index), state_of(supervisor, index)));
}

void life_group_changed(struct supervisor *supervisor, uint32_t index, uint32_t generation)
{
	struct life *life = &supervisor->lives[index];
	const struct world_service *state = state_of(supervisor, index);

	if (life->events_fd < 0 || life->generation != generation)
		return;
	int populated = cgroup_populated(life->events_fd); /* reading also rearms epoll */

	if (populated < 0) {
		/* Somebody removed the group, so it was empty: it would be told for ever. */
		log_error("service: %s: cgroup.events: %s", state->name, log_errno(populated));
		life_unwatch(supervisor, &life->events_fd);
	}
	if (populated != 1 && state->pid == 0 && service_is_active(state->state))
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
	life_unwatch(supervisor, &life->report_fd);
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
		life_ask_to_stop(supervisor, index);
	if (actions & SERVICE_ACT_KILL)
		life_kill(supervisor, index);
	if (actions & SERVICE_ACT_RELEASE)
		life_release(supervisor, index);
	/* Last: a start that fails at once delivers the next event from here, once. */
	if (actions & SERVICE_ACT_SPAWN)
		life_start(supervisor, index);
}
