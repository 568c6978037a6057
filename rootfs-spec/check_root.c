/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-spec/check_root.h"
#include "rootfs-spec/elf_needs.h"
#include "rootfs-spec/modules.h"
#include "rootfs-spec/nearest.h"
#include "rootfs-spec/root_path.h"

#define MODULES_BELOW "usr/lib/modules"
#define MAX_DEPTH 32u /* of libraries that need libraries */

struct checker {
	const struct spec *spec;
	const char *root;
	int fd; /* of the root */
	struct pool *pool;
	struct diagnostics *diagnostics;
	/* Programs and libraries that were looked at already: each is told once. */
	struct texts seen;
	bool warn; /* what is found is no service's own program */
};

static void tell(struct checker *checker, struct where where, const char *text)
{
	if (checker->warn)
		diagnose_warning(checker->diagnostics, where, "%s", text);
	else
		diagnose(checker->diagnostics, where, "%s", text);
}

/* ---- programs ---- */

/* Where the loader looks without a cache or an environment (ld.so(8)), Debian's places. */
static const char *const library_places[] = {
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
	"/lib/aarch64-linux-gnu",
	"/usr/lib/aarch64-linux-gnu",
	"/lib",
	"/usr/lib",
	"/lib64",
	"/usr/lib64",
};

static bool seen_before(struct checker *checker, const char *path)
{
	for (size_t i = 0; i < checker->seen.count; i++)
		if (strcmp(checker->seen.list[i].text, path) == 0)
			return true;
	POOL_GROW(checker->pool, checker->seen.list, checker->seen.count);
	checker->seen.list[checker->seen.count++] = (struct text){.text = path};
	return false;
}

/* Among the entries of the directory that `path` is in, the nearest to its last part. */
static void suggest_beside(struct checker *checker, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *directory = pool_copy(checker->pool, path, (size_t)(slash - path));
	int fd = root_path_open(checker->fd, directory, O_RDONLY | O_DIRECTORY);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	struct nearest nearest = {.name = slash + 1};
	struct dirent *entry;

	while (listing && (entry = readdir(listing)))
		nearest_offer(&nearest, pool_strdup(checker->pool, entry->d_name));
	if (nearest.best)
		diagnose_suggest(checker->diagnostics,
				 pool_printf(checker->pool, "%s/%s", directory, nearest.best));
	if (listing)
		closedir(listing);
	else if (fd >= 0)
		close(fd);
}

static void check_elf(struct checker *checker, struct where where, const char *path, int fd,
		      const char *chain, unsigned depth);

static const char *expand_origin(struct checker *checker, const char *directory, const char *path)
{
	static const char *const names[] = {"$ORIGIN", "${ORIGIN}"};
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < 2; i++) {
		size_t length = strlen(names[i]);
		if (strncmp(directory, names[i], length) == 0)
			return pool_printf(checker->pool, "%.*s%s", (int)(slash - path), path,
					   directory + length);
	}
	return directory;
}

