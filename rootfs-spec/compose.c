// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/compose.h"

#include "rootfs-spec/files.h"
#include "rootfs-spec/glob.h"
#include "rootfs-spec/nearest.h"
#include "rootfs-spec/oci.h"
#include "rootfs-spec/report.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define OWNER "keelson"

/* ---- packages ---- */

struct selection {
	const char **keep; /* NULL: everything */
	size_t keep_count;
	bool *used; /* per `keep`: it matched something */
	const char **exclude;
	size_t exclude_count;
	const char **include;
	size_t include_count;
};

static const char **merged_patterns(struct pool *pool, const struct texts *texts)
{
	const char **list = pool_alloc(pool, (texts->count + 1) * sizeof(*list));

	for (size_t i = 0; i < texts->count; i++)
		list[i] = tree_usr_merge(pool, texts->list[i].text);
	return list;
}

/* A pattern, or a directory with all below it. */
static bool names_path(const char *pattern, const char *path)
{
	size_t length = strlen(pattern);

	return glob_match(pattern, path) ||
	       (strncmp(pattern, path, length) == 0 && path[length] == '/');
}

static bool is_selected(const char *path, void *context)
{
	struct selection *selection = context;
	bool kept = selection->keep == NULL;

	if (glob_any(selection->exclude, selection->exclude_count, path) &&
	    !glob_any(selection->include, selection->include_count, path))
		return false;
	for (size_t i = 0; selection->keep != NULL && i < selection->keep_count; i++) {
		if (!names_path(selection->keep[i], path))
			continue;
		selection->used[i] = true;
		kept = true;
	}
	return kept;
}

static const struct spec_package *wanted_package(const struct spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->packages.install_count; i++)
		if (strcmp(spec->packages.install[i].name.text, name) == 0)
			return &spec->packages.install[i];
	return NULL;
}

static int add_package(const struct spec *spec, const struct package *package,
		       struct diagnostics *diagnostics, struct tree *tree)
{
	const struct spec_package *wanted = wanted_package(spec, package->name);
	const struct texts *keep = wanted != NULL ? &wanted->files : NULL;
	struct selection selection = {
		.exclude = merged_patterns(tree->pool, &spec->packages.exclude),
		.exclude_count = spec->packages.exclude.count,
		.include = merged_patterns(tree->pool, &spec->packages.include),
		.include_count = spec->packages.include.count,
	};
	struct tree_walk walk = {.layer = TREE_PACKAGE,
				 .owner = package->name,
				 .source = package->tree,
				 .to = "",
				 .identity = package->sha256,
				 .wanted = is_selected,
				 .context = &selection};
	int error;

	if (keep != NULL && keep->count > 0) {
		selection.keep = merged_patterns(tree->pool, keep);
		selection.keep_count = keep->count;
		selection.used = pool_alloc(tree->pool, keep->count * sizeof(bool));
	}
	error = tree_walk(tree, &walk);
	for (size_t i = 0; keep != NULL && i < keep->count && error == 0; i++)
		if (!selection.used[i])
			diagnose(diagnostics, keep->list[i].where,
				 "package '%s' (%s) has nothing at '%s'", package->name,
				 package->version, keep->list[i].text);
	return error;
}

/* ---- keelson's own ---- */

static int add_programs(const struct programs *programs, struct tree *tree)
{
	static const struct {
		const char *name;
		const char *path;
	} own[] = {{"keelson-init", "/usr/sbin/init"},
		   {"keelson-log", "/usr/lib/keelson/keelson-log"},
		   {"keelson-slot", "/usr/lib/keelson/keelson-slot"},
		   {"keelctl", "/usr/bin/keelctl"}};
	/* What people and node scripts call (keelctl(1)). */
	static const char *const called[] = {"/usr/sbin/reboot", "/usr/sbin/poweroff",
					     "/usr/sbin/halt", "/usr/sbin/shutdown",
					     "/usr/bin/systemctl"};
	int error = 0;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]) && error == 0; i++) {
		const char *source = programs_find(programs, own[i].name);

		error = source == NULL
				? -ENOENT
				: tree_file(tree, TREE_KEELSON, OWNER, own[i].path, 0755, source);
	}
	for (size_t i = 0; i < sizeof(called) / sizeof(called[0]); i++)
		tree_link(tree, TREE_KEELSON, OWNER, called[i], "../bin/keelctl");
	return error;
}

static const char *go_architecture(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#else
#error "which architecture is this in an OCI image?"
#endif
}

/* `name` is that of a program, NULL for a file of this machine. */
static void tell_missing(struct text source, const char *name, struct diagnostics *diagnostics)
{
	static const char *const known[] = {"keelson-pause", "kubelet",      "keelson-init",
					    "keelson-log",   "keelson-slot", "keelctl",
					    "keelson-learn"};
	const char *nearest = name == NULL
				      ? NULL
				      : nearest_name(name, known, sizeof(known) / sizeof(known[0]));

	if (name == NULL) {
		diagnose(diagnostics, source.where, "there is no file '%s'", source.text);
		return;
	}
	diagnose(diagnostics, source.where, "there is no program '%s'", name);
	if (nearest != NULL && strcmp(nearest, name) != 0)
		diagnose_suggest(diagnostics, nearest);
	else
		diagnose_hint(diagnostics, "--program %s=PATH says where it is", name);
}

static int add_pod_image(const struct spec_pod_image *pod, const struct programs *programs,
			 struct diagnostics *diagnostics, struct tree *tree)
{
	const char *source = pod->program.text;
	const char *slash = strrchr(source, '/');
	const char *name = programs_name(source);
	struct bytes program = {0};
	struct bytes archive = {0};
	int error;

