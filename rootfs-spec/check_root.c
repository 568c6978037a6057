/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-spec/check_paths.h"
#include "rootfs-spec/check_programs.h"
#include "rootfs-spec/check_root.h"
#include "rootfs-spec/modules.h"
#include "rootfs-spec/nearest.h"

#define MODULES_BELOW "usr/lib/modules"
#define MODPROBE "/sbin/modprobe" /* what kernel.modprobe says unless somebody changes it */

struct checker {
	const struct spec *spec;
	const char *root;
	int fd; /* of the root */
	struct pool *pool;
	struct diagnostics *diagnostics;
};

static void check_directory(struct checker *checker, const struct spec_service *service)
{
	const char *path = service->directory.text;

	if (!path || check_mount_of(checker->spec, path) || check_is_runtime(path) ||
	    check_in_root(checker->fd, path) || check_made_at_boot(checker->spec, path))
		return;
	diagnose(checker->diagnostics, service->directory.where,
		 "the directory %s is not in the image", path);
	check_suggest_beside(checker->fd, path, checker->diagnostics);
}

static void check_mounts(struct checker *checker)
{
	const struct spec *spec = checker->spec;

	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *mount = &spec->mounts[i];
		const char *target = mount->target.text;
		if (!check_mount_of(spec, target) && !check_in_root(checker->fd, target))
			diagnose(
				checker->diagnostics, mount->target.where,
				"the mount point %s is not in the image, and its root is read-only",
				target);
		if (mount->source_kind == PLAN_SOURCE_BIND && mount->source.text &&
		    !check_mount_of(spec, mount->source.text) &&
		    !check_is_runtime(mount->source.text) &&
		    !check_in_root(checker->fd, mount->source.text))
			diagnose(checker->diagnostics, mount->source.where,
				 "%s is not in the image", mount->source.text);
	}
}

static void check_paths(struct checker *checker)
{
	const struct spec *spec = checker->spec;

	for (size_t i = 0; i < spec->path_count; i++) {
		const struct spec_path *path = &spec->paths[i];
		if (!check_mount_of(spec, path->path.text) && !check_is_runtime(path->path.text) &&
		    !check_in_root(checker->fd, path->path.text))
			diagnose(checker->diagnostics, path->path.where,
				 "%s cannot be made at boot: it lies on the read-only root",
				 path->path.text);
		if (path->kind == PLAN_PATH_COPY && !check_mount_of(spec, path->content.text) &&
		    !check_in_root(checker->fd, path->content.text))
			diagnose(checker->diagnostics, path->content.where,
				 "%s is not in the image", path->content.text);
	}
}

/* ---- kernel modules ---- */

const char *check_root_modules(const char *root, struct pool *pool)
{
	DIR *listing = opendir(pool_printf(pool, "%s/" MODULES_BELOW, root));
	const char *found = NULL;
	struct dirent *entry;
	int count = 0;

	while (listing && (entry = readdir(listing))) {
		if (entry->d_name[0] == '.')
			continue;
		found = pool_printf(pool, MODULES_BELOW "/%s", entry->d_name);
		count++;
	}
	if (listing)
		closedir(listing);
	return count == 1 ? found : NULL;
}

static void check_module(struct checker *checker, const char *directory, const struct text *name)
{
	struct module_list list = {0};
	const char *missing = NULL;
	char nearest[256] = "";
	int error = modules_resolve(directory, &name->text, 1, &list, &missing);

	if (!error) {
		modules_free(&list);
		return;
	}
	if (error == -ENOENT && missing) {
		diagnose(checker->diagnostics, name->where, "the kernel has no module '%s'",
			 name->text);
		modules_nearest(directory, name->text, nearest, sizeof(nearest));
		diagnose_suggest(checker->diagnostics, nearest[0] ? nearest : NULL);
	} else {
		diagnose(checker->diagnostics, name->where, "module '%s': %s", name->text,
			 strerror(-error));
	}
}

