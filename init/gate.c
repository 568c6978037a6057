/* SPDX-License-Identifier: Apache-2.0 */
#include "init/gate.h"

#include <errno.h>
#include <signal.h>

#include "init/bless.h"
#include "init/bootstrap.h"
#include "init/health.h"
#include "init/kept.h"
#include "init/labels.h"
#include "init/marks.h"
#include "init/node.h"
#include "init/slot.h"
#include "init/stop.h"
#include "init/summary.h"
#include "mount/child.h"
#include "mount/sys.h"
#include "svc/fault_point.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/process.h"

#define BLESS_NS 30000000000ull       /* for the disk to take a blessing */
#define BLESS_LAST_NS 3000000000ull   /* the same when the node is about to end */
#define RETRY_FIRST_NS 10000000000ull /* after one that it did not take; then twice as long */
#define RETRY_LAST_NS 640000000000ull

static uint64_t wake_ns = UINT64_MAX;
static int pidfd = -1; /* of the child that writes */

/* All that an execution of PID 1 leaves to the next one. */
static struct kept_gate *gate(void)
{
	return &kept_in(node.world)->gate;
}

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
	uint64_t wait_ns = gate()->wait_ns == 0 ? RETRY_FIRST_NS : 2 * gate()->wait_ns;

	gate()->wait_ns = wait_ns < RETRY_LAST_NS ? wait_ns : RETRY_LAST_NS;
	gate()->retry_ns = now_ns + gate()->wait_ns;
}

/* The blessing, or the refill that follows it much later. */
static void begin_writing(uint64_t now_ns, bool refills)
{
	pid_t pid;

	if (gate()->pid != 0 || now_ns < gate()->retry_ns)
		return;
	gate()->refills = refills;
	gate()->writing = 1;
	pid = (refills ? bless_refill_start : bless_start)(node.record, node.plan.system->tries,
							   &pidfd);
	fault_point("gate: blessing");
	if (pid > 0) {
		gate()->pid = pid;
		gate()->deadline_ns = now_ns + BLESS_NS;
		if (process_start_ticks(pid, &gate()->start_ticks) != 0)
			gate()->start_ticks = 0;
		return;
	}
	gate()->writing = 0;
	retry_later(now_ns);
	log_error("slot %c: bless: fork: %s", slot_letter(node.record->slot), log_errno((int)pid));
}

int gate_bless(uint64_t now_ns)
{
	if (!node.record)
		return -ENODATA;
	if (gate()->given_up || stop_under_way())
		return -ESHUTDOWN;
	if (node.world->blessed_ns != 0)
		return -EALREADY;
	if (gate()->refused)
		return -EKEYREJECTED;
	log_notice("slot %c: to be blessed, as an operator asks", slot_letter(node.record->slot));
	gate()->retry_ns = 0;
	begin_writing(now_ns, false);
	return gate()->pid != 0 ? 0 : -EAGAIN;
}

/* A disk that hangs may keep even a killed child: it is asked once and then waited for. */
static void watch_blessing(uint64_t now_ns)
{
	if (now_ns < gate()->deadline_ns)
		return;
	gate()->deadline_ns = UINT64_MAX;
	log_error("slot %c: bless: the disk did not take it within %u s, killing it",
		  slot_letter(node.record->slot), (unsigned int)(BLESS_NS / 1000000000));
	(void)sys_pidfd_send_signal(pidfd, SIGKILL);
}

static void forget_blessing(void)
{
	gate()->pid = 0;
	gate()->writing = 0;
	gate()->deadline_ns = UINT64_MAX;
	if (pidfd >= 0)
		close(pidfd);
	pidfd = -1;
}

static void label_blessed(void)
{
	int error = labels_publish(&node.plan, node.record, true);

	if (error)
		log_error("node labels: write: %s", log_errno(error));
}

bool gate_child_ended(pid_t pid, int status)
{
	uint64_t now_ns = clock_boottime_ns();

	if (gate()->pid == 0 || pid != gate()->pid)
		return false;
	forget_blessing();
	if (gate()->refills && (status == 0 || status == EKEYREJECTED)) {
		/* Refused: somebody put the slot on trial again, or rejected it. */
		gate()->refilled = 1;
		gate()->wait_ns = 0;
		return true;
	}
	if (status == EKEYREJECTED) {
		gate()->refused = 1;
		log_warning("slot %c: not blessed: its image is rejected",
			    slot_letter(node.record->slot));
		return true;
	}
	if (status != 0) {
		retry_later(now_ns);
		log_error("slot %c: %s: %s", slot_letter(node.record->slot),
			  gate()->refills ? "fill its tries" : "bless", log_errno(status));
		return true;
	}
	node.world->blessed_ns = now_ns;
	label_blessed();
	say("blessed", now_ns);
	bootstrap_replace(node.record);
	return true;
}

