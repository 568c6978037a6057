// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/build_job.h"

#include "rootfs-spec/boot_entry.h"
#include "rootfs-spec/cache.h"
#include "rootfs-spec/check_root.h"
#include "rootfs-spec/compile.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/packages.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/rootimage.h"
#include "rootfs-spec/sizes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST_TOLD 10

/* ---- the steps ---- */

static int load_spec(struct job *job)
{
	return spec_load(job->options->spec, job->options->profiles, job->pool, &job->spec,
			 job->diagnostics);
}

static int get_packages(struct job *job)
{
	return packages_get(&job->spec, job->options->spec, job->cache, job->options->update,
			    job->diagnostics, &job->packages);
}

/* The resolved spec, the packages, and every file of the root but plan and initramfs, which hold
 * this id. */
static void make_build_id(struct job *job)
{
	struct bytes text = {0};
	struct sha256 hash;

	bytes_text(&text, "keelson " KEELSON_VERSION "\n");
	spec_print(&job->spec, false, &text);
	for (size_t i = 0; i < job->packages.count; i++)
		bytes_printf(&text, "%s %s\n", job->packages.list[i].name,
			     job->packages.list[i].sha256);
	sha256_begin(&hash);
	sha256_add(&hash, text.data, text.size);
	tree_digest(&job->tree, &hash);
	sha256_end(&hash, job->build_id);
	bytes_free(&text);
}

static int compose_root(struct job *job)
{
	int error;

	build_add_keys(job);
	error = compose(&job->spec, &job->packages, &job->programs, job->diagnostics, &job->kernel,
			&job->tree);
	if (error < 0)
		return error;
	make_build_id(job);
	return 0;
}

static int write_root(struct job *job)
{
	job->root = pool_printf(job->pool, "%s/root", job->scratch);
	report_step("compose the root: %zu paths", job->tree.count);
	return compose_write(&job->tree, &job->kernel, job->root);
}

/* The plan goes into the root; what is checked is what will be packed. */
static int add_node_plan(struct job *job, uint8_t key[SHA256_BYTES])
{
	const char *path = pool_printf(job->pool, "%s" PLAN_NODE_PATH, job->root);
	const struct tree_entry *initramfs = tree_find(&job->tree, SLOT_INITRAMFS_PATH);
	struct sha256 hash;
	void *plan = NULL;
	size_t size = 0;
	int error = compile_node_plan(&job->spec, job->root, job->build_id, job->diagnostics, &plan,
				      &size);

	if (error < 0)
		return error;
	error = file_write(path, plan, size, 0644);
	if (error == 0)
		error = file_write(build_output_path(job, "node.plan"), plan, size, 0644);
	sha256_begin(&hash);
	sha256_add(&hash, job->build_id, SHA256_BYTES);
	sha256_add(&hash, plan, size);
	/* In the root as the plan is, and made after the id, as it is. */
	if (initramfs != NULL)
		sha256_add(&hash, initramfs->identity, strlen(initramfs->identity));
	sha256_end(&hash, key);
	free(plan);
	if (error == 0)
		error = check_root(&job->spec, job->root, job->diagnostics);
	return error < 0 || job->diagnostics->errors == 0 ? error : -EINVAL;
}

static int check_budget(struct job *job)
{
	const struct spec_image *image = &job->spec.image;
	static const char *const uncounted[] = {SLOT_KERNEL_PATH, SLOT_INITRAMFS_PATH};
	uint64_t bytes = job->verity.data_blocks * VERITY_BLOCK_BYTES;
	struct sizes largest = sizes_by_file(&job->tree);
	struct bytes table = {0};

	/* They are compressed already: they take in the image about what they take outside. */
	for (size_t i = 0; i < sizeof(uncounted) / sizeof(uncounted[0]); i++) {
		const struct tree_entry *entry = tree_find(&job->tree, uncounted[i]);

		if (entry != NULL)
			bytes -= entry->size_bytes < bytes ? entry->size_bytes : bytes;
	}
	if (image->budget_bytes == 0 || bytes <= image->budget_bytes)
		return 0;
	diagnose(job->diagnostics, image->budget_where,
		 "the root without kernel and initramfs takes %s, the budget is %s",
		 sizes_text(job->pool, bytes), sizes_text(job->pool, image->budget_bytes));
	sizes_print(&largest, "the largest files, before compression:", LARGEST_TOLD, job->pool,
		    &table);
	diagnose_hint(job->diagnostics, "%s", (char *)table.data);
	bytes_free(&table);
	return -EINVAL;
}

