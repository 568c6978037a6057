/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes of a service are given, but for what they see. */
#include <linux/ioprio.h>
#include <sched.h>
#include <string.h>

#include "rootfs-spec/spec_services.h"
#include "rootfs-spec/value.h"

#define DEFAULT_PATH "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_IO_LEVEL 4u /* ioprio_set(2): of a process that said nothing */

static uint64_t limit_of(const char *text)
{
	uint64_t value = 0;
	int64_t number;

	if (strcmp(text, "unlimited") == 0)
		return UINT64_MAX; /* RLIM_INFINITY */
	if (!value_size(text, &value) && value_integer(text, &number))
		value = (uint64_t)number;
	return value;
}

static void read_limits(const struct view *view, struct spec_service *service)
{
	const struct node *map = view_node(view, "limits");

	for (size_t i = 0; map && i < map->count; i++) {
		const struct node_entry *entry = &map->entries[i];
		const struct node *value = entry->value;
		struct spec_limit limit = {0};
		if (value->bad || !value_resource(entry->key, &limit.resource))
			continue;
		if (value->kind == NODE_SCALAR) {
			limit.soft = limit.hard = limit_of(value->text);
		} else if (value->count != 2) {
			diagnose(view->diagnostics, value->where,
				 "a limit is one number or [soft, hard]");
			continue;
		} else {
			if (value->entries[0].value->bad || value->entries[1].value->bad)
				continue;
			limit.soft = limit_of(value->entries[0].value->text);
			limit.hard = limit_of(value->entries[1].value->text);
			if (limit.soft > limit.hard)
				diagnose(view->diagnostics, value->where,
					 "the soft limit is above the hard one");
		}
		for (size_t j = 0; j < service->limit_count; j++)
			if (service->limits[j].resource == limit.resource)
				diagnose(view->diagnostics, entry->where, "'%s' is limited twice",
					 entry->key);
		POOL_GROW(view->pool, service->limits, service->limit_count);
		service->limits[service->limit_count++] = limit;
	}
}

static void read_environment(const struct view *view, struct spec_service *service)
{
	const struct node *map = view_node(view, "environment");
	bool has_path = false;

	for (size_t i = 0; map && i < map->count; i++) {
		const struct node_entry *entry = &map->entries[i];
		has_path |= strcmp(entry->key, "PATH") == 0;
		if (entry->value->bad)
			continue;
		struct text variable = {pool_printf(view->pool, "%s=%s", entry->key,
						    entry->value->text),
					entry->where};
		texts_add(&service->environment, variable, view->pool);
	}
	if (!has_path)
		texts_add(&service->environment, (struct text){.text = DEFAULT_PATH}, view->pool);
	if (service->environment.count > PLAN_MAX_ENVIRONMENT)
		diagnose(view->diagnostics, view_where(view, "environment"),
			 "more than %u variables", PLAN_MAX_ENVIRONMENT);
}

/* The kernel takes plain numbers; people write 96MiB. What may be said is in spec_cgroup.c. */
static void read_cgroup_settings(const struct view *view, struct spec_service *service)
{
	const struct node *map = view_node(view, "cgroup-settings");

	for (size_t i = 0; map && i < map->count; i++) {
		const struct node_entry *entry = &map->entries[i];
		uint64_t bytes;
		if (entry->value->bad)
			continue;
		const char *value = entry->value->text;
		if (value_size(value, &bytes))
			value = pool_printf(view->pool, "%llu", (unsigned long long)bytes);
		POOL_GROW(view->pool, service->cgroup_settings, service->cgroup_setting_count);
		service->cgroup_settings[service->cgroup_setting_count++] = (struct spec_setting){
			{entry->key, entry->where}, value, false, entry->value->where};
	}
	if (service->cgroup_setting_count > PLAN_MAX_SETTINGS)
		diagnose(view->diagnostics, view_where(view, "cgroup-settings"),
			 "more than %u settings", PLAN_MAX_SETTINGS);
}

static void read_groups(const struct view *view, struct spec_service *service)
{
	struct texts groups = view_texts(view, "groups");

	for (size_t i = 0; i < groups.count; i++) {
		int64_t number = 0;
		value_integer(groups.list[i].text, &number);
		POOL_GROW(view->pool, service->groups, service->group_count);
		service->groups[service->group_count++] = (uint32_t)number;
	}
	if (service->group_count > PLAN_MAX_GROUPS)
		diagnose(view->diagnostics, view_where(view, "groups"), "more than %u groups",
			 PLAN_MAX_GROUPS);
}

static void read_scheduler(const struct view *view, struct spec_service *service)
{
	static const struct {
		const char *name;
		uint32_t number;
		bool real_time;
	} policies[] = {{"other", SCHED_OTHER, false},
			{"batch", SCHED_BATCH, false},
			{"idle", SCHED_IDLE, false},
			{"fifo", SCHED_FIFO, true},
			{"rr", SCHED_RR, true}};
	struct view map = view_map(view, "scheduler");
	struct text policy = view_text(&map, "policy");

	if (!map.map)
		return;
	view_require(&map);
	service->scheduler_priority = (uint32_t)view_integer(&map, "priority");
	for (size_t i = 0; policy.text && i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (!text_is(policy, policies[i].name))
			continue;
		service->scheduler = policies[i].number;
		if (policies[i].real_time && !view_has(&map, "priority"))
			diagnose(view->diagnostics, policy.where, "'%s' needs a 'priority'",
				 policy.text);
		else if (!policies[i].real_time && view_has(&map, "priority"))
			diagnose(view->diagnostics, view_where(&map, "priority"),
				 "'%s' has no 'priority': that is 'nice'", policy.text);
	}
}

static void read_io_priority(const struct view *view, struct spec_service *service)
{
	struct view map = view_map(view, "io-priority");
	struct text class = view_text(&map, "class");
	uint32_t number = IOPRIO_CLASS_BE, level = (uint32_t)view_integer(&map, "level");

	if (!map.map)
		return;
	view_require(&map);
	if (text_is(class, "realtime"))
		number = IOPRIO_CLASS_RT;
	if (text_is(class, "idle"))
		number = IOPRIO_CLASS_IDLE;
	if (number == IOPRIO_CLASS_IDLE && view_has(&map, "level"))
		diagnose(view->diagnostics, view_where(&map, "level"), "'idle' has no 'level'");
	else if (number != IOPRIO_CLASS_IDLE && !view_has(&map, "level"))
		level = DEFAULT_IO_LEVEL;
	service->io_priority = number << IOPRIO_CLASS_SHIFT | level;
}

void service_read_process(const struct view *view, struct spec_service *service)
{
	struct text cpus = view_text(view, "cpus");

	read_limits(view, service);
	read_environment(view, service);
	read_cgroup_settings(view, service);
	read_groups(view, service);
	read_scheduler(view, service);
	read_io_priority(view, service);
	if (cpus.text)
		value_cpus(cpus.text, service->cpus);
	service->directory = view_text(view, "directory");
	service->cgroup = view_text(view, "cgroup");
	if (!service->cgroup.text)
		service->cgroup = service->name;
	service->uid = (uint32_t)view_integer(view, "user");
	service->gid = (uint32_t)view_integer(view, "group");
	service->oom_score_adj = (int32_t)view_integer(view, "oom-score-adj");
	service->nice = (int32_t)view_integer(view, "nice");
	service->umask = view_mode(view, "umask") & 0777;
}
