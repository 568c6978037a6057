/* SPDX-License-Identifier: Apache-2.0 */
/* systemctl is-active, is-failed, is-enabled, is-system-running, status, cat. */
#include <stdio.h>
#include <string.h>

#include "svc/explain.h"
#include "svc/service.h"
#include "svc/show.h"
#include "svc/systemctl.h"
#include "svc/wall.h"

static int put_active_state(const struct systemctl *systemctl, const struct unit *unit)
{
	if (!systemctl->quiet)
		puts(unit_active_state(unit));
	return SYSTEMCTL_OK;
}

static int active_one(const struct systemctl *systemctl, const struct unit *unit)
{
	(void)systemctl;
	return unit_is_active(unit) ? SYSTEMCTL_NOT_RUNNING : SYSTEMCTL_OK;
}

static int failed_one(const struct systemctl *systemctl, const struct unit *unit)
{
	(void)systemctl;
	return strcmp(unit_active_state(unit), "failed") == 0 ? SYSTEMCTL_FAILED : SYSTEMCTL_OK;
}

static int known_one(const struct systemctl *systemctl, const struct unit *unit)
{
	(void)systemctl;
	return unit->service ? SYSTEMCTL_FAILED : SYSTEMCTL_OK;
}

/* One of the units is enough: the visits answer for it with something else than SYSTEMCTL_OK. */
static int any(const struct systemctl *systemctl, systemctl_visit *found, int none)
{
	systemctl_each(systemctl, put_active_state);
	if (systemctl_each(systemctl, found) != SYSTEMCTL_OK)
		return SYSTEMCTL_OK;
	return systemctl_each(systemctl, known_one) != SYSTEMCTL_OK ? none : SYSTEMCTL_UNKNOWN;
}

int systemctl_is_active(const struct systemctl *systemctl)
{
	return any(systemctl, active_one, SYSTEMCTL_NOT_RUNNING);
}

int systemctl_is_failed(const struct systemctl *systemctl)
{
	return any(systemctl, failed_one, SYSTEMCTL_FAILED);
}

static bool is_enabled(const struct systemctl *systemctl, const struct unit *unit)
{
	return strcmp(unit_file_state(unit, systemctl->status.services, systemctl->status.count),
		      "disabled") != 0;
}

static int put_enabled(const struct systemctl *systemctl, const struct unit *unit)
{
	if (!unit->service) {
		fprintf(stderr, "Failed to get unit file state for %s: No such file or directory\n",
			unit->name);
		return SYSTEMCTL_FAILED;
	}
	if (!systemctl->quiet)
		puts(unit_file_state(unit, systemctl->status.services, systemctl->status.count));
	return SYSTEMCTL_OK;
}

static int enabled_one(const struct systemctl *systemctl, const struct unit *unit)
{
	return is_enabled(systemctl, unit) ? SYSTEMCTL_FAILED : SYSTEMCTL_OK;
}

int systemctl_is_enabled(const struct systemctl *systemctl)
{
	int status = systemctl_each(systemctl, put_enabled);

	if (status != SYSTEMCTL_OK)
		return status;
	return systemctl_each(systemctl, enabled_one) != SYSTEMCTL_OK ? SYSTEMCTL_OK
								      : SYSTEMCTL_FAILED;
}

int systemctl_is_system_running(const struct systemctl *systemctl)
{
	const char *state = systemctl_system_state(&systemctl->status);

	if (!systemctl->quiet)
		puts(state);
	return strcmp(state, "running") == 0 ? SYSTEMCTL_OK : SYSTEMCTL_FAILED;
}

/* ---- status ---- */

static void put_since(const struct systemctl *systemctl, const struct world_service *world)
{
	uint64_t now = systemctl->status.node.now_ns;
	char stamp[WALL_BYTES], span[SHOW_TIME_BYTES];

	if (world->state_since_ns == 0)
		return;
	printf(" since %s; %s ago", wall_text(world->state_since_ns, now, stamp),
	       show_span(now - world->state_since_ns, span));
}

