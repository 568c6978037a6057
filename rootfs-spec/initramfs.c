// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/initramfs.h"

#include "rootfs-spec/cpio.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/plan.h"
#include "rootfs-spec/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

/* Level 19 is the best that needs no more than 8 MiB of window, which the kernel always takes. */
#define ZSTD_LEVEL 19

static int add_file(struct cpio *cpio, const char *path, mode_t mode, const char *source)
{
	struct bytes content = {0};
	int error = file_read(source, &content);

	if (error == 0)
		cpio_file(cpio, path, mode, content.data, content.size);
	bytes_free(&content);
	return error;
}

static int compress(const struct bytes *plain, struct bytes *compressed)
{
	size_t bound = ZSTD_compressBound(plain->size);
	void *buffer = malloc(bound);
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t size = 0;

	if (buffer != NULL && context != NULL) {
		ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, ZSTD_LEVEL);
		ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
		size = ZSTD_compress2(context, buffer, bound, plain->data, plain->size);
	}
	ZSTD_freeCCtx(context);
	if (size == 0 || ZSTD_isError(size)) {
		free(buffer);
		return report_refusal("compress the initramfs: %s",
				      size == 0 ? "out of memory" : ZSTD_getErrorName(size));
	}
	bytes_add(compressed, buffer, size);
	free(buffer);
	return 0;
}

int initramfs_make(const struct initramfs *initramfs, struct bytes *compressed, size_t *plain_bytes)
{
	/* Mount points of early boot; /root is where the slot's root is mounted. */
	static const char *const directories[] = {
		"dev", "proc", "sys", "run", "root", "keelson", "keelson/keys", "keelson/modules"};
	struct cpio cpio = {0};
	int error;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		cpio_directory(&cpio, directories[i], 0755);
	/* The kernel opens it as standard input and output of /init (init/main.c). */
	cpio_character_device(&cpio, "dev/console", 0600, 5, 1);
	error = add_file(&cpio, "init", 0755, initramfs->init);
	cpio_file(&cpio, PLAN_BOOT_PATH + 1, 0644, initramfs->plan, initramfs->plan_bytes);
	for (size_t i = 0; i < initramfs->trust->count; i++) {
		const struct bytes *der = &initramfs->trust->list[i].der;
		char path[64];

		snprintf(path, sizeof(path), "%s/%zu.der", &PLAN_BOOT_KEYS[1], i);
		cpio_file(&cpio, path, 0644, der->data, der->size);
	}
	for (size_t i = 0; i < initramfs->module_count && error == 0; i++)
		error = add_file(&cpio, initramfs->modules[i].path + 1, 0644,
				 initramfs->modules[i].source);
	cpio_end(&cpio);
	*plain_bytes = cpio.archive.size;
	if (error == 0)
		error = compress(&cpio.archive, compressed);
	bytes_free(&cpio.archive);
	return error;
}
