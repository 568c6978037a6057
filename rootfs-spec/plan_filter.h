/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs that a plan holds for the kernel, verified before PID 1 hands them over: damaged
 * bytes refuse the plan, they do not fail a service later. Linear, no allocation.
 */
#ifndef KEELSON_PLAN_FILTER_H
#define KEELSON_PLAN_FILTER_H

#include <linux/bpf.h>
#include <linux/filter.h>
#include <stddef.h>

/*
 * A seccomp filter: what net/core/filter.c (bpf_check_classic) and kernel/seccomp.c
 * (seccomp_check_filter) accept, less the scratch memory, which no filter of a policy needs. Every
 * jump leads forwards and stays inside, every load is an aligned word of struct seccomp_data, the
 * last instruction returns, and each constant answer is one of seccomp(2). NULL, or what is wrong:
 * a constant text.
 */
const char *plan_filter_check(const struct sock_filter *program, size_t count);

/*
 * A device program of the compiler's form: loads of the three words of struct bpf_cgroup_dev_ctx,
 * moves, masks and shifts of registers 0 to 5, forward jumps, exit. The kernel's verifier looks at it
 * again; this only sees to it that what it looks at is what was written. NULL, or what is wrong.
 */
const char *plan_device_check(const struct bpf_insn *program, size_t count);

#endif
