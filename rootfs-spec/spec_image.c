/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into the image: packages, files, kernel, the image's own shape. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs-spec/spec_parts.h"
#include "rootfs-spec/value.h"

static struct texts resolved(const struct view *view, const char *key)
{
	struct texts texts = view_texts(view, key);

	for (size_t i = 0; i < texts.count; i++)
		texts.list[i].text = view_resolve(texts.list[i], view->pool);
	return texts;
}

/* "name" or "name: value", as entries of packages and modules are written. */
static struct text entry_name(const struct node *entry, const struct schema *schema,
			      struct diagnostics *diagnostics)
{
	if (entry->bad)
		return (struct text){0};
	if (entry->kind == NODE_SCALAR)
		return node_text(entry);
	if (entry->count == 1 && !entry->entries[0].value->bad)
		return (struct text){entry->entries[0].key, entry->entries[0].where};
	if (entry->count != 1)
		diagnose(diagnostics, entry->where,
			 "%s is written 'name' or 'name: ...', one an entry", schema->what);
	return (struct text){0};
}

static struct texts globs_of(const struct node *list, struct pool *pool)
{
	struct texts texts = {0};

	for (size_t i = 0; list && list->kind == NODE_LIST && i < list->count; i++)
		if (!list->entries[i].value->bad)
			texts_add(&texts, node_text(list->entries[i].value), pool);
	return texts;
}

void spec_read_packages(const struct view *root, struct spec_packages *packages)
{
	struct view view = view_map(root, "packages");
	const struct node *list = view_node(&view, "install");

	for (size_t i = 0; list && i < list->count; i++) {
		const struct node *entry = list->entries[i].value;
		const struct schema *schema = schema_find(view.schema, "install")->schema->element;
		struct spec_package package = {.name = entry_name(entry, schema, view.diagnostics)};
		if (!package.name.text)
			continue;
		if (entry->kind == NODE_MAP)
			package.files = globs_of(entry->entries[0].value, view.pool);
		POOL_GROW(view.pool, packages->install, packages->install_count);
		packages->install[packages->install_count++] = package;
	}
	packages->exclude = view_texts(&view, "exclude");
	packages->include = view_texts(&view, "include");
	packages->local = resolved(&view, "local");
	packages->dependencies = view_boolean(&view, "dependencies");
	for (size_t i = 0; i < packages->local.count; i++) {
		struct stat status;
		if (stat(packages->local.list[i].text, &status) < 0)
			diagnose(view.diagnostics, packages->local.list[i].where, "%s: %s",
				 packages->local.list[i].text, strerror(errno));
	}
}

/* ---- files ---- */

static const char program_prefix[] = "program:";

static void check_source(const struct view *view, const struct spec_file *file)
{
	struct stat status;
	const char *path = file->source.text;

	if (strncmp(path, program_prefix, strlen(program_prefix)) == 0)
		return;
	if (stat(path, &status) < 0)
		diagnose(view->diagnostics, file->source.where, "%s: %s", path, strerror(errno));
	else if (file->kind == SPEC_FILE_FROM && !S_ISREG(status.st_mode))
		diagnose(view->diagnostics, file->source.where, "%s is not a regular file%s", path,
			 S_ISDIR(status.st_mode) ? "; a directory is given as 'tree'" : "");
	else if (file->kind == SPEC_FILE_TREE && !S_ISDIR(status.st_mode))
		diagnose(view->diagnostics, file->source.where, "%s is not a directory", path);
}

/* Exactly one of `keys`: its index, or -1 with the error told. */
static int only_key(const struct view *view, const char *const *keys, const char *all)
{
	int found = -1, count = 0;

	for (int i = 0; keys[i]; i++)
		if (view_has(view, keys[i])) {
			found = i;
			count++;
		}
	if (count == 1)
		return found;
	diagnose(view->diagnostics, view->where, "%s has %s of %s: it needs one",
		 view->schema->what, count ? "several" : "none", all);
	return -1;
}

