/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl status: what runs, why something does not, and under which policy it really lives. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "svc/death.h"
#include "svc/keelctl.h"
#include "svc/process.h"
#include "svc/service.h"
#include "svc/show.h"

static bool counts_as_up(const struct control_service *service)
{
	return service_is_up(service->world.state);
}

/* What is worth saying beyond the state. */
static const char *note_of(const struct control_service *service, char note[static 160])
{
	char death[128];

	death_text(&service->world.last_death, death, sizeof death);
	switch (service->world.state) {
	case SERVICE_WAITING: snprintf(note, 160, "waits for %s", service->waiting_for); break;
	case SERVICE_BACKOFF:
	case SERVICE_FAILED: snprintf(note, 160, "%s", death); break;
	default: snprintf(note, 160, "%s", service->world.status); break;
	}
	return note;
}

static uint32_t restarts_of(const struct control_service *service)
{
	return service->world.starts > 0 ? service->world.starts - 1 : 0;
}

static bool read_process(const struct control_service *service, struct process_status *process)
{
	char path[64], text[8192];

	if (service->world.pid <= 0)
		return false;
	snprintf(path, sizeof path, "/proc/%d/status", service->world.pid);
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	process_parse_status(text, process);
	return true;
}

/* ---- for people ---- */

static void show_row(const struct node_status *status, const struct control_service *service,
		     int width)
{
	const struct world_service *world = &service->world;
	char since[SHOW_TIME_BYTES] = "-", pid[16] = "-", note[160];

	if (world->state_since_ns != 0)
		show_span(status->node.now_ns - world->state_since_ns, since);
	if (world->pid > 0)
		snprintf(pid, sizeof pid, "%d", world->pid);
	printf("%-*s  %s%-8s%s  %10s  %7s  %8u  %s\n", width, service->name,
	       show_state_colour(world->state), service_state_name(world->state), show_plain(),
	       since, pid, restarts_of(service), note_of(service, note));
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

	if (!read_process(service, &process))
		return;
	printf("  %-13suid %u, %u threads, %s resident\n", "process", process.uid, process.threads,
	       show_bytes(process.rss_bytes, rss));
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
	static const char *const kinds[] = {
		[PLAN_EDGE_REQUIRES] = "requires",
		[PLAN_EDGE_WANTS] = "wants",
		[PLAN_EDGE_AFTER] = "after",
	};

	for (uint32_t kind = PLAN_EDGE_REQUIRES; kind <= PLAN_EDGE_AFTER; kind++) {
		unsigned n = 0;

		for (uint32_t k = 0; k < service->needs_count; k++) {
			uint32_t to = service->needs[k];

			if (service->need_kinds[k] != kind || to >= status->count)
				continue;
			if (n++ == 0)
				printf("  %-13s", kinds[kind]);
			else
				printf(", ");
			printf("%s", status->services[to].name);
		}
		if (n != 0)
			printf("\n");
	}
}

static void show_detail(const struct node_status *status, const struct control_service *service)
{
	static const char *const restart[] = {"?", "never", "on failure", "always"};
	const struct world_service *world = &service->world;
	char span[SHOW_TIME_BYTES], note[160], death[160];

	printf("%s%s%s  %s%s%s", show_bold(), service->name, show_plain(),
	       show_state_colour(world->state), service_state_name(world->state), show_plain());
	if (world->state_since_ns != 0)
		printf(" for %s", show_span(status->node.now_ns - world->state_since_ns, span));
	if (*note_of(service, note))
		printf(", %s", note);
	printf("\n  %-13s%s\n", "program", service->program);
	if (world->pid > 0)
		printf("  %-13s%d\n", "pid", world->pid);
	printf("  %-13s/%s\n", "cgroup", service->cgroup);
	printf("  %-13s%s\n", "policy", *service->policy ? service->policy : "none");
	show_needs(status, service);
	if (world->started_ns != 0 && world->ready_ns >= world->started_ns)
		printf("  %-13safter %s\n", "ready",
		       show_span(world->ready_ns - world->started_ns, span));
	printf("  %-13s%s, %u so far\n", "restart", restart[service->restart & 3],
	       restarts_of(service));
	if (death_text(&world->last_death, death, sizeof death) != 0)
		printf("  %-13s%s, %s ago\n", "last death", death,
		       show_span(status->node.now_ns - world->last_death.at_ns, span));
	if (*service->output_path)
		printf("  %-13s%s\n", "output", service->output_path);
	show_process(service);
}

static int name_width(const struct node_status *status)
{
	size_t width = strlen("SERVICE");

	for (uint32_t i = 0; i < status->count; i++)
		if (strlen(status->services[i].name) > width)
			width = strlen(status->services[i].name);
	return (int)width;
}

