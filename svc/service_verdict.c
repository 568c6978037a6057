/* SPDX-License-Identifier: Apache-2.0 */
/* How the end of a service is judged, and how long it waits before the next try. */
#include <sys/wait.h>

#include "svc/service.h"

static bool has_status(const uint64_t statuses[4], int32_t status)
{
	return (statuses[(status & 255) / 64] >> (status & 63) & 1) != 0;
}

static bool exited_clean(const struct plan_service *service, const struct world_death *death)
{
	return death->error == 0 && death->code == CLD_EXITED &&
	       (death->status == 0 || has_status(service->exits_clean, death->status));
}

bool service_death_is_clean(const struct plan_service *service, const struct world_death *death)
{
	return exited_clean(service, death) || (death->error == 0 && death->code == CLD_KILLED &&
						(uint32_t)death->status == service->stop_signal);
}

static enum service_event retry_or_fail(const struct plan_service *service,
					const struct world_service *state)
{
	const struct world_death *death = &state->last_death;
	bool main_exited = death->error == 0 && death->code == CLD_EXITED &&
			   death->reason != WORLD_REASON_PRE;

	if (service->restart == PLAN_RESTART_NEVER)
		return SERVICE_ENDED_FAILED;
	if (main_exited && has_status(service->exits_final, death->status))
		return SERVICE_ENDED_FAILED;
	if (service->burst != 0 && state->burst >= service->burst)
		return SERVICE_ENDED_FAILED;
	return SERVICE_ENDED_RETRY;
}

static bool comes_again(const struct plan_service *service)
{
	return service->kind == PLAN_SERVICE_TIMER && service->timer_every_ns != 0;
}

/* A daemon that ends before it is ready has failed, however politely it ends. */
static enum service_event daemon_verdict(const struct plan_service *service,
					 const struct world_service *state)
{
	const struct world_death *death = &state->last_death;
	bool well = service_death_is_clean(service, death) && death->reason != WORLD_REASON_PRE &&
		    !(state->flags & SERVICE_MARK_BLAMED) && (state->flags & SERVICE_MARK_READY);
	bool final = death->code == CLD_EXITED && has_status(service->exits_final, death->status);

	if (well && (service->restart != PLAN_RESTART_ALWAYS || final))
		return SERVICE_ENDED_DOWN;
	return retry_or_fail(service, state);
}

enum service_event service_verdict(const struct plan_service *service,
				   const struct world_service *state)
{
	const struct world_death *death = &state->last_death;
	bool oneshot = service->kind != PLAN_SERVICE_DAEMON;

	if (state->flags & SERVICE_MARK_STOP)
		return SERVICE_ENDED_DOWN;
	if (state->flags & SERVICE_MARK_SKIPPED)
		return comes_again(service) ? SERVICE_ENDED_SCHEDULED : SERVICE_ENDED_DONE;
	if (oneshot && !comes_again(service) && exited_clean(service, death) &&
	    death->reason != WORLD_REASON_PRE && !(state->flags & SERVICE_MARK_BLAMED))
		return SERVICE_ENDED_DONE;
	if (state->flags & SERVICE_MARK_AGAIN)
		return SERVICE_ENDED_DOWN;
	if (comes_again(service))
		return SERVICE_ENDED_SCHEDULED;
	return oneshot ? retry_or_fail(service, state) : daemon_verdict(service, state);
}

bool service_needs_cleanup(const struct plan_service *service, const struct world_service *state)
{
	return service->post.count != 0 && service_is_active(state->state) &&
	       !(state->flags & (SERVICE_MARK_CLEANED | SERVICE_MARK_SKIPPED));
}

uint64_t service_backoff_next(const struct plan_service *service, uint64_t last_ns)
{
	uint64_t next = last_ns == 0 ? service->backoff_min_ns
				     : (last_ns > UINT64_MAX / 2 ? UINT64_MAX : last_ns * 2);

	if (next < service->backoff_min_ns)
		next = service->backoff_min_ns;
	return next > service->backoff_max_ns ? service->backoff_max_ns : next;
}

uint64_t service_backoff_jitter(uint64_t wait_ns, uint32_t random)
{
	/* In steps of 1/8192 of the wait, so that nothing overflows. */
	return wait_ns - wait_ns / 8192 * (random & 1023);
}

bool service_probes_complete(const struct plan_service *service, uint32_t probes_met)
{
	uint32_t all = service->probes.count >= 32 ? UINT32_MAX : (1u << service->probes.count) - 1;

	return (probes_met & all) == all;
}
