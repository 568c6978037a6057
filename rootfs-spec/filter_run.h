/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a filter does, found out on the builder's machine: its answer to a call, what a call costs at
 * worst, and which calls cost nothing, as the kernel answers them from a bitmap. For programs that
 * plan_filter_check() accepts and that compute nothing (libseccomp's do not, but for masks).
 */
#ifndef KEELSON_FILTER_RUN_H
#define KEELSON_FILTER_RUN_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SECCOMP_RET_*; an instruction that is not known here answers SECCOMP_RET_KILL_PROCESS. */
uint32_t filter_answer(const struct sock_filter *program, size_t count,
		       const struct seccomp_data *call);

/* The most instructions that any call runs through. */
uint32_t filter_worst(const struct sock_filter *program, size_t count);

/*
 * Does the kernel let the call through without running the filter? As seccomp_is_const_allow() of
 * kernel/seccomp.c (Linux 5.11 and newer) decides: the answer is to allow, and to get there nothing
 * but the number and the architecture is looked at.
 */
bool filter_is_constant_allow(const struct sock_filter *program, size_t count, uint32_t audit_arch,
			      uint32_t number);

#endif
