/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a policy's `devices` as a program of type BPF_PROG_TYPE_CGROUP_DEVICE: asked with the
 * kind of access, the type and the numbers whenever a process of the group opens or makes a device
 * node (bpf(2), Documentation/admin-guide/cgroup-v2.rst, "Device controller"). Returns 1 to allow.
 */
#ifndef KEELSON_DEVICE_PROGRAM_H
#define KEELSON_DEVICE_PROGRAM_H

#include "rootfs-spec/spec.h"

/* Append the instructions (struct bpf_insn) to `program`; none for a policy without such rules. */
void device_program_make(const struct spec_policy *policy, struct bytes *program);

#endif
