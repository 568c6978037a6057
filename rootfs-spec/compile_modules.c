/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "rootfs-spec/check_root.h"
#include "rootfs-spec/compile_parts.h"
#include "rootfs-spec/modules.h"

/* '-' and '_' are the same in names of modules. */
static bool same_module(const char *a, const char *b, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i]))
			return false;
	return a[length] == '\0';
}

const char *compile_module_parameters(const struct spec_module *modules, size_t count,
				      const char *path)
{
	const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
	size_t length = strcspn(file, ".");

	for (size_t i = 0; i < count; i++)
		if (strlen(modules[i].name.text) == length &&
		    same_module(modules[i].name.text, file, length))
			return modules[i].parameters;
	return "";
}

static void tell_missing(struct compiler *compiler, const char *directory, const char *missing)
{
	const struct spec_kernel *kernel = &compiler->spec->kernel;
	char nearest[256];

	for (size_t i = 0; i < kernel->module_count; i++) {
		if (kernel->modules[i].name.text != missing)
			continue;
		diagnose(compiler->diagnostics, kernel->modules[i].name.where,
			 "the kernel has no module '%s'", missing);
		modules_nearest(directory, missing, nearest, sizeof(nearest));
		diagnose_suggest(compiler->diagnostics, nearest[0] ? nearest : NULL);
	}
}

int compile_modules(struct compiler *compiler, const char *root)
{
	const struct spec_kernel *kernel = &compiler->spec->kernel;
	struct module_list list;
	const char *missing;

	if (!kernel->module_count)
		return 0;
	const char *below = root ? check_root_modules(root, compiler->pool) : NULL;
	if (!below) {
		diagnose(compiler->diagnostics, kernel->modules[0].name.where,
			 root ? "the root has no kernel modules"
			      : "modules are found in the image's root, and none was given");
		return -EINVAL;
	}
	const char *directory = pool_printf(compiler->pool, "%s/%s", root, below);
	const char **names = pool_alloc(compiler->pool, kernel->module_count * sizeof(*names));
	for (size_t i = 0; i < kernel->module_count; i++)
		names[i] = kernel->modules[i].name.text;
	int error = modules_resolve(directory, names, kernel->module_count, &list, &missing);
	if (error == -ENOENT && missing) {
		tell_missing(compiler, directory, missing);
		return -EINVAL;
	}
	if (error) {
		diagnose(compiler->diagnostics, kernel->modules[0].name.where, "%s: %s", directory,
			 strerror(-error));
		return error;
	}
	for (size_t i = 0; i < list.count; i++) {
		struct plan_module module = {
			.path = compile_text(compiler, pool_printf(compiler->pool, "/%s/%s", below,
								   list.paths[i])),
			.parameters = compile_text(compiler,
						   compile_module_parameters(kernel->modules,
									     kernel->module_count,
									     list.paths[i])),
		};
		plan_write_module(compiler->writer, &module);
	}
	modules_free(&list);
	return 0;
}
