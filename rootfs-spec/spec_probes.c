/* SPDX-License-Identifier: Apache-2.0 */
/* When a service counts as up, and how it is known that it still lives. */
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/spec_services.h"

#define MAX_SOCKET_PATH 107u /* unix(7): sun_path */
#define MILLISECOND 1000000u

/* "127.0.0.1:PORT/PATH", the address being the only one there is: it may be left out. */
static void read_http(const struct view *view, struct text url, struct spec_probe *probe)
{
	const char *at = url.text;
	char *end;

	if (strncmp(at, "http://", 7) == 0)
		at += 7;
	if (strncmp(at, "127.0.0.1", 9) == 0)
		at += 9;
	else if (strncmp(at, "localhost", 9) == 0)
		at += 9;
	unsigned long port = at[0] == ':' ? strtoul(at + 1, &end, 10) : 0;
	if (port == 0 || port > 65535 || (*end != '/' && *end != '\0')) {
		diagnose(view->diagnostics, url.where,
			 "'http' must be 127.0.0.1:PORT/PATH, not '%s'", url.text);
		return;
	}
	probe->kind = PLAN_PROBE_HTTP;
	probe->number = (uint32_t)port;
	probe->target = (struct text){*end ? pool_strdup(view->pool, end) : "/", url.where};
}

static const char *const ways[] = {"http", "socket", "fd", "command"};

/* The one key that says how it is asked; NULL, told, when there is none or more than one. */
static const char *find_way(const struct view *view, const char *key)
{
	const char *found = NULL, *allowed = "";
	size_t said = 0;
	bool unknown = false;

	/* A key that is wrong was told, and may be the one. */
	for (size_t i = 0; i < view->map->count; i++)
		unknown |= !schema_find(view->schema, view->map->entries[i].key);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (!schema_find(view->schema, ways[i]))
			continue;
		allowed = pool_printf(view->pool, "%s%s'%s'", allowed, *allowed ? ", " : "",
				      ways[i]);
		if (view_has(view, ways[i])) {
			found = ways[i];
			said++;
		}
	}
	if (said == 1)
		return found;
	if (unknown && !said)
		return NULL;
	diagnose(view->diagnostics, view->where, "'%s' needs one of %s%s", key, allowed,
		 said ? ", not several: a list says several" : "");
	return NULL;
}

static void refuse_key(const struct view *view, const char *key, const char *way)
{
	if (view_node(view, key))
		diagnose(view->diagnostics, view_where(view, key), "'%s' has no '%s'", way, key);
}

static void read_way(const struct view *view, const char *way, struct spec_probe *probe)
{
	struct text text;

	if (strcmp(way, "command") == 0) {
		probe->command = service_read_argv(view, way);
		if (probe->command.count)
			probe->kind = PLAN_PROBE_COMMAND;
		return;
	}
	text = view_text(view, way);
	if (!text.text)
		return;
	if (strcmp(way, "http") == 0) {
		read_http(view, text, probe);
	} else if (strcmp(way, "fd") == 0) {
		probe->kind = PLAN_PROBE_FD;
		probe->number = (uint32_t)view_integer(view, way);
	} else {
		probe->kind = PLAN_PROBE_SOCKET;
		probe->target = text;
		if (strlen(text.text) > MAX_SOCKET_PATH)
			diagnose(view->diagnostics, text.where,
				 "a socket's path has at most %u bytes", MAX_SOCKET_PATH);
	}
}

static void read_probe_map(const struct view *view, const char *key, struct spec_probe *probe)
{
	const char *way = find_way(view, key);

	if (!way)
		return;
	read_way(view, way, probe);
	if (strcmp(way, "fd") == 0) {
		refuse_key(view, "every", way);
		refuse_key(view, "timeout", way);
		return;
	}
	probe->interval_ns = view_duration(view, "every");
	if (probe->interval_ns < MILLISECOND)
		diagnose(view->diagnostics, view_where(view, "every"),
			 "'every' must be at least 1ms");
	if (strcmp(way, "socket") == 0) {
		refuse_key(view, "timeout", way);
		return;
	}
	probe->timeout_ns = service_read_wait(view, "timeout");
}

