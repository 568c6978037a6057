/* SPDX-License-Identifier: Apache-2.0 */
/* Services, and the logger that nobody has to write down. */
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/spec_parts.h"
#include "rootfs-spec/value.h"

#define DEFAULT_PATH "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
#define LOG_DIRECTORY "/var/log/keelson"
#define LOGGER_NAME "logger"
#define LOGGER_PROGRAM "/usr/lib/keelson/keelson-log"
#define MAX_SOCKET_PATH 107u /* unix(7): sun_path */

static bool is(struct text text, const char *word)
{
	return text.text && strcmp(text.text, word) == 0;
}

static void add_flag(const struct view *view, const char *key, uint32_t flag,
		     struct spec_service *service)
{
	if (view_boolean(view, key))
		service->flags |= flag;
}

static void read_exec(const struct view *view, struct spec_service *service)
{
	service->exec = view_texts(view, "exec");
	if (!view_node(view, "exec"))
		return;
	if (service->exec.count == 0) {
		diagnose(view->diagnostics, view_where(view, "exec"), "'exec' is empty");
		return;
	}
	struct text program = service->exec.list[0];
	if (program.text[0] != '/' || strstr(program.text, ".."))
		diagnose(view->diagnostics, program.where,
			 "the program must be an absolute path, not '%s'", program.text);
	if (service->exec.count > PLAN_MAX_ARGUMENTS)
		diagnose(view->diagnostics, view_where(view, "exec"), "more than %u arguments",
			 PLAN_MAX_ARGUMENTS);
}

static void read_edges(const struct view *view, struct spec_service *service)
{
	static const struct {
		const char *key;
		enum plan_edge_kind kind;
	} lists[] = {
		{"requires", PLAN_EDGE_REQUIRES},
		{"wants", PLAN_EDGE_WANTS},
		{"after", PLAN_EDGE_AFTER},
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct texts names = view_texts(view, lists[i].key);
		for (size_t j = 0; j < names.count; j++) {
			POOL_GROW(view->pool, service->edges, service->edge_count);
			service->edges[service->edge_count++] =
				(struct spec_edge){names.list[j], lists[i].kind, PLAN_NONE};
		}
	}
}

/* ---- readiness ---- */

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
	probe->port = (uint32_t)port;
	probe->target = (struct text){*end ? pool_strdup(view->pool, end) : "/", url.where};
}

static void read_probe_map(const struct view *view, struct spec_probe *probe)
{
	struct text http = view_text(view, "http"), socket = view_text(view, "socket");

	if (view_has(view, "http") == view_has(view, "socket")) {
		diagnose(view->diagnostics, view->where,
			 "'ready' needs 'http' or 'socket', one of them");
		return;
	}
	probe->interval_ns = view_duration(view, "every");
	if (probe->interval_ns < 1000000)
		diagnose(view->diagnostics, view_where(view, "every"),
			 "'every' must be at least 1ms");
	if (http.text)
		read_http(view, http, probe);
	if (!socket.text)
		return;
	probe->kind = PLAN_PROBE_SOCKET;
	probe->target = socket;
	if (strlen(socket.text) > MAX_SOCKET_PATH)
		diagnose(view->diagnostics, socket.where, "a socket's path has at most %u bytes",
			 MAX_SOCKET_PATH);
}

static void add_probe(const struct view *view, const struct node *node, const struct schema *schema,
		      struct spec_service *service)
{
	struct spec_probe probe = {0};

	if (node->bad)
		return;
	if (node->kind == NODE_SCALAR) {
		probe.kind = strcmp(node->text, "notify") == 0 ? PLAN_PROBE_NOTIFY
							       : PLAN_PROBE_EXEC;
	} else {
		struct view inner = {node, schema, node->where, view->pool, view->diagnostics};
		read_probe_map(&inner, &probe);
	}
	if (!probe.kind)
		return;
	for (size_t i = 0; i < service->probe_count; i++)
		if (service->probes[i].kind == probe.kind && probe.kind <= PLAN_PROBE_NOTIFY)
			diagnose(view->diagnostics, node->where, "'%s' is said twice", node->text);
	POOL_GROW(view->pool, service->probes, service->probe_count);
	service->probes[service->probe_count++] = probe;
}

