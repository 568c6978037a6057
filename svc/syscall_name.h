/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of system calls on the node, for people: from tables that are made of libseccomp's on the
 * builder's machine (syscall_table.c). Only keelctl holds them. Pure.
 */
#ifndef KEELSON_SYSCALL_NAME_H
#define KEELSON_SYSCALL_NAME_H

#include <stdint.h>

/*
 * The name of call `number` of `arch` (AUDIT_ARCH_* of linux/audit.h); on x86-64 the bit of x32 tells
 * those apart. NULL: there is none.
 */
const char *syscall_name(uint32_t arch, uint32_t number);

/* "x86-64", "i386", "x32", "aarch64", "arm", as a call of `number` belongs to; "?". */
const char *syscall_kind(uint32_t arch, uint32_t number);

#endif
