/* SPDX-License-Identifier: Apache-2.0 */
#include "init/stop.h"

#include <signal.h>

#include "init/bless.h"
#include "init/gate.h"
#include "init/groups.h"
#include "init/node.h"
#include "init/power.h"
#include "init/shutdown.h"
#include "init/summary.h"
#include "svc/format.h"
#include "svc/log.h"

#define GROUP_PATH_BYTES 256

static struct {
	bool asked;
	enum shutdown_stage stage;
	enum control_power action;
	enum stop_by by;
	struct shutdown_groups groups;
	struct shutdown_view view;
	uint32_t event; /* of the stage, in the timeline */
} stop;

bool stop_under_way(void)
{
	return stop.asked;
}

/* The pods' group; "" when there is none of this node's. */
static void pods_path(char path[GROUP_PATH_BYTES])
{
	const char *pods = plan_string(&node.plan, node.plan.system->pods_cgroup);

	*path = '\0';
	if (*pods != '\0' && !node.cgroups_foreign)
		format_text(path, GROUP_PATH_BYTES, "%s/%s", node.cgroup_root, pods);
}

static const char *logger_group(void)
{
	uint32_t logger = node.plan.system->logger;

	if (logger == PLAN_NONE)
		return "";
	return plan_string(&node.plan, plan_service(&node.plan, logger)->cgroup);
}

static void look(void)
{
	char pods[GROUP_PATH_BYTES];

	pods_path(pods);
	shutdown_look(&node.plan, node.world, &stop.groups, &stop.view);
	stop.view.pods = *pods != '\0' && groups_populated(pods);
	stop.view.leftovers = !node.cgroups_foreign &&
			      groups_others_populated(node.cgroup_root, logger_group());
}

/* Ask every service of a group to stop; what needs a service goes down before it. */
static void stop_group(enum shutdown_group group)
{
	for (uint32_t i = node.world->service_count; i-- > 0;)
		if (shutdown_group_of(&node.plan, &stop.groups, i) == group)
			(void)supervisor_request(node.supervisor, CONTROL_VERB_STOP, i);
}

static void enter_pods(int signal)
{
	char pods[GROUP_PATH_BYTES];

	pods_path(pods);
	if (!stop.view.pods)
		return;
	if (signal == SIGKILL)
		(void)groups_kill(pods);
	else
		log_info("shutdown: %u processes of pods asked to end",
			 groups_signal(pods, signal));
}

/* In a container that was shown the machine's groups the kill spree has to do. */
static void kill_leftovers(void)
{
	if (!node.cgroups_foreign)
		groups_kill_others(node.cgroup_root, logger_group());
}

static _Noreturn void end(void)
{
	int status = stop.by == STOP_BY_GATE ? NODE_EXIT_CRITICAL : NODE_EXIT_ASKED;

	supervisor_close(node.supervisor);
	if (gate_finish() && stop.by == STOP_BY_PERSON && node.record && !gate_settled()) {
		int error = bless_refund(node.record);

		if (error)
			log_error("slot: give the try back: %s", log_errno(error));
	}
	power_end(stop.action, stop.view.forced, node.options.container, status);
}

static void enter(enum shutdown_stage stage, uint64_t now_ns)
{
	timeline_end(node_timeline, stop.event, now_ns, 0);
	stop.stage = stage;
	stop.view.stage_ns = now_ns;
	stop.event = TIMELINE_EVENTS;
	if (shutdown_has_work(stage, &stop.view)) {
		stop.event = timeline_begin(node_timeline, TIMELINE_PHASE,
					    shutdown_stage_name(stage), now_ns);
		log_info("shutdown: %s", shutdown_stage_name(stage));
	}
	switch (stage) {
	case SHUTDOWN_NONE: break;
	case SHUTDOWN_SERVICES: stop_group(SHUTDOWN_GROUP_FIRST); break;
	case SHUTDOWN_PODS_TERM: enter_pods(SIGTERM); break;
	case SHUTDOWN_PODS_KILL: enter_pods(SIGKILL); break;
	case SHUTDOWN_RUNTIME: stop_group(SHUTDOWN_GROUP_RUNTIME); break;
	case SHUTDOWN_LEFTOVERS: kill_leftovers(); break;
	case SHUTDOWN_LOGGER: supervisor_stop_all(node.supervisor); break;
	case SHUTDOWN_FINAL: end();
	}
}

static void begin(uint64_t now_ns)
{
	stop.event = TIMELINE_EVENTS;
	stop.view.began_ns = now_ns;
	stop.view.budget_ns = node.plan.system->shutdown_timeout_ns;
	stop.view.grace_ns = node.plan.system->pods_grace_ns;
	node.world->phase = NODE_STOPPING;
	shutdown_groups_find(&node.plan, &stop.groups);
}

void stop_advance(uint64_t now_ns)
{
	if (stop.stage == SHUTDOWN_NONE)
		begin(now_ns);
	for (;;) {
		enum shutdown_stage next;

		look();
		next = shutdown_next(stop.stage, &stop.view, now_ns);
		if (next == stop.stage)
			return;
		enter(next, now_ns);
	}
}

void stop_ask(enum control_power action, enum stop_by by)
{
	char at[24];

	if (stop.asked) {
		log_notice("shutdown: asked again: forced");
		stop.view.forced = true;
		return;
	}
	summary_seconds(at, sizeof(at), clock_boottime_ns());
	log_notice("shutdown: %s at %s s", power_name(action), at);
	supervisor_ending(node.supervisor);
	stop.asked = true;
	stop.action = action;
	stop.by = by;
}

uint64_t stop_wake_ns(void)
{
	uint64_t poll_ns;
	uint64_t deadline_ns;

	if (!stop_under_way())
		return UINT64_MAX;
	deadline_ns = shutdown_deadline_ns(stop.stage, &stop.view);
	if (stop.stage != SHUTDOWN_PODS_TERM && stop.stage != SHUTDOWN_PODS_KILL &&
	    stop.stage != SHUTDOWN_LEFTOVERS)
		return deadline_ns;
	poll_ns = clock_boottime_ns() + SHUTDOWN_POLL_NS;
	return poll_ns < deadline_ns ? poll_ns : deadline_ns;
}
