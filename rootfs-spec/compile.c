/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs-spec/check_root.h"
#include "rootfs-spec/compile.h"
#include "rootfs-spec/modules.h"
#include "rootfs-spec/mount_options.h"
#include "rootfs-spec/plan_write.h"
#include "rootfs-spec/seccomp_filter.h"
#include "rootfs-spec/sha256.h"

struct compiler {
	const struct spec *spec;
	struct pool *pool;
	struct diagnostics *diagnostics;
	struct plan_writer *writer;
	uint32_t *place; /* of each service of the spec: its index in the plan */
};

static plan_str put(struct compiler *compiler, const char *text)
{
	return plan_write_string(compiler->writer, text);
}

static struct plan_list put_texts(struct compiler *compiler, const struct texts *texts)
{
	const char **strings = pool_alloc(compiler->pool, (texts->count + 1) * sizeof(*strings));

	for (size_t i = 0; i < texts->count; i++)
		strings[i] = texts->list[i].text;
	return plan_write_strings(compiler->writer, strings, texts->count);
}

/* ---- modules ---- */

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

static int put_modules(struct compiler *compiler, const char *root)
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
			.path = put(compiler,
				    pool_printf(compiler->pool, "/%s/%s", below, list.paths[i])),
			.parameters = put(compiler, compile_module_parameters(kernel->modules,
									      kernel->module_count,
									      list.paths[i])),
		};
		plan_write_module(compiler->writer, &module);
	}
	modules_free(&list);
	return 0;
}

/* ---- mounts, paths, sysctls ---- */

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

	mount->lowers = put_texts(compiler, &from->lowers);
	if (!upper)
		return;
	if (strcmp(upper, "tmpfs") == 0)
		upper = pool_printf(compiler->pool, "/run/keelson/overlay/%s/upper",
				    escaped(from->target.text, compiler->pool));
	if (!work)
		work = pool_printf(compiler->pool, "%s.work", upper);
	mount->upper = put(compiler, upper);
	mount->work = put(compiler, work);
}

static void put_mount(struct compiler *compiler, const struct spec_mount *from)
{
	struct mount_options options;

	mount_options_read(&from->options, from->type.text, compiler->pool, compiler->diagnostics,
			   &options);
	struct plan_mount mount = {
		.target = put(compiler, from->target.text),
		.type = put(compiler, from->type.text),
		.source = put(compiler, from->source.text),
		.source_kind = from->source_kind,
		.attributes = options.attributes,
		.mount_flags = options.mount_flags,
		.propagation = mount_propagation_flags(from->propagation.text),
		.options = put_texts(compiler, &options.pairs),
		.data = put(compiler, options.data),
		.flags = from->flags,
	};
	if (from->source_kind == PLAN_SOURCE_OVERLAY)
		put_layers(compiler, from, &mount);
	plan_write_mount(compiler->writer, &mount);
}

