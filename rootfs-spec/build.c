// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/build.h"

#include "rootfs-spec/cache.h"
#include "rootfs-spec/check_root.h"
#include "rootfs-spec/compile.h"
#include "rootfs-spec/compose.h"
#include "rootfs-spec/disk.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/header.h"
#include "rootfs-spec/initramfs.h"
#include "rootfs-spec/manifest.h"
#include "rootfs-spec/packages.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/rootimage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST_TOLD 10
#define KEY_PATH INITRAMFS_KEYS "/image.der"

/* Everything one build knows; filled from top to bottom. */
struct job {
	const struct build_options *options;
	struct pool *pool;
	struct diagnostics *diagnostics;
	const char *cache;
	const char *scratch;
	const char *output; /* DIR.tmp */
	struct spec spec;
	struct package_set packages;
	struct kernel kernel;
	struct programs programs;
	struct tree tree;
	uint8_t build_id[SHA256_BYTES];
	const char *root;
	const char *packed; /* directory with root.img and root.verity */
	struct verity_tree verity;
	struct signer signer;
	struct slot_header header;
};

static const char *output_path(struct job *job, const char *name)
{
	return pool_printf(job->pool, "%s/%s", job->output, name);
}

static const char *root_name(struct job *job)
{
	return pool_printf(job->pool, "root.%s", job->spec.image.format.text);
}

static int write_output(struct job *job, const char *name, const struct bytes *content)
{
	return file_write(output_path(job, name), content->data, content->size, 0644);
}

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

/* The resolved spec, the packages, and every file of the root but the plan, which holds this id. */
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
	int error = compose_kernel(&job->spec, job->pool, &job->packages, job->diagnostics,
				   &job->kernel);

	/* Go on after an unknown storage module: there may be more to tell. */
	if (error < 0 && error != -EINVAL)
		return error;
	int second = compose(&job->spec, &job->packages, &job->kernel, &job->programs,
			     job->diagnostics, &job->tree);
	if (error == 0)
		error = second;
	if (error < 0)
		return error;
	make_build_id(job);
	job->root = pool_printf(job->pool, "%s/root", job->scratch);
	report_step("compose the root: %zu paths", job->tree.count);
	return compose_write(&job->tree, &job->kernel, job->root);
}

/* The plan goes into the root; what is checked is what will be packed. */
static int add_node_plan(struct job *job, uint8_t key[SHA256_BYTES])
{
	const char *path = pool_printf(job->pool, "%s" PLAN_NODE_PATH, job->root);
	struct sha256 hash;
	void *plan = NULL;
	size_t size = 0;
	int error = compile_node_plan(&job->spec, job->root, job->build_id, job->diagnostics, &plan,
				      &size);

	if (error < 0)
		return error;
	error = file_write(path, plan, size, 0644);
	if (error == 0)
		error = file_write(output_path(job, "node.plan"), plan, size, 0644);
	sha256_begin(&hash);
	sha256_add(&hash, job->build_id, SHA256_BYTES);
	sha256_add(&hash, plan, size);
	sha256_end(&hash, key);
	free(plan);
	if (error == 0)
		error = check_root(&job->spec, job->root, job->diagnostics);
	return error < 0 || job->diagnostics->errors == 0 ? error : -EINVAL;
}

static int check_budget(struct job *job)
{
	const struct spec_image *image = &job->spec.image;
	const struct tree_entry *kernel = tree_find(&job->tree, SLOT_KERNEL_PATH);
	uint64_t bytes = job->verity.data_blocks * VERITY_BLOCK_BYTES;
	struct sizes largest = sizes_by_file(&job->tree);
	struct bytes table = {0};

	/* A kernel is compressed already: it takes in the image about what it takes outside. */
	if (kernel != NULL)
		bytes -= kernel->size_bytes < bytes ? kernel->size_bytes : bytes;
	if (image->budget_bytes == 0 || bytes <= image->budget_bytes)
		return 0;
	diagnose(job->diagnostics, image->budget_where,
		 "the root without its kernel takes %s, the budget is %s",
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
				  output_path(job, root_name(job)), 0644);
	if (error == 0)
		error = file_copy(pool_printf(job->pool, "%s/root.verity", job->packed),
				  output_path(job, "root.verity"), 0644);
	return error;
}