static void read_ready(const struct view *view, struct spec_service *service)
{
	const struct node *node = view_node(view, "ready");
	const struct schema *schema = schema_find(view->schema, "ready")->schema;

	if (service->kind == PLAN_SERVICE_ONESHOT) {
		if (view_has(view, "ready"))
			diagnose(view->diagnostics, view_where(view, "ready"),
				 "a oneshot is done when it has ended: it has no 'ready'");
		return;
	}
	if (node && node->kind == NODE_LIST) {
		for (size_t i = 0; i < node->count; i++)
			add_probe(view, node->entries[i].value, schema->element, service);
		if (node->count == 0)
			diagnose(view->diagnostics, view_where(view, "ready"), "'ready' is empty");
	} else if (node) {
		add_probe(view, node, schema, service);
	}
	if (service->probe_count > 1)
		for (size_t i = 0; i < service->probe_count; i++)
			if (service->probes[i].kind == PLAN_PROBE_EXEC)
				diagnose(view->diagnostics, view_where(view, "ready"),
					 "'exec' beside other conditions says nothing: they hold "
					 "only later");
	if (service->probe_count > PLAN_MAX_PROBES)
		diagnose(view->diagnostics, view_where(view, "ready"), "more than %u conditions",
			 PLAN_MAX_PROBES);
	if (service->probe_count == 0) {
		POOL_GROW(view->pool, service->probes, service->probe_count);
		service->probes[service->probe_count++] =
			(struct spec_probe){.kind = PLAN_PROBE_EXEC};
	}
}

/* ---- output, limits, environment ---- */

static void read_output(const struct view *view, struct spec_service *service)
{
	struct view log = view_map(view, "log"), output = view_map(view, "output");
	struct text word = view_text(view, "output");

	if (output.map) {
		service->output = PLAN_OUTPUT_TTY;
		service->output_path = view_text(&output, "tty");
		view_require(&output);
	} else if (is(word, "kmsg")) {
		service->output = PLAN_OUTPUT_KMSG;
	} else if (is(word, "none")) {
		service->output = PLAN_OUTPUT_NULL;
	} else {
		service->output = PLAN_OUTPUT_LOG;
		service->output_path = view_text(&log, "path");
		if (!service->output_path.text)
			service->output_path.text = pool_printf(view->pool, LOG_DIRECTORY "/%s.log",
								service->name.text);
		service->log_max_bytes = view_size(&log, "max");
		service->log_keep = (uint32_t)view_integer(&log, "keep");
		if (service->log_max_bytes < 4096)
			diagnose(view->diagnostics, view_where(&log, "max"),
				 "'max' must be at least 4KiB");
		return;
	}
	if (view_has(view, "log"))
		diagnose(view->diagnostics, view_where(view, "log"),
			 "'log' without 'output: log': nothing is written there");
}

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

/* The kernel takes plain numbers; people write 96MiB. */
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
		service->cgroup_settings[service->cgroup_setting_count++] =
			(struct spec_setting){{entry->key, entry->where}, value, false};
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

/* ---- the rest ---- */

static uint64_t some_time(const struct view *view, const char *key)
{
	uint64_t time_ns = view_duration(view, key);

	if (time_ns)
		return time_ns;
	diagnose(view->diagnostics, view_where(view, key),
		 "'%s' must not be 0: every wait has an end", key);
	return 1;
}

static void read_times(const struct view *view, struct spec_service *service)
{
	struct view backoff = view_map(view, "backoff");

	service->start_timeout_ns = some_time(view, "start-timeout");
	service->stop_timeout_ns = some_time(view, "stop-timeout");
	service->backoff_min_ns = some_time(&backoff, "min");
	service->backoff_max_ns = some_time(&backoff, "max");
	service->stable_ns = some_time(&backoff, "stable");
	service->burst = (uint32_t)view_integer(&backoff, "burst");
	if (service->backoff_min_ns > service->backoff_max_ns) {
		/* Said only for one of them, the other is meant to follow. */
		if (view_has(&backoff, "min") && view_has(&backoff, "max"))
			diagnose(view->diagnostics, view_where(&backoff, "max"),
				 "'max' is below 'min'");
		else if (view_has(&backoff, "min"))
			service->backoff_max_ns = service->backoff_min_ns;
		else
			service->backoff_min_ns = service->backoff_max_ns;
	}
}

static void read_restart(const struct view *view, struct spec_service *service)
{
	struct text restart = view_text(view, "restart");

	if (!restart.text)
		service->restart = service->kind == PLAN_SERVICE_ONESHOT ? PLAN_RESTART_NEVER
									 : PLAN_RESTART_ALWAYS;
	else if (is(restart, "always"))
		service->restart = PLAN_RESTART_ALWAYS;
	else
		service->restart = is(restart, "never") ? PLAN_RESTART_NEVER : PLAN_RESTART_FAILURE;
	if (service->kind == PLAN_SERVICE_ONESHOT && service->restart == PLAN_RESTART_ALWAYS)
		diagnose(view->diagnostics, restart.where,
			 "a oneshot that is always restarted is never done: say on-failure");
}