static void show_node(const struct node_status *status)
{
	const struct control_node *node = &status->node;
	char text[SHOW_TIME_BYTES];

	printf("%s%s%s %s, running for %s, ", show_bold(), node->name, show_plain(),
	       node->image_version, show_span(node->now_ns, text));
	if (node->up_ns != 0)
		printf("up after %s s", show_seconds(node->up_ns, text));
	else
		printf("not yet up");
	printf("%s\n\n", node->blessed_ns ? ", slot blessed" : "");
}

static void show_all(const struct node_status *status, bool verbose)
{
	int width = name_width(status);

	show_node(status);
	if (!verbose)
		printf("%-*s  %-8s  %10s  %7s  %8s\n", width, "SERVICE", "STATE", "SINCE", "PID",
		       "RESTARTS");
	for (uint32_t i = 0; i < status->count; i++) {
		if (verbose) {
			show_detail(status, &status->services[i]);
			printf("%s", i + 1 < status->count ? "\n" : "");
		} else {
			show_row(status, &status->services[i], width);
		}
	}
}

/* ---- for programs ---- */

static void json_process(const struct control_service *service)
{
	struct process_status process;
	char mask[32];

	if (!read_process(service, &process))
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

static void json_service(const struct control_service *service)
{
	const struct world_service *world = &service->world;
	char death[160];

	death_text(&world->last_death, death, sizeof death);
	fputs("{", stdout);
	show_json_field(stdout, true, "name", service->name);
	show_json_field(stdout, false, "state", service_state_name(world->state));
	show_json_bool(stdout, false, "wanted", world->wanted != 0);
	show_json_number(stdout, false, "pid", world->pid > 0 ? (uint64_t)world->pid : 0);
	show_json_number(stdout, false, "starts", world->starts);
	show_json_number(stdout, false, "state_since_ns", world->state_since_ns);
	show_json_number(stdout, false, "started_ns", world->started_ns);
	show_json_number(stdout, false, "ready_ns", world->ready_ns);
	show_json_field(stdout, false, "waiting_for", service->waiting_for);
	show_json_field(stdout, false, "status", world->status);
	show_json_field(stdout, false, "last_death", death);
	show_json_number(stdout, false, "last_death_ns", world->last_death.at_ns);
	show_json_field(stdout, false, "cgroup", service->cgroup);
	show_json_field(stdout, false, "policy", service->policy);
	show_json_field(stdout, false, "output", service->output_path);
	json_process(service);
	fputs("}", stdout);
}

static void json_all(const struct node_status *status, const struct control_service *only)
{
	const struct control_node *node = &status->node;

	fputs("{", stdout);
	show_json_field(stdout, true, "name", node->name);
	show_json_field(stdout, false, "image_version", node->image_version);
	show_json_number(stdout, false, "now_ns", node->now_ns);
	show_json_number(stdout, false, "up_ns", node->up_ns);
	show_json_number(stdout, false, "blessed_ns", node->blessed_ns);
	show_json_number(stdout, false, "reaped_orphans", node->reaped_orphans);
	fputs(", \"services\": [", stdout);
	for (uint32_t i = 0, n = 0; i < status->count; i++) {
		if (only && only != &status->services[i])
			continue;
		fputs(n++ ? ", " : "", stdout);
		json_service(&status->services[i]);
	}
	fputs("]}\n", stdout);
}

static const struct control_service *find(const struct node_status *status, const char *name)
{
	for (uint32_t i = 0; i < status->count; i++)
		if (strcmp(status->services[i].name, name) == 0)
			return &status->services[i];
	return NULL;
}

static int verdict(const struct node_status *status, const struct control_service *only)
{
	if (only)
		return counts_as_up(only) ? KEELCTL_OK : KEELCTL_NOT_UP;
	for (uint32_t i = 0; i < status->count; i++)
		if (status->services[i].world.wanted && !counts_as_up(&status->services[i]))
			return KEELCTL_NOT_UP;
	return KEELCTL_OK;
}

int command_status(const struct keelctl *keelctl)
{
	const struct control_service *only = NULL;
	struct node_status status;

	if (node_fetch(keelctl, &status) != 0)
		return KEELCTL_FAILED;
	if (keelctl->count > 0) {
		only = find(&status, keelctl->words[0]);
		if (!only) {
			node_free(&status);
			return complain(keelctl, "status", keelctl->words[0], -ENOENT);
		}
	}
	if (keelctl->json)
		json_all(&status, only);
	else if (only)
		show_detail(&status, only);
	else
		show_all(&status, keelctl->verbose);
	int result = verdict(&status, only);

	node_free(&status);
	return result;
}
