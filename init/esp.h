/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replace the bootstrap on the EFI system partition by the kernel and the initramfs of the image that
 * runs, which was blessed: from the next boot on the loader starts what this boot got by a kexec.
 *
 * FAT knows no journal, and the power may fail at any write. So (rootfs-spec/boot_entry.h):
 *
 *     1. the entry before the present one is deleted, and every file that the present one does not name
 *     2. the new files are written under names of their own and flushed
 *     3. the present entry is written once more, as the previous one
 *     4. the new entry takes the present one's place by rename(2)
 *
 * each flushed before the next. At every moment keelson.conf is whole and names two files that are
 * whole: rename(2) on FAT changes where one directory entry begins, in one sector. The ESP has room for
 * two kernels; what does not fit is deleted again, and everything is as it was. The pair that was
 * replaced stays until the next time, for somebody at the loader's menu.
 *
 * A cut between 1 and 4 leaves a file that nothing names, which the next 1 deletes, or clusters that
 * belong to no file, which fsck.vfat(8) gives back.
 *
 * For programs, not for PID 1: it sleeps. The directory is the root of the mounted ESP.
 */
#ifndef KEELSON_ESP_H
#define KEELSON_ESP_H

#include <stdint.h>

struct esp_image {
	int root; /* directory: root of the image */
	const char *name;
	const char *version;
	const uint8_t *kernel_sha256;
	const uint8_t *initramfs_sha256;
};

enum esp_result {
	ESP_REPLACED = 0,
	ESP_ALREADY, /* the entry and its files are the image's */
	ESP_FOREIGN  /* there is no keelson.conf: somebody else's set-up, nothing was changed */
};

#define ESP_STEP_BYTES 96u

/*
 * An enum esp_result, or negative errno with `step`: then the old entry and its files are what they
 * were.
 */
int esp_replace(int fd, const struct esp_image *image, char step[ESP_STEP_BYTES]);

/* Called before every change of the ESP, if it is set: for tests of what a cut leaves. */
extern void (*esp_before_change)(void);

#endif
