/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemctl show: properties of units and of the manager, named, written and ordered as systemd's
 * (org.freedesktop.systemd1(5)); those that keelson has an answer for.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "svc/service.h"
#include "svc/systemctl.h"
#include "svc/wall.h"

/* Where properties go. */
struct writer {
	const struct systemctl *systemctl;
	uint64_t now_ns;
};

static void put(const struct writer *writer, const char *name, const char *value)
{
	const struct systemctl *systemctl = writer->systemctl;

	if (systemctl->properties && !systemctl_in_list(systemctl->properties, name))
		return;
	/* What is empty is told to who asked for it by name. */
	if (!*value && !systemctl->properties && !systemctl->all)
		return;
	if (systemctl->value)
		puts(value);
	else
		printf("%s=%s\n", name, value);
}

static void put_number(const struct writer *writer, const char *name, int64_t number)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRId64, number);
	put(writer, name, text);
}

static void put_bool(const struct writer *writer, const char *name, bool value)
{
	put(writer, name, value ? "yes" : "no");
}

/* NAME on the wall clock and NAMEMonotonic in microseconds. */
static void put_time(const struct writer *writer, const char *name, uint64_t at_ns)
{
	char stamp[WALL_BYTES], monotonic[64];

	put(writer, name, wall_text(at_ns, writer->now_ns, stamp));
	snprintf(monotonic, sizeof monotonic, "%sMonotonic", name);
	put_number(writer, monotonic, (int64_t)(at_ns / 1000));
}

/* A span as systemd writes one of its settings; 0 stays a number. */
static void put_span(const struct writer *writer, const char *name, uint64_t ns)
{
	uint64_t ms = ns / 1000000;
	char text[32];

	if (ms == 0)
		snprintf(text, sizeof text, "0");
	else if (ms % 1000 == 0)
		snprintf(text, sizeof text, "%" PRIu64 "s", ms / 1000);
	else
		snprintf(text, sizeof text, "%" PRIu64 "ms", ms);
	put(writer, name, text);
}

/* The names of what `service` needs by edges of `kind`, as units. */
static void put_needs(const struct writer *writer, const char *name,
		      const struct control_service *service, uint32_t kind)
{
	const struct node_status *status = &writer->systemctl->status;
	char text[32 * (CONTROL_NAME_BYTES + 10)] = "";
	size_t length = 0;

	for (uint32_t k = 0; k < service->needs_count && service->needs[k] < status->count; k++) {
		struct unit unit;

		if (service->need_kinds[k] != kind)
			continue;
		unit_of_service(&status->services[service->needs[k]], &unit);
		length += (size_t)snprintf(text + length, sizeof text - length, "%s%.80s",
					   length ? " " : "", unit.name);
	}
	put(writer, name, text);
}

static const char *restart_name(const struct control_service *service)
{
	return service->restart == PLAN_RESTART_ALWAYS    ? "always"
	       : service->restart == PLAN_RESTART_FAILURE ? "on-failure"
							  : "no";
}

static void put_process(const struct writer *writer, const struct control_service *service)
{
	const struct world_service *world = &service->world;

	put_number(writer, "MainPID", world->pid > 0 ? world->pid : 0);
	put_number(writer, "ControlPID", 0);
	put(writer, "StatusText", world->status);
	put_number(writer, "StatusErrno", world->notify_errno);
}

static void put_main(const struct writer *writer, const struct control_service *service)
{
	const struct world_service *world = &service->world;
	const struct world_death *death = &world->last_death;
	/* While it runs there is no exit to tell. */
	bool runs = world->pid > 0;
	uint64_t ended = runs || death->at_ns < world->started_ns ? 0 : death->at_ns;

	put_time(writer, "ExecMainStartTimestamp", world->started_ns);
	put_time(writer, "ExecMainExitTimestamp", ended);
	put_number(writer, "ExecMainPID", runs ? world->pid : 0);
	put_number(writer, "ExecMainCode", ended ? death->code : 0);
	put_number(writer, "ExecMainStatus", ended ? death->status : 0);
	put(writer, "ExecStart", service->program);
}