static int make_header(struct job *job)
{
	const struct tree_entry *kernel = tree_find(&job->tree, SLOT_KERNEL_PATH);
	struct header_facts facts = {.name = job->spec.name.text,
				     .version = job->spec.version.text,
				     .root_type = job->spec.image.format.text,
				     .build_id = job->build_id,
				     .tree = &job->verity};
	struct bytes partition = {0};
	int error = 0;

	if (kernel != NULL) {
		facts.kernel_bytes = kernel->size_bytes;
		error = sha256_file(kernel->source, facts.kernel_sha256);
		if (error < 0)
			return report_errno(-error, "read %s", kernel->source);
		error = file_copy(kernel->source, output_path(job, "vmlinuz"), 0644);
	}
	if (error == 0)
		error = sign_open(&job->signer, job->pool, job->cache, job->options->key,
				  job->options->certificate);
	if (error == 0)
		error = header_make(&facts, &job->signer, &partition);
	if (error == 0) {
		memcpy(&job->header, partition.data, sizeof(job->header));
		error = write_output(job, "header.bin", &partition);
	}
	if (error == 0)
		error = write_output(job, "key.der", &job->signer.der);
	bytes_free(&partition);
	return error;
}

/* Names as the modules have them: "/keelson/modules/virtio_blk.ko". */
static void place_modules(struct job *job, struct initramfs_file *files, const char **paths,
			  const char **parameters)
{
	const struct module_list *storage = &job->kernel.storage;

	for (size_t i = 0; i < storage->count; i++) {
		const char *base = strrchr(storage->paths[i], '/');

		paths[i] = pool_printf(job->pool, INITRAMFS_MODULES "%s", base);
		parameters[i] = compile_module_parameters(job->spec.kernel.storage,
							  job->spec.kernel.storage_count,
							  storage->paths[i]);
		files[i].path = paths[i];
		files[i].source = pool_printf(job->pool, "%s/%s", job->kernel.modules,
					      storage->paths[i]);
	}
}

static int make_initramfs(struct job *job)
{
	static const char *const keys[] = {KEY_PATH};
	size_t count = job->kernel.storage.count;
	struct initramfs_file *files = pool_alloc(job->pool, (count + 1) * sizeof(*files));
	const char **paths = pool_alloc(job->pool, (count + 1) * sizeof(*paths));
	const char **parameters = pool_alloc(job->pool, (count + 1) * sizeof(*parameters));
	struct initramfs initramfs = {.modules = files,
				      .module_count = count,
				      .certificate = job->signer.der.data,
				      .certificate_bytes = job->signer.der.size,
				      .certificate_path = KEY_PATH};
	struct bytes archive = {0};
	void *plan = NULL;
	size_t plain_bytes;
	int error;

	place_modules(job, files, paths, parameters);
	error = compile_boot_plan(&job->spec, paths, parameters, count, keys, 1, job->build_id,
				  job->diagnostics, &plan, &initramfs.plan_bytes);
	initramfs.plan = plan;
	initramfs.init = programs_find(&job->programs, "keelson-init");
	if (error == 0 && initramfs.init == NULL)
		error = -ENOENT;
	if (error == 0)
		error = file_write(output_path(job, "boot.plan"), plan, initramfs.plan_bytes, 0644);
	if (error == 0)
		error = initramfs_make(&initramfs, &archive, &plain_bytes);
	if (error == 0)
		error = write_output(job, "initramfs.zst", &archive);
	if (error == 0)
		report_step("initramfs: %s, %s unpacked", sizes_text(job->pool, archive.size),
			    sizes_text(job->pool, plain_bytes));
	bytes_free(&archive);
	free(plan);
	return error;
}