static void put_last_death(const struct control_service *service)
{
	const struct world_death *death = &service->world.last_death;
	char text[EXPLAIN_BYTES];

	if (*explain_death(death, text) && death->at_ns != 0)
		printf("Last death: %s\n", text);
}

static void put_unit(const struct systemctl *systemctl, const struct unit *unit)
{
	const struct control_service *service = unit->service;
	const struct world_service *world = &service->world;
	const char *active = unit_active_state(unit);
	const char *dot = strcmp(active, "failed") == 0 ? "×" : unit_is_active(unit) ? "●" : "○";
	char note[EXPLAIN_BYTES];

	printf("%s%s%s %s - %s\n", show_state_colour(world->state), dot, show_plain(), unit->name,
	       service->name);
	printf("     Loaded: loaded (%s; %s; preset: %s)\n", PLAN_NODE_PATH,
	       unit_file_state(unit, systemctl->status.services, systemctl->status.count),
	       service->flags & PLAN_SERVICE_MANUAL ? "disabled" : "enabled");
	printf("     Active: %s%s (%s)%s", show_state_colour(world->state), active,
	       unit_sub_state(unit), show_plain());
	if (world->state == SERVICE_FAILED)
		printf(" (Result: %s)", unit_result(unit));
	put_since(systemctl, world);
	printf("\n");
	if (*explain_service(service, systemctl->status.node.now_ns, note))
		printf("     Status: \"%s\"\n", note);
	if (world->pid > 0)
		printf("   Main PID: %d (%s)\n", world->pid, service->program);
	printf("     CGroup: /%s\n", service->cgroup);
	put_last_death(service);
	if (*service->output_path && service->output == PLAN_OUTPUT_LOG)
		printf("Output is in %s: keelctl logs %s\n", service->output_path, service->name);
}

static int status_one(const struct systemctl *systemctl, const struct unit *unit)
{
	static bool second;

	if (!unit->service) {
		fprintf(stderr, "Unit %s could not be found.\n", unit->name);
		return SYSTEMCTL_UNKNOWN;
	}
	if (!systemctl->quiet) {
		printf("%s", second ? "\n" : "");
		put_unit(systemctl, unit);
		second = true;
	}
	return unit_is_active(unit) ? SYSTEMCTL_OK : SYSTEMCTL_NOT_RUNNING;
}

int systemctl_status(const struct systemctl *systemctl)
{
	const struct control_node *node = &systemctl->status.node;
	unsigned failed = 0;
	char stamp[WALL_BYTES];

	if (systemctl->count > 0)
		return systemctl_each(systemctl, status_one);
	for (uint32_t i = 0; i < systemctl->status.count; i++)
		failed += systemctl->status.services[i].world.state == SERVICE_FAILED;
	printf("● %s\n    State: %s\n    Units: %u loaded\n     Jobs: 0 queued\n"
	       "   Failed: %u units\n    Since: %s\n  keelson: %s\n",
	       node->name, systemctl_system_state(&systemctl->status), systemctl->status.count,
	       failed, wall_text(1, node->now_ns, stamp), KEELSON_VERSION);
	return SYSTEMCTL_OK;
}

/* ---- cat ---- */

static int cat_one(const struct systemctl *systemctl, const struct unit *unit)
{
	static bool second;
	const struct control_service *service = unit->service;

	if (!service) {
		fprintf(stderr, "No files found for %s.\n", unit->name);
		return SYSTEMCTL_FAILED;
	}
	printf("%s# %s: %s\n", second ? "\n" : "", PLAN_NODE_PATH, unit->name);
	printf("# Compiled from the image's spec; in systemd's words:\n[Service]\n");
	printf("Type=%s\nExecStart=%s\nRestart=%s\n",
	       service->kind == PLAN_SERVICE_DAEMON ? "notify" : "oneshot", service->program,
	       service->restart == PLAN_RESTART_ALWAYS    ? "always"
	       : service->restart == PLAN_RESTART_FAILURE ? "on-failure"
							  : "no");
	(void)systemctl;
	second = true;
	return SYSTEMCTL_OK;
}

int systemctl_cat(const struct systemctl *systemctl)
{
	return systemctl_each(systemctl, cat_one);
}