	if (name == NULL && slash == NULL)
		name = source;
	if (name != NULL)
		source = programs_source(programs, pool_printf(tree->pool, "program:%s", name));
	if (source == NULL || !file_exists(source)) {
		tell_missing(pod->program, name, diagnostics);
		return 0;
	}
	error = file_read(source, &program);
	if (error == 0) {
		struct oci_image image = {.name = pod->name.text,
					  .architecture = go_architecture(),
					  .program_name = name != NULL ? name : slash + 1,
					  .program = program.data,
					  .program_bytes = program.size};

		oci_pack(&image, &archive);
		tree_content(tree, TREE_FILES, "pod images", pod->to.text, 0644,
			     pool_copy(tree->pool, (char *)archive.data, archive.size),
			     archive.size);
	}
	bytes_free(&program);
	bytes_free(&archive);
	return error;
}

/* Where things are mounted must be there in a root that is read-only. */
static void add_directories(const struct spec *spec, struct tree *tree)
{
	static const char *const usual[] = {"/dev", "/etc",     "/mnt",     "/proc",     "/run",
					    "/sys", "/usr/bin", "/usr/lib", "/usr/sbin", "/var"};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		tree_directory(tree, TREE_IMPLIED, OWNER, usual[i], 0755);
	tree_directory(tree, TREE_IMPLIED, OWNER, "/tmp", 01777);
	tree_directory(tree, TREE_IMPLIED, OWNER, "/root", 0700);
	for (size_t i = 0; i < spec->mount_count; i++) {
		const char *target = spec->mounts[i].target.text;

		if (strcmp(target, "/") != 0)
			tree_directory(tree, TREE_IMPLIED, OWNER, target, 0755);
	}
}

/* /lib64 only where something lies there: it names the loader on x86-64, nothing on arm64. */
static void add_usr_links(struct tree *tree)
{
	static const char *const links[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
	size_t count = tree->count;

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		const char *below = pool_printf(tree->pool, "/usr/%s/", links[i]);
		bool needed = i < 3;

		for (size_t e = 0; e < count && !needed; e++)
			needed = strncmp(tree->list[e].path, below, strlen(below)) == 0;
		if (needed)
			tree_usr_link(tree, OWNER, links[i]);
	}
}

/* ---- files of the spec ---- */

static mode_t file_mode(const struct spec_file *file, const char *source)
{
	struct stat status;

	if (file->mode_given)
		return (mode_t)file->mode;
	if (source != NULL && stat(source, &status) == 0 && (status.st_mode & 0111) != 0)
		return 0755;
	return file->kind == SPEC_FILE_DIRECTORY ? 0755 : 0644;
}

static int add_file(const struct spec_file *file, const struct programs *programs,
		    struct diagnostics *diagnostics, struct tree *tree)
{
	static const char owner[] = "files";
	const char *to = file->to.text;
	const char *source;
	struct tree_walk walk;

	if (file->uid != 0 || file->gid != 0) {
		diagnose(diagnostics, file->where,
			 "'%s': everything in the root image belongs to root", to);
		diagnose_hint(diagnostics, "a path made at boot (`paths`) can have another owner");
		return 0;
	}
	switch (file->kind) {
	case SPEC_FILE_FROM:
		source = programs_source(programs, file->source.text);
		if (source == NULL || !file_exists(source)) {
			tell_missing(file->source, programs_name(file->source.text), diagnostics);
			return 0;
		}
		return tree_file(tree, TREE_FILES, owner, to, file_mode(file, source), source);
	case SPEC_FILE_CONTENT:
		tree_content(tree, TREE_FILES, owner, to, file_mode(file, NULL), file->content.text,
			     strlen(file->content.text));
		return 0;
	case SPEC_FILE_LINK: tree_link(tree, TREE_FILES, owner, to, file->content.text); return 0;
	case SPEC_FILE_DIRECTORY:
		tree_directory(tree, TREE_FILES, owner, to, file_mode(file, NULL));
		return 0;
	case SPEC_FILE_TREE:
		walk = (struct tree_walk){.layer = TREE_FILES,
					  .owner = owner,
					  .source = file->source.text,
					  .to = strcmp(to, "/") == 0 ? "" : to};
		return tree_walk(tree, &walk);
	}
	return -EINVAL;
}

int compose(const struct spec *spec, const struct package_set *set, const struct programs *programs,
	    struct diagnostics *diagnostics, struct kernel *kernel, struct tree *tree)
{
	size_t before = diagnostics->errors;
	int error = kernel_find(spec, tree->pool, set, diagnostics, kernel);

	/* Go on after an unknown storage module: there may be more to tell. */
	if (error == -EINVAL && kernel->release != NULL)
		error = 0;
	add_directories(spec, tree);
	for (size_t i = 0; i < set->count && error == 0; i++)
		if (!kernel_is_package(&set->list[i]))
			error = add_package(spec, &set->list[i], diagnostics, tree);
	if (error == 0 && kernel->release != NULL)
		error = kernel_add(spec, kernel, diagnostics, tree);
	if (error == 0)
		error = add_programs(programs, tree);
	for (size_t i = 0; i < spec->pods.image_count && error == 0; i++)
		error = add_pod_image(&spec->pods.images[i], programs, diagnostics, tree);
	for (size_t i = 0; i < spec->file_count && error == 0; i++)
		error = add_file(&spec->files[i], programs, diagnostics, tree);
	add_usr_links(tree);
	if (error == 0 && diagnostics->errors > before)
		error = -EINVAL;
	return error < 0 ? error : tree_finish(tree);
}

int compose_write(const struct tree *tree, const struct kernel *kernel, const char *root)
{
	int error;

	if (mkdir(root, 0755) < 0)
		return report_errno(errno, "make %s", root);
	error = tree_write(tree, root);
	return error < 0 ? error : kernel_index(kernel, root);
}
