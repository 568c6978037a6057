/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "svc/confine.h"
#include "svc/log.h"
#include "svc/service.h"
#include "svc/show.h"
#include "svc/signal_name.h"

/* Why, where the end itself does not say it. */
static const char *reason_text(const struct world_death *death)
{
	switch (death->reason) {
	case WORLD_REASON_REQUEST: return "on request";
	case WORLD_REASON_REQUIREMENT: return "something that it requires went down";
	case WORLD_REASON_CONFLICT: return "something that it conflicts with was started";
	case WORLD_REASON_SHUTDOWN: return "the node goes down";
	case WORLD_REASON_START_TIMEOUT: return "it was not ready in time";
	case WORLD_REASON_STOP_TIMEOUT: return "it did not stop in time";
	case WORLD_REASON_LIVENESS: return "a liveness probe failed too often";
	case WORLD_REASON_WATCHDOG: return "its watchdog was not fed";
	case WORLD_REASON_PRE: return "a command of pre failed";
	case WORLD_REASON_SPAWN: return death->error != 0 ? NULL : "before it executed its program";
	case WORLD_REASON_OOM: return "out of memory";
	case WORLD_REASON_LOST: return "it ended while PID 1 executed itself anew";
	default: return NULL;
	}
}

static void end_text(const struct world_death *death, char text[static EXPLAIN_BYTES])
{
	char signal[SIGNAL_NAME_BYTES];

	if (death->error == -ETIMEDOUT && death->step == CONFINE_NONE)
		snprintf(text, EXPLAIN_BYTES, "took too long and was killed");
	else if (death->error != 0)
		snprintf(text, EXPLAIN_BYTES, "start failed at step %s: %s",
			 confine_step_name(death->step), log_errno(death->error));
	else if (death->code == CLD_EXITED)
		snprintf(text, EXPLAIN_BYTES, "exited with status %d", death->status);
	else if (death->code == CLD_KILLED || death->code == CLD_DUMPED)
		snprintf(text, EXPLAIN_BYTES, "killed by SIG%s%s",
			 signal_name(death->status, signal),
			 death->code == CLD_DUMPED ? ", which left a core" : "");
	else
		text[0] = '\0';
}

const char *explain_death(const struct world_death *death, char text[static EXPLAIN_BYTES])
{
	const char *reason = reason_text(death);
	size_t length;

	end_text(death, text);
	length = strlen(text);
	if (reason)
		snprintf(text + length, EXPLAIN_BYTES - length, "%s%s", length ? ": " : "", reason);
	length = strlen(text);
	if (death->oom_kills != 0)
		snprintf(text + length, EXPLAIN_BYTES - length,
			 "%sthe kernel killed %u process%s for want of memory", length ? ", " : "",
			 death->oom_kills, death->oom_kills == 1 ? "" : "es");
	return text;
}

static const char *in(uint64_t deadline_ns, uint64_t now_ns, char span[static SHOW_TIME_BYTES])
{
	return show_span(deadline_ns > now_ns ? deadline_ns - now_ns : 0, span);
}

const char *explain_service(const struct control_service *service, uint64_t now_ns,
			    char text[static EXPLAIN_BYTES])
{
	const struct world_service *world = &service->world;
	char death[EXPLAIN_BYTES], span[SHOW_TIME_BYTES];

	explain_death(&world->last_death, death);
	text[0] = '\0';
	if (world->flags & SERVICE_MARK_SKIPPED) {
		snprintf(text, EXPLAIN_BYTES, "skipped: %s",
			 *service->condition ? service->condition : "a condition does not hold");
		return text;
	}
	switch (world->state) {
	case SERVICE_WAITING:
		snprintf(text, EXPLAIN_BYTES, "waits for %s", service->waiting_for);
		break;
	case SERVICE_BACKOFF:
		snprintf(text, EXPLAIN_BYTES, "retry in %s: %.200s",
			 in(world->deadline_ns, now_ns, span), death);
		break;
	case SERVICE_SCHEDULED:
		if (world->deadline_ns != 0)
			snprintf(text, EXPLAIN_BYTES, "next run in %s",
				 in(world->deadline_ns, now_ns, span));
		break;
	case SERVICE_FAILED: memcpy(text, death, EXPLAIN_BYTES); break;
	case SERVICE_STARTING:
		if (world->stage == WORLD_STAGE_PRE) {
			snprintf(text, EXPLAIN_BYTES, "runs pre %u", world->hook + 1);
			break;
		}
		__attribute__((fallthrough));
	default: memcpy(text, world->status, sizeof world->status); break;
	}
	if (world->state == SERVICE_UP && world->flags & SERVICE_MARK_RELOADING)
		snprintf(text, EXPLAIN_BYTES, "reloading%s%.60s", *world->status ? ": " : "",
			 world->status);
	return text;
}
