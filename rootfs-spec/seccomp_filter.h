/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy's system calls as classic BPF, made by libseccomp: for the machine's architecture and
 * for every other one that its kernel runs (i386 and x32 beside x86-64), because a call that is
 * denied to one kind of program only is not denied. Denied calls answer EPERM and kill nobody.
 * Laid out as a binary tree, so that a call costs a handful of instructions wherever it is
 * (seccomp_attr_set(3), SCMP_FLTATR_CTL_OPTIMIZE).
 */
#ifndef KEELSON_SECCOMP_FILTER_H
#define KEELSON_SECCOMP_FILTER_H

#include "rootfs-spec/spec.h"

/*
 * Append the filter's instructions (struct sock_filter) to `program`; a policy without calls has
 * none. 0, -EINVAL with errors told, or another negative errno.
 */
int seccomp_filter_make(const struct spec_policy *policy, struct diagnostics *diagnostics,
			struct bytes *program);

#endif
