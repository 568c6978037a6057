/* SPDX-License-Identifier: Apache-2.0 */
/* What PID 1 prepares: mounts, paths, kernel parameters. */
#include <string.h>

#include "rootfs-spec/compile_parts.h"
#include "rootfs-spec/mount_options.h"
#include "rootfs-spec/slot_layer.h"

/* A name for a path that no other path has: '/' and '%' as in a URL. */
static const char *escaped(const char *path, struct pool *pool)
{
	char *text = pool_alloc(pool, 3 * strlen(path) + 1), *at = text;

	for (path++; *path; path++) {
		if (*path == '/' || *path == '%') {
			memcpy(at, *path == '/' ? "%2F" : "%25", 3);
			at += 3;
		} else {
			*at++ = *path;
		}
	}
	return text;
}

static void put_layers(struct compiler *compiler, const struct spec_mount *from,
		       struct plan_mount *mount)
{
	const char *upper = from->upper.text, *work = from->work.text;

	mount->lowers = compile_texts(compiler, &from->lowers);
	if (!upper)
		return;
	if (from->flags & PLAN_MOUNT_SLOT_LAYER)
		upper = work = pool_printf(compiler->pool, SLOT_LAYER_BASE "/%s",
					   escaped(from->target.text, compiler->pool));
	else if (strcmp(upper, "tmpfs") == 0)
		upper = pool_printf(compiler->pool, "/run/keelson/overlay/%s/upper",
				    escaped(from->target.text, compiler->pool));
	if (!work)
		work = pool_printf(compiler->pool, "%s.work", upper);
	mount->upper = compile_text(compiler, upper);
	mount->work = compile_text(compiler, work);
}

static void put_mount(struct compiler *compiler, const struct spec_mount *from)
{
	struct mount_options options;

	mount_options_read(&from->options, from->type.text, compiler->pool, compiler->diagnostics,
			   &options);
	struct plan_mount mount = {
		.target = compile_text(compiler, from->target.text),
		.type = compile_text(compiler, from->type.text),
		.source = compile_text(compiler, from->source.text),
		.source_kind = from->source_kind,
		.attributes = options.attributes,
		.mount_flags = options.mount_flags,
		.propagation = mount_propagation_flags(from->propagation.text),
		.options = compile_texts(compiler, &options.pairs),
		.data = compile_text(compiler, options.data),
		.flags = from->flags,
	};
	if (from->source_kind == PLAN_SOURCE_OVERLAY)
		put_layers(compiler, from, &mount);
	plan_write_mount(compiler->writer, &mount);
}

void compile_mounts(struct compiler *compiler)
{
	for (size_t i = 0; i < compiler->spec->mount_count; i++)
		put_mount(compiler, &compiler->spec->mounts[i]);
}

static void put_path(struct compiler *compiler, const struct spec_path *from)
{
	struct plan_path path = {
		.path = compile_text(compiler, from->path.text),
		.content = compile_text(compiler, from->content.text),
		.mode = from->mode,
		.uid = from->uid,
		.gid = from->gid,
		.kind = from->kind,
	};
	plan_write_path(compiler->writer, &path);
}

static bool has_path(const struct spec_path *paths, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(paths[i].path.text, path) == 0)
			return true;
	return false;
}

void compile_paths(struct compiler *compiler)
{
	const struct spec *spec = compiler->spec;
	struct spec_path *logs = NULL;
	size_t count = 0;

	for (size_t i = 0; i < spec->path_count; i++)
		put_path(compiler, &spec->paths[i]);
	for (size_t i = 0; i < spec->service_count; i++) {
		const struct spec_service *service = &spec->services[i];
		if (service->output != PLAN_OUTPUT_LOG)
			continue;
		const char *file = service->output_path.text;
		const char *directory = pool_copy(compiler->pool, file,
						  (size_t)(strrchr(file, '/') - file));
		if (!directory[0] || has_path(spec->paths, spec->path_count, directory) ||
		    has_path(logs, count, directory))
			continue;
		POOL_GROW(compiler->pool, logs, count);
		logs[count] = (struct spec_path){
			.path = {.text = directory}, .kind = PLAN_PATH_DIRECTORY, .mode = 0755};
		put_path(compiler, &logs[count++]);
	}
}

struct plan_list compile_settings(struct compiler *compiler, const struct spec_setting *settings,
				  size_t count, bool sysctl)
{
	struct plan_list list = {0};

	for (size_t i = 0; i < count; i++) {
		const char *name = settings[i].name.text;
		struct plan_setting setting = {
			.path = compile_text(
				compiler, sysctl ? spec_sysctl_path(name, compiler->pool) : name),
			.value = compile_text(compiler, settings[i].value),
			.flags = settings[i].optional ? PLAN_SETTING_OPTIONAL : 0,
		};
		uint32_t index = plan_write_setting(compiler->writer, &setting);
		if (i == 0)
			list = (struct plan_list){index, (uint32_t)count};
	}
	return list;
}
