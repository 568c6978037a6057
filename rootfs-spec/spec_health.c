/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `slots.healthy.commands`: each becomes a oneshot service "healthy-N" that is run again until it
 * succeeds, so it has a cgroup, a deadline, confinement, a place in `keelctl status` and a reason when
 * it fails, like everything else that PID 1 runs. The health condition then names that service.
 */
#include <string.h>

#include "rootfs-spec/spec_parts.h"

#define TIMEOUT_DEFAULT "10s"

static void put(struct node *map, const char *key, struct node *value, struct pool *pool)
{
	POOL_GROW(pool, map->entries, map->count);
	map->entries[map->count++] = (struct node_entry){key, value->where, value};
}

static struct node *make(enum node_kind kind, struct where where, struct pool *pool)
{
	struct node *node = pool_alloc(pool, sizeof(*node));

	*node = (struct node){.kind = kind, .where = where};
	return node;
}

static void put_text(struct node *map, const char *key, const char *text, struct pool *pool)
{
	struct node *node = make(NODE_SCALAR, map->where, pool);

	node->text = text;
	put(map, key, node, pool);
}

static struct node *service_of(struct node *command, struct node *after, struct pool *pool)
{
	struct node *service = make(NODE_MAP, command->where, pool);
	struct node *backoff = make(NODE_MAP, command->where, pool);
	struct node *argv = command->kind == NODE_LIST ? command : node_value(command, "command");
	struct node *timeout = node_value(command, "timeout");
	struct node *policy = node_value(command, "policy");

	if (!argv || argv->bad)
		return NULL; /* told */
	put_text(service, "kind", "oneshot", pool);
	put(service, "exec", argv, pool);
	put_text(service, "restart", "on-failure", pool);
	put_text(backoff, "min", "1s", pool);
	put_text(backoff, "max", "5s", pool);
	put(service, "backoff", backoff, pool);
	if (timeout)
		put(service, "start-timeout", timeout, pool);
	else
		put_text(service, "start-timeout", TIMEOUT_DEFAULT, pool);
	if (policy)
		put(service, "policy", policy, pool);
	if (after && !after->bad)
		put(service, "after", after, pool);
	return service;
}

const char *spec_health_name(size_t index, struct pool *pool)
{
	return pool_printf(pool, "healthy-%zu", index + 1);
}

void spec_add_health(struct node *document, struct pool *pool, struct diagnostics *diagnostics)
{
	struct node *healthy = node_value(node_value(document, "slots"), "healthy");
	struct node *commands = node_value(healthy, "commands");
	struct node *services = node_value(document, "services");

	if (!commands || commands->bad || commands->kind != NODE_LIST)
		return;
	if (!services) {
		services = make(NODE_MAP, commands->where, pool);
		put(document, "services", services, pool);
	}
	if (services->bad || services->kind != NODE_MAP)
		return;
	for (size_t i = 0; i < commands->count; i++) {
		struct node *command = commands->entries[i].value;
		const char *name = spec_health_name(i, pool);
		struct node_entry *taken = node_entry(services, name);
		struct node *service;

		if (command->bad)
			continue;
		if (taken) {
			diagnose(diagnostics, taken->where,
				 "the name '%s' is that of a command of the health condition",
				 name);
			continue;
		}
		service = service_of(command, node_value(healthy, "services"), pool);
		if (service)
			put(services, name, service, pool);
	}
}
