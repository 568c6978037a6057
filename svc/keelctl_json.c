/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl --json status: what status tells, for programs. Keys are only ever added. */
#include <stdio.h>
#include <sys/wait.h>

#include "svc/confine.h"
#include "svc/explain.h"
#include "svc/keelctl.h"
#include "svc/log.h"
#include "svc/process.h"
#include "svc/service.h"
#include "svc/show.h"
#include "svc/signal_name.h"

static void json_process(const struct control_service *service)
{
	struct process_status process;
	char mask[32];

	if (!process_read(service->world.pid, &process))
		return;
	fputs(", \"process\": {", stdout);
	show_json_number(stdout, true, "uid", process.uid);
	show_json_number(stdout, false, "rss_bytes", process.rss_bytes);
	show_json_number(stdout, false, "threads", process.threads);
	snprintf(mask, sizeof mask, "%016llx", (unsigned long long)process.cap_effective);
	show_json_field(stdout, false, "cap_effective", mask);
	snprintf(mask, sizeof mask, "%016llx", (unsigned long long)process.cap_bounding);
	show_json_field(stdout, false, "cap_bounding", mask);
	show_json_bool(stdout, false, "no_new_privs", process.no_new_privs != 0);
	show_json_number(stdout, false, "seccomp", process.seccomp);
	show_json_number(stdout, false, "seccomp_filters", process.seccomp_filters);
	fputs("}", stdout);
}

static void json_death(const struct world_death *death)
{
	bool killed = death->code == CLD_KILLED || death->code == CLD_DUMPED;
	char text[EXPLAIN_BYTES], signal[SIGNAL_NAME_BYTES];

	show_json_field(stdout, false, "last_death", explain_death(death, text));
	show_json_number(stdout, false, "last_death_ns", death->at_ns);
	fputs(", \"death\": {", stdout);
	show_json_field(stdout, true, "reason", world_reason_name(death->reason));
	if (death->code == CLD_EXITED)
		show_json_number(stdout, false, "exit_status", (uint64_t)(uint32_t)death->status);
	if (killed) {
		show_json_field(stdout, false, "signal", signal_name(death->status, signal));
		show_json_bool(stdout, false, "core", death->code == CLD_DUMPED);
	}
	if (death->error != 0) {
		show_json_field(stdout, false, "step", confine_step_name(death->step));
		show_json_field(stdout, false, "error", log_errno(death->error));
	}
	show_json_number(stdout, false, "oom_kills", death->oom_kills);
	fputs("}", stdout);
}

static void json_needs(const struct node_status *status, const struct control_service *service)
{
	for (uint32_t kind = PLAN_EDGE_REQUIRES; kind <= PLAN_EDGE_CONFLICTS; kind++) {
		unsigned n = 0;

		printf(", \"%s\": [", need_name(kind));
		for (uint32_t k = 0; k < service->needs_count; k++) {
			if (service->need_kinds[k] != kind || service->needs[k] >= status->count)
				continue;
			fputs(n++ ? ", " : "", stdout);
			show_json_string(stdout, status->services[service->needs[k]].name);
		}
		fputs("]", stdout);
	}
}

static const char *kind_name(uint32_t kind)
{
	return kind == PLAN_SERVICE_DAEMON    ? "daemon"
	       : kind == PLAN_SERVICE_ONESHOT ? "oneshot"
					      : "timer";
}

static void json_service(const struct node_status *status, const struct control_service *service)
{
	const struct world_service *world = &service->world;
	char note[EXPLAIN_BYTES];

	fputs("{", stdout);
	show_json_field(stdout, true, "name", service->name);
	show_json_field(stdout, false, "kind", kind_name(service->kind));
	show_json_field(stdout, false, "state", service_state_name(world->state));
	show_json_field(stdout, false, "note", explain_service(service, status->node.now_ns, note));
	show_json_bool(stdout, false, "wanted", world->wanted != 0);
	show_json_bool(stdout, false, "skipped", (world->flags & SERVICE_MARK_SKIPPED) != 0);
	show_json_field(stdout, false, "condition", service->condition);
	show_json_number(stdout, false, "pid", world->pid > 0 ? (uint64_t)world->pid : 0);
	show_json_number(stdout, false, "starts", world->starts);
	show_json_number(stdout, false, "restarts", world->restarts);
	show_json_number(stdout, false, "state_since_ns", world->state_since_ns);
	show_json_number(stdout, false, "started_ns", world->started_ns);
	show_json_number(stdout, false, "ready_ns", world->ready_ns);
	show_json_number(stdout, false, "deadline_ns", world->deadline_ns);
	show_json_number(stdout, false, "watchdog_ns", world->watchdog_ns);
	show_json_bool(stdout, false, "reloading",
		       (world->flags & SERVICE_MARK_RELOADING) || world->reload_deadline_ns != 0);
	show_json_field(stdout, false, "waiting_for", service->waiting_for);
	show_json_field(stdout, false, "status", world->status);
	show_json_number(stdout, false, "errno", (uint64_t)(uint32_t)world->notify_errno);
	json_death(&world->last_death);
	json_needs(status, service);
	show_json_field(stdout, false, "cgroup", service->cgroup);
	show_json_field(stdout, false, "policy", service->policy);
	show_json_field(stdout, false, "output", service->output_path);
	json_process(service);
	fputs("}", stdout);
}

static bool is_meant(const struct control_service *service,
		     const struct control_service *const *only, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (only[i] == service)
			return true;
	return count == 0;
}

void json_status(const struct node_status *status, const struct control_service *const *only,
		 uint32_t count)
{
	const struct control_node *node = &status->node;

	fputs("{", stdout);
	show_json_field(stdout, true, "name", node->name);
	show_json_field(stdout, false, "image_version", node->image_version);
	show_json_number(stdout, false, "now_ns", node->now_ns);
	show_json_number(stdout, false, "up_ns", node->up_ns);
	show_json_number(stdout, false, "blessed_ns", node->blessed_ns);
	show_json_number(stdout, false, "reaped_orphans", node->reaped_orphans);
	show_json_bool(stdout, false, "ending", node->ending != 0);
	show_json_number(stdout, false, "executions", node->executions);
	show_json_number(stdout, false, "crashes", node->crashes);
	show_json_number(stdout, false, "events", node->event_count);
	fputs(", \"services\": [", stdout);
	for (uint32_t i = 0, n = 0; i < status->count; i++) {
		if (!is_meant(&status->services[i], only, count))
			continue;
		fputs(n++ ? ", " : "", stdout);
		json_service(status, &status->services[i]);
	}
	fputs("]}\n", stdout);
}