static void put_path(struct compiler *compiler, const struct spec_path *from)
{
	struct plan_path path = {
		.path = put(compiler, from->path.text),
		.content = put(compiler, from->content.text),
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

/* The spec's paths, and the directories that log files are in. */
static void put_paths(struct compiler *compiler)
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

/*
 * sysctl(8): whichever of '.' and '/' comes first separates; the other is part of a name, as in
 * net/ipv4/conf/eth0.1/forwarding.
 */
static const char *sysctl_path(const char *name, struct pool *pool)
{
	char *path = pool_printf(pool, "/proc/sys/%s", name);
	char *at = path + strlen("/proc/sys/");

	if (at[strcspn(at, "./")] == '.')
		for (; *at; at++)
			*at = *at == '.' ? '/' : *at == '/' ? '.' : *at;
	return path;
}

static struct plan_list put_settings(struct compiler *compiler, const struct spec_setting *settings,
				     size_t count, bool sysctl)
{
	struct plan_list list = {0};

	for (size_t i = 0; i < count; i++) {
		const char *name = settings[i].name.text;
		struct plan_setting setting = {
			.path = put(compiler, sysctl ? sysctl_path(name, compiler->pool) : name),
			.value = put(compiler, settings[i].value),
			.flags = settings[i].optional ? PLAN_SETTING_OPTIONAL : 0,
		};
		uint32_t index = plan_write_setting(compiler->writer, &setting);
		if (i == 0)
			list = (struct plan_list){index, (uint32_t)count};
	}
	return list;
}

/* ---- policies ---- */

static int put_policy(struct compiler *compiler, const struct spec_policy *from)
{
	struct bytes program = {0};
	int error = seccomp_filter_make(from, compiler->diagnostics, &program);

	if (!error) {
		struct plan_policy policy = {
			.name = put(compiler, from->name.text),
			.flags = (from->capabilities ? PLAN_POLICY_CAPS : 0) |
				 (from->no_new_privs ? PLAN_POLICY_NO_NEW_PRIVS : 0),
			.cap_bounding = from->bounding,
			.cap_inheritable = from->ambient,
			.cap_permitted = from->bounding,
			.cap_ambient = from->ambient,
			.securebits = from->securebits,
			.seccomp = plan_write_blob(compiler->writer, program.data, program.size),
		};
		plan_write_policy(compiler->writer, &policy);
	}
	if (error && error != -EINVAL)
		diagnose(compiler->diagnostics, from->where, "the filter of '%s': %s",
			 from->name.text, strerror(-error));
	bytes_free(&program);
	return error;
}

static uint32_t policy_index(const struct spec *spec, const char *name)
{
	for (uint32_t i = 0; name && i < spec->policy_count; i++)
		if (strcmp(spec->policies[i].name.text, name) == 0)
			return i;
	return PLAN_NONE;
}

/* ---- services ---- */

static struct plan_list put_limits(struct compiler *compiler, const struct spec_service *from)
{
	struct plan_list list = {0};

	for (size_t i = 0; i < from->limit_count; i++) {
		struct plan_limit limit = {.resource = from->limits[i].resource,
					   .soft = from->limits[i].soft,
					   .hard = from->limits[i].hard};
		uint32_t index = plan_write_limit(compiler->writer, &limit);
		if (i == 0)
			list = (struct plan_list){index, (uint32_t)from->limit_count};
	}
	return list;
}

static struct plan_list put_probes(struct compiler *compiler, const struct spec_service *from)
{
	struct plan_list list = {0};

	for (size_t i = 0; i < from->probe_count; i++) {
		struct plan_probe probe = {.kind = from->probes[i].kind,
					   .port = from->probes[i].port,
					   .target = put(compiler, from->probes[i].target.text),
					   .interval_ns = from->probes[i].interval_ns};
		uint32_t index = plan_write_probe(compiler->writer, &probe);
		if (i == 0)
			list = (struct plan_list){index, (uint32_t)from->probe_count};
	}
	return list;
}

static void put_service(struct compiler *compiler, const struct spec_service *from)
{
	struct plan_service service = {
		.name = put(compiler, from->name.text),
		.kind = from->kind,
		.flags = from->flags,
		.restart = from->restart,
		.kill = from->kill,
		.output = from->output,
		.output_path = put(compiler, from->output_path.text),
		.stop_signal = from->stop_signal,
		.log_max_bytes = from->log_max_bytes,
		.log_keep = from->log_keep,
		.policy = policy_index(compiler->spec, from->policy.text),
		.argv = put_texts(compiler, &from->exec),
		.environment = put_texts(compiler, &from->environment),
		.directory = put(compiler, from->directory.text),
		.cgroup = put(compiler, from->cgroup.text),
		.cgroup_settings = put_settings(compiler, from->cgroup_settings,
						from->cgroup_setting_count, false),
		.limits = put_limits(compiler, from),
		.probes = put_probes(compiler, from),
		.groups = plan_write_refs(compiler->writer, from->groups, from->group_count),
		.uid = from->uid,
		.gid = from->gid,
		.oom_score_adj = from->oom_score_adj,
		.nice = from->nice,
		.umask = from->umask,
		.burst = from->burst,
		.start_timeout_ns = from->start_timeout_ns,
		.stop_timeout_ns = from->stop_timeout_ns,
		.backoff_min_ns = from->backoff_min_ns,
		.backoff_max_ns = from->backoff_max_ns,
		.stable_ns = from->stable_ns,
	};
	plan_write_service(compiler->writer, &service);
}

static void put_services(struct compiler *compiler)
{
	const struct spec *spec = compiler->spec;

	compiler->place = pool_alloc(compiler->pool, (spec->service_count + 1) * sizeof(uint32_t));
	for (uint32_t i = 0; i < spec->service_count; i++) {
		compiler->place[spec->order[i]] = i;
		put_service(compiler, &spec->services[spec->order[i]]);
	}
	for (uint32_t i = 0; i < spec->service_count; i++)
		for (size_t j = 0; j < spec->services[i].edge_count; j++) {
			const struct spec_edge *edge = &spec->services[i].edges[j];
			plan_write_edge(compiler->writer, compiler->place[i],
					compiler->place[edge->service], edge->kind);
		}
}

/* ---- the system ---- */

static const char *controllers_text(const struct texts *controllers, struct pool *pool)
{
	const char *text = "";

	for (size_t i = 0; i < controllers->count; i++)
		text = pool_printf(pool, "%s%s+%s", text, i ? " " : "", controllers->list[i].text);
	return text;
}

static struct plan_list put_healthy(struct compiler *compiler)
{
	const struct spec *spec = compiler->spec;
	const struct texts *names = &spec->slots.healthy_services;
	uint32_t *indices = pool_alloc(compiler->pool, (names->count + 1) * sizeof(*indices));
	size_t count = 0;

	for (size_t i = 0; i < names->count; i++)
		for (uint32_t j = 0; j < spec->service_count; j++)
			if (strcmp(spec->services[j].name.text, names->list[i].text) == 0)
				indices[count++] = compiler->place[j];
	return plan_write_refs(compiler->writer, indices, count);
}

static void put_system(struct compiler *compiler)
{
	const struct spec *spec = compiler->spec;
	struct plan_system *system = plan_write_system(compiler->writer);

	system->name = put(compiler, spec->name.text);
	system->image_version = put(compiler, spec->version.text);
	system->hostname = put(compiler, spec->hostname.text);
	system->tries = spec->slots.tries;
	if (spec->rescue_console)
		system->flags |= PLAN_SYSTEM_RESCUE;
}

static void put_node(struct compiler *compiler)
{
	const struct spec *spec = compiler->spec;
	struct plan_system *system = plan_write_system(compiler->writer);

	if (spec->loopback)
		system->flags |= PLAN_SYSTEM_LOOPBACK;
	if (spec->machine_id)
		system->flags |= PLAN_SYSTEM_MACHINE_ID;
	system->sysctls = put_settings(compiler, spec->sysctls, spec->sysctl_count, true);
	system->healthy = put_healthy(compiler);
	system->healthy_for_ns = spec->slots.healthy_for_ns;
	system->healthy_deadline_ns = spec->slots.healthy_deadline_ns;
	system->logger = spec->logger == PLAN_NONE ? PLAN_NONE : compiler->place[spec->logger];
	system->pods_cgroup = put(compiler, spec->pods.cgroup.text);
	system->pods_grace_ns = spec->pods.grace_ns;
	system->controllers = put(compiler, controllers_text(&spec->controllers, compiler->pool));
	system->shutdown_timeout_ns = spec->shutdown_timeout_ns;
}

/* ---- plans ---- */

static void spec_digest(const struct spec *spec, uint8_t digest[SHA256_BYTES])
{
	struct bytes text = {0};

	spec_print(spec, false, &text);
	sha256_bytes(text.data, text.size, digest);
	bytes_free(&text);
}

static int finish(struct compiler *compiler, const uint8_t build_id[32], int error, void **bytes,
		  size_t *size)
{
	uint8_t digest[SHA256_BYTES];
	struct plan_fault fault = {0};

	if (!error && compiler->diagnostics->errors)
		error = -EINVAL;
	if (!error) {
		spec_digest(compiler->spec, digest);
		error = plan_write_finish(compiler->writer, build_id ? build_id : digest, bytes,
					  size, &fault);
		if (fault.reason)
			diagnose(compiler->diagnostics, (struct where){0},
				 "the plan is not valid: %s, record %u: %s",
				 plan_section_name(fault.section), fault.index, fault.reason);
		else if (error)
			diagnose(compiler->diagnostics, (struct where){0}, "the plan: %s",
				 strerror(-error));
	}
	plan_write_free(compiler->writer);
	return error;
}

int compile_node_plan(const struct spec *spec, const char *root, const uint8_t build_id[32],
		      struct diagnostics *diagnostics, void **bytes, size_t *size)
{
	struct compiler compiler = {.spec = spec,
				    .pool = spec->pool,
				    .diagnostics = diagnostics,
				    .writer = plan_write_new(PLAN_KIND_NODE)};

	if (!compiler.writer)
		return -ENOMEM;
	put_system(&compiler);
	int error = put_modules(&compiler, root);
	put_paths(&compiler);
	for (size_t i = 0; i < spec->mount_count; i++)
		put_mount(&compiler, &spec->mounts[i]);
	for (size_t i = 0; i < spec->policy_count && !error; i++)
		error = put_policy(&compiler, &spec->policies[i]);
	put_services(&compiler);
	put_node(&compiler);
	return finish(&compiler, build_id, error, bytes, size);
}

int compile_boot_plan(const struct spec *spec, const char *const *modules,
		      const char *const *parameters, size_t module_count, const char *const *keys,
		      size_t key_count, const uint8_t build_id[32], struct diagnostics *diagnostics,
		      void **bytes, size_t *size)
{
	struct compiler compiler = {.spec = spec,
				    .pool = spec->pool,
				    .diagnostics = diagnostics,
				    .writer = plan_write_new(PLAN_KIND_BOOT)};

	if (!compiler.writer)
		return -ENOMEM;
	put_system(&compiler);
	for (size_t i = 0; i < module_count; i++) {
		struct plan_module module = {.path = put(&compiler, modules[i]),
					     .parameters = put(&compiler,
							       parameters ? parameters[i] : NULL)};
		plan_write_module(compiler.writer, &module);
	}
	plan_write_system(compiler.writer)->keys = plan_write_strings(compiler.writer, keys,
								      key_count);
	return finish(&compiler, build_id, 0, bytes, size);
}