static int pack_root(struct job *job)
{
	uint8_t key[SHA256_BYTES];
	int error = add_node_plan(job, key);

	if (error == 0)
		error = rootimage_get(&job->spec.image, job->pool, job->cache, job->options->fresh,
				      job->root, job->build_id, key, &job->packed, &job->verity);
	if (error == 0)
		error = check_budget(job);
	if (error == 0)
		error = file_copy(pool_printf(job->pool, "%s/root.img", job->packed),
				  build_output_path(job, build_root_name(job)), 0644);
	if (error == 0)
		error = file_copy(pool_printf(job->pool, "%s/root.verity", job->packed),
				  build_output_path(job, "root.verity"), 0644);
	return error;
}

/* ---- from DIR.tmp to DIR ---- */

/* A directory that no build made is somebody's: it is not replaced. */
static int check_output(const char *output)
{
	struct pool pool = {0};
	bool ours = !file_exists(output) ||
		    file_exists(pool_printf(&pool, "%s/manifest.json", output)) ||
		    rmdir(output) == 0;

	pool_free(&pool);
	return ours ? 0
		    : report_refusal("%s exists and is no image of keelson's: give another "
				     "directory",
				     output);
}

static int publish(struct job *job)
{
	int error = file_replace_tree(job->output, job->options->output);

	if (error == 0)
		report_step("done: %s", job->options->output);
	return error;
}

static int open_directories(struct job *job)
{
	int error = check_output(job->options->output);

	if (error < 0)
		return error;
	job->output = pool_printf(job->pool, "%s.tmp", job->options->output);
	job->scratch = cache_scratch(job->pool, job->cache);
	if (job->scratch == NULL)
		return -EIO;
	error = file_remove_tree(job->output);
	return error < 0 ? error : file_make_directories(job->output);
}

static int run_job(struct job *job)
{
	int (*const steps[])(struct job *) = {load_spec,    open_directories, build_open_keys,
					      get_packages, compose_root,     build_initramfs,
					      write_root,   pack_root,        build_header,
					      build_disk,   build_reports,    build_sbom,
					      publish};
	int error = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && error == 0; i++)
		error = steps[i](job);
	if (job->scratch != NULL)
		file_remove_tree(job->scratch);
	if (error < 0 && job->output != NULL)
		file_remove_tree(job->output);
	return error;
}

int build(const struct build_options *options)
{
	struct pool pool = {0};
	struct diagnostics diagnostics = {.pool = &pool};
	struct job job = {.options = options,
			  .pool = &pool,
			  .diagnostics = &diagnostics,
			  .cache = cache_directory(&pool),
			  .tree = {.pool = &pool}};
	int error = -EIO;

	/* Modes in an image do not depend on who builds it. */
	umask(022);
	if (job.cache != NULL) {
		job.programs = (struct programs){.pool = &pool,
						 .cache = job.cache,
						 .directory = options->programs,
						 .given = options->given,
						 .given_count = options->given_count};
		error = run_job(&job);
	}
	diagnostics_print(&diagnostics, stderr, isatty(STDERR_FILENO) == 1);
	kernel_free(&job.kernel);
	certificate_free(&job.signer.certificate);
	trust_free(&job.trust);
	pool_free(&pool);
	return error;
}

int build_lock(const char *path, const char *profiles)
{
	struct pool pool = {0};
	struct diagnostics diagnostics = {.pool = &pool};
	const char *cache = cache_directory(&pool);
	const char *lock_path = packages_lock_path(&pool, path);
	struct package_set set = {0};
	struct bytes text = {0};
	struct spec spec;
	struct apt apt;
	int error = cache == NULL ? -EIO : spec_load(path, profiles, &pool, &spec, &diagnostics);

	if (error == 0)
		error = apt_open(&apt, &pool, cache);
	if (error == 0)
		error = packages_resolve(&spec, &apt, &diagnostics, &set);
	if (error == 0) {
		lock_format(&set, &text);
		error = file_write(lock_path, text.data, text.size, 0644);
	}
	if (error == 0)
		report_step("%s: %zu packages", lock_path, set.count);
	diagnostics_print(&diagnostics, stderr, isatty(STDERR_FILENO) == 1);
	bytes_free(&text);
	pool_free(&pool);
	return error;
}
