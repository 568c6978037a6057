/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service sees differently, in the order in which it takes effect. What is read-only comes
 * first, so that a private /var/tmp below a read-only /var can be written to; binds come last: one
 * of a path onto itself is what stays writable below a path that is read-only.
 */
#include <string.h>

#include "rootfs-spec/spec_services.h"

static void add(const struct view *view, struct spec_service *service, struct spec_sandbox entry)
{
	static const char *const said[] = {
		[PLAN_SANDBOX_TMP] = "private-tmp",     [PLAN_SANDBOX_READ_ONLY] = "read-only",
		[PLAN_SANDBOX_HIDDEN] = "hidden",       [PLAN_SANDBOX_BIND] = "bind",
		[PLAN_SANDBOX_BIND_READ_ONLY] = "bind",
	};

	for (size_t i = 0; i < service->sandbox_count; i++) {
		const struct spec_sandbox *other = &service->sandbox[i];
		bool bind = entry.source.text != NULL, below = other->source.text == NULL;
		if (strcmp(other->path.text, entry.path.text) != 0)
			continue;
		/* What is bound onto itself is the exception to what the path is else. */
		if (bind && below && other->kind == PLAN_SANDBOX_READ_ONLY &&
		    strcmp(entry.source.text, entry.path.text) == 0)
			continue;
		if (said[other->kind] == said[entry.kind])
			diagnose(view->diagnostics, entry.path.where, "'%s' is listed twice",
				 entry.path.text);
		else
			diagnose(view->diagnostics, entry.path.where, "'%s' is in '%s' and in '%s'",
				 entry.path.text, said[other->kind], said[entry.kind]);
	}
	if (entry.kind != PLAN_SANDBOX_READ_ONLY && strcmp(entry.path.text, "/") == 0)
		diagnose(view->diagnostics, entry.path.where,
			 "'/' can be read-only, not covered: nothing would be left to execute");
	POOL_GROW(view->pool, service->sandbox, service->sandbox_count);
	service->sandbox[service->sandbox_count++] = entry;
}

static void add_paths(const struct view *view, const char *key, enum plan_sandbox_kind kind,
		      bool optional, struct spec_service *service)
{
	struct texts paths = view_texts(view, key);

	for (size_t i = 0; i < paths.count; i++)
		add(view, service,
		    (struct spec_sandbox){
			    .kind = kind, .path = paths.list[i], .optional = optional});
}

static void add_bind(const struct view *view, struct spec_service *service)
{
	struct spec_sandbox entry = {
		.kind = view_boolean(view, "read-only") ? PLAN_SANDBOX_BIND_READ_ONLY
							: PLAN_SANDBOX_BIND,
		.path = view_text(view, "to"),
		.source = view_text(view, "from"),
		.optional = view_boolean(view, "optional"),
	};

	view_require(view);
	if (entry.path.text && entry.source.text)
		add(view, service, entry);
}

void service_read_sandbox(const struct view *view, struct spec_service *service)
{
	const struct node *list = view_node(view, "bind");
	const struct schema *schema = schema_find(view->schema, "bind")->schema->element;

	add_paths(view, "read-only", PLAN_SANDBOX_READ_ONLY, false, service);
	if (view_boolean(view, "private-tmp")) {
		struct where where = view_where(view, "private-tmp");
		/* Not every node has a /var/tmp; then there is nothing to be private. */
		add(view, service,
		    (struct spec_sandbox){.kind = PLAN_SANDBOX_TMP, .path = {"/tmp", where}});
		add(view, service,
		    (struct spec_sandbox){.kind = PLAN_SANDBOX_TMP,
					  .path = {"/var/tmp", where},
					  .optional = true});
	}
	/* What is not there is hidden. */
	add_paths(view, "hidden", PLAN_SANDBOX_HIDDEN, true, service);
	for (size_t i = 0; list && i < list->count; i++) {
		const struct node *node = list->entries[i].value;
		struct view inner = {node, schema, node->where, view->pool, view->diagnostics};
		if (!node->bad)
			add_bind(&inner, service);
	}
	if (service->sandbox_count > PLAN_MAX_SANDBOX)
		diagnose(view->diagnostics, view->where,
			 "more than %u paths that it sees otherwise", PLAN_MAX_SANDBOX);
}
