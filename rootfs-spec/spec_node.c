/* SPDX-License-Identifier: Apache-2.0 */
/* What PID 1 prepares before services: mounts, paths, kernel parameters. */
#include <string.h>

#include "rootfs-spec/mount_options.h"
#include "rootfs-spec/mount_types.h"
#include "rootfs-spec/slot_layer.h"
#include "rootfs-spec/spec_parts.h"

static const char partition_prefix[] = "partition:";

static bool is(struct text text, const char *word)
{
	return text.text && strcmp(text.text, word) == 0;
}

/* ---- mounts ---- */

/* A file system that nobody has, or that lies on a device where none is named, fails at boot. */
static void check_type(const struct view *view, const struct spec_mount *mount)
{
	static const char label[] = "PARTLABEL=";
	const char *type = mount->type.text, *source = mount->source.text;

	if (!type)
		return;
	if (mount_type_of(type) == MOUNT_TYPE_UNKNOWN && mount_type_nearest(type)) {
		diagnose(view->diagnostics, mount->type.where, "there is no file system '%s'",
			 type);
		diagnose_suggest(view->diagnostics, mount_type_nearest(type));
	}
	if (mount_type_of(type) != MOUNT_TYPE_DEVICE || mount->source_kind != PLAN_SOURCE_NONE)
		return;
	if (!view_has(view, "source")) {
		diagnose(view->diagnostics, view->where, "%s without a 'source' to mount", type);
		return;
	}
	diagnose(view->diagnostics, mount->source.where,
		 "%s is mounted from /dev/... or partition:NAME, not from '%s'", type, source);
	if (strncmp(source, label, strlen(label)) == 0)
		diagnose_suggest(view->diagnostics,
				 pool_printf(view->pool, "partition:%s", source + strlen(label)));
}

static void read_source(const struct view *view, struct spec_mount *mount)
{
	struct text *source = &mount->source;
	size_t prefix = strlen(partition_prefix);

	if (is(mount->type, "bind")) {
		mount->source_kind = PLAN_SOURCE_BIND;
		if (!source->text || source->text[0] != '/')
			diagnose(view->diagnostics, view->where,
				 "a bind mount needs a 'source' that is an absolute path");
	} else if (source->text && strncmp(source->text, partition_prefix, prefix) == 0) {
		mount->source_kind = PLAN_SOURCE_PARTITION;
		source->text += prefix;
		if (!source->text[0] || strlen(source->text) > 36)
			diagnose(view->diagnostics, source->where,
				 "a partition's name has 1 to 36 characters");
	} else if (source->text && source->text[0] == '/') {
		mount->source_kind = PLAN_SOURCE_DEVICE;
	} else {
		mount->source_kind = PLAN_SOURCE_NONE;
		if (!source->text)
			source->text = mount->type.text;
	}
	check_type(view, mount);
	if (mount->source_kind != PLAN_SOURCE_NONE && source->text && strstr(source->text, ".."))
		diagnose(view->diagnostics, source->where, "a source must not lead upwards");
}

static void read_overlay(const struct view *mount_view, struct spec_mount *mount)
{
	struct view view = view_map(mount_view, "overlay");

	mount->source_kind = PLAN_SOURCE_OVERLAY;
	mount->source = (struct text){.text = "overlay"};
	if (mount->type.text && !is(mount->type, "overlay"))
		diagnose(view.diagnostics, mount->type.where, "an overlay has no other 'type'");
	mount->type.text = "overlay";
	if (view_has(mount_view, "source"))
		diagnose(view.diagnostics, view_where(mount_view, "source"),
			 "an overlay has layers, not a 'source'");
	mount->lowers = view_texts(&view, "lower");
	if (mount->lowers.count == 0)
		texts_add(&mount->lowers, mount->target, view.pool);
	if (mount->lowers.count > PLAN_MAX_LOWERS)
		diagnose(view.diagnostics, view_where(&view, "lower"), "more than %u layers",
			 PLAN_MAX_LOWERS);
	mount->work = view_text(&view, "work");
	struct text upper = view_text(&view, "upper");
	if (is(upper, "none")) {
		if (mount->work.text)
			diagnose(view.diagnostics, mount->work.where, "'work' without an 'upper'");
		return;
	}
	mount->upper = upper;
	if (is(upper, "slot")) {
		mount->flags |= PLAN_MOUNT_SLOT_LAYER;
		if (mount->work.text)
			diagnose(view.diagnostics, mount->work.where,
				 "'work' with 'upper: slot': its place is keelson's");
		return;
	}
	if (!is(upper, "tmpfs") && (upper.text[0] != '/' || strstr(upper.text, "..")))
		diagnose(view.diagnostics, upper.where,
			 "'upper' must be slot, tmpfs, an absolute path or none, not '%s'",
			 upper.text);
}

