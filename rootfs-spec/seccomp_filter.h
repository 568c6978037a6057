/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy's rules as classic BPF, made by libseccomp for x86-64 kernels, whatever the builder's
 * machine is: one program that judges the calls of x86-64, i386 and x32 programs, because a call that
 * is denied to one kind of program only is not denied. Laid out as a binary tree, so that a call costs
 * a handful of instructions wherever it is (seccomp_attr_set(3), SCMP_FLTATR_CTL_OPTIMIZE).
 *
 * Each kind of program gets rules of its own, because an argument is not the same everywhere: an i386
 * program has 32 bits for it, so that a comparison with more is decided here; and it can hide the
 * arguments of some calls (call_arguments.h), as an x32 program can the upper half of a wide one. For
 * these the stricter of a rule and the default holds, whatever the arguments are.
 */
#ifndef KEELSON_SECCOMP_FILTER_H
#define KEELSON_SECCOMP_FILTER_H

#include "rootfs-spec/spec.h"

/*
 * Append the filter's instructions (struct sock_filter) to `program`; a policy without seccomp has
 * none. 0, -EINVAL with errors told, or another negative errno.
 */
int seccomp_filter_make(const struct spec_policy *policy, struct diagnostics *diagnostics,
			struct bytes *program);

/* What the filter answers where the rules say `answer`: in audit mode what would deny is logged. */
uint32_t seccomp_filter_answer(const struct spec_policy *policy, uint32_t answer);

#endif
