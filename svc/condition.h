/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a service has anything to do on this machine. What is true of the machine is read once
 * (condition_read.c); a path is looked up each time, as it may appear. The judging is pure.
 */
#ifndef KEELSON_CONDITION_H
#define KEELSON_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"

#define CONDITION_CMDLINE_BYTES 4096u /* COMMAND_LINE_SIZE is 2048 on x86-64 and arm64 */

struct condition_facts {
	char cmdline[CONDITION_CMDLINE_BYTES]; /* of the kernel, NUL-terminated */
	char machine[65];                      /* of uname(2) */
	char virtualization[16];               /* "kvm", "qemu", ...; "other"; "": a machine of
						  its own */
	bool container;
	bool first_boot; /* the state was made in this boot */
};

/* Read what is true of this machine. What cannot be read is not true. */
void condition_read(struct condition_facts *facts, bool container, bool first_boot);

/*
 * 1: `path` exists (symbolic links are followed); 0: it does not; -EAGAIN: to know, a file system
 * would have to be waited for, which may be one that hangs: ask condition_path_exists_slowly(), in a
 * child. That one makes raw system calls only.
 */
int condition_path_exists(const char *path);
int condition_path_exists_slowly(const char *path);

/*
 * Pure: 1: `condition` holds, given the facts; 0: it does not; or the error of `path_exists`, which
 * answers for PLAN_CONDITION_PATH as condition_path_exists().
 */
int condition_holds(const struct plan *plan, const struct plan_condition *condition,
		    const struct condition_facts *facts, int (*path_exists)(const char *path));

/*
 * Pure: judge `list` from `*number` on. 1: all hold; else what the first said that does not, which
 * is number `*number`.
 */
int conditions_hold(const struct plan *plan, struct plan_list list,
		    const struct condition_facts *facts, int (*path_exists)(const char *path),
		    uint32_t *number);

/*
 * Pure: the hypervisor that CPUID's leaf 0x40000000 names by its 12 bytes ("KVMKVMKVM\0\0\0"), or
 * that a text of DMI names ("QEMU", "VMware, Inc."): NULL: not one that has a name here.
 */
const char *condition_hypervisor_by_signature(const char signature[12]);
const char *condition_hypervisor_by_dmi(const char *text);

#endif