static void read_flags(const struct view *view, struct spec_mount *mount)
{
	static const struct {
		const char *key;
		uint32_t flag;
		bool needs_device;
	} flags[] = {
		{"grow", PLAN_MOUNT_GROW, true},
		{"check", PLAN_MOUNT_CHECK, true},
		{"optional", PLAN_MOUNT_OPTIONAL, false},
		{"recursive", PLAN_MOUNT_RECURSIVE, false},
	};
	bool device = mount->source_kind == PLAN_SOURCE_DEVICE ||
		      mount->source_kind == PLAN_SOURCE_PARTITION;

	if (is(view_text(view, "make"), "if-empty"))
		mount->flags |= PLAN_MOUNT_MAKE;
	if (mount->flags & PLAN_MOUNT_MAKE && !device)
		diagnose(view->diagnostics, view_where(view, "make"),
			 "'make' needs a 'source' that is a device or a partition");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!view_boolean(view, flags[i].key))
			continue;
		mount->flags |= flags[i].flag;
		if (flags[i].needs_device && !device)
			diagnose(view->diagnostics, view_where(view, flags[i].key),
				 "'%s' needs a 'source' that is a device or a partition",
				 flags[i].key);
	}
	if (mount->flags & PLAN_MOUNT_RECURSIVE && mount->source_kind != PLAN_SOURCE_BIND)
		diagnose(view->diagnostics, view_where(view, "recursive"),
			 "'recursive' is for bind mounts");
}

static void read_mount(const struct view *view, struct spec_mount *mount)
{
	struct mount_options options;

	mount->type = view_text(view, "type");
	mount->source = view_text(view, "source");
	mount->propagation = view_text(view, "propagation");
	mount->options = view_texts(view, "options");
	if (view_has(view, "overlay"))
		read_overlay(view, mount);
	else
		read_source(view, mount);
	read_flags(view, mount);
	if (!mount->type.text) {
		if (!view_has(view, "type"))
			diagnose(view->diagnostics, view->where,
				 "a mount without 'type' or 'overlay'");
		return;
	}
	mount_options_read(&mount->options, mount->type.text, view->pool, view->diagnostics,
			   &options);
	if (options.pairs.count > PLAN_MAX_OPTIONS)
		diagnose(view->diagnostics, view_where(view, "options"), "too many options");
}

/* A slot's layer has to be there again at the next boot: on a disk, whichever slot that boots. */
static void tell_homeless_layer(const struct spec *spec, const struct spec_mount *layer,
				struct diagnostics *diagnostics)
{
	const struct spec_mount *home = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct spec_mount *mount = &spec->mounts[i];
		size_t length = strlen(mount->target.text);

		if (length < longest || strncmp(SLOT_LAYER_BASE, mount->target.text, length) != 0 ||
		    (SLOT_LAYER_BASE[length] != '/' && SLOT_LAYER_BASE[length] != '\0'))
			continue;
		longest = length;
		home = mount;
	}
	if (!home ||
	    (home->source_kind != PLAN_SOURCE_DEVICE && home->source_kind != PLAN_SOURCE_PARTITION))
		diagnose(diagnostics, layer->upper.where,
			 "'upper: slot' is kept in " SLOT_LAYER_BASE ": that needs a partition or "
			 "device mounted there or above, such as /var");
	else if (home->flags & PLAN_MOUNT_OPTIONAL && !(layer->flags & PLAN_MOUNT_OPTIONAL))
		diagnose(diagnostics, layer->upper.where,
			 "'upper: slot' is kept on %s, which is optional: this mount must be, too",
			 home->target.text);
}

