/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf(2), as far as it only looks at what learning left in the kernel (learn.h): what keelctl has of it.
 * Every function returns 0, a descriptor that is CLOEXEC and the caller's, or a negative errno: -EPERM
 * without CAP_BPF, CAP_PERFMON (or CAP_SYS_ADMIN).
 */
#ifndef KEELSON_BPF_READ_H
#define KEELSON_BPF_READ_H

#include <linux/bpf.h>
#include <stdint.h>

/* The call itself. `attributes` is zero where nothing is set: the kernel wants that. */
int bpf_call(enum bpf_cmd command, union bpf_attr *attributes);

/* How the call takes a pointer. */
static inline uint64_t bpf_address(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

int bpf_table_get(int table, const void *key, void *value);

/* What bpf_keep() named. */
int bpf_open_kept(const char *path);

/* How often the program behind a link was not run because it ran already on that CPU. */
int bpf_link_missed(int link, uint64_t *missed);

#endif
