/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-spec/compile_parts.h"
#include "rootfs-spec/spec_parts.h"
#include "rootfs-spec/sha256.h"

plan_str compile_text(struct compiler *compiler, const char *text)
{
	return plan_write_string(compiler->writer, text);
}

struct plan_list compile_texts(struct compiler *compiler, const struct texts *texts)
{
	const char **strings = pool_alloc(compiler->pool, (texts->count + 1) * sizeof(*strings));

	for (size_t i = 0; i < texts->count; i++)
		strings[i] = texts->list[i].text;
	return plan_write_strings(compiler->writer, strings, texts->count);
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
	const struct texts *lists[] = {&spec->slots.healthy_services,
				       &spec->slots.healthy_commands};
	uint32_t *indices = pool_alloc(compiler->pool,
				       (lists[0]->count + lists[1]->count + 1) * sizeof(*indices));
	size_t count = 0;

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < lists[k]->count; i++) {
			uint32_t index = spec_find_service(spec, lists[k]->list[i].text);

			if (index != PLAN_NONE)
				indices[count++] = compiler->place[index];
		}
	return plan_write_refs(compiler->writer, indices, count);
}

static void put_system(struct compiler *compiler)
{
	const struct spec *spec = compiler->spec;
	struct plan_system *system = plan_write_system(compiler->writer);

	system->name = compile_text(compiler, spec->name.text);
	system->image_version = compile_text(compiler, spec->version.text);
	system->hostname = compile_text(compiler, spec->hostname.text);
	system->tries = spec->slots.tries;
	system->critical = spec->critical;
	if (spec->rescue_console)
		system->flags |= PLAN_SYSTEM_RESCUE;
}

/* The build put the certificates there: 0.der and so on. */
static struct plan_list put_keys(struct compiler *compiler, const char *root)
{
	const char *paths[PLAN_MAX_KEYS];
	size_t count = 0;

	while (root && count < PLAN_MAX_KEYS) {
		const char *path = pool_printf(compiler->pool, PLAN_NODE_KEYS "/%zu.der", count);

		if (access(pool_printf(compiler->pool, "%s%s", root, path), F_OK) < 0)
			break;
		paths[count++] = path;
	}
	return plan_write_strings(compiler->writer, paths, count);
}

static void put_node(struct compiler *compiler, const char *root)
{
	const struct spec *spec = compiler->spec;
	struct plan_system *system = plan_write_system(compiler->writer);

	if (spec->loopback)
		system->flags |= PLAN_SYSTEM_LOOPBACK;
	if (spec->machine_id)
		system->flags |= PLAN_SYSTEM_MACHINE_ID;
	system->keys = put_keys(compiler, root);
	system->sysctls = compile_settings(compiler, spec->sysctls, spec->sysctl_count, true);
	system->healthy = put_healthy(compiler);
	system->healthy_for_ns = spec->slots.healthy_for_ns;
	system->healthy_deadline_ns = spec->slots.healthy_deadline_ns;
	system->logger = spec->logger == PLAN_NONE ? PLAN_NONE : compiler->place[spec->logger];
	system->pods_cgroup = compile_text(compiler, spec->pods.cgroup.text);
	system->pods_grace_ns = spec->pods.grace_ns;
	system->controllers = compile_text(compiler,
					   controllers_text(&spec->controllers, compiler->pool));
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
	int error = compile_modules(&compiler, root);
	compile_paths(&compiler);
	compile_mounts(&compiler);
	if (!error)
		error = compile_policies(&compiler);
	compile_services(&compiler);
	put_node(&compiler, root);
	return finish(&compiler, build_id, error, bytes, size);
}

static void put_kernel(struct compiler *compiler, const struct boot_facts *facts)
{
	struct plan_system *system = plan_write_system(compiler->writer);

	if (facts->kernel_release == NULL)
		return;
	system->kernel_release = compile_text(compiler, facts->kernel_release);
	system->kernel_cmdline = compile_text(compiler, facts->kernel_cmdline);
	memcpy(system->kernel_sha256, facts->kernel_sha256, sizeof(system->kernel_sha256));
}

int compile_boot_plan(const struct spec *spec, const struct boot_facts *facts,
		      const uint8_t build_id[32], struct diagnostics *diagnostics, void **bytes,
		      size_t *size)
{
	const char *const *parameters = facts->parameters;
	struct compiler compiler = {.spec = spec,
				    .pool = spec->pool,
				    .diagnostics = diagnostics,
				    .writer = plan_write_new(PLAN_KIND_BOOT)};

	if (!compiler.writer)
		return -ENOMEM;
	put_system(&compiler);
	for (size_t i = 0; i < facts->module_count; i++) {
		struct plan_module module = {
			.path = compile_text(&compiler, facts->modules[i]),
			.parameters = compile_text(&compiler, parameters ? parameters[i] : NULL)};
		plan_write_module(compiler.writer, &module);
	}
	plan_write_system(compiler.writer)->keys = plan_write_strings(compiler.writer, facts->keys,
								      facts->key_count);
	put_kernel(&compiler, facts);
	return finish(&compiler, build_id, 0, bytes, size);
}
