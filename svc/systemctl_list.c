/* SPDX-License-Identifier: Apache-2.0 */
/* systemctl list-units, list-unit-files, list-timers. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "svc/service.h"
#include "svc/show.h"
#include "svc/systemctl.h"
#include "svc/wall.h"

static const char *type_name(const struct unit *unit)
{
	return unit->type == UNIT_TIMER ? "timer" : "service";
}

/* A word of --type= or --state= may also be one of the words that tell a state. */
static bool is_listed(const struct systemctl *systemctl, const struct unit *unit)
{
	if (systemctl->types && !systemctl_in_list(systemctl->types, type_name(unit)) &&
	    !systemctl_in_list(systemctl->types, unit_load_state(unit)))
		return false;
	if (systemctl->states && !systemctl_in_list(systemctl->states, unit_active_state(unit)) &&
	    !systemctl_in_list(systemctl->states, unit_sub_state(unit)) &&
	    !systemctl_in_list(systemctl->states, unit_load_state(unit)))
		return false;
	if (systemctl->count == 0)
		return true;
	for (int i = 0; i < systemctl->count; i++) {
		struct unit named;

		if (fnmatch(systemctl->words[i], unit->name, FNM_NOESCAPE) == 0)
			return true;
		if (unit_parse(systemctl->words[i], systemctl->status.services,
			       systemctl->status.count, &named) &&
		    strcmp(named.name, unit->name) == 0)
			return true;
	}
	return false;
}

static int width_of(const struct systemctl *systemctl, const char *title)
{
	size_t width = strlen(title);

	for (uint32_t i = 0; i < systemctl->status.count; i++) {
		struct unit unit;

		unit_of_service(&systemctl->status.services[i], &unit);
		if (strlen(unit.name) > width)
			width = strlen(unit.name);
	}
	return (int)width;
}

/* Without --all and --state= only what does something, is about to, or failed. */
static bool is_worth_it(const struct systemctl *systemctl, const struct unit *unit)
{
	return systemctl->all || systemctl->states ||
	       strcmp(unit_active_state(unit), "inactive") != 0;
}

int systemctl_list_units(const struct systemctl *systemctl)
{
	int width = width_of(systemctl, "UNIT");
	unsigned listed = 0;

	if (!systemctl->no_legend)
		printf("%s%-*s %-9s %-12s %-12s %s\n", systemctl->plain ? "" : "  ", width, "UNIT",
		       "LOAD", "ACTIVE", "SUB", "DESCRIPTION");
	for (uint32_t i = 0; i < systemctl->status.count; i++) {
		struct unit unit;

		unit_of_service(&systemctl->status.services[i], &unit);
		if (!is_listed(systemctl, &unit) || !is_worth_it(systemctl, &unit))
			continue;
		bool failed = unit.service->world.state == SERVICE_FAILED;

		printf("%s%-*s %-9s %-12s %-12s %s\n",
		       systemctl->plain ? ""
		       : failed         ? "● "
					: "  ",
		       width, unit.name, unit_load_state(&unit), unit_active_state(&unit),
		       unit_sub_state(&unit), unit.service->name);
		listed++;
	}
	if (!systemctl->no_legend)
		printf("\n%u loaded units listed.%s\n", listed,
		       systemctl->all || systemctl->states
			       ? ""
			       : " Pass --all to see loaded but inactive units, too.");
	return SYSTEMCTL_OK;
}

int systemctl_list_unit_files(const struct systemctl *systemctl)
{
	int width = width_of(systemctl, "UNIT FILE");
	unsigned listed = 0;

	if (!systemctl->no_legend)
		printf("%-*s %-8s %s\n", width, "UNIT FILE", "STATE", "PRESET");
	for (uint32_t i = 0; i < systemctl->status.count; i++) {
		struct systemctl filter = *systemctl;
		struct unit unit;

		unit_of_service(&systemctl->status.services[i], &unit);
		const char *state = unit_file_state(&unit, systemctl->status.services,
						    systemctl->status.count);

		filter.states = NULL; /* here it is about the file */
		if (!is_listed(&filter, &unit) ||
		    (systemctl->states && !systemctl_in_list(systemctl->states, state)))
			continue;
		printf("%-*s %-8s %s\n", width, unit.name, state,
		       unit.service->flags & PLAN_SERVICE_MANUAL ? "disabled" : "enabled");
		listed++;
	}
	if (!systemctl->no_legend)
		printf("\n%u unit files listed.\n", listed);
	return systemctl->count > 0 && listed == 0 ? SYSTEMCTL_FAILED : SYSTEMCTL_OK;
}

static void put_timer(const struct systemctl *systemctl, const struct unit *unit, int width)
{
	const struct world_service *world = &unit->service->world;
	uint64_t now = systemctl->status.node.now_ns;
	char left[SHOW_TIME_BYTES] = "-", passed[SHOW_TIME_BYTES] = "-", last[WALL_BYTES];

	if (world->state == SERVICE_SCHEDULED && world->deadline_ns > now)
		show_span(world->deadline_ns - now, left);
	if (world->started_ns != 0)
		show_span(now - world->started_ns, passed);
	printf("%-12s %-30s %-12s %-*s %s.service\n", left,
	       *wall_text(world->started_ns, now, last) ? last : "-", passed, width, unit->name,
	       unit->service->name);
}

int systemctl_list_timers(const struct systemctl *systemctl)
{
	int width = width_of(systemctl, "UNIT");
	unsigned listed = 0;

	if (!systemctl->no_legend)
		printf("%-12s %-30s %-12s %-*s %s\n", "LEFT", "LAST", "PASSED", width, "UNIT",
		       "ACTIVATES");
	for (uint32_t i = 0; i < systemctl->status.count; i++) {
		struct unit unit;

		unit_of_service(&systemctl->status.services[i], &unit);
		if (unit.type != UNIT_TIMER || !is_listed(systemctl, &unit))
			continue;
		put_timer(systemctl, &unit, width);
		listed++;
	}
	if (!systemctl->no_legend)
		printf("\n%u timers listed.\n", listed);
	return SYSTEMCTL_OK;
}