static int open_library(struct checker *checker, const struct elf *elf, const char *path,
			const char *name, const char **found)
{
	if (strchr(name, '/')) {
		*found = name;
		return root_path_open(checker->fd, name, O_RDONLY);
	}
	const char *search = elf->runpath;
	while (search && *search) {
		size_t length = strcspn(search, ":");
		const char *directory =
			expand_origin(checker, pool_copy(checker->pool, search, length), path);
		*found = pool_printf(checker->pool, "%s/%s", directory, name);
		int fd = root_path_open(checker->fd, *found, O_RDONLY);
		if (fd >= 0)
			return fd;
		search += length + (search[length] == ':');
	}
	for (size_t i = 0; i < sizeof(library_places) / sizeof(library_places[0]); i++) {
		*found = pool_printf(checker->pool, "%s/%s", library_places[i], name);
		int fd = root_path_open(checker->fd, *found, O_RDONLY);
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

static void check_libraries(struct checker *checker, struct where where, const char *path,
			    const struct elf *elf, const char *chain, unsigned depth)
{
	for (size_t i = 0; i < elf->needed_count; i++) {
		const char *found, *name = elf->needed[i];
		int fd = open_library(checker, elf, path, name, &found);
		if (fd < 0) {
			tell(checker, where,
			     pool_printf(checker->pool,
					 "%s needs the library %s, which is not in the image",
					 chain, name));
			continue;
		}
		/* Two names of one library are looked at twice, which costs little. */
		if (!seen_before(checker, found))
			check_elf(checker, where, found, fd,
				  pool_printf(checker->pool, "%s -> %s", chain, name), depth + 1);
		close(fd);
	}
}

static void check_interpreter(struct checker *checker, struct where where, const char *path,
			      const char *interpreter)
{
	int fd = root_path_open(checker->fd, interpreter, O_RDONLY);

	if (fd < 0)
		tell(checker, where,
		     pool_printf(checker->pool,
				 "%s needs the interpreter %s, which is not in the image", path,
				 interpreter));
	else
		close(fd);
}

static void check_elf(struct checker *checker, struct where where, const char *path, int fd,
		      const char *chain, unsigned depth)
{
	struct elf elf = {0};
	int error = elf_read(fd, checker->pool, &elf);

	if (error == -ENOEXEC && elf.script)
		check_interpreter(checker, where, path, elf.script);
	else if (error && !checker->warn)
		diagnose(checker->diagnostics, where, "%s is neither a program nor a script", path);
	if (error || depth > MAX_DEPTH)
		return;
	if (elf.interpreter)
		check_interpreter(checker, where, path, elf.interpreter);
	check_libraries(checker, where, path, &elf, chain, depth);
}

/* The mount that hides what the image has at `path`, or NULL; an overlay shows it. */
static const struct spec_mount *mount_over(const struct spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *mount = &spec->mounts[i];
		size_t length = strlen(mount->target.text);

		if (mount->source_kind != PLAN_SOURCE_OVERLAY && length > 1 &&
		    strncmp(path, mount->target.text, length) == 0 && path[length] == '/')
			return mount;
	}
	return NULL;
}

static void check_program(struct checker *checker, const struct text *program)
{
	const char *path = program->text;
	const struct spec_mount *mount = mount_over(checker->spec, path);
	struct stat status;

	if (mount) {
		diagnose_warning(checker->diagnostics, program->where,
				 "%s comes from the mount %s: nobody can look for it now", path,
				 mount->target.text);
		return;
	}

	int fd = root_path_open(checker->fd, path, O_RDONLY);

	if (fd < 0) {
		diagnose(checker->diagnostics, program->where, "%s is not in the image", path);
		suggest_beside(checker, path);
		return;
	}
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		diagnose(checker->diagnostics, program->where, "%s is not a regular file", path);
	else if (!(status.st_mode & 0111))
		diagnose(checker->diagnostics, program->where, "%s is not executable", path);
	else if (!seen_before(checker, path))
		check_elf(checker, program->where, path, fd, path, 0);
	close(fd);
}

static void check_directory(struct checker *checker, const struct spec_service *service);

static void check_services(struct checker *checker)
{
	const struct spec *spec = checker->spec;

	for (size_t i = 0; i < spec->service_count; i++) {
		if (spec->services[i].exec.count)
			check_program(checker, &spec->services[i].exec.list[0]);
		check_directory(checker, &spec->services[i]);
	}
}

/*
 * Programs that services run in turn, such as runc: nobody names them here, so what they lack may
 * never be missed, and is only a warning.
 */
static void check_others(struct checker *checker, const char *directory, unsigned depth)
{
	int fd = root_path_open(checker->fd, directory, O_RDONLY | O_DIRECTORY);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat status;

	while (listing && (entry = readdir(listing))) {
		const char *path = pool_printf(checker->pool, "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] == '.' ||
		    fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(status.st_mode) && depth < MAX_DEPTH) {
			check_others(checker, path, depth + 1);
		} else if (S_ISREG(status.st_mode) && status.st_mode & 0111 &&
			   !seen_before(checker, path)) {
			struct elf elf;
			int file = root_path_open(checker->fd, path, O_RDONLY);
			/* Libraries count with the programs that need them; scripts are too many. */
			if (file >= 0 && elf_read(file, checker->pool, &elf) == 0 &&
			    elf.interpreter)
				check_elf(checker, (struct where){0}, path, file, path, 0);
			if (file >= 0)
				close(file);
		}
	}
	if (listing)
		closedir(listing);
	else if (fd >= 0)
		close(fd);
}

/* ---- what is on writable file systems is made at boot ---- */

/* The mount that `path` lies on, not counting one at `path` itself; NULL: the root. */
static const struct spec_mount *mount_of(const struct spec *spec, const char *path)
{
	const struct spec_mount *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < spec->mount_count; i++) {
		const char *target = spec->mounts[i].target.text;
		size_t length = strlen(target);
		if (strncmp(path, target, length) == 0 && path[length] == '/' && length > longest) {
			best = &spec->mounts[i];
			longest = length;
		}
	}
	return best;
}

