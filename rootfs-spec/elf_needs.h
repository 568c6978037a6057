/* SPDX-License-Identifier: Apache-2.0 */
/* What an ELF program needs to start (elf(5)), read without running it. 64-bit, little-endian. */
#ifndef KEELSON_ELF_NEEDS_H
#define KEELSON_ELF_NEEDS_H

#include <stddef.h>

#include "rootfs-spec/pool.h"

struct elf {
	const char *interpreter; /* PT_INTERP; NULL for a static program or a library */
	const char **needed;     /* DT_NEEDED */
	size_t needed_count;
	const char *runpath; /* DT_RUNPATH or DT_RPATH; NULL: none */
	const char *script;  /* the interpreter of a "#!" script */
};

/*
 * Read the file open as `fd` into `elf`, whose texts are from `pool`. 0; -ENOEXEC when it is no ELF
 * file (`script` is set if it is a script) or a damaged one; or the errno of reading it.
 */
int elf_read(int fd, struct pool *pool, struct elf *elf);

#endif