static bool read_file_kind(const struct view *view, struct spec_file *file)
{
	static const char *const keys[] = {"from", "content", "tree", "link", "directory", NULL};
	static const enum spec_file_kind kinds[] = {SPEC_FILE_FROM, SPEC_FILE_CONTENT,
						    SPEC_FILE_TREE, SPEC_FILE_LINK,
						    SPEC_FILE_DIRECTORY};
	int key = only_key(view, keys, "'from', 'content', 'tree', 'link', 'directory'");

	if (key < 0 || !view_node(view, keys[key]))
		return false;
	file->kind = kinds[key];
	struct text text = view_text(view, keys[key]);
	if (file->kind == SPEC_FILE_FROM || file->kind == SPEC_FILE_TREE) {
		file->source = text;
		if (strncmp(text.text, program_prefix, strlen(program_prefix)) != 0)
			file->source.text = view_resolve(text, view->pool);
		check_source(view, file);
	} else if (file->kind == SPEC_FILE_DIRECTORY) {
		if (!view_boolean(view, "directory"))
			diagnose(view->diagnostics, text.where, "'directory' can only be true");
	} else {
		file->content = text;
	}
	return true;
}

void spec_read_files(const struct view *root, struct spec *spec)
{
	const struct node *list = view_node(root, "files");
	const struct schema *schema = schema_find(root->schema, "files")->schema->element;

	for (size_t i = 0; list && i < list->count; i++) {
		const struct node *entry = list->entries[i].value;
		struct view view = {entry, schema, entry->where, root->pool, root->diagnostics};
		struct spec_file file = {.where = entry->where};
		if (entry->bad)
			continue;
		view_require(&view);
		file.to = view_text(&view, "to");
		if (!read_file_kind(&view, &file) || !file.to.text)
			continue;
		file.mode_given = view_node(&view, "mode");
		file.mode = file.mode_given                    ? view_mode(&view, "mode")
			    : file.kind == SPEC_FILE_DIRECTORY ? 0755
							       : 0644;
		file.uid = (uint32_t)view_integer(&view, "user");
		file.gid = (uint32_t)view_integer(&view, "group");
		POOL_GROW(spec->pool, spec->files, spec->file_count);
		spec->files[spec->file_count++] = file;
	}
}

/* ---- kernel ---- */

static void read_modules(const struct view *view, const char *key, struct spec_module **list,
			 size_t *count)
{
	const struct node *node = view_node(view, key);
	const struct schema *schema = schema_find(view->schema, key)->schema->element;

	for (size_t i = 0; node && i < node->count; i++) {
		const struct node *entry = node->entries[i].value;
		struct spec_module module = {.name = entry_name(entry, schema, view->diagnostics),
					     .parameters = ""};
		if (!module.name.text)
			continue;
		if (entry->kind == NODE_MAP)
			module.parameters = entry->entries[0].value->text;
		POOL_GROW(view->pool, *list, *count);
		(*list)[(*count)++] = module;
	}
}

void spec_read_kernel(const struct view *root, struct spec_kernel *kernel)
{
	struct view view = view_map(root, "kernel");

	kernel->package = view_text(&view, "package");
	read_modules(&view, "modules", &kernel->modules, &kernel->module_count);
	read_modules(&view, "storage", &kernel->storage, &kernel->storage_count);
	kernel->on_demand = view_texts(&view, "on-demand");
	kernel->cmdline = view_texts(&view, "cmdline");
	if (!kernel->package.text && view_has(&view, "storage"))
		diagnose(view.diagnostics, view_where(&view, "storage"),
			 "storage modules without a kernel: 'package' is missing in 'kernel'");
}

/* ---- image, disk, pods, slots ---- */

static void read_format(const struct view *view, struct spec_image *image)
{
	image->format = view_text(view, "format");
	image->compression = view_text(view, "compression");
	image->budget_bytes = view_size(view, "budget");
	image->budget_where = view_where(view, "budget");
	image->release = view_boolean(view, "release");
	image->release_where = view_where(view, "release");
	bool squashfs = strcmp(image->format.text, "squashfs") == 0;
	if (!image->compression.text) {
		image->compression.text = squashfs ? "zstd" : "lz4hc";
		return;
	}
	const char *compression = image->compression.text;
	if (strcmp(compression, "none") == 0 || squashfs == (strcmp(compression, "zstd") == 0))
		return;
	diagnose(view->diagnostics, image->compression.where, "%s cannot be compressed with %s",
		 image->format.text, compression);
	diagnose_hint(view->diagnostics,
		      squashfs ? "squashfs takes zstd or none" : "erofs takes lz4hc, lz4 or none");
}

