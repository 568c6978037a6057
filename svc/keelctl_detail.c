/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl status NAME: everything that is known of one service, and what the kernel says of it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "svc/explain.h"
#include "svc/fd.h"
#include "svc/keelctl.h"
#include "svc/process.h"
#include "svc/service.h"
#include "svc/show.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

bool process_read(int pid, struct process_status *process)
{
	char path[64], text[8192];

	if (pid <= 0)
		return false;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	process_parse_status(text, process);
	return true;
}

static void row(const char *title)
{
	printf("  %-13s", title);
}

static void show_capabilities(const char *title, uint64_t mask)
{
	/* All that this kernel has is one word; most of them reads better as what is missing. */
	unsigned last = 0, have = 0;

	while (last < 63 && process_capability_name(last))
		last++;
	for (unsigned cap = 0; cap < last; cap++)
		have += (mask >> cap & 1) != 0;
	printf("  %-13s", title);
	if (have == 0 || have == last) {
		printf("%s\n", have ? "all" : "none");
		return;
	}
	bool invert = have > last / 2;

	printf("%s", invert ? "all but" : "");
	for (unsigned cap = 0, n = 0; cap < last; cap++)
		if ((mask >> cap & 1) != invert)
			printf("%s%s", n++ || invert ? " " : "", process_capability_name(cap));
	printf("\n");
}

static void show_process(const struct control_service *service)
{
	static const char *const seccomp[] = {"none", "strict", "filter"};
	struct process_status process;
	char rss[SHOW_TIME_BYTES];

	if (!process_read(service->world.pid, &process))
		return;
	row("process");
	printf("uid %u, %u thread%s, %s resident\n", process.uid, process.threads,
	       process.threads == 1 ? "" : "s", show_bytes(process.rss_bytes, rss));
	show_capabilities("effective", process.cap_effective);
	show_capabilities("bounding", process.cap_bounding);
	if (process.cap_ambient != 0)
		show_capabilities("ambient", process.cap_ambient);
	printf("  %-13s%s\n", "no_new_privs", process.no_new_privs ? "yes" : "no");
	printf("  %-13s%s", "seccomp", process.seccomp < 3 ? seccomp[process.seccomp] : "?");
	if (process.seccomp_filters > 1)
		printf(" (%u)", process.seccomp_filters);
	printf("\n");
}

static void show_needs(const struct node_status *status, const struct control_service *service)
{
	for (uint32_t kind = PLAN_EDGE_REQUIRES; kind <= PLAN_EDGE_CONFLICTS; kind++) {
		unsigned n = 0;

		for (uint32_t k = 0; k < service->needs_count; k++) {
			uint32_t to = service->needs[k];

			if (service->need_kinds[k] != kind || to >= status->count)
				continue;
			if (n++ == 0)
				row(need_name(kind));
			else
				printf(", ");
			printf("%s", status->services[to].name);
		}
		if (n != 0)
			printf("\n");
	}
}

/* Who goes down with it. */
static void show_required_by(const struct node_status *status,
			     const struct control_service *service)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < status->count; i++) {
		const struct control_service *other = &status->services[i];

		for (uint32_t k = 0; k < other->needs_count; k++) {
			if (other->needs[k] != service->index ||
			    other->need_kinds[k] != PLAN_EDGE_REQUIRES)
				continue;
			if (n++ == 0)
				row("required by");
			else
				printf(", ");
			printf("%s", other->name);
		}
	}
	if (n != 0)
		printf("\n");
}

static void show_restarts(const struct node_status *status, const struct control_service *service)
{
	static const char *const restart[] = {"?", "never", "on failure", "always"};
	const struct world_service *world = &service->world;
	char span[SHOW_TIME_BYTES], death[EXPLAIN_BYTES];

	row("restart");
	printf("%s, %u so far", restart[service->restart & 3], world->restarts);
	if (service->burst != 0)
		printf(", %u of %u in a row", world->burst, service->burst);
	printf("\n");
	if (*explain_death(&world->last_death, death)) {
		row("last death");
		printf("%s", death);
		if (world->last_death.at_ns != 0)
			printf(", %s ago",
			       show_span(status->node.now_ns - world->last_death.at_ns, span));
		printf("\n");
	}
	if (world->state == SERVICE_BACKOFF && world->deadline_ns > status->node.now_ns) {
		row("next try");
		printf("in %s\n", show_span(world->deadline_ns - status->node.now_ns, span));
	}
}

