/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "svc/confine.h"
#include "svc/service.h"

/* Of systemd.unit(5). */
static const char *const suffixes[] = {".service", ".timer",     ".socket", ".target",
				       ".mount",   ".automount", ".path",   ".device",
				       ".slice",   ".scope",     ".swap"};

/* The suffix of a unit's name; NULL: none that is one. */
static const char *suffix_of(const char *text)
{
	const char *dot = strrchr(text, '.');

	for (size_t i = 0; dot && dot != text && i < sizeof suffixes / sizeof suffixes[0]; i++)
		if (strcmp(dot, suffixes[i]) == 0)
			return dot;
	return NULL;
}

static const struct control_service *find(const struct control_service *services, uint32_t count,
					  const char *name, size_t length)
{
	for (uint32_t i = 0; i < count; i++)
		if (strlen(services[i].name) == length &&
		    memcmp(services[i].name, name, length) == 0)
			return &services[i];
	return NULL;
}

bool unit_parse(const char *text, const struct control_service *services, uint32_t count,
		struct unit *unit)
{
	const char *suffix = suffix_of(text);
	size_t length = suffix ? (size_t)(suffix - text) : strlen(text);

	if (length == 0 || strchr(text, '/') ||
	    length + strlen(suffix ? suffix : ".service") >= UNIT_NAME_BYTES)
		return false;
	snprintf(unit->name, sizeof unit->name, "%s%s", text, suffix ? "" : ".service");
	unit->type = !suffix || strcmp(suffix, ".service") == 0 ? UNIT_SERVICE
		     : strcmp(suffix, ".timer") == 0            ? UNIT_TIMER
								: UNIT_OTHER;
	unit->service = unit->type == UNIT_OTHER ? NULL : find(services, count, text, length);
	/* A service may have a name that looks like another type's. */
	if (!unit->service && suffix)
		unit->service = find(services, count, text, strlen(text));
	if (unit->type == UNIT_TIMER && unit->service && unit->service->kind != PLAN_SERVICE_TIMER)
		unit->service = NULL;
	return true;
}

void unit_of_service(const struct control_service *service, struct unit *unit)
{
	unit->service = service;
	unit->type = service->kind == PLAN_SERVICE_TIMER ? UNIT_TIMER : UNIT_SERVICE;
	snprintf(unit->name, sizeof unit->name, "%s%s", service->name,
		 unit->type == UNIT_TIMER ? ".timer" : ".service");
}

/* Wanted, and on its way without anybody's doing. */
static bool will_come(const struct world_service *world)
{
	return world->state == SERVICE_WAITING && (world->flags & SERVICE_MARK_ON_WAY);
}

static bool reloads(const struct world_service *world)
{
	return (world->flags & SERVICE_MARK_RELOADING) || world->reload_deadline_ns != 0;
}

static const char *timer_state(const struct world_service *world)
{
	switch (world->state) {
	case SERVICE_SCHEDULED:
	case SERVICE_STARTING:
	case SERVICE_STOPPING:
	case SERVICE_BACKOFF: return "active";
	case SERVICE_FAILED: return "failed";
	default: return "inactive";
	}
}

const char *unit_active_state(const struct unit *unit)
{
	if (!unit->service)
		return "inactive";
	const struct world_service *world = &unit->service->world;

	if (unit->type == UNIT_TIMER)
		return timer_state(world);
	switch (world->state) {
	case SERVICE_WAITING: return will_come(world) ? "activating" : "inactive";
	case SERVICE_STARTING:
	case SERVICE_BACKOFF: return "activating";
	case SERVICE_UP: return reloads(world) ? "reloading" : "active";
	case SERVICE_STOPPING: return "deactivating";
	case SERVICE_FAILED: return "failed";
	case SERVICE_DONE: return world->flags & SERVICE_MARK_SKIPPED ? "inactive" : "active";
	default: return "inactive";
	}
}

static const char *timer_sub_state(const struct world_service *world)
{
	switch (world->state) {
	case SERVICE_SCHEDULED:
	case SERVICE_BACKOFF: return "waiting";
	case SERVICE_STARTING:
	case SERVICE_STOPPING: return "running";
	case SERVICE_FAILED: return "failed";
	default: return "dead";
	}
}