static void check_modules(struct checker *checker)
{
	const struct spec_kernel *kernel = &checker->spec->kernel;
	const char *below = check_root_modules(checker->root, checker->pool);

	if (!below) {
		if (kernel->module_count || kernel->on_demand.count)
			diagnose(checker->diagnostics,
				 kernel->module_count ? kernel->modules[0].name.where
						      : kernel->on_demand.list[0].where,
				 "the image has no kernel modules");
		return;
	}
	const char *directory = pool_printf(checker->pool, "%s/%s", checker->root, below);
	for (size_t i = 0; i < kernel->module_count; i++)
		check_module(checker, directory, &kernel->modules[i].name);
	for (size_t i = 0; i < kernel->on_demand.count; i++)
		check_module(checker, directory, &kernel->on_demand.list[i]);
	if (kernel->on_demand.count && !check_in_root(checker->fd, MODPROBE)) {
		diagnose(checker->diagnostics, kernel->on_demand.list[0].where,
			 "the kernel loads modules on demand with %s, which is not in the image",
			 MODPROBE);
		diagnose_hint(checker->diagnostics,
			      "the package 'kmod' brings it; it needs libzstd1, liblzma5 and "
			      "libcrypto of libssl3");
	}
}

/*
 * A file system that the kernel has as a module needs that module: in the initramfs, or in the root,
 * where only what the spec lists is. Those that are never modules are not known to modules.builtin.
 */
static void check_file_systems(struct checker *checker)
{
	static const char *const modular[] = {"ext4",     "xfs",   "btrfs",   "f2fs", "vfat",
					      "squashfs", "erofs", "overlay", NULL};
	const struct spec *spec = checker->spec;
	const char *below = check_root_modules(checker->root, checker->pool);

	for (size_t i = 0; below && i < spec->mount_count; i++) {
		const struct text *type = &spec->mounts[i].type;
		struct module_list list = {0};
		const char *missing = NULL;
		bool found = type->text == NULL;
		for (size_t j = 0; !found && j < spec->kernel.storage_count; j++)
			found |= strcmp(spec->kernel.storage[j].name.text, type->text) == 0;
		for (size_t j = 0; !found && modular[j]; j++) {
			if (strcmp(modular[j], type->text) != 0)
				continue;
			if (modules_resolve(pool_printf(checker->pool, "%s/%s", checker->root,
							below),
					    &type->text, 1, &list, &missing) == -ENOENT)
				diagnose(checker->diagnostics, type->where,
					 "the kernel has '%s' as a module, which is in none of "
					 "'kernel.modules', 'kernel.storage', 'kernel.on-demand'",
					 type->text);
			else
				modules_free(&list);
		}
	}
}

/* ---- kernel parameters ---- */

/*
 * Which parameters there are shows only a running kernel. What can be said: the first part is one of
 * the kernel's trees, and those that a module brings need that module.
 */
static const struct {
	const char *prefix;
	const char *module; /* NULL: built in */
} trees[] = {
	{"net/bridge", "br_netfilter"},
	{"net/netfilter/nf_conntrack", "nf_conntrack"},
	{"net/nf_conntrack_max", "nf_conntrack"},
	{"net", NULL},
	{"kernel", NULL},
	{"vm", NULL},
	{"fs", NULL},
	{"user", NULL},
	{"dev", NULL},
	{"debug", NULL},
	{"abi", NULL},
	{"crypto", NULL},
	{"sunrpc", "sunrpc"},
};

static bool loads_module(const struct checker *checker, const char *module)
{
	const struct spec_kernel *kernel = &checker->spec->kernel;
	const char *below = check_root_modules(checker->root, checker->pool);
	const char **names = pool_alloc(checker->pool, (kernel->module_count + 1) * sizeof(*names));
	struct module_list list = {0};
	const char *missing;
	bool found = false;

	/* Without modules nothing is known of the kernel: another one may have it built in. */
	if (!below)
		return true;
	for (size_t i = 0; i < kernel->module_count; i++)
		names[i] = kernel->modules[i].name.text;
	const char *directory = pool_printf(checker->pool, "%s/%s", checker->root, below);
	/* One that is built in resolves to nothing. */
	if (modules_resolve(directory, &module, 1, &list, &missing) == 0 && list.count == 0)
		return true;
	modules_free(&list);
	if (modules_resolve(directory, names, kernel->module_count, &list, &missing) < 0)
		return true; /* told where the module is named */
	for (size_t i = 0; i < list.count && !found; i++) {
		const char *slash = strrchr(list.paths[i], '/');
		const char *file = slash ? slash + 1 : list.paths[i];
		size_t length = strlen(module);
		found = strncmp(file, module, length) == 0 && file[length] == '.';
	}
	modules_free(&list);
	return found;
}

