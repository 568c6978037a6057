/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/probe.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "svc/confine.h"
#include "svc/fd.h"
#include "svc/liveness.h"
#include "svc/ready.h"
#include "svc/service.h"
#include "svc/task.h"

/* ---- the table ---- */

static void init_list(struct probes *probes, uint32_t service, struct plan_list list, bool live)
{
	for (uint32_t i = 0; i < list.count; i++)
		probes->table[list.first + i] =
			(struct probe){.fd = -1, .service = service, .live = live};
}

void probes_init(struct probes *probes, const struct probes *from)
{
	*probes = *from;
	for (uint32_t i = 0; i < probes->world->service_count; i++) {
		const struct plan_service *service = plan_service(probes->plan, i);

		init_list(probes, i, service->probes, false);
		init_list(probes, i, service->liveness, true);
	}
}

/* The i-th probe of a service, of readiness or liveness; PLAN_NONE: it has no more. */
static uint32_t nth(const struct probes *probes, uint32_t service, uint32_t i)
{
	const struct plan_service *plan = plan_service(probes->plan, service);

	if (i < plan->probes.count)
		return plan->probes.first + i;
	i -= plan->probes.count;
	return i < plan->liveness.count ? plan->liveness.first + i : PLAN_NONE;
}

uint64_t probe_interval_ns(const struct plan_probe *probe)
{
	return probe->interval_ns < PROBE_INTERVAL_MIN_NS ? PROBE_INTERVAL_MIN_NS
							  : probe->interval_ns;
}

/* ---- one attempt ---- */

/* The descriptor leaves epoll by hand: a child that has not executed yet may hold a copy. */
static void drop_attempt(struct probes *probes, struct probe *probe)
{
	if (probe->fd >= 0)
		epoll_ctl(probes->epoll_fd, EPOLL_CTL_DEL, probe->fd, NULL);
	fd_close(&probe->fd);
	probe->sent = false;
	probe->answer_bytes = 0;
	probe->generation = (probe->generation + 1) & 0xffffff;
	probe->phase = PROBE_IDLE;
	probe->at_ns = 0;
}

void probe_rest(struct probes *probes, uint32_t index)
{
	struct probe *probe = &probes->table[index];
	bool asking = probe->phase == PROBE_ASKING;

	if ((asking && probe->fd < 0) || probe->hangs)
		probes->calls->drop(probes->calls->context, index);
	probe->hangs = false;
	drop_attempt(probes, probe);
}

void probe_wait(struct probes *probes, uint32_t index, uint64_t at_ns)
{
	probes->table[index].phase = PROBE_WAITING;
	probes->table[index].at_ns = at_ns;
}

static void judge(struct probes *probes, uint32_t index, const struct probe_outcome *outcome,
		  uint64_t now_ns)
{
	drop_attempt(probes, &probes->table[index]);
	if (probes->table[index].live)
		liveness_judge(probes, index, outcome, now_ns);
	else
		ready_judge(probes, index, outcome, now_ns);
}

static uint64_t timeout_ns(const struct plan_probe *plan)
{
	return plan->timeout_ns != 0 ? plan->timeout_ns : PROBE_TIMEOUT_NS;
}

static struct probe_outcome run(struct probes *probes, uint32_t index)
{
	int error = probes->calls->run(probes->calls->context, index);

	/* One that an execution of PID 1 before this one began answers as well as a new one. */
	if (error == 0 || (error == -EBUSY && !probes->table[index].hangs))
		return (struct probe_outcome){.verdict = PROBE_PENDING};
	return (struct probe_outcome){.verdict = error == -EBUSY ? PROBE_UNMET : PROBE_UNKNOWN,
				      .error = error};
}

static struct probe_outcome ask_socket(struct probes *probes, uint32_t index, uint64_t now_ns)
{
	struct probe *probe = &probes->table[index];

	if (probes->device == 0)
		probes->device = probe_socket_device(probes->local);

	int result = probe_socket_ask(plan_string(probes->plan, probe_plan(probes, index)->target),
				      probes->device);

	if (result <= 0)
		return (struct probe_outcome){.verdict = result == 0 ? PROBE_MET : PROBE_UNMET,
					      .error = result};
	/* What does not exist is not in the cache either: most likely that is all. */
	if (now_ns < probe->elsewhere_ns)
		return (struct probe_outcome){.verdict = PROBE_UNMET, .error = -ENOENT};
	probe->elsewhere_ns = now_ns + PROBE_ELSEWHERE_NS;
	return run(probes, index);
}

/*
 * A task is killed by others when its time is over; if its end is not told soon after, it hangs in
 * the kernel, and the attempt is given up without it.
 */