static const char *command_line(struct job *job)
{
	struct bytes text = {0};
	const char *line;

	for (size_t i = 0; i < job->spec.kernel.cmdline.count; i++)
		bytes_printf(&text, "%s%s", i > 0 ? " " : "",
			     job->spec.kernel.cmdline.list[i].text);
	line = pool_strdup(job->pool, text.size > 0 ? (char *)text.data : "");
	bytes_free(&text);
	return line;
}

static int make_disk(struct job *job)
{
	const struct spec *spec = &job->spec;
	struct disk disk = {.path = output_path(job, "disk.img"),
			    .scratch = job->scratch,
			    .build_id = job->build_id,
			    .name = spec->name.text,
			    .cmdline = command_line(job),
			    .root = output_path(job, root_name(job)),
			    .verity = output_path(job, "root.verity"),
			    .header = output_path(job, "header.bin"),
			    .initramfs = output_path(job, "initramfs.zst"),
			    .esp_bytes = spec->disk.esp_bytes,
			    .slot_bytes = spec->slots.size_bytes,
			    .state_bytes = spec->disk.state_bytes,
			    .tries = spec->slots.tries};

	if (job->kernel.release != NULL)
		disk.vmlinuz = output_path(job, "vmlinuz");
	report_step("make the disk");
	return disk_make(&disk, job->pool);
}

static int write_manifest(struct job *job, const struct sizes *owners)
{
	static const char *const names[] = {"boot.plan", "header.bin",  "initramfs.zst", "key.der",
					    "node.plan", "root.verity", "vmlinuz"};
	const size_t count = sizeof(names) / sizeof(names[0]);
	struct manifest_file files[sizeof(names) / sizeof(names[0]) + 1];
	struct manifest manifest = {.header = &job->header,
				    .kernel_release = job->kernel.release,
				    .packages = &job->packages,
				    .owners = owners,
				    .files = files};
	struct bytes json = {0};
	int error;

	for (size_t i = 0; i <= count; i++) {
		const char *name = i < count ? names[i] : root_name(job);
		const char *path = output_path(job, name);

		if (file_exists(path))
			files[manifest.file_count++] = (struct manifest_file){.name = name,
									      .path = path};
	}
	error = manifest_print(&manifest, &json);
	if (error == 0)
		error = write_output(job, "manifest.json", &json);
	bytes_free(&json);
	return error;
}

static int write_reports(struct job *job)
{
	struct sizes owners = sizes_by_owner(&job->tree);
	struct sizes directories = sizes_by_directory(&job->tree);
	struct sizes files = sizes_by_file(&job->tree);
	struct bytes text = {0};
	int error;

	bytes_printf(&text, "%s %s: %s as %s, %s of files\n\n", job->spec.name.text,
		     job->spec.version.text,
		     sizes_text(job->pool, job->verity.data_blocks * VERITY_BLOCK_BYTES),
		     job->spec.image.format.text, sizes_text(job->pool, owners.bytes));
	sizes_print(&owners, "by package", 0, job->pool, &text);
	bytes_text(&text, "\n");
	sizes_print(&directories, "by directory", 0, job->pool, &text);
	bytes_text(&text, "\n");
	sizes_print(&files, "the largest files", LARGEST_TOLD, job->pool, &text);
	error = write_output(job, "size.txt", &text);
	if (error == 0)
		fwrite(text.data, 1, text.size, stdout);
	bytes_free(&text);
	return error < 0 ? error : write_manifest(job, &owners);
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
	int (*const steps[])(struct job *) = {load_spec,      open_directories, get_packages,
					      compose_root,   pack_root,        make_header,
					      make_initramfs, make_disk,        write_reports,
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
	modules_free(&job.kernel.storage);
	bytes_free(&job.signer.der);
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