static void put_service(const struct writer *writer, const struct unit *unit)
{
	const struct control_service *service = unit->service;
	const struct world_service *world = &service->world;
	char cgroup[CONTROL_TEXT_BYTES + 1], slice[CONTROL_TEXT_BYTES];
	char *slash;

	put(writer, "Type", service->kind == PLAN_SERVICE_DAEMON ? "notify" : "oneshot");
	put(writer, "Restart", restart_name(service));
	put_span(writer, "WatchdogUSec", world->watchdog_ns);
	put_process(writer, service);
	put(writer, "Result", unit_result(unit));
	put_number(writer, "NRestarts", world->restarts);
	put_main(writer, service);
	/* The group above its own; keelson has no slices, a script wants where to look. */
	snprintf(slice, sizeof slice, "%s", service->cgroup);
	slash = strrchr(slice, '/');
	snprintf(cgroup, sizeof cgroup, "/%s", service->cgroup);
	if (slash)
		*slash = '\0';
	put(writer, "Slice", slash ? slice : "-.slice");
	put(writer, "ControlGroup", cgroup);
	put_number(writer, "KillSignal", service->stop_signal);
}

static void put_states(const struct writer *writer, const struct unit *unit)
{
	const struct systemctl *systemctl = writer->systemctl;
	const char *load = unit_load_state(unit);

	put(writer, "LoadState", load);
	put(writer, "ActiveState", unit_active_state(unit));
	put(writer, "SubState", unit_sub_state(unit));
	put(writer, "FragmentPath", unit->service ? PLAN_NODE_PATH : "");
	put(writer, "UnitFileState",
	    unit_file_state(unit, systemctl->status.services, systemctl->status.count));
	put(writer, "UnitFilePreset",
	    !unit->service                               ? ""
	    : unit->service->flags & PLAN_SERVICE_MANUAL ? "disabled"
							 : "enabled");
}

static void put_times(const struct writer *writer, const struct unit *unit)
{
	const struct world_service *world = &unit->service->world;
	bool active = unit_is_active(unit);

	put_time(writer, "StateChangeTimestamp", world->state_since_ns);
	put_time(writer, "InactiveExitTimestamp", world->started_ns);
	put_time(writer, "ActiveEnterTimestamp", world->ready_ns);
	put_time(writer, "ActiveExitTimestamp",
		 active || world->ready_ns == 0 ? 0 : world->state_since_ns);
	put_time(writer, "InactiveEnterTimestamp",
		 active || service_is_active(world->state) ? 0 : world->last_death.at_ns);
}

static int show_unit(const struct systemctl *systemctl, const struct unit *unit)
{
	const struct writer writer = {systemctl, systemctl->status.node.now_ns};
	const struct control_service *service = unit->service;
	static bool second;

	if (second)
		printf("\n");
	second = true;
	if (service && unit->type == UNIT_SERVICE)
		put_service(&writer, unit);
	put(&writer, "Id", unit->name);
	put(&writer, "Names", unit->name);
	if (service) {
		put_needs(&writer, "Requires", service, PLAN_EDGE_REQUIRES);
		put_needs(&writer, "Wants", service, PLAN_EDGE_WANTS);
		put_needs(&writer, "Conflicts", service, PLAN_EDGE_CONFLICTS);
		put_needs(&writer, "After", service, PLAN_EDGE_AFTER);
	}
	put(&writer, "Description", service ? service->name : unit->name);
	put_states(&writer, unit);
	if (service)
		put_times(&writer, unit);
	put_bool(&writer, "CanStart", service != NULL);
	put_bool(&writer, "CanStop", service != NULL);
	put_bool(&writer, "CanReload", service && service->reload != CONTROL_RELOAD_NONE);
	put_bool(&writer, "NeedDaemonReload", false);
	put_bool(&writer, "ConditionResult",
		 service && !(service->world.flags & SERVICE_MARK_SKIPPED) &&
			 service->world.started_ns != 0);
	return SYSTEMCTL_OK;
}

static int show_manager(const struct systemctl *systemctl)
{
	const struct node_status *status = &systemctl->status;
	const struct writer writer = {systemctl, status->node.now_ns};
	unsigned failed = 0;

	for (uint32_t i = 0; i < status->count; i++)
		failed += status->services[i].world.state == SERVICE_FAILED;
	put(&writer, "Version", "keelson " KEELSON_VERSION);
	/* The clocks began with the kernel; 0 would be a moment that never was. */
	put_time(&writer, "KernelTimestamp", 1);
	put_time(&writer, "FinishTimestamp", status->node.up_ns);
	put_number(&writer, "NNames", status->count);
	put_number(&writer, "NFailedUnits", failed);
	put_number(&writer, "NJobs", 0);
	put(&writer, "SystemState", systemctl_system_state(status));
	return SYSTEMCTL_OK;
}

int systemctl_show(const struct systemctl *systemctl)
{
	return systemctl->count == 0 ? show_manager(systemctl)
				     : systemctl_each(systemctl, show_unit);
}