void probe_ask(struct probes *probes, uint32_t index, uint64_t now_ns)
{
	const struct plan_probe *plan = probe_plan(probes, index);
	struct probe *probe = &probes->table[index];
	struct probe_outcome outcome;

	switch (plan->kind) {
	case PLAN_PROBE_SOCKET: outcome = ask_socket(probes, index, now_ns); break;
	case PLAN_PROBE_HTTP: outcome = probe_http_begin(probes, index); break;
	default: outcome = run(probes, index);
	}
	if (outcome.verdict != PROBE_PENDING) {
		judge(probes, index, &outcome, now_ns);
		return;
	}
	probe->phase = PROBE_ASKING;
	probe->at_ns = clock_after_ns(now_ns, timeout_ns(plan));
	if (probe->fd < 0)
		probe->at_ns = clock_after_ns(probe->at_ns, PROBE_LATE_NS);
}

static void give_up(struct probes *probes, uint32_t index, uint64_t now_ns)
{
	struct probe *probe = &probes->table[index];
	bool late = now_ns - probe->at_ns > PROBE_LATE_NS;
	struct probe_outcome outcome = {.verdict = late ? PROBE_UNKNOWN : PROBE_UNMET,
					.error = -ETIMEDOUT};

	probe->hangs = probe->fd < 0;
	judge(probes, index, &outcome, now_ns);
}

uint32_t probes_handle(struct probes *probes, uint32_t index, uint32_t generation, uint64_t now_ns)
{
	if (index >= plan_count(probes->plan, PLAN_PROBES))
		return PLAN_NONE;
	struct probe *probe = &probes->table[index];

	if (probe->fd < 0 || probe->generation != generation)
		return PLAN_NONE;
	struct probe_outcome outcome = probe_http_go_on(probes, index);

	if (outcome.verdict != PROBE_PENDING)
		judge(probes, index, &outcome, now_ns);
	return probe->service;
}

/* A child that asked for a socket exits with the errno; a command with what it has to say. */
static struct probe_outcome outcome_of(const struct plan_probe *plan,
				       const struct world_death *death)
{
	struct probe_outcome outcome = {.verdict = PROBE_UNMET, .death = death};

	if (task_succeeded(death))
		outcome = (struct probe_outcome){.verdict = PROBE_MET};
	else if (death->error != 0 && death->step != CONFINE_NONE)
		outcome.verdict = PROBE_UNKNOWN;
	else if (plan->kind == PLAN_PROBE_SOCKET && death->error == 0)
		outcome = (struct probe_outcome){.verdict = PROBE_UNMET, .error = -death->status};
	return outcome;
}

void probe_answered(struct probes *probes, uint32_t index, const struct world_death *death,
		    uint64_t now_ns)
{
	struct probe *probe = &probes->table[index];
	struct probe_outcome outcome = outcome_of(probe_plan(probes, index), death);

	probe->hangs = false;
	if (probe->phase != PROBE_ASKING)
		return; /* it was given up */
	if (outcome.verdict == PROBE_UNMET && now_ns > probe->at_ns)
		outcome = (struct probe_outcome){.verdict = PROBE_UNKNOWN, .error = -ETIMEDOUT};
	judge(probes, index, &outcome, now_ns);
}

/* ---- all of a service ---- */

void probes_tick(struct probes *probes, uint32_t service, uint64_t now_ns)
{
	for (uint32_t i = 0, index; (index = nth(probes, service, i)) != PLAN_NONE; i++) {
		const struct probe *probe = &probes->table[index];

		if (probe->at_ns == 0 || probe->at_ns > now_ns)
			continue;
		if (probe->phase == PROBE_ASKING)
			give_up(probes, index, now_ns);
		else if (probe->live)
			liveness_ask(probes, index, now_ns);
		else
			probe_ask(probes, index, now_ns);
	}
}

uint64_t probes_deadline_ns(const struct probes *probes, uint32_t service)
{
	uint64_t deadline = UINT64_MAX;

	for (uint32_t i = 0, index; (index = nth(probes, service, i)) != PLAN_NONE; i++) {
		uint64_t at = probes->table[index].at_ns;

		if (at != 0 && at < deadline)
			deadline = at;
	}
	return deadline;
}

void probes_changed(struct probes *probes, uint32_t service, uint32_t before, uint64_t now_ns)
{
	uint32_t state = probes->world->services[service].state;

	if (before == SERVICE_STARTING && state != SERVICE_STARTING)
		ready_stop(probes, service);
	if (state == SERVICE_UP)
		liveness_start(probes, service, now_ns);
	else if (before == SERVICE_UP)
		liveness_stop(probes, service);
}

void probes_stop(struct probes *probes, uint32_t service)
{
	ready_stop(probes, service);
	liveness_stop(probes, service);
}

void probes_resume(struct probes *probes, uint32_t service, uint64_t now_ns)
{
	uint32_t state = probes->world->services[service].state;

	if (state == SERVICE_STARTING)
		ready_ask(probes, service, now_ns);
	else if (state == SERVICE_UP)
		liveness_start(probes, service, now_ns);
}