static bool below_tree(const char *name, const char *prefix)
{
	size_t i;

	for (i = 0; prefix[i]; i++)
		if (name[i] != prefix[i] && !(name[i] == '.' && prefix[i] == '/'))
			return false;
	/* A prefix may end within a part, as that of nf_conntrack_max does. */
	return strchr(prefix, '_') || name[i] == '.' || name[i] == '/';
}

/*
 * The kernel of this machine is not the node's, so what it does not have proves nothing; but one that
 * it has, two letters away, is likely to be what was meant.
 */
static void warn_of_mistyped_sysctl(struct checker *checker, const struct text *name)
{
	const char *path = spec_sysctl_path(name->text, checker->pool);
	const char *last = strrchr(path, '/') + 1;
	DIR *listing = access(path, F_OK) == 0
			       ? NULL
			       : opendir(pool_copy(checker->pool, path, (size_t)(last - path)));
	const char *alike = NULL;
	struct dirent *entry;

	while (listing && (entry = readdir(listing)))
		if (strlen(last) > 4 && nearest_distance(last, entry->d_name) <= 2)
			alike = pool_strdup(checker->pool, entry->d_name);
	if (listing)
		closedir(listing);
	if (!alike)
		return;
	diagnose_warning(checker->diagnostics, name->where,
			 "the kernel of this machine has no sysctl '%s'", name->text);
	diagnose_suggest(checker->diagnostics,
			 pool_printf(checker->pool, "%.*s%s",
				     (int)(strlen(name->text) - strlen(last)), name->text, alike));
}

static void check_sysctls(struct checker *checker)
{
	const struct spec *spec = checker->spec;

	for (size_t i = 0; i < spec->sysctl_count; i++) {
		const struct spec_setting *setting = &spec->sysctls[i];
		struct nearest nearest = {.name = pool_copy(checker->pool, setting->name.text,
							    strcspn(setting->name.text, "./"))};
		size_t tree = 0, count = sizeof(trees) / sizeof(trees[0]);
		while (tree < count && !below_tree(setting->name.text, trees[tree].prefix))
			tree++;
		if (setting->optional)
			continue;
		if (tree == count) {
			diagnose(checker->diagnostics, setting->name.where,
				 "there is no sysctl '%s'", setting->name.text);
			for (size_t j = 0; j < count; j++)
				if (!strchr(trees[j].prefix, '/'))
					nearest_offer(&nearest, trees[j].prefix);
			diagnose_suggest(checker->diagnostics, nearest.best);
		} else if (trees[tree].module && !loads_module(checker, trees[tree].module)) {
			diagnose(checker->diagnostics, setting->name.where,
				 "'%s' is there only with the module %s, which is not in "
				 "'kernel.modules'",
				 setting->name.text, trees[tree].module);
		} else {
			warn_of_mistyped_sysctl(checker, &setting->name);
		}
	}
}

int check_root(const struct spec *spec, const char *root, struct diagnostics *diagnostics)
{
	struct checker checker = {.spec = spec,
				  .root = root,
				  .pool = spec->pool,
				  .diagnostics = diagnostics,
				  .fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC)};
	size_t errors = diagnostics->errors;

	if (checker.fd < 0) {
		int error = errno;
		diagnose(diagnostics, (struct where){0}, "%s: %s", root, strerror(error));
		return -error;
	}
	for (size_t i = 0; i < spec->service_count; i++)
		check_directory(&checker, &spec->services[i]);
	check_mounts(&checker);
	check_paths(&checker);
	check_sandboxes(spec, checker.fd, diagnostics);
	check_modules(&checker);
	check_file_systems(&checker);
	check_sysctls(&checker);
	check_programs(spec, checker.fd, diagnostics);
	close(checker.fd);
	return diagnostics->errors > errors ? -EINVAL : 0;
}