void spec_read_mounts(const struct view *root, struct spec *spec)
{
	const struct node *map = view_node(root, "mounts");
	const struct schema *schema = schema_find(root->schema, "mounts")->schema->value;

	for (size_t i = 0; map && i < map->count; i++) {
		const struct node_entry *entry = &map->entries[i];
		struct view view = {entry->value, schema, entry->where, root->pool,
				    root->diagnostics};
		if (entry->value->bad)
			continue;
		struct spec_mount mount = {.target = {entry->key, entry->where},
					   .where = entry->where};
		read_mount(&view, &mount);
		POOL_GROW(spec->pool, spec->mounts, spec->mount_count);
		spec->mounts[spec->mount_count++] = mount;
	}
	for (size_t i = 0; i < spec->mount_count; i++)
		if (spec->mounts[i].flags & PLAN_MOUNT_SLOT_LAYER)
			tell_homeless_layer(spec, &spec->mounts[i], root->diagnostics);
}

/* Is `path` the directory `above` or below it? */
static bool lies_on(const char *path, const char *above)
{
	size_t length = strlen(above);

	if (!path || path[0] != '/')
		return false;
	if (strcmp(above, "/") == 0)
		return true;
	return strncmp(path, above, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Must `earlier` be mounted before `mount` can be? */
static bool comes_before(const struct spec_mount *earlier, const struct spec_mount *mount)
{
	const char *above = earlier->target.text;

	/* A mount that covers its own source, as an overlay of /etc on /etc does, is no circle. */
	if (strcmp(mount->target.text, above) == 0)
		return false;
	if (lies_on(mount->target.text, above))
		return true;
	if (lies_on(above, mount->target.text))
		return false;
	if (mount->source_kind == PLAN_SOURCE_BIND && lies_on(mount->source.text, above))
		return true;
	for (size_t i = 0; i < mount->lowers.count; i++)
		if (lies_on(mount->lowers.list[i].text, above))
			return true;
	const char *upper = mount->flags & PLAN_MOUNT_SLOT_LAYER ? SLOT_LAYER_BASE
			    : is(mount->upper, "tmpfs")          ? "/run/keelson"
								 : mount->upper.text;
	return lies_on(upper, above) || lies_on(mount->work.text, above);
}

void spec_order_mounts(struct spec *spec, struct diagnostics *diagnostics)
{
	size_t count = spec->mount_count, placed = 0;

	if (!count)
		return;
	struct spec_mount *ordered = pool_alloc(spec->pool, count * sizeof(*ordered));
	bool *done = pool_alloc(spec->pool, count);

	while (placed < count) {
		size_t next = count;
		for (size_t i = 0; i < count && next == count; i++) {
			bool waits = done[i];
			for (size_t j = 0; j < count && !waits; j++)
				waits = j != i && !done[j] &&
					comes_before(&spec->mounts[j], &spec->mounts[i]);
			if (!waits)
				next = i;
		}
		if (next == count) {
			for (next = 0; done[next];)
				next++;
			diagnose(diagnostics, spec->mounts[next].where,
				 "'%s' and another mount lie on each other",
				 spec->mounts[next].target.text);
			return;
		}
		ordered[placed++] = spec->mounts[next];
		done[next] = true;
	}
	spec->mounts = ordered;
}

/* ---- paths ---- */

static bool read_path_kind(const struct view *view, struct spec_path *path)
{
	static const struct {
		const char *key;
		enum plan_path_kind kind;
	} kinds[] = {
		{"directory", PLAN_PATH_DIRECTORY},
		{"content", PLAN_PATH_FILE},
		{"link", PLAN_PATH_SYMLINK},
		{"copy", PLAN_PATH_COPY},
	};
	int count = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!view_has(view, kinds[i].key))
			continue;
		count++;
		path->kind = kinds[i].kind;
		if (path->kind != PLAN_PATH_DIRECTORY)
			path->content = view_text(view, kinds[i].key);
		else if (!view_boolean(view, "directory"))
			diagnose(view->diagnostics, view_where(view, "directory"),
				 "'directory' can only be true");
	}
	if (count == 1)
		return path->kind == PLAN_PATH_DIRECTORY || path->content.text;
	diagnose(view->diagnostics, view->where,
		 "a path has %s of 'directory', 'content', 'link', 'copy': it needs one",
		 count ? "several" : "none");
	return false;
}

