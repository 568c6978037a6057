/* SPDX-License-Identifier: Apache-2.0 */
#include "init/gate.h"

#include "init/bless.h"
#include "init/health.h"
#include "init/marks.h"
#include "init/node.h"
#include "init/slot.h"
#include "init/stop.h"
#include "init/summary.h"
#include "svc/format.h"
#include "svc/log.h"

#define RETRY_NS 10000000000ull /* after a blessing that the disk did not take */

static uint64_t wake_ns = UINT64_MAX;
static uint64_t retry_ns;
static pid_t blessing; /* the child that writes, 0: none */
static bool given_up;

static void say(const char *what, uint64_t at_ns)
{
	char text[32];
	char at[24];

	format_text(text, sizeof(text), "%s %c", what, slot_letter(node.record->slot));
	timeline_point(node_timeline, TIMELINE_SLOT, text, 0, at_ns);
	summary_seconds(at, sizeof(at), at_ns);
	log_notice("slot %c: %s at %s s", slot_letter(node.record->slot), what, at);
}

static void bless(uint64_t now_ns)
{
	pid_t pid;

	if (blessing != 0 || now_ns < retry_ns)
		return;
	pid = bless_start(node.record, node.plan.system->tries);
	if (pid > 0) {
		blessing = pid;
		return;
	}
	retry_ns = now_ns + RETRY_NS;
	log_error("slot %c: bless: fork: %s", slot_letter(node.record->slot), log_errno((int)pid));
}

bool gate_child_ended(pid_t pid, int status)
{
	uint64_t now_ns = clock_boottime_ns();

	if (blessing == 0 || pid != blessing)
		return false;
	blessing = 0;
	if (status != 0) {
		retry_ns = now_ns + RETRY_NS;
		log_error("slot %c: bless: %s", slot_letter(node.record->slot), log_errno(status));
		return true;
	}
	node.world->blessed_ns = now_ns;
	say("blessed", now_ns);
	return true;
}

static const char *service_name(uint32_t service)
{
	return service == PLAN_NONE ? "services" : node.world->services[service].name;
}

static void give_up(enum slot_reason reason, const char *object, const char *step, uint64_t now_ns)
{
	char detail[160];

	given_up = true;
	format_text(detail, sizeof(detail), "%s: %s", object, step);
	log_error("%s", detail);
	if (node.record) {
		marks_note_failure_timed(node.record->header_device, reason, detail);
		say("given up", now_ns);
	}
	stop_ask(CONTROL_REBOOT, STOP_BY_GATE);
}

void gate_advance(uint64_t now_ns)
{
	struct health_view view = health_look(&node.plan, node.world, node.record != NULL);
	struct health_decision decision = health_step(&view, now_ns);

	wake_ns = decision.wake_ns ? decision.wake_ns : UINT64_MAX;
	if (given_up)
		return;
	switch (decision.verdict) {
	case HEALTH_WAIT:
	case HEALTH_SETTLED: break;
	case HEALTH_BLESS:
		bless(now_ns);
		/* While the child writes there is nothing to wait for but its end. */
		if (blessing == 0)
			wake_ns = retry_ns;
		break;
	case HEALTH_OVERDUE:
		give_up(SLOT_REASON_UNHEALTHY, service_name(view.missing),
			"not healthy by the deadline", now_ns);
		break;
	case HEALTH_CRITICAL:
		give_up(SLOT_REASON_CRITICAL, service_name(view.critical),
			"critical service failed", now_ns);
		break;
	}
}

uint64_t gate_wake_ns(void)
{
	return wake_ns;
}

bool gate_settled(void)
{
	return given_up || node.world->blessed_ns != 0;
}