/* Told once for each list that it would be in. */
static void add_probe(const struct view *view, const char *key, const struct node *node,
		      const struct schema *schema, struct spec_probe **list, size_t *count)
{
	struct spec_probe probe = {.where = node->where};

	if (node->bad)
		return;
	if (node->kind == NODE_SCALAR) {
		probe.kind = strcmp(node->text, "notify") == 0 ? PLAN_PROBE_NOTIFY
							       : PLAN_PROBE_EXEC;
	} else {
		struct view inner = {node, schema, node->where, view->pool, view->diagnostics};
		read_probe_map(&inner, key, &probe);
		if (schema_find(schema, "failures"))
			probe.failures = (uint32_t)view_integer(&inner, "failures");
	}
	if (!probe.kind)
		return;
	for (size_t i = 0; i < *count; i++)
		if ((*list)[i].kind == probe.kind && node->kind == NODE_SCALAR)
			diagnose(view->diagnostics, node->where, "'%s' is said twice", node->text);
		else if ((*list)[i].kind == probe.kind && probe.kind == PLAN_PROBE_FD)
			diagnose(view->diagnostics, node->where,
				 "a service has one descriptor that tells of readiness");
	POOL_GROW(view->pool, *list, *count);
	(*list)[(*count)++] = probe;
}

/* One, or a list of them. */
static void read_list(const struct view *view, const char *key, struct spec_probe **list,
		      size_t *count)
{
	const struct node *node = view_node(view, key);
	const struct schema *schema = schema_find(view->schema, key)->schema;

	if (node && node->kind == NODE_LIST) {
		for (size_t i = 0; i < node->count; i++)
			add_probe(view, key, node->entries[i].value, schema->element, list, count);
		if (node->count == 0)
			diagnose(view->diagnostics, node->where, "'%s' is empty", key);
	} else if (node) {
		add_probe(view, key, node, schema, list, count);
	}
	if (*count > PLAN_MAX_PROBES)
		diagnose(view->diagnostics, view_where(view, key), "more than %u conditions",
			 PLAN_MAX_PROBES);
}

static void read_ready(const struct view *view, struct spec_service *service)
{
	read_list(view, "ready", &service->probes, &service->probe_count);
	if (service->probe_count > 1)
		for (size_t i = 0; i < service->probe_count; i++)
			if (service->probes[i].kind == PLAN_PROBE_EXEC)
				diagnose(view->diagnostics, view_where(view, "ready"),
					 "'exec' beside other conditions says nothing: they hold "
					 "only later");
	if (service->probe_count == 0) {
		POOL_GROW(view->pool, service->probes, service->probe_count);
		service->probes[service->probe_count++] =
			(struct spec_probe){.kind = PLAN_PROBE_EXEC};
	}
}

void service_read_probes(const struct view *view, struct spec_service *service)
{
	static const char *const of_daemons[] = {"ready", "liveness", "watchdog", "reload"};
	const char *kind = service->kind == PLAN_SERVICE_TIMER ? "timer" : "oneshot";

	if (text_is(view_text(view, "notify"), "all"))
		service->flags |= PLAN_SERVICE_NOTIFY_ALL;
	if (service->kind == PLAN_SERVICE_DAEMON) {
		read_ready(view, service);
		read_list(view, "liveness", &service->liveness, &service->liveness_count);
		service->watchdog_ns = view_duration(view, "watchdog");
		if (service->watchdog_ns && service->watchdog_ns < MILLISECOND)
			diagnose(view->diagnostics, view_where(view, "watchdog"),
				 "'watchdog' must be at least 1ms");
		return;
	}
	for (size_t i = 0; i < sizeof(of_daemons) / sizeof(of_daemons[0]); i++)
		if (view_has(view, of_daemons[i]))
			diagnose(view->diagnostics, view_where(view, of_daemons[i]),
				 i == 0 ? "a %s is done when it has ended: it has no '%s'"
					: "a %s does not stay up: it has no '%s'",
				 kind, of_daemons[i]);
}
