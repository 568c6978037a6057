/* SPDX-License-Identifier: Apache-2.0 */
#include "init/stop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "init/bless.h"
#include "init/files.h"
#include "init/gate.h"
#include "init/groups.h"
#include "init/kept.h"
#include "init/last_words.h"
#include "init/loop.h"
#include "init/node.h"
#include "init/power.h"
#include "init/shutdown.h"
#include "init/summary.h"
#include "mount/child.h"
#include "svc/fault_point.h"
#include "svc/format.h"
#include "svc/log.h"

#define GROUP_PATH_BYTES 256
#define KEXEC_LOADED "/sys/kernel/kexec_loaded"

/* Found out anew by every execution of PID 1. */
static struct shutdown_groups groups;
static struct shutdown_view view;

static struct kept_stop *kept(void)
{
	return &kept_in(node.world)->stop;
}

bool stop_under_way(void)
{
	return kept()->asked != 0;
}

bool stop_forced(void)
{
	return kept()->forced != 0;
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
	shutdown_look(&node.plan, node.world, &groups, &view);
	view.pods = *pods != '\0' && groups_populated(pods);
	view.leftovers = !node.cgroups_foreign &&
			 groups_others_populated(node.cgroup_root, logger_group());
	view.forced = kept()->forced != 0;
	view.began_ns = kept()->began_ns;
	view.stage_ns = kept()->stage_ns;
	view.budget_ns = node.plan.system->shutdown_timeout_ns;
	view.grace_ns = node.plan.system->pods_grace_ns;
}

/* ---- the stages ---- */

/* Ask every service of a group to stop; what needs a service goes down before it. */
static void stop_group(enum shutdown_group group)
{
	struct graph_set services = {0};

	for (uint32_t i = 0; i < node.world->service_count; i++)
		if (shutdown_group_of(&node.plan, &groups, i) == group)
			graph_set_add(&services, i);
	supervisor_stop_set(node.supervisor, &services);
}

static void enter_pods(int signal)
{
	char pods[GROUP_PATH_BYTES];

	pods_path(pods);
	if (!view.pods)
		return;
	if (signal == SIGKILL)
		(void)groups_kill(pods);
	else
		log_info("shutdown: %u processes of pods asked to end",
			 groups_signal(pods, signal));
}

/* In a container that was shown the machine's groups the end's own killing has to do. */
static void kill_leftovers(void)
{
	if (!node.cgroups_foreign)
		groups_kill_others(node.cgroup_root, logger_group());
}

/* ---- the record of it ---- */

static struct last last;

static void record_stages(void)
{
	const struct kept_stop *stop = kept();

	for (uint32_t stage = SHUTDOWN_SERVICES; stage < SHUTDOWN_FINAL; stage++)
		if (stop->entered_ns[stage] != 0)
			last_step(&last, shutdown_stage_name((enum shutdown_stage)stage),
				  stop->entered_ns[stage], stop->left_ns[stage], 0);
}

/* Which services did not end when they were asked to. */
static void record_services(void)
{
	char text[LAST_NOTE_BYTES];

	for (uint32_t i = 0; i < node.world->service_count; i++) {
		const char *what = shutdown_service_fault(&node.world->services[i],
							  kept()->began_ns);

		if (!what)
			continue;
		format_text(text, sizeof(text), "service %s: %s", node.world->services[i].name,
			    what);
		last_note(&last, text);
	}
}

static void record(enum last_state state)
{
	const struct kept_stop *stop = kept();
	char text[LAST_NOTE_BYTES];

	last = (struct last){
		.state = state,
		.action = stop->action,
		.by = stop->by,
		.forced = stop->forced,
		.began_ns = stop->began_ns,
	};
	last_words_fill(&last);
	/* Of keelctl no more is known than what `by` tells. */
	if (*stop->who != '\0' && stop->by != LAST_BY_CONTROL) {
		format_text(text, sizeof(text), "asked by %s", stop->who);
		last_note(&last, text);
	}
	last_words_crashes(&last);
	record_stages();
	if (state == LAST_ENDED)
		record_services();
}

static _Noreturn void end(void)
{
	const struct power_end how = {
		.action = (enum control_power)kept()->action,
		.forced = kept()->forced != 0,
		.container = node.options.container,
		.status = (int)kept()->status,
		.last = &last,
	};

	record(LAST_ENDED);
	child_hurries = node_asked_again;
	supervisor_close(node.supervisor);
	if (gate_finish() && kept()->by != LAST_BY_GATE && node.record) {
		int error = node.world->blessed_ns != 0
				    ? bless_refill(node.record, node.plan.system->tries)
				    : bless_refund(node.record);

		if (error)
			log_error("slot: give the try back: %s", log_errno(error));
	}
	fault_point("stop: end");
	power_end(&how);
}

static void leave(uint64_t now_ns)
{
	struct kept_stop *stop = kept();
	char spent[24];

	if (stop->event == TIMELINE_EVENTS)
		return;
	timeline_end(node_timeline, stop->event, now_ns, 0);
	stop->left_ns[stop->stage] = now_ns;
	summary_seconds(spent, sizeof(spent), now_ns - stop->stage_ns);
	log_info("shutdown: %s: over after %s s",
		 shutdown_stage_name((enum shutdown_stage)stop->stage), spent);
	stop->event = TIMELINE_EVENTS;
}

