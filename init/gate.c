/* SPDX-License-Identifier: Apache-2.0 */
#include "init/gate.h"

#include <errno.h>
#include <signal.h>

#include "init/bless.h"
#include "init/health.h"
#include "init/marks.h"
#include "init/node.h"
#include "init/slot.h"
#include "init/stop.h"
#include "init/summary.h"
#include "mount/child.h"
#include "mount/sys.h"
#include "svc/format.h"
#include "svc/log.h"

#define BLESS_NS 30000000000ull       /* for the disk to take a blessing */
#define BLESS_LAST_NS 3000000000ull   /* the same when the node is about to end */
#define RETRY_FIRST_NS 10000000000ull /* after one that it did not take; then twice as long */
#define RETRY_LAST_NS 640000000000ull

static uint64_t wake_ns = UINT64_MAX;
static bool given_up;
static bool refused; /* slot.h: a rejected slot that runs as the last resort is never blessed */

static struct {
	pid_t pid; /* the child that writes, 0: none */
	int pidfd;
	uint64_t deadline_ns; /* UINT64_MAX: none, or it was killed and has to end now */
	uint64_t retry_ns;    /* not before */
	uint64_t wait_ns;     /* before the last retry */
} blessing = {.pidfd = -1, .deadline_ns = UINT64_MAX};

static void say(const char *what, uint64_t at_ns)
{
	char text[32];
	char at[24];

	format_text(text, sizeof(text), "%s %c", what, slot_letter(node.record->slot));
	timeline_point(node_timeline, TIMELINE_SLOT, text, 0, at_ns);
	summary_seconds(at, sizeof(at), at_ns);
	log_notice("slot %c: %s at %s s", slot_letter(node.record->slot), what, at);
}

static void retry_later(uint64_t now_ns)
{
	uint64_t wait_ns = blessing.wait_ns == 0 ? RETRY_FIRST_NS : 2 * blessing.wait_ns;

	blessing.wait_ns = wait_ns < RETRY_LAST_NS ? wait_ns : RETRY_LAST_NS;
	blessing.retry_ns = now_ns + blessing.wait_ns;
}

static void bless(uint64_t now_ns)
{
	pid_t pid;

	if (blessing.pid != 0 || now_ns < blessing.retry_ns)
		return;
	pid = bless_start(node.record, node.plan.system->tries, &blessing.pidfd);
	if (pid > 0) {
		blessing.pid = pid;
		blessing.deadline_ns = now_ns + BLESS_NS;
		return;
	}
	retry_later(now_ns);
	log_error("slot %c: bless: fork: %s", slot_letter(node.record->slot), log_errno((int)pid));
}

/* A disk that hangs may keep even a killed child: it is asked once and then waited for. */
static void watch_blessing(uint64_t now_ns)
{
	if (now_ns < blessing.deadline_ns)
		return;
	blessing.deadline_ns = UINT64_MAX;
	log_error("slot %c: bless: the disk did not take it within %u s, killing it",
		  slot_letter(node.record->slot), (unsigned int)(BLESS_NS / 1000000000));
	(void)sys_pidfd_send_signal(blessing.pidfd, SIGKILL);
}

bool gate_child_ended(pid_t pid, int status)
{
	uint64_t now_ns = clock_boottime_ns();

	if (blessing.pid == 0 || pid != blessing.pid)
		return false;
	blessing.pid = 0;
	blessing.deadline_ns = UINT64_MAX;
	close(blessing.pidfd);
	blessing.pidfd = -1;
	if (status == EKEYREJECTED) {
		refused = true;
		log_warning("slot %c: not blessed: its image is rejected",
			    slot_letter(node.record->slot));
		return true;
	}
	if (status != 0) {
		retry_later(now_ns);
		log_error("slot %c: bless: %s", slot_letter(node.record->slot), log_errno(status));
		return true;
	}
	node.world->blessed_ns = now_ns;
	say("blessed", now_ns);
	return true;
}

bool gate_finish(void)
{
	int error;

	if (blessing.pid == 0)
		return true;
	error = child_finish(blessing.pidfd, BLESS_LAST_NS);
	(void)gate_child_ended(blessing.pid, -error);
	return error != -ETIMEDOUT;
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
	watch_blessing(now_ns);
	if (given_up)
		return;
	switch (decision.verdict) {
	case HEALTH_WAIT:
	case HEALTH_SETTLED: break;
	case HEALTH_BLESS:
		if (refused)
			break;
		bless(now_ns);
		if (blessing.pid == 0)
			wake_ns = blessing.retry_ns;
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
	return wake_ns < blessing.deadline_ns ? wake_ns : blessing.deadline_ns;
}

bool gate_settled(void)
{
	return given_up || node.world->blessed_ns != 0;
}
