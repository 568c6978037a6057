// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/build_job.h"

#include "rootfs-spec/boot_entry.h"
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

const char *build_output_path(struct job *job, const char *name)
{
	return pool_printf(job->pool, "%s/%s", job->output, name);
}

const char *build_root_name(struct job *job)
{
	return pool_printf(job->pool, "root.%s", job->spec.image.format.text);
}

static const char *trusted_name(struct job *job, size_t index)
{
	return pool_printf(job->pool, "trusted-%zu.der", index);
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
		memcpy(facts.kernel_sha256, job->kernel.sha256, sizeof(facts.kernel_sha256));
		error = file_copy(kernel->source, build_output_path(job, "vmlinuz"), 0644);
	}
	if (error == 0)
		error = header_make(&facts, &job->signer, &partition);
	if (error == 0) {
		memcpy(&job->header, partition.data, sizeof(job->header));
		error = write_output(job, "header.bin", &partition);
	}
	if (error == 0)
		error = write_output(job, "key.der", &job->signer.certificate.der);
	for (size_t i = 0; i < job->trust.count && error == 0; i++)
		error = write_output(job, trusted_name(job, i), &job->trust.list[i].der);
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

/* `files` of the spec may have put another kernel in the place of the package's. */
static int digest_kernel(struct job *job, struct boot_facts *facts)
{
	const struct tree_entry *kernel = tree_find(&job->tree, SLOT_KERNEL_PATH);
	int error;

	if (kernel == NULL)
		return 0;
	error = sha256_file(kernel->source, job->kernel.sha256);
	if (error < 0)
		return report_errno(-error, "read %s", kernel->source);
	facts->kernel_release = job->kernel.release;
	facts->kernel_cmdline = job->kernel.cmdline;
	facts->kernel_sha256 = job->kernel.sha256;
	return 0;
}

/* A node that runs under another image's kernel starts its own with it (init/kexec.h). */
static int add_to_root(struct job *job)
{
	int error;

	if (job->kernel.release == NULL)
		return 0;
	error = tree_file(&job->tree, TREE_KEELSON, "keelson", SLOT_INITRAMFS_PATH, 0644,
			  build_output_path(job, "initramfs.zst"));
	return error < 0 ? error : tree_finish(&job->tree);
}

int build_initramfs(struct job *job)
{
	const char *keys[PLAN_MAX_KEYS];
	size_t count = job->kernel.storage.count;
	struct initramfs_file *files = pool_alloc(job->pool, (count + 1) * sizeof(*files));
	const char **paths = pool_alloc(job->pool, (count + 1) * sizeof(*paths));
	const char **parameters = pool_alloc(job->pool, (count + 1) * sizeof(*parameters));
	struct initramfs initramfs = {
		.modules = files, .module_count = count, .trust = &job->trust};
	struct boot_facts facts = {.modules = paths,
				   .parameters = parameters,
				   .module_count = count,
				   .keys = keys,
				   .key_count = job->trust.count};
	struct bytes archive = {0};
	void *plan = NULL;
	size_t plain_bytes;
	int error = digest_kernel(job, &facts);

	place_modules(job, files, paths, parameters);
	for (size_t i = 0; i < job->trust.count; i++)
		keys[i] = pool_printf(job->pool, PLAN_BOOT_KEYS "/%zu.der", i);
	if (error == 0)
		error = compile_boot_plan(&job->spec, &facts, job->build_id, job->diagnostics,
					  &plan, &initramfs.plan_bytes);
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
	if (error == 0)
		error = add_to_root(job);
	bytes_free(&archive);
	free(plan);
	return error;
}

int build_disk(struct job *job)
{
	const struct spec *spec = &job->spec;
	struct disk disk = {.path = build_output_path(job, "disk.img"),
			    .scratch = job->scratch,
			    .build_id = job->build_id,
			    .name = spec->name.text,
			    .version = spec->version.text,
			    .cmdline = job->kernel.cmdline,
			    .kernel_sha256 = job->kernel.sha256,
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
	struct manifest_file files[sizeof(names) / sizeof(names[0]) + 1 + PLAN_MAX_KEYS];
	struct manifest manifest = {.header = &job->header,
				    .kernel_release = job->kernel.release,
				    .kernel_cmdline = job->kernel.cmdline,
				    .packages = &job->packages,
				    .owners = owners,
				    .certificate = &job->signer.certificate,
				    .trust = &job->trust,
				    .is_signed = job->signer.key != NULL,
				    .is_release = job->release,
				    .files = files};
	struct bytes json = {0};
	int error;

	for (size_t i = 0; i <= count + job->trust.count; i++) {
		const char *name = i < count    ? names[i]
				   : i == count ? build_root_name(job)
						: trusted_name(job, i - count - 1);
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