static void note_stage(enum shutdown_stage stage, uint64_t now_ns)
{
	const struct world_event event = {
		.at_ns = now_ns,
		.service = PLAN_NONE,
		.kind = WORLD_EVENT_SHUTDOWN,
		.to = (uint8_t)stage,
	};

	world_note(node.world, &event);
}

/* The work of a stage may be begun twice: by PID 1, and once more after it crashed in there. */
static void begin_work(enum shutdown_stage stage)
{
	switch (stage) {
	case SHUTDOWN_NONE: break;
	case SHUTDOWN_SERVICES: stop_group(SHUTDOWN_GROUP_FIRST); break;
	case SHUTDOWN_PODS_TERM: enter_pods(SIGTERM); break;
	case SHUTDOWN_PODS_KILL: enter_pods(SIGKILL); break;
	case SHUTDOWN_RUNTIME: stop_group(SHUTDOWN_GROUP_RUNTIME); break;
	case SHUTDOWN_LEFTOVERS: kill_leftovers(); break;
	case SHUTDOWN_LOGGER: supervisor_stop_all(node.supervisor); break;
	case SHUTDOWN_FINAL: end();
	case SHUTDOWN_STAGES: break;
	}
}

static void enter(enum shutdown_stage stage, uint64_t now_ns)
{
	struct kept_stop *stop = kept();

	leave(now_ns);
	stop->stage = stage;
	stop->stage_ns = now_ns;
	view.stage_ns = now_ns;
	fault_point("stop: entered");
	if (shutdown_has_work(stage, &view)) {
		stop->entered_ns[stage] = now_ns;
		stop->event = timeline_begin(node_timeline, TIMELINE_PHASE,
					     shutdown_stage_name(stage), now_ns);
		log_info("shutdown: %s", shutdown_stage_name(stage));
		note_stage(stage, now_ns);
	}
	begin_work(stage);
}

static void begin(uint64_t now_ns)
{
	kept()->began_ns = now_ns;
	node.world->phase = NODE_STOPPING;
	shutdown_groups_find(&node.plan, &groups);
	record(LAST_ENDING);
	last_words_ending(&last);
}

void stop_advance(uint64_t now_ns)
{
	struct kept_stop *stop = kept();

	if (stop->began_ns == 0)
		begin(now_ns);
	for (;;) {
		enum shutdown_stage stage = (enum shutdown_stage)stop->stage;
		enum shutdown_stage next;

		look();
		next = shutdown_next(stage, &view, now_ns);
		if (next == stage)
			return;
		enter(next, now_ns);
	}
}

void stop_resume(void)
{
	if (!stop_under_way() || kept()->began_ns == 0)
		return;
	shutdown_groups_find(&node.plan, &groups);
	look();
	begin_work((enum shutdown_stage)kept()->stage);
}

/* ---- asking ---- */

/* A kernel that is not there must be found missing before services are stopped for it. */
static int check_kexec(void)
{
	char text[8];

	if (node.options.container)
		return -EOPNOTSUPP;
	return file_read(KEXEC_LOADED, text, sizeof(text)) > 0 && *text == '1' ? 0 : -ENODATA;
}

static int refuse(const struct stop_request *request)
{
	int error = request->action == CONTROL_KEXEC ? check_kexec() : 0;

	if (error)
		log_error("shutdown: %s asked by %s: refused: %s", power_name(request->action),
			  request->who,
			  error == -ENODATA ? "no kernel is loaded" : "not in a container");
	return error;
}

int stop_ask(const struct stop_request *request)
{
	struct kept_stop *stop = kept();
	char at[24];
	int error;

	if (stop->asked) {
		log_notice("shutdown: asked again by %s: forced", request->who);
		stop->forced = 1;
		return 0;
	}
	error = refuse(request);
	if (error)
		return error;
	summary_seconds(at, sizeof(at), clock_boottime_ns());
	log_notice("shutdown: %s at %s s: asked by %s%s", power_name(request->action), at,
		   request->who, request->forced ? ", forced" : "");
	stop->action = request->action;
	stop->by = request->by;
	stop->forced = request->forced;
	stop->status = (uint32_t)shutdown_exit_status(&node.plan, node.world,
						      request->by == LAST_BY_GATE);
	format_text(stop->who, sizeof(stop->who), "%s", request->who);
	/* The last word: what a crash leaves is either no request or a whole one (resume.c). */
	fault_point("stop: asking");
	stop->asked = 1;
	fault_point("stop: asked");
	supervisor_ending(node.supervisor);
	return 0;
}

uint64_t stop_wake_ns(void)
{
	enum shutdown_stage stage = (enum shutdown_stage)kept()->stage;
	uint64_t poll_ns;
	uint64_t deadline_ns;

	if (!stop_under_way())
		return UINT64_MAX;
	deadline_ns = shutdown_deadline_ns(stage, &view);
	if (stage != SHUTDOWN_PODS_TERM && stage != SHUTDOWN_PODS_KILL &&
	    stage != SHUTDOWN_LEFTOVERS)
		return deadline_ns;
	poll_ns = clock_boottime_ns() + SHUTDOWN_POLL_NS;
	return poll_ns < deadline_ns ? poll_ns : deadline_ns;
}