static void show_timer(const struct node_status *status, const struct control_service *service)
{
	const struct world_service *world = &service->world;
	char span[SHOW_TIME_BYTES];

	if (service->kind != PLAN_SERVICE_TIMER)
		return;
	row("timer");
	if (service->timer_every_ns != 0)
		printf("every %s", show_span(service->timer_every_ns, span));
	else
		printf("once");
	if (world->state == SERVICE_SCHEDULED && world->deadline_ns > status->node.now_ns)
		printf(", next run in %s",
		       show_span(world->deadline_ns - status->node.now_ns, span));
	if (world->started_ns != 0)
		printf(", last run %s ago",
		       show_span(status->node.now_ns - world->started_ns, span));
	printf("\n");
}

static void show_watches(const struct node_status *status, const struct control_service *service)
{
	const struct world_service *world = &service->world;
	char span[SHOW_TIME_BYTES];

	if (world->watchdog_ns != 0) {
		row("watchdog");
		printf("every %s", show_span(world->watchdog_ns, span));
		if (world->watchdog_deadline_ns > status->node.now_ns)
			printf(", expected within %s",
			       show_span(world->watchdog_deadline_ns - status->node.now_ns, span));
		printf("\n");
	}
	if (service->liveness != 0) {
		row("liveness");
		printf("%u probe%s%s\n", service->liveness, service->liveness == 1 ? "" : "s",
		       world->state == SERVICE_UP ? ", holds" : "");
	}
	if (service->reload != CONTROL_RELOAD_NONE) {
		row("reload");
		printf("by a %s%s\n",
		       service->reload == CONTROL_RELOAD_SIGNAL ? "signal" : "command",
		       world->reload_deadline_ns != 0 ? ", under way" : "");
	}
}

/* The first line of a file of its group; "" without one. */
static void group_value(const struct control_service *service, const char *file,
			char value[static 32])
{
	char path[CONTROL_TEXT_BYTES + 64];

	value[0] = '\0';
	snprintf(path, sizeof path, CGROUP_ROOT "/%s/%s", service->cgroup, file);
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, value, 31);

	value[size > 0 ? size : 0] = '\0';
	value[strcspn(value, "\n")] = '\0';
}

static void show_group(const struct control_service *service)
{
	char value[32], bytes[SHOW_TIME_BYTES];

	row("cgroup");
	printf("/%s", service->cgroup);
	group_value(service, "memory.current", value);
	if (*value)
		printf(", %s", show_bytes(strtoull(value, NULL, 10), bytes));
	group_value(service, "pids.current", value);
	if (*value)
		printf(", %s task%s", value, strcmp(value, "1") == 0 ? "" : "s");
	printf("\n");
}

void show_detail(const struct node_status *status, const struct control_service *service)
{
	const struct world_service *world = &service->world;
	char span[SHOW_TIME_BYTES], note[EXPLAIN_BYTES];

	printf("%s%s%s  %s%s%s", show_bold(), service->name, show_plain(),
	       show_state_colour(world->state), service_state_name(world->state), show_plain());
	if (world->state_since_ns != 0)
		printf(" for %s", show_span(status->node.now_ns - world->state_since_ns, span));
	if (*explain_service(service, status->node.now_ns, note))
		printf(", %s", note);
	printf("\n");
	row("program");
	printf("%s\n", service->program);
	if (world->pid > 0) {
		row("pid");
		printf("%d\n", world->pid);
	}
	show_group(service);
	row("policy");
	printf("%s\n", *service->policy ? service->policy : "none");
	show_needs(status, service);
	show_required_by(status, service);
	if (world->started_ns != 0 && world->ready_ns >= world->started_ns) {
		row("ready");
		printf("after %s\n", show_span(world->ready_ns - world->started_ns, span));
	}
	show_timer(status, service);
	show_watches(status, service);
	show_restarts(status, service);
	if (*world->status && strcmp(note, world->status) != 0) {
		row("says");
		printf("%s\n", world->status);
	}
	if (world->notify_errno != 0) {
		row("errno");
		printf("%d: %s\n", world->notify_errno, strerror(world->notify_errno));
	}
	if (*service->output_path) {
		row("output");
		printf("%s\n", service->output_path);
	}
	show_process(service);
}
