/* SPDX-License-Identifier: Apache-2.0 */
#include "init/kept.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "init/shutdown.h"
#include "init/stop.h"

void kept_init(struct world *world)
{
	struct kept *kept = kept_in(world);

	memset(kept, 0, sizeof(*kept));
	kept->version = KEPT_VERSION;
	kept->size_bytes = sizeof(*kept);
	kept->gate.deadline_ns = UINT64_MAX;
	kept->stop.event = TIMELINE_EVENTS;
	kept->milestones_fd = -1;
}

static bool gate_is_sane(const struct kept_gate *gate)
{
	return gate->given_up <= CONTROL_KEXEC && gate->refused <= 1 && gate->writing <= 1 &&
	       gate->refilled <= 1 && gate->refills <= 1 && gate->pid >= 0 && gate->pid != 1;
}

static bool stop_is_sane(const struct kept_stop *stop)
{
	if (stop->asked > 1 || stop->forced > 1 || stop->stage > SHUTDOWN_FINAL ||
	    stop->by >= LAST_BY_COUNT || stop->event > TIMELINE_EVENTS || stop->status > 255 ||
	    !memchr(stop->who, '\0', sizeof(stop->who)))
		return false;
	if (stop->asked == 0)
		return stop->stage == SHUTDOWN_NONE;
	return stop->action >= CONTROL_POWEROFF && stop->action <= CONTROL_KEXEC;
}

int kept_check(const struct kept *kept)
{
	if (kept->version != KEPT_VERSION || kept->size_bytes != sizeof(*kept))
		return -EBADMSG;
	if (!gate_is_sane(&kept->gate) || !stop_is_sane(&kept->stop) || kept->first_boot > 1 ||
	    kept->traced > TIMELINE_EVENTS || kept->milestones_fd < -1)
		return -EBADMSG;
	return 0;
}