void spec_read_paths(const struct view *root, struct spec *spec)
{
	const struct node *list = view_node(root, "paths");
	const struct schema *schema = schema_find(root->schema, "paths")->schema->element;

	for (size_t i = 0; list && i < list->count; i++) {
		const struct node *entry = list->entries[i].value;
		struct view view = {entry, schema, entry->where, root->pool, root->diagnostics};
		struct spec_path path = {.where = entry->where};
		if (entry->bad)
			continue;
		view_require(&view);
		path.path = view_text(&view, "path");
		if (!read_path_kind(&view, &path) || !path.path.text)
			continue;
		if (view_node(&view, "mode"))
			path.mode = view_mode(&view, "mode");
		else
			path.mode = path.kind == PLAN_PATH_DIRECTORY ? 0755 : 0644;
		path.uid = (uint32_t)view_integer(&view, "user");
		path.gid = (uint32_t)view_integer(&view, "group");
		POOL_GROW(spec->pool, spec->paths, spec->path_count);
		spec->paths[spec->path_count++] = path;
	}
}

/* ---- sysctls ---- */

/*
 * sysctl(8): whichever of '.' and '/' comes first separates; the other is part of a name, as in
 * net/ipv4/conf/eth0.1/forwarding.
 */
const char *spec_sysctl_path(const char *name, struct pool *pool)
{
	char *path = pool_printf(pool, "/proc/sys/%s", name);
	char *at = path + strlen("/proc/sys/");

	if (at[strcspn(at, "./")] == '.')
		for (; *at; at++)
			*at = *at == '.' ? '/' : *at == '/' ? '.' : *at;
	return path;
}

static bool same_sysctl(const char *a, const char *b)
{
	/* The same separator, or each has the other's wherever there is one. */
	bool swapped = a[strcspn(a, "./")] != b[strcspn(b, "./")];

	for (; *a && *b; a++, b++) {
		char letter = swapped && *b == '.' ? '/' : swapped && *b == '/' ? '.' : *b;
		if (*a != letter)
			return false;
	}
	return *a == *b;
}

/* Two names of one parameter are two keys to YAML; which value holds would be a matter of luck. */
static void tell_same_sysctl(const struct spec *spec, const struct spec_setting *setting,
			     struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < spec->sysctl_count; i++)
		if (same_sysctl(spec->sysctls[i].name.text, setting->name.text))
			diagnose(diagnostics, setting->name.where,
				 "'%s' and '%s' are the same parameter", setting->name.text,
				 spec->sysctls[i].name.text);
}

void spec_read_sysctls(const struct view *root, struct spec *spec)
{
	const struct node *map = view_node(root, "sysctl");
	const struct schema *schema = schema_find(root->schema, "sysctl")->schema->value;

	for (size_t i = 0; map && i < map->count; i++) {
		const struct node_entry *entry = &map->entries[i];
		const struct node *value = entry->value;
		struct spec_setting setting = {.name = {entry->key, entry->where}};
		if (value->bad)
			continue;
		if (value->kind == NODE_MAP) {
			struct view view = {value, schema, value->where, root->pool,
					    root->diagnostics};
			view_require(&view);
			setting.value = view_text(&view, "value").text;
			setting.optional = view_boolean(&view, "optional");
		} else {
			setting.value = value->text;
		}
		if (!setting.value)
			continue;
		tell_same_sysctl(spec, &setting, root->diagnostics);
		POOL_GROW(spec->pool, spec->sysctls, spec->sysctl_count);
		spec->sysctls[spec->sysctl_count++] = setting;
	}
}
