/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "rootfs-spec/cache.h"
#include "rootfs-spec/check_image.h"
#include "rootfs-spec/check_root.h"
#include "rootfs-spec/compile.h"
#include "rootfs-spec/compose.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/packages.h"

bool check_image_needed(const struct spec *spec)
{
	return spec->packages.install_count || spec->packages.local.count || spec->file_count ||
	       spec->kernel.package.text || spec->pods.image_count;
}

/* The plan is compiled for what only that finds, and dropped. */
static int check_composed(const struct spec *spec, const char *root,
			  struct diagnostics *diagnostics)
{
	void *plan = NULL;
	size_t size;
	int error = check_root(spec, root, diagnostics);

	if (!error)
		error = compile_node_plan(spec, root, NULL, diagnostics, &plan, &size);
	free(plan);
	return error;
}

int check_image(const struct spec *spec, const char *path, struct programs programs,
		struct diagnostics *diagnostics)
{
	const char *cache = cache_directory(spec->pool);
	const char *scratch = cache ? cache_scratch(spec->pool, cache) : NULL;
	struct tree tree = {.pool = spec->pool};
	struct package_set set = {0};
	struct kernel kernel = {0};

	if (!scratch)
		return -EIO;
	programs.pool = spec->pool;
	programs.cache = cache;
	int error = packages_get(spec, path, cache, false, diagnostics, &set);
	if (!error)
		error = compose(spec, &set, &programs, diagnostics, &kernel, &tree);
	const char *root = pool_printf(spec->pool, "%s/root", scratch);
	if (!error)
		error = compose_write(&tree, &kernel, root);
	if (!error)
		error = check_composed(spec, root, diagnostics);
	kernel_free(&kernel);
	file_remove_tree(scratch);
	return error;
}