/* Made at boot by `paths:`, itself or as the parent of one. */
static bool made_at_boot(const struct spec *spec, const char *path)
{
	size_t length = strlen(path);

	for (size_t i = 0; i < spec->path_count; i++) {
		const char *made = spec->paths[i].path.text;
		if (strncmp(made, path, length) == 0 &&
		    (made[length] == '/' || made[length] == '\0'))
			return true;
	}
	return false;
}

static bool in_root(struct checker *checker, const char *path)
{
	int fd = root_path_open(checker->fd, path, O_PATH);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* PID 1 mounts these itself, before anything of the plan. */
static bool is_runtime(const char *path)
{
	static const char *const prefixes[] = {"/proc", "/sys", "/dev", "/run"};

	for (size_t i = 0; i < 4; i++) {
		size_t length = strlen(prefixes[i]);
		if (strncmp(path, prefixes[i], length) == 0 &&
		    (path[length] == '/' || path[length] == '\0'))
			return true;
	}
	return false;
}

static void check_directory(struct checker *checker, const struct spec_service *service)
{
	const char *path = service->directory.text;

	if (!path || mount_of(checker->spec, path) || is_runtime(path) || in_root(checker, path) ||
	    made_at_boot(checker->spec, path))
		return;
	diagnose(checker->diagnostics, service->directory.where,
		 "the directory %s is not in the image", path);
	suggest_beside(checker, path);
}

static void check_mounts(struct checker *checker)
{
	const struct spec *spec = checker->spec;

	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *mount = &spec->mounts[i];
		const char *target = mount->target.text;
		if (!mount_of(spec, target) && !in_root(checker, target))
			diagnose(
				checker->diagnostics, mount->target.where,
				"the mount point %s is not in the image, and its root is read-only",
				target);
		if (mount->source_kind == PLAN_SOURCE_BIND && mount->source.text &&
		    !mount_of(spec, mount->source.text) && !is_runtime(mount->source.text) &&
		    !in_root(checker, mount->source.text))
			diagnose(checker->diagnostics, mount->source.where,
				 "%s is not in the image", mount->source.text);
	}
}

static void check_paths(struct checker *checker)
{
	const struct spec *spec = checker->spec;

	for (size_t i = 0; i < spec->path_count; i++) {
		const struct spec_path *path = &spec->paths[i];
		if (!mount_of(spec, path->path.text) && !is_runtime(path->path.text) &&
		    !in_root(checker, path->path.text))
			diagnose(checker->diagnostics, path->path.where,
				 "%s cannot be made at boot: it lies on the read-only root",
				 path->path.text);
		if (path->kind == PLAN_PATH_COPY && !mount_of(spec, path->content.text) &&
		    !in_root(checker, path->content.text))
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
		if (kernel->module_count)
			diagnose(checker->diagnostics, kernel->modules[0].name.where,
				 "the image has no kernel modules");
		return;
	}
	const char *directory = pool_printf(checker->pool, "%s/%s", checker->root, below);
	for (size_t i = 0; i < kernel->module_count; i++)
		check_module(checker, directory, &kernel->modules[i].name);
	for (size_t i = 0; i < kernel->install.count; i++)
		check_module(checker, directory, &kernel->install.list[i]);
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
	check_services(&checker);
	check_mounts(&checker);
	check_paths(&checker);
	check_modules(&checker);
	check_sysctls(&checker);
	checker.warn = true;
	check_others(&checker, "", 0);
	close(checker.fd);
	return diagnostics->errors > errors ? -EINVAL : 0;
}
