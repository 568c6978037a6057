/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/liveness.h"

#include "svc/log.h"
#include "svc/service.h"

bool liveness_count(uint32_t *failures, uint32_t threshold, enum probe_verdict verdict)
{
	if (verdict == PROBE_MET)
		*failures = 0;
	if (verdict == PROBE_UNMET && *failures < UINT32_MAX)
		++*failures;
	return verdict == PROBE_UNMET && *failures >= threshold;
}

bool liveness_pauses(const struct world_service *state)
{
	return state->reload_deadline_ns != 0 || state->flags & SERVICE_MARK_RELOADING;
}

static struct plan_list probes_of(const struct probes *probes, uint32_t service)
{
	return plan_service(probes->plan, service)->liveness;
}

static void wait_an_interval(struct probes *probes, uint32_t index, uint64_t now_ns)
{
	probe_wait(probes, index,
		   clock_after_ns(now_ns, probe_interval_ns(probe_plan(probes, index))));
}

void liveness_start(struct probes *probes, uint32_t service, uint64_t now_ns)
{
	struct plan_list list = probes_of(probes, service);

	for (uint32_t i = list.first; i < list.first + list.count; i++) {
		probe_rest(probes, i);
		probes->table[i].failures = 0;
		probes->table[i].said = false;
		probes->table[i].elsewhere_ns = 0;
		wait_an_interval(probes, i, now_ns);
	}
}

void liveness_stop(struct probes *probes, uint32_t service)
{
	struct plan_list list = probes_of(probes, service);

	for (uint32_t i = list.first; i < list.first + list.count; i++)
		probe_rest(probes, i);
}

void liveness_ask(struct probes *probes, uint32_t index, uint64_t now_ns)
{
	if (liveness_pauses(&probes->world->services[probes->table[index].service]))
		wait_an_interval(probes, index, now_ns);
	else
		probe_ask(probes, index, now_ns);
}

/* `before` is how often it had failed in a row. */
static void tell(const struct probes *probes, uint32_t index, const struct probe_outcome *outcome,
		 uint32_t before)
{
	const struct plan_probe *plan = probe_plan(probes, index);
	struct probe *probe = &probes->table[index];
	const char *service = probes->world->services[probe->service].name;
	char name[PROBE_TEXT_BYTES], reason[PROBE_TEXT_BYTES];

	probe_name(probes->plan, plan, name, sizeof name);
	probe_reason(plan, outcome, reason, sizeof reason);
	switch (outcome->verdict) {
	case PROBE_UNMET:
		log_warning("service: %s: liveness: %s: %s (%u of %u)%s", service, name, reason,
			    probe->failures, plan->failures,
			    probe->failures >= plan->failures ? ": stopping it" : "");
		break;
	case PROBE_MET:
		if (before > 0)
			log_notice("service: %s: liveness: %s: well again", service, name);
		break;
	default:
		/* Once for a row: whatever is short may be short for long. */
		if (!probe->said)
			log_warning("service: %s: liveness: %s: cannot be asked: %s", service, name,
				    reason);
	}
	probe->said = outcome->verdict == PROBE_UNKNOWN;
}

void liveness_judge(struct probes *probes, uint32_t index, const struct probe_outcome *outcome,
		    uint64_t now_ns)
{
	struct probe *probe = &probes->table[index];
	uint32_t before = probe->failures;
	uint32_t service = probe->service;

	wait_an_interval(probes, index, now_ns);
	/* What failed while it reloaded is forgiven. */
	if (outcome->verdict != PROBE_MET && liveness_pauses(&probes->world->services[service]))
		return;
	bool sick = liveness_count(&probe->failures, probe_plan(probes, index)->failures,
				   outcome->verdict);

	tell(probes, index, outcome, before);
	if (sick)
		probes->calls->sick(probes->calls->context, service);
}
