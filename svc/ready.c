/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/ready.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "svc/fd.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/service.h"

static bool is_asked(uint32_t kind)
{
	return kind == PLAN_PROBE_SOCKET || kind == PLAN_PROBE_HTTP || kind == PLAN_PROBE_COMMAND;
}

static struct plan_list probes_of(const struct probes *probes, uint32_t service)
{
	return plan_service(probes->plan, service)->probes;
}

static bool is_met(const struct probes *probes, uint32_t service, uint32_t i)
{
	return probes->world->services[service].probes_met >> i & 1;
}

static void set_met(struct probes *probes, uint32_t service, uint32_t i)
{
	probes->world->services[service].probes_met |= 1u << i;
}

static uint32_t kind_of(const struct probes *probes, struct plan_list list, uint32_t i)
{
	return probe_plan(probes, list.first + i)->kind;
}

/* All that is told is met: time to ask. */
static bool told_all(const struct probes *probes, uint32_t service, struct plan_list list)
{
	for (uint32_t i = 0; i < list.count; i++)
		if (!is_asked(kind_of(probes, list, i)) && !is_met(probes, service, i))
			return false;
	return true;
}

void ready_ask(struct probes *probes, uint32_t service, uint64_t now_ns)
{
	struct plan_list list = probes_of(probes, service);

	/* What is told after its time is over asks nobody. */
	if (probes->world->services[service].state != SERVICE_STARTING ||
	    !told_all(probes, service, list))
		return;
	for (uint32_t i = 0; i < list.count; i++) {
		struct probe *probe = &probes->table[list.first + i];

		if (!is_asked(kind_of(probes, list, i)) || is_met(probes, service, i) ||
		    probe->phase != PROBE_IDLE)
			continue;
		probe->elsewhere_ns = clock_after_ns(now_ns, PROBE_ELSEWHERE_NS);
		probe_ask(probes, list.first + i, now_ns);
	}
}

void ready_met(struct probes *probes, uint32_t service, enum plan_probe_kind kind, uint64_t now_ns)
{
	struct plan_list list = probes_of(probes, service);

	for (uint32_t i = 0; i < list.count; i++)
		if (kind_of(probes, list, i) == kind)
			set_met(probes, service, i);
	ready_ask(probes, service, now_ns);
}

bool ready_fd_readable(struct probes *probes, uint32_t service, uint64_t now_ns)
{
	struct world_service *state = &probes->world->services[service];
	char text[512];
	ssize_t size = read(state->ready_fd, text, sizeof text);

	if (size < 0 && errno == EAGAIN)
		return false;
	bool ready = size > 0 && memchr(text, '\n', (size_t)size);

	if (size > 0 && !ready)
		return false;
	if (!ready)
		log_warning("service: %s: closed its readiness descriptor without a newline",
			    state->name);
	/* By hand: a child that has not executed yet may hold a copy. */
	epoll_ctl(probes->epoll_fd, EPOLL_CTL_DEL, state->ready_fd, NULL);
	fd_close(&state->ready_fd);
	if (ready)
		ready_met(probes, service, PLAN_PROBE_FD, now_ns);
	return true;
}

void ready_stop(struct probes *probes, uint32_t service)
{
	struct plan_list list = probes_of(probes, service);

	for (uint32_t i = 0; i < list.count; i++)
		probe_rest(probes, list.first + i);
}

void ready_judge(struct probes *probes, uint32_t index, const struct probe_outcome *outcome,
		 uint64_t now_ns)
{
	uint32_t service = probes->table[index].service;

	if (outcome->verdict == PROBE_MET)
		set_met(probes, service, index - probes_of(probes, service).first);
	else
		probe_wait(probes, index,
			   clock_after_ns(now_ns, probe_interval_ns(probe_plan(probes, index))));
}

size_t ready_missing(const struct plan *plan, const struct plan_service *service,
		     uint32_t probes_met, char *buffer, size_t size)
{
	size_t length = 0;

	buffer[0] = '\0';
	for (uint32_t i = 0; i < service->probes.count; i++) {
		if (probes_met >> i & 1)
			continue;
		if (length > 0)
			length += format_text(buffer + length, size - length, ", ");
		length += probe_name(plan, plan_probe(plan, service->probes.first + i),
				     buffer + length, size - length);
	}
	return length;
}
