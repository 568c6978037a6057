/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "rootfs-spec/document.h"
#include "rootfs-spec/spec_parts.h"

static void read_system(const struct view *root, struct spec *spec)
{
	struct view network = view_map(root, "network"), shutdown = view_map(root, "shutdown");

	spec->name = view_text(root, "name");
	spec->version = view_text(root, "version");
	spec->hostname = view_text(root, "hostname");
	if (!spec->hostname.text)
		spec->hostname = spec->name;
	spec->rescue_console = view_text(root, "rescue").text[0] == 'c';
	spec->machine_id = view_boolean(root, "machine-id");
	spec->loopback = view_boolean(&network, "loopback");
	spec->controllers = view_texts(root, "controllers");
	switch (view_text(root, "critical").text[0]) {
	case 'p': spec->critical = PLAN_CRITICAL_POWEROFF; break;
	case 'h': spec->critical = PLAN_CRITICAL_HALT; break;
	default: spec->critical = PLAN_CRITICAL_REBOOT;
	}
	spec->shutdown_timeout_ns = view_duration(&shutdown, "timeout");
	if (!spec->shutdown_timeout_ns)
		diagnose(root->diagnostics, view_where(&shutdown, "timeout"),
			 "'timeout' must not be 0: every wait has an end");
}

/* `error` is what loading said: told already. */
static int read_document(struct node *document, int error, struct pool *pool, struct spec *spec,
			 struct diagnostics *diagnostics)
{
	*spec = (struct spec){.pool = pool, .root = document, .logger = PLAN_NONE};
	if (!document)
		return error;
	struct view root = {document, &schema_spec, document->where, pool, diagnostics};
	view_require(&root);
	spec_add_health(document, pool, diagnostics);
	read_system(&root, spec);
	spec_read_packages(&root, &spec->packages);
	spec_read_files(&root, spec);
	spec_read_kernel(&root, &spec->kernel);
	spec_read_image(&root, spec);
	spec_read_mounts(&root, spec);
	spec_read_paths(&root, spec);
	spec_read_sysctls(&root, spec);
	spec_read_policies(&root, spec);
	spec_read_services(&root, spec);
	spec_add_logger(spec);
	spec_order_mounts(spec, diagnostics);
	spec_check_graph(spec, diagnostics);
	spec_check_parts(spec, diagnostics);
	return diagnostics->errors ? -EINVAL : 0;
}

int spec_load(const char *path, const char *profiles, struct pool *pool, struct spec *spec,
	      struct diagnostics *diagnostics)
{
	struct node *document;
	int error = document_load(path, profiles, pool, diagnostics, &document);

	return read_document(document, error, pool, spec, diagnostics);
}

int spec_parse(const char *path, const char *text, size_t size, const char *profiles,
	       struct pool *pool, struct spec *spec, struct diagnostics *diagnostics)
{
	struct node *document;
	int error = document_read(path, text, size, profiles, pool, diagnostics, &document);

	return read_document(document, error, pool, spec, diagnostics);
}
