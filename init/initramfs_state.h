/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of initramfs.h. initramfs.c is what every boot needs first and last, initramfs_disk.c finds
 * the disk and judges its slots, initramfs_root.c chooses one, burns its try and mounts its root.
 */
#ifndef KEELSON_INITRAMFS_STATE_H
#define KEELSON_INITRAMFS_STATE_H

#include "init/cmdline.h"
#include "init/handover.h"
#include "init/record.h"
#include "init/slot.h"
#include "mount/disk.h"
#include "mount/slot_verify.h"
#include "rootfs-spec/plan.h"

#define INITRAMFS_NEW_ROOT "/root"

/* All of it goes with the initramfs: exec gives the slot's PID 1 fresh memory. */
struct initramfs_boot {
	struct record *record; /* mapped memfd */
	int record_fd;
	struct cmdline words;
	struct plan plan;
	struct keyring keyring;
	int hash; /* AF_ALG socket */
	struct disk disk;
	struct disks_passed foreign; /* with slots that nobody trusted signed */
	struct slot_examination examinations[SLOT_COUNT];
	struct slot_view views[SLOT_COUNT];
	bool stuck;                    /* no slot is of any use in what is left of this boot */
	const struct handover *handed; /* which slot to go on with, NULL: choose one */
};

extern struct initramfs_boot boot;

/* The device of partition `number` of boot.disk, and its path. 0 or negative errno. */
int initramfs_partition(uint32_t number, struct device *device, char path[DEVICE_PATH_BYTES]);

#endif