static const char *stopping_sub_state(const struct world_service *world)
{
	if (world->stage == WORLD_STAGE_POST)
		return "stop-post";
	return world->reason == WORLD_REASON_WATCHDOG ? "stop-watchdog" : "stop-sigterm";
}

const char *unit_sub_state(const struct unit *unit)
{
	if (!unit->service)
		return "dead";
	const struct world_service *world = &unit->service->world;

	if (unit->type == UNIT_TIMER)
		return timer_sub_state(world);
	switch (world->state) {
	case SERVICE_WAITING: return will_come(world) ? "start" : "dead";
	case SERVICE_STARTING: return world->stage == WORLD_STAGE_PRE ? "start-pre" : "start";
	case SERVICE_BACKOFF: return "auto-restart";
	case SERVICE_UP: return reloads(world) ? "reload" : "running";
	case SERVICE_STOPPING: return stopping_sub_state(world);
	case SERVICE_FAILED: return "failed";
	case SERVICE_DONE: return world->flags & SERVICE_MARK_SKIPPED ? "dead" : "exited";
	default: return "dead";
	}
}

const char *unit_load_state(const struct unit *unit)
{
	return unit->service ? "loaded" : "not-found";
}

bool unit_is_active(const struct unit *unit)
{
	const char *state = unit_active_state(unit);

	return strcmp(state, "active") == 0 || strcmp(state, "reloading") == 0;
}

/* By what ended it; systemd.exec(5), $SERVICE_RESULT. */
static const char *result_of(const struct world_death *death)
{
	switch (death->reason) {
	case WORLD_REASON_OOM: return "oom-kill";
	case WORLD_REASON_WATCHDOG:
	case WORLD_REASON_LIVENESS: return "watchdog";
	case WORLD_REASON_START_TIMEOUT:
	case WORLD_REASON_STOP_TIMEOUT: return "timeout";
	case WORLD_REASON_SPAWN: return death->step == CONFINE_EXEC ? "exit-code" : "resources";
	default: break;
	}
	switch (death->code) {
	case CLD_KILLED: return "signal";
	case CLD_DUMPED: return "core-dump";
	case CLD_EXITED: return death->status == 0 ? "success" : "exit-code";
	default: return death->error != 0 ? "resources" : "success";
	}
}

const char *unit_result(const struct unit *unit)
{
	if (!unit->service)
		return "success";
	const struct world_service *world = &unit->service->world;
	bool asked = world->last_death.reason == WORLD_REASON_REQUEST ||
		     world->last_death.reason == WORLD_REASON_REQUIREMENT ||
		     world->last_death.reason == WORLD_REASON_CONFLICT ||
		     world->last_death.reason == WORLD_REASON_SHUTDOWN;

	switch (world->state) {
	case SERVICE_FAILED:
	case SERVICE_BACKOFF: return result_of(&world->last_death);
	case SERVICE_DOWN:
	case SERVICE_WAITING:
	case SERVICE_SCHEDULED: return asked ? "success" : result_of(&world->last_death);
	default: return "success";
	}
}

static bool boot_wants(const struct control_service *service)
{
	return !(service->flags & PLAN_SERVICE_MANUAL);
}

/* Something that the boot starts requires or wants it, directly or not. */
static bool boot_pulls(const struct control_service *services, uint32_t count, uint32_t index)
{
	bool *pulled = calloc(count, sizeof *pulled);

	if (!pulled)
		return false;
	/* Who needs comes after what it needs: from the last one down, one walk reaches everything. */
	for (uint32_t i = count; i-- > 0;) {
		if (!boot_wants(&services[i]) && !pulled[i])
			continue;
		for (uint32_t k = 0; k < services[i].needs_count; k++)
			if (services[i].needs[k] < i &&
			    (services[i].need_kinds[k] == PLAN_EDGE_REQUIRES ||
			     services[i].need_kinds[k] == PLAN_EDGE_WANTS))
				pulled[services[i].needs[k]] = true;
	}
	bool result = pulled[index];

	free(pulled);
	return result;
}

const char *unit_file_state(const struct unit *unit, const struct control_service *services,
			    uint32_t count)
{
	if (!unit->service)
		return "";
	if (boot_wants(unit->service))
		return "enabled";
	uint32_t index = (uint32_t)(unit->service - services);

	return index < count && boot_pulls(services, count, index) ? "static" : "disabled";
}
