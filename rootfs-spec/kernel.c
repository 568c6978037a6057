// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/kernel.h"

#include "rootfs-spec/boot_entry.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/run.h"
#include "rootfs-spec/slot_header.h"

#include <errno.h>
#include <string.h>

bool kernel_is_package(const struct package *package)
{
	return strncmp(package->name, "linux-image-", strlen("linux-image-")) == 0 &&
	       file_exists(package->tree);
}

/* "boot/vmlinuz-RELEASE" in a package's tree; NULL: a package that only depends on one. */
static const char *find_release(struct pool *pool, const struct package *package)
{
	struct tree tree = {.pool = pool};
	const char *boot = pool_printf(pool, "%s/boot", package->tree);
	struct tree_walk walk = {.owner = "", .source = boot, .to = "", .identity = ""};
	static const char prefix[] = "/vmlinuz-";

	if (!file_exists(boot) || tree_walk(&tree, &walk) < 0)
		return NULL;
	for (size_t i = 0; i < tree.count; i++)
		if (strncmp(tree.list[i].path, prefix, strlen(prefix)) == 0)
			return tree.list[i].path + strlen(prefix);
	return NULL;
}

static int resolve_modules(const struct kernel *kernel, struct pool *pool,
			   const struct spec_module *modules, size_t count,
			   struct diagnostics *diagnostics, struct module_list *list)
{
	const char **names = pool_alloc(pool, (count + 1) * sizeof(*names));
	const char *missing = NULL;
	size_t known = 0;
	int error;

	/* One after the other first, so that all unknown ones are told at once. */
	for (size_t i = 0; i < count; i++) {
		const char *name = modules[i].name.text;
		char nearest[64];

		error = modules_resolve(kernel->modules, &name, 1, list, &missing);
		modules_free(list);
		if (error == -ENOENT && missing != NULL) {
			diagnose(diagnostics, modules[i].name.where, "kernel %s has no module '%s'",
				 kernel->release, name);
			modules_nearest(kernel->modules, name, nearest, sizeof(nearest));
			if (nearest[0] != '\0')
				diagnose_suggest(diagnostics, pool_strdup(pool, nearest));
		} else if (error < 0) {
			return report_errno(-error, "modules of kernel %s", kernel->release);
		} else {
			names[known++] = name;
		}
	}
	error = modules_resolve(kernel->modules, names, known, list, &missing);
	if (error < 0)
		return report_errno(-error, "modules of kernel %s", kernel->release);
	return known < count ? -EINVAL : 0;
}

/* Behind the disk's driver, every image needs the kernel's hashes (header, root block), device-mapper's
 * verity, and its root's file system. */
static int resolve_storage(const struct spec *spec, struct pool *pool,
			   struct diagnostics *diagnostics, struct kernel *kernel)
{
	const char *const implied[] = {"algif_hash", "dm_mod", "dm_verity",
				       spec->image.format.text};
	size_t implied_count = sizeof(implied) / sizeof(implied[0]);
	size_t count = spec->kernel.storage_count;
	struct spec_module *all = pool_alloc(pool, (count + implied_count) * sizeof(*all));

	for (size_t i = 0; i < count; i++)
		all[i] = spec->kernel.storage[i];
	for (size_t i = 0; i < implied_count; i++)
		all[count++] = (struct spec_module){
			.name = {.text = implied[i], .where = spec->kernel.package.where}};
	return resolve_modules(kernel, pool, all, count, diagnostics, &kernel->storage);
}

/* What every image says first, so that a spec's own word wins: a kernel that dies before PID 1 runs
 * would stay dead. */
#define WORD_OF_EVERY_IMAGE "panic=10"

static const char *command_line(const struct spec *spec, struct pool *pool)
{
	const struct texts *words = &spec->kernel.cmdline;
	const char *line = WORD_OF_EVERY_IMAGE;

	for (size_t i = 0; i < words->count; i++)
		line = pool_printf(pool, "%s %s", line, words->list[i].text);
	return line;
}

