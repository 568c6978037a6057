/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the running kernel keeps things: its own type information (/sys/kernel/btf/vmlinux,
 * Documentation/bpf/btf.rst), searched for the offset of a member and the number of a function. The
 * bytes are taken as they come: whatever they are, nothing outside of them is read. Pure.
 */
#ifndef KEELSON_BTF_H
#define KEELSON_BTF_H

#include <stddef.h>
#include <stdint.h>

struct btf {
	const uint8_t *types;
	size_t types_bytes;
	const char *strings; /* the last byte is NUL */
	size_t strings_bytes;
};

/* `bytes`, which have to outlive `btf` and begin at a multiple of 4. 0, or -EBADMSG: it is none. */
int btf_open(struct btf *btf, const void *bytes, size_t size);

/*
 * The offset in bytes of `member` in the structure of that name, also when it is a member of one
 * without a name in it. 0; -ENOENT: there is none, or it begins within a byte; -EBADMSG.
 */
int btf_member(const struct btf *btf, const char *structure, const char *member, uint32_t *offset);

/* The number of the function's type. 0, -ENOENT, -EBADMSG. */
int btf_function(const struct btf *btf, const char *name, uint32_t *number);

#endif
