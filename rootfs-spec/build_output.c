// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/build_job.h"

#include "rootfs-spec/compile.h"
#include "rootfs-spec/disk.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/header.h"
#include "rootfs-spec/initramfs.h"
#include "rootfs-spec/manifest.h"
#include "rootfs-spec/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_TOLD 10
#define KEY_PATH INITRAMFS_KEYS "/image.der"

const char *build_output_path(struct job *job, const char *name)
{
	return pool_printf(job->pool, "%s/%s", job->output, name);
}

const char *build_root_name(struct job *job)
{
	return pool_printf(job->pool, "root.%s", job->spec.image.format.text);
}

static int write_output(struct job *job, const char *name, const struct bytes *content)
{
	return file_write(build_output_path(job, name), content->data, content->size, 0644);
}

int build_header(struct job *job)
{
	const struct tree_entry *kernel = tree_find(&job->tree, SLOT_KERNEL_PATH);
	struct header_facts facts = {.name = job->spec.name.text,
				     .version = job->spec.version.text,
				     .root_type = job->spec.image.format.text,
				     .security_epoch = job->spec.slots.epoch,
				     .build_id = job->build_id,
				     .tree = &job->verity};
	struct bytes partition = {0};
	int error = 0;

	if (kernel != NULL) {
		facts.kernel_bytes = kernel->size_bytes;
		error = sha256_file(kernel->source, facts.kernel_sha256);
		if (error < 0)
			return report_errno(-error, "read %s", kernel->source);
		error = file_copy(kernel->source, build_output_path(job, "vmlinuz"), 0644);
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

int build_initramfs(struct job *job)
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
		error = file_write(build_output_path(job, "boot.plan"), plan, initramfs.plan_bytes,
				   0644);
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

int build_disk(struct job *job)
{
	const struct spec *spec = &job->spec;
	struct disk disk = {.path = build_output_path(job, "disk.img"),
			    .scratch = job->scratch,
			    .build_id = job->build_id,
			    .name = spec->name.text,
			    .cmdline = command_line(job),
			    .root = build_output_path(job, build_root_name(job)),
			    .verity = build_output_path(job, "root.verity"),
			    .header = build_output_path(job, "header.bin"),
			    .initramfs = build_output_path(job, "initramfs.zst"),
			    .esp_bytes = spec->disk.esp_bytes,
			    .slot_bytes = spec->slots.size_bytes,
			    .state_bytes = spec->disk.state_bytes,
			    .tries = spec->slots.tries,
			    .fill_both = spec->slots.fill_both};

	if (job->kernel.release != NULL)
		disk.vmlinuz = build_output_path(job, "vmlinuz");
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
				    .kernel_cmdline = command_line(job),
				    .packages = &job->packages,
				    .owners = owners,
				    .files = files};
	struct bytes json = {0};
	int error;

	for (size_t i = 0; i <= count; i++) {
		const char *name = i < count ? names[i] : build_root_name(job);
		const char *path = build_output_path(job, name);

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

int build_reports(struct job *job)
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