static void read_keys(const struct view *root, struct spec *spec)
{
	spec->keys = resolved(root, "keys");
	if (spec->keys.count > PLAN_MAX_KEYS)
		diagnose(root->diagnostics, spec->keys.list[PLAN_MAX_KEYS].where,
			 "an image trusts at most %u keys", PLAN_MAX_KEYS);
	for (size_t i = 0; i < spec->keys.count; i++)
		if (access(spec->keys.list[i].text, R_OK) < 0)
			diagnose(root->diagnostics, spec->keys.list[i].where, "%s: %s",
				 spec->keys.list[i].text, strerror(errno));
}

static void read_pods(const struct view *view, struct spec_pods *pods)
{
	const struct node *list = view_node(view, "images");
	const struct schema *schema = schema_find(view->schema, "images")->schema->element;

	pods->cgroup = view_text(view, "cgroup");
	pods->grace_ns = view_duration(view, "grace");
	for (size_t i = 0; list && i < list->count; i++) {
		const struct node *entry = list->entries[i].value;
		struct view one = {entry, schema, entry->where, view->pool, view->diagnostics};
		if (entry->bad)
			continue;
		view_require(&one);
		struct spec_pod_image image = {.name = view_text(&one, "name"),
					       .program = view_text(&one, "program"),
					       .to = view_text(&one, "to")};
		if (!image.name.text || !image.program.text || !image.to.text)
			continue;
		if (strchr(image.program.text, '/'))
			image.program.text = view_resolve(image.program, view->pool);
		POOL_GROW(view->pool, pods->images, pods->image_count);
		pods->images[pods->image_count++] = image;
	}
}

/* What is smaller holds no file system that is of use; what is larger is a unit too many. */
static uint64_t partition_size(const struct view *view, const char *key, bool or_none)
{
	uint64_t bytes = view_size(view, key);

	if ((bytes < (16ull << 20) && !(bytes == 0 && or_none)) || bytes > (4ull << 40))
		diagnose(view->diagnostics, view_where(view, key),
			 "'%s' must be %sbetween 16MiB and 4TiB", key, or_none ? "0 or " : "");
	return bytes;
}

static struct texts read_health_commands(const struct view *healthy)
{
	const struct node *list = view_node(healthy, "commands");
	struct texts names = {0};

	for (size_t i = 0; list && i < list->count; i++)
		if (!list->entries[i].value->bad)
			texts_add(&names,
				  (struct text){spec_health_name(i, healthy->pool),
						list->entries[i].where},
				  healthy->pool);
	return names;
}

void spec_read_image(const struct view *root, struct spec *spec)
{
	struct view image = view_map(root, "image"), pods = view_map(root, "pods");
	struct view disk = view_map(root, "disk"), slots = view_map(root, "slots");
	struct view healthy = view_map(&slots, "healthy");

	read_format(&image, &spec->image);
	read_keys(root, spec);
	read_pods(&pods, &spec->pods);
	spec->disk.esp_bytes = partition_size(&disk, "esp", true);
	spec->disk.state_bytes = partition_size(&disk, "state", false);
	spec->slots = (struct spec_slots){
		.tries = (uint32_t)view_integer(&slots, "tries"),
		.size_bytes = partition_size(&slots, "size", true),
		.fill_both = strcmp(view_text(&slots, "fill").text, "both") == 0,
		.epoch = (uint64_t)view_integer(&slots, "epoch"),
		.healthy_services = view_texts(&healthy, "services"),
		.healthy_commands = read_health_commands(&healthy),
		.healthy_for_ns = view_duration(&healthy, "for"),
		.healthy_deadline_ns = view_duration(&healthy, "deadline"),
		.where = view_where(&slots, "healthy"),
	};
}