bool gate_finish(void)
{
	int error;

	if (gate()->pid == 0)
		return true;
	error = child_finish(pidfd, BLESS_LAST_NS);
	(void)gate_child_ended(gate()->pid, -error);
	return error != -ETIMEDOUT;
}

static const char *service_name(uint32_t service)
{
	return service == PLAN_NONE ? "services" : node.world->services[service].name;
}

static enum control_power critical_action(void)
{
	switch ((enum plan_critical)node.plan.system->critical) {
	case PLAN_CRITICAL_POWEROFF: return CONTROL_POWEROFF;
	case PLAN_CRITICAL_HALT: return CONTROL_HALT;
	case PLAN_CRITICAL_REBOOT: break;
	}
	return CONTROL_REBOOT;
}

static void give_up(enum slot_reason reason, const char *object, const char *step, uint64_t now_ns)
{
	enum control_power action = reason == SLOT_REASON_CRITICAL ? critical_action()
								   : CONTROL_REBOOT;
	char detail[160];

	gate()->given_up = action;
	format_text(detail, sizeof(detail), "%s: %s", object, step);
	log_error("%s", detail);
	if (node.record) {
		marks_note_failure_timed(&(struct slot_failure){
			.disk = node.record->disk,
			.device = node.record->header_device,
			.disk_guid = node.record->disk_guid,
			.slot = node.record->slot,
			.image_version = (const char *)node.record->header.image_version,
			.reason = reason,
			.detail = detail,
		});
		say("given up", now_ns);
	}
	(void)stop_ask(&(struct stop_request){action, LAST_BY_GATE, false, detail});
}

void gate_advance(uint64_t now_ns)
{
	struct health_view view = health_look(&node.plan, node.world, node.record != NULL);
	struct health_decision decision;

	view.refilled = gate()->refilled != 0;
	decision = health_step(&view, now_ns);
	wake_ns = decision.wake_ns ? decision.wake_ns : UINT64_MAX;
	watch_blessing(now_ns);
	if (gate()->given_up)
		return;
	switch (decision.verdict) {
	case HEALTH_WAIT:
	case HEALTH_SETTLED: break;
	case HEALTH_BLESS:
		if (gate()->refused)
			break;
		begin_writing(now_ns, false);
		if (gate()->pid == 0)
			wake_ns = gate()->retry_ns;
		break;
	case HEALTH_REFILL:
		begin_writing(now_ns, true);
		if (gate()->pid == 0)
			wake_ns = gate()->retry_ns;
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
	return wake_ns < gate()->deadline_ns ? wake_ns : gate()->deadline_ns;
}

bool gate_settled(void)
{
	return gate()->given_up || node.world->blessed_ns != 0;
}

/* A child of PID 1's own keeps its number until it is reaped, so the number still means it. */
static bool still_writes(void)
{
	uint64_t ticks;

	pidfd = (int)syscall(SYS_pidfd_open, gate()->pid, 0);
	if (pidfd >= 0 && process_start_ticks(gate()->pid, &ticks) == 0 &&
	    (gate()->start_ticks == 0 || ticks == gate()->start_ticks))
		return true;
	return false;
}

/* By its deadline a slot was blessed or given up. */
static void remember_blessing(uint64_t now_ns)
{
	uint64_t deadline_ns = node.plan.system->healthy_deadline_ns;

	if (gate()->given_up || node.world->blessed_ns != 0 || deadline_ns == 0 ||
	    now_ns < deadline_ns)
		return;
	node.world->blessed_ns = deadline_ns;
	log_notice("health: this boot was judged before its deadline, long ago");
}

void gate_resume(uint64_t now_ns, bool forgotten)
{
	if (forgotten)
		remember_blessing(now_ns);
	if (gate()->pid != 0 && !still_writes()) {
		forget_blessing();
	} else if (gate()->pid == 0 && gate()->writing) {
		/* A child may write whose number is not known: not before its time is over. */
		gate()->writing = 0;
		gate()->retry_ns = now_ns + BLESS_NS;
	}
	if (gate()->given_up && !stop_under_way())
		(void)stop_ask(&(struct stop_request){(enum control_power)gate()->given_up,
						      LAST_BY_GATE, false, "the health gate"});
}
