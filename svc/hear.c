/* SPDX-License-Identifier: Apache-2.0 */
/* sd_notify(3): who sent a message, and what follows from it (notify.h). */
#include <string.h>

#include "svc/cgroup.h"
#include "svc/log.h"
#include "svc/notify.h"
#include "svc/supervisor_state.h"

/* Messages taken in one turn, so that a flood does not keep the rest waiting. */
#define NOTIFY_TURN 32

/* The active service whose main process or cgroup `pid` belongs to; PLAN_NONE: nobody's. */
static uint32_t find_sender(const struct supervisor *supervisor, int pid)
{
	const struct world *world = supervisor->world;
	char path[CGROUP_PATH_BYTES];

	if (pid <= 0)
		return PLAN_NONE;
	for (uint32_t i = 0; i < world->service_count; i++)
		if (world->services[i].pid == pid)
			return i;
	if (cgroup_of_process(pid, path) != 0)
		return PLAN_NONE;
	for (uint32_t i = 0; i < world->service_count; i++) {
		const struct plan_service *service = plan_service(supervisor->plan, i);

		if (service_is_active(world->services[i].state) &&
		    cgroup_contains(plan_string(supervisor->plan, service->cgroup), path))
			return i;
	}
	return PLAN_NONE;
}

static void take_message(struct supervisor *supervisor, const struct notify_message *message,
			 int pid)
{
	uint32_t index = find_sender(supervisor, pid);

	if (index == PLAN_NONE) {
		log_debug("notify: a message from pid %d, which is no service's", pid);
		return;
	}
	struct world_service *state = &supervisor->world->services[index];

	if (message->has_status)
		memcpy(state->status, message->status, sizeof state->status);
	if (message->ready && state->state == SERVICE_STARTING) {
		ready_met(&supervisor->ready, index, PLAN_PROBE_NOTIFY, clock_boottime_ns());
		life_check_ready(supervisor, index);
	}
}

void hear_messages(struct supervisor *supervisor)
{
	for (int i = 0; i < NOTIFY_TURN; i++) {
		struct notify_message message;
		int pid, result = notify_receive(supervisor->notify_fd, &message, &pid);

		if (result == 0)
			return;
		if (result > 0)
			take_message(supervisor, &message, pid);
	}
}