int kernel_find(const struct spec *spec, struct pool *pool, const struct package_set *set,
		struct diagnostics *diagnostics, struct kernel *kernel)
{
	*kernel = (struct kernel){.cmdline = command_line(spec, pool)};
	if (spec->kernel.package.text == NULL)
		return 0;
	for (size_t i = 0; i < set->count; i++) {
		const char *tree = set->list[i].tree;
		const char *release = kernel_is_package(&set->list[i])
					      ? find_release(pool, &set->list[i])
					      : NULL;

		if (release == NULL)
			continue;
		if (kernel->release != NULL)
			return report_refusal("two kernels, %s and %s: a slot has one",
					      kernel->release, release);
		kernel->package = set->list[i].name;
		kernel->release = release;
		kernel->vmlinuz = pool_printf(pool, "%s/boot/vmlinuz-%s", tree, release);
		kernel->modules = pool_printf(pool, "%s/lib/modules/%s", tree, release);
	}
	if (kernel->release == NULL)
		return report_refusal("kernel package '%s' brings no kernel",
				      spec->kernel.package.text);
	return resolve_storage(spec, pool, diagnostics, kernel);
}

/* Modules that PID 1 loads, and those that the kernel loads when something asks for them. */
static int add_modules(const struct spec *spec, const struct kernel *kernel,
		       struct diagnostics *diagnostics, struct tree *tree)
{
	static const char *const indices[] = {"modules.builtin", "modules.builtin.modinfo",
					      "modules.order"};
	size_t loaded = spec->kernel.module_count;
	size_t count = loaded + spec->kernel.on_demand.count;
	struct spec_module *all = pool_alloc(tree->pool, (count + 1) * sizeof(*all));
	struct module_list list;
	int error;

	for (size_t i = 0; i < count; i++)
		all[i] = i < loaded ? spec->kernel.modules[i]
				    : (struct spec_module){
					      .name = spec->kernel.on_demand.list[i - loaded]};
	error = resolve_modules(kernel, tree->pool, all, count, diagnostics, &list);
	for (size_t i = 0; i < list.count && error == 0; i++)
		error = tree_file(tree, TREE_PACKAGE, kernel->package,
				  pool_printf(tree->pool, "/usr/lib/modules/%s/%s", kernel->release,
					      list.paths[i]),
				  0644,
				  pool_printf(tree->pool, "%s/%s", kernel->modules, list.paths[i]));
	modules_free(&list);
	for (size_t i = 0; i < sizeof(indices) / sizeof(indices[0]) && error == 0; i++)
		error = tree_file(tree, TREE_PACKAGE, kernel->package,
				  pool_printf(tree->pool, "/usr/lib/modules/%s/%s", kernel->release,
					      indices[i]),
				  0644,
				  pool_printf(tree->pool, "%s/%s", kernel->modules, indices[i]));
	return error;
}

int kernel_add(const struct spec *spec, const struct kernel *kernel,
	       struct diagnostics *diagnostics, struct tree *tree)
{
	int error = tree_file(tree, TREE_KEELSON, kernel->package, SLOT_KERNEL_PATH, 0644,
			      kernel->vmlinuz);

	const char *line = pool_printf(tree->pool, "%s\n", kernel->cmdline);

	tree_content(tree, TREE_KEELSON, "keelson", SLOT_CMDLINE_PATH, 0644, line, strlen(line));
	return error < 0 ? error : add_modules(spec, kernel, diagnostics, tree);
}

int kernel_index(const struct kernel *kernel, const char *root)
{
	const char *argv[] = {"depmod", "-b", root, kernel->release, NULL};
	struct run call = {.step = "index the kernel modules of the root", .argv = argv};

	return kernel->release != NULL ? run(&call) : 0;
}

void kernel_free(struct kernel *kernel)
{
	modules_free(&kernel->storage);
}
