/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that run before, after and beside a service, and the conditions under which it runs. */
#include <string.h>

#include "rootfs-spec/spec_services.h"
#include "rootfs-spec/value.h"

static void add_command(const struct view *view, struct spec_commands *commands,
			struct spec_command command)
{
	POOL_GROW(view->pool, commands->list, commands->count);
	commands->list[commands->count++] = command;
}

static void read_hooks(const struct view *view, const char *key, uint64_t timeout_ns,
		       struct spec_commands *commands)
{
	const struct node *list = view_node(view, key);
	const struct schema *schema = schema_find(view->schema, key)->schema->element;

	for (size_t i = 0; list && i < list->count; i++) {
		const struct node *node = list->entries[i].value;
		struct view inner = {node, schema, node->where, view->pool, view->diagnostics};
		struct spec_command command = {.timeout_ns = timeout_ns};
		if (node->bad)
			continue;
		if (node->kind == NODE_LIST) {
			command.argv = service_argv(view, node, "a command");
		} else {
			view_require(&inner);
			command.argv = service_read_argv(&inner, "command");
			command.optional = view_boolean(&inner, "optional");
			if (view_has(&inner, "timeout"))
				command.timeout_ns = service_read_wait(&inner, "timeout");
		}
		if (command.argv.count)
			add_command(view, commands, command);
	}
	if (list && commands->count > PLAN_MAX_COMMANDS)
		diagnose(view->diagnostics, list->where, "more than %u commands",
			 PLAN_MAX_COMMANDS);
}

static void read_reload(const struct view *view, struct spec_service *service)
{
	struct view map = view_map(view, "reload");
	struct text signal = view_text(view, "reload");

	if (service->kind != PLAN_SERVICE_DAEMON)
		return;
	if (signal.text)
		value_signal(signal.text, &service->reload_signal);
	if (service->reload_signal == 9) /* SIGKILL */
		diagnose(view->diagnostics, signal.where, "KILL ends it: nothing is reloaded");
	if (!map.map)
		return;
	view_require(&map);
	struct spec_command command = {.argv = service_read_argv(&map, "command"),
				       .timeout_ns = service_read_wait(&map, "timeout")};
	if (command.argv.count)
		add_command(view, &service->reload, command);
}

static void read_condition(const struct view *view, struct spec_service *service)
{
	static const struct {
		const char *key;
		enum plan_condition_kind kind;
	} kinds[] = {{"path", PLAN_CONDITION_PATH},
		     {"kernel-word", PLAN_CONDITION_KERNEL_WORD},
		     {"first-boot", PLAN_CONDITION_FIRST_BOOT},
		     {"architecture", PLAN_CONDITION_ARCHITECTURE},
		     {"virtualization", PLAN_CONDITION_VIRTUALIZATION}};
	struct spec_condition condition = {.negated = view_boolean(view, "not")};
	size_t said = 0;
	bool unknown = false;

	/* A key that is wrong was told, and may be the one. */
	for (size_t i = 0; i < view->map->count; i++)
		unknown |= !schema_find(view->schema, view->map->entries[i].key);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!view_has(view, kinds[i].key))
			continue;
		said++;
		condition.kind = kinds[i].kind;
		condition.value = view_text(view, kinds[i].key);
	}
	if (said == 0 && unknown)
		return;
	if (said != 1) {
		diagnose(view->diagnostics, view->where,
			 "a condition needs one of 'path', 'kernel-word', 'first-boot', "
			 "'architecture', 'virtualization'%s",
			 said ? ", not several: each is an entry of its own" : "");
		return;
	}
	if (!condition.value.text)
		return; /* wrong, and told */
	if (condition.kind == PLAN_CONDITION_FIRST_BOOT) {
		if (text_is(condition.value, "false"))
			condition.negated = !condition.negated;
		condition.value.text = NULL;
	}
	for (size_t i = 0; i < service->condition_count; i++) {
		const struct spec_condition *other = &service->conditions[i];
		bool first_boot = condition.kind == PLAN_CONDITION_FIRST_BOOT;
		if (other->kind != condition.kind ||
		    (!first_boot && strcmp(other->value.text, condition.value.text) != 0))
			continue;
		diagnose(
			view->diagnostics, view->where,
			other->negated == condition.negated
				? "a condition that is said twice"
				: "a condition that contradicts another one: it would never start");
	}
	POOL_GROW(view->pool, service->conditions, service->condition_count);
	service->conditions[service->condition_count++] = condition;
}

static void read_conditions(const struct view *view, struct spec_service *service)
{
	const struct node *list = view_node(view, "conditions");
	const struct schema *schema = schema_find(view->schema, "conditions")->schema->element;

	for (size_t i = 0; list && i < list->count; i++) {
		const struct node *node = list->entries[i].value;
		struct view inner = {node, schema, node->where, view->pool, view->diagnostics};
		if (!node->bad)
			read_condition(&inner, service);
	}
	if (list && service->condition_count > PLAN_MAX_CONDITIONS)
		diagnose(view->diagnostics, list->where, "more than %u conditions",
			 PLAN_MAX_CONDITIONS);
}

void service_read_beside(const struct view *view, struct spec_service *service)
{
	read_hooks(view, "pre", service->start_timeout_ns, &service->pre);
	read_hooks(view, "post", service->stop_timeout_ns, &service->post);
	read_reload(view, service);
	read_conditions(view, service);
}