static void read_service(const struct view *view, struct spec_service *service)
{
	service->kind = is(view_text(view, "kind"), "oneshot") ? PLAN_SERVICE_ONESHOT
							       : PLAN_SERVICE_DAEMON;
	view_require(view);
	read_exec(view, service);
	read_edges(view, service);
	read_ready(view, service);
	read_restart(view, service);
	read_times(view, service);
	read_output(view, service);
	read_limits(view, service);
	read_environment(view, service);
	read_cgroup_settings(view, service);
	read_groups(view, service);
	add_flag(view, "critical", PLAN_SERVICE_CRITICAL, service);
	add_flag(view, "manual", PLAN_SERVICE_MANUAL, service);
	add_flag(view, "delegate", PLAN_SERVICE_DELEGATE, service);
	service->kill = is(view_text(view, "kill"), "main") ? PLAN_KILL_MAIN : PLAN_KILL_CGROUP;
	value_signal(view_text(view, "stop-signal").text, &service->stop_signal);
	service->policy = view_text(view, "policy");
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

void spec_read_services(const struct view *root, struct spec *spec)
{
	const struct node *map = view_node(root, "services");
	const struct schema *schema = schema_find(root->schema, "services")->schema->value;

	for (size_t i = 0; map && i < map->count; i++) {
		const struct node_entry *entry = &map->entries[i];
		struct view view = {entry->value->kind == NODE_MAP ? entry->value : NULL, schema,
				    entry->where, root->pool, root->diagnostics};
		struct spec_service service = {.name = {entry->key, entry->where},
					       .where = entry->where};
		/* One that is wrong as a whole was told of, but its name is known to the others. */
		if (!entry->value->bad)
			read_service(&view, &service);
		POOL_GROW(spec->pool, spec->services, spec->service_count);
		spec->services[spec->service_count++] = service;
	}
	if (spec->service_count > PLAN_MAX_SERVICES)
		diagnose(root->diagnostics, view_where(root, "services"), "more than %u services",
			 PLAN_MAX_SERVICES);
}

/*
 * The logger is a service like any other, so a spec may write it down to change it; it gets its
 * role by its name.
 */
void spec_add_logger(struct spec *spec)
{
	bool logs = false;

	spec->logger = PLAN_NONE;
	for (size_t i = 0; i < spec->service_count; i++) {
		logs |= spec->services[i].output == PLAN_OUTPUT_LOG;
		if (strcmp(spec->services[i].name.text, LOGGER_NAME) == 0)
			spec->logger = (uint32_t)i;
	}
	if (spec->logger != PLAN_NONE) {
		struct spec_service *logger = &spec->services[spec->logger];
		logger->flags |= PLAN_SERVICE_LOGGER;
		if (logger->output == PLAN_OUTPUT_LOG)
			logger->output = PLAN_OUTPUT_KMSG;
		return;
	}
	if (!logs)
		return;

	static const struct node_entry no_entries[1];
	static const struct node nothing = {.kind = NODE_MAP,
					    .entries = (struct node_entry *)no_entries};
	struct diagnostics none = {.pool = spec->pool};
	const struct schema *services = schema_find(&schema_spec, "services")->schema;
	struct view view = {&nothing, services->value, {0}, spec->pool, &none};
	struct spec_service logger = {.name = {.text = LOGGER_NAME}};
	read_service(&view, &logger);
	texts_add(&logger.exec, (struct text){.text = LOGGER_PROGRAM}, spec->pool);
	texts_add(&logger.exec, (struct text){.text = "--plan"}, spec->pool);
	texts_add(&logger.exec, (struct text){.text = PLAN_NODE_PATH}, spec->pool);
	logger.flags |= PLAN_SERVICE_LOGGER;
	logger.output = PLAN_OUTPUT_KMSG;
	logger.output_path = (struct text){0};
	if (spec_policy(spec, LOGGER_NAME))
		logger.policy.text = LOGGER_NAME;
	POOL_GROW(spec->pool, spec->services, spec->service_count);
	spec->logger = (uint32_t)spec->service_count;
	spec->services[spec->service_count++] = logger;
}
