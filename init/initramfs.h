/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first PID 1 of a boot, /init in the initramfs: find the disk, choose a slot, burn its try,
 * prove its root, go there. The phases run in the order of main.c, each once; each returns 0 or a
 * negative errno that it has logged.
 *
 * A slot whose root cannot be set up after it was chosen is excluded, and the choice is made again
 * among what is left: the burned try stays burned.
 */
#ifndef KEELSON_INIT_INITRAMFS_H
#define KEELSON_INIT_INITRAMFS_H

#include "svc/timeline.h"

/* The boot record's timeline, once there is one. */
extern struct timeline *initramfs_timeline;

int initramfs_kernel(void);
int initramfs_plan(void);
int initramfs_modules(void);
int initramfs_watchdog(void);
int initramfs_disk(void);
int initramfs_slots(void);
int initramfs_root(void);
int initramfs_switch(void); /* returns only when it failed */

/* A phase failed: a rescue shell if the boot plan has one, then reboot. */
_Noreturn void initramfs_failed(void);

#endif
