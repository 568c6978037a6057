/* SPDX-License-Identifier: Apache-2.0 */
/* Services, and the logger that nobody has to write down. */
#include <string.h>

#include "rootfs-spec/spec_parts.h"
#include "rootfs-spec/spec_services.h"

#define LOG_DIRECTORY "/var/log/keelson"
#define LOGGER_NAME "logger"
#define LOGGER_PROGRAM "/usr/lib/keelson/keelson-log"

bool text_is(struct text text, const char *word)
{
	return text.text && strcmp(text.text, word) == 0;
}

static void add_flag(const struct view *view, const char *key, uint32_t flag,
		     struct spec_service *service)
{
	if (view_boolean(view, key))
		service->flags |= flag;
}

struct texts service_argv(const struct view *view, const struct node *list, const char *what)
{
	struct texts argv = {0};

	for (size_t i = 0; i < list->count; i++)
		if (!list->entries[i].value->bad)
			texts_add(&argv, node_text(list->entries[i].value), view->pool);
	if (list->count == 0) {
		diagnose(view->diagnostics, list->where, "%s is empty", what);
		return argv;
	}
	if (argv.count < list->count)
		return (struct texts){0}; /* told */
	struct text program = argv.list[0];
	if (program.text[0] != '/' || strstr(program.text, ".."))
		diagnose(view->diagnostics, program.where,
			 "the program must be an absolute path, not '%s'", program.text);
	if (argv.count > PLAN_MAX_ARGUMENTS)
		diagnose(view->diagnostics, list->where, "more than %u arguments",
			 PLAN_MAX_ARGUMENTS);
	return argv;
}

struct texts service_read_argv(const struct view *view, const char *key)
{
	const struct node *list = view_node(view, key);

	return list ? service_argv(view, list, pool_printf(view->pool, "'%s'", key))
		    : (struct texts){0};
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
		{"conflicts", PLAN_EDGE_CONFLICTS},
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

/* ---- output ---- */

static void read_output(const struct view *view, struct spec_service *service)
{
	struct view log = view_map(view, "log"), output = view_map(view, "output");
	struct text word = view_text(view, "output");

	if (output.map) {
		service->output = PLAN_OUTPUT_TTY;
		service->output_path = view_text(&output, "tty");
		view_require(&output);
	} else if (text_is(word, "kmsg")) {
		service->output = PLAN_OUTPUT_KMSG;
	} else if (text_is(word, "none")) {
		service->output = PLAN_OUTPUT_NULL;
	} else {
		service->output = PLAN_OUTPUT_LOG;
		service->output_path = view_text(&log, "path");
		if (!service->output_path.text)
			service->output_path.text = pool_printf(view->pool, LOG_DIRECTORY "/%s.log",
								service->name.text);
		service->log_max_bytes = view_size(&log, "max");
		service->log_keep = (uint32_t)view_integer(&log, "keep");
		if (text_is(view_text(&log, "when-full"), "drop"))
			service->flags |= PLAN_SERVICE_LOG_DROP;
		if (service->log_max_bytes < 4096)
			diagnose(view->diagnostics, view_where(&log, "max"),
				 "'max' must be at least 4KiB");
		return;
	}
	if (view_has(view, "log"))
		diagnose(view->diagnostics, view_where(view, "log"),
			 "'log' without 'output: log': nothing is written there");
}

static enum plan_service_kind kind_of(struct text kind)
{
	if (text_is(kind, "timer"))
		return PLAN_SERVICE_TIMER;
	return text_is(kind, "oneshot") ? PLAN_SERVICE_ONESHOT : PLAN_SERVICE_DAEMON;
}

static void read_service(const struct view *view, struct spec_service *service)
{
	service->kind = kind_of(view_text(view, "kind"));
	view_require(view);
	service->exec = service_read_argv(view, "exec");
	read_edges(view, service);
	service_read_life(view, service);
	service_read_probes(view, service);
	service_read_beside(view, service);
	read_output(view, service);
	service_read_process(view, service);
	service_read_sandbox(view, service);
	add_flag(view, "critical", PLAN_SERVICE_CRITICAL, service);
	add_flag(view, "manual", PLAN_SERVICE_MANUAL, service);
	add_flag(view, "delegate", PLAN_SERVICE_DELEGATE, service);
	service->kill = text_is(view_text(view, "kill"), "main") ? PLAN_KILL_MAIN
								 : PLAN_KILL_CGROUP;
	service->policy = view_text(view, "policy");
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
		logger->flags &= ~PLAN_SERVICE_LOG_DROP;
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
