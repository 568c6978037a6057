/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl status: what runs, why something does not. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "svc/explain.h"
#include "svc/keelctl.h"
#include "svc/service.h"
#include "svc/show.h"
#include "svc/signal_name.h"

static bool counts_as_up(const struct control_service *service)
{
	return service_is_up(service->world.state);
}

void show_state(const struct node_status *status, const struct control_service *service)
{
	char note[EXPLAIN_BYTES];

	printf("%s%s%s", show_state_colour(service->world.state),
	       service_state_name(service->world.state), show_plain());
	if (*explain_service(service, status->node.now_ns, note))
		printf("  %s", note);
}

static void show_row(const struct node_status *status, const struct control_service *service,
		     int width)
{
	const struct world_service *world = &service->world;
	char since[SHOW_TIME_BYTES] = "-", pid[16] = "-", note[EXPLAIN_BYTES];

	if (world->state_since_ns != 0)
		show_span(status->node.now_ns - world->state_since_ns, since);
	if (world->pid > 0)
		snprintf(pid, sizeof pid, "%d", world->pid);
	explain_service(service, status->node.now_ns, note);
	printf("%-*s  %s%-9s%s  %10s  %7s  %8u%s%s\n", width, service->name,
	       show_state_colour(world->state), service_state_name(world->state), show_plain(),
	       since, pid, world->restarts, *note ? "  " : "", note);
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
	char text[SHOW_TIME_BYTES], signal[SIGNAL_NAME_BYTES];

	printf("%s%s%s %s, running for %s, ", show_bold(), node->name, show_plain(),
	       node->image_version, show_span(node->now_ns, text));
	if (node->ending)
		printf("going down");
	else if (node->up_ns != 0)
		printf("up after %s s", show_seconds(node->up_ns, text));
	else
		printf("not yet up");
	printf("%s\n", node->blessed_ns ? ", slot blessed" : "");
	if (node->crashes != 0)
		printf("PID 1 crashed %u time%s, last on SIG%s %s ago, and went on\n",
		       node->crashes, node->crashes == 1 ? "" : "s",
		       signal_name(node->crash_signal, signal),
		       show_span(node->now_ns - node->crash_ns, text));
	printf("\n");
}

static void show_table(const struct node_status *status)
{
	int width = name_width(status);

	printf("%-*s  %-9s  %10s  %7s  %8s\n", width, "SERVICE", "STATE", "SINCE", "PID",
	       "RESTARTS");
	for (uint32_t i = 0; i < status->count; i++)
		show_row(status, &status->services[i], width);
}

static void show_details(const struct node_status *status)
{
	for (uint32_t i = 0; i < status->count; i++) {
		printf("%s", i > 0 ? "\n" : "");
		show_detail(status, &status->services[i]);
	}
}

static void show_all(const struct keelctl *keelctl, const struct node_status *status)
{
	show_node(status);
	if (keelctl->tree)
		show_tree(status, NULL);
	else if (keelctl->verbose)
		show_details(status);
	else
		show_table(status);
}

static int verdict(const struct node_status *status)
{
	for (uint32_t i = 0; i < status->count; i++)
		if (status->services[i].world.wanted && !counts_as_up(&status->services[i]))
			return KEELCTL_NOT_UP;
	return KEELCTL_OK;
}

static int status_of_all(const struct keelctl *keelctl, const struct node_status *status)
{
	if (keelctl->json)
		json_status(status, NULL, 0);
	else
		show_all(keelctl, status);
	return verdict(status);
}

static void show_named(const struct keelctl *keelctl, const struct node_status *status,
		       const struct control_service *const *named, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (keelctl->tree) {
			show_tree(status, named[i]);
			continue;
		}
		printf("%s", i > 0 ? "\n" : "");
		show_detail(status, named[i]);
	}
}

/* Those that there are; the others are complained about. */
static int status_of_named(const struct keelctl *keelctl, const struct node_status *status)
{
	const struct control_service *named[KEELCTL_WORDS];
	int result = KEELCTL_OK;
	uint32_t count = 0;

	for (int i = 0; i < keelctl->count; i++) {
		const struct control_service *service = node_find(status, keelctl->words[i]);

		if (!service)
			complain(keelctl, "status", keelctl->words[i], -ENOENT);
		else
			named[count++] = service;
		if (!service || !counts_as_up(service))
			result = KEELCTL_NOT_UP;
	}
	if (!keelctl->json)
		show_named(keelctl, status, named, count);
	else if (count > 0)
		json_status(status, named, count);
	return result;
}

int command_status(const struct keelctl *keelctl)
{
	struct node_status status;

	if (node_fetch(keelctl, &status) != 0)
		return KEELCTL_FAILED;
	int result = keelctl->count > 0 ? status_of_named(keelctl, &status)
					: status_of_all(keelctl, &status);

	node_free(&status);
	return result;
}
