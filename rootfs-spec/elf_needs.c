/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-spec/elf_needs.h"

#define MAX_HEADERS 64u
#define MAX_TEXT 4096u
#define MAX_ENTRIES 4096u

static int read_at(int fd, void *to, size_t size, uint64_t offset)
{
	if (offset > INT64_MAX)
		return -ENOEXEC;
	ssize_t got = pread(fd, to, size, (off_t)offset);
	if (got < 0)
		return -errno;
	return (size_t)got == size ? 0 : -ENOEXEC;
}

/* A NUL-terminated text at an offset of the file; NULL when there is none. */
static const char *read_text(int fd, struct pool *pool, uint64_t offset)
{
	char text[MAX_TEXT];

	if (offset > INT64_MAX)
		return NULL;
	ssize_t got = pread(fd, text, sizeof(text), (off_t)offset);
	if (got <= 0 || !memchr(text, '\0', (size_t)got))
		return NULL;
	return pool_strdup(pool, text);
}

/* "#!/bin/sh -e": the program's name. */
static const char *read_script(int fd, struct pool *pool)
{
	char line[256] = "";
	ssize_t got = pread(fd, line, sizeof(line) - 1, 0);

	if (got < 3 || line[0] != '#' || line[1] != '!')
		return NULL;
	const char *name = line + 2 + strspn(line + 2, " \t");
	return pool_copy(pool, name, strcspn(name, " \t\n"));
}

struct segments {
	Elf64_Phdr list[MAX_HEADERS];
	uint32_t count;
};

/* Where an address of the program lies in the file; UINT64_MAX: nowhere. */
static uint64_t file_offset(const struct segments *segments, uint64_t address)
{
	for (uint32_t i = 0; i < segments->count; i++) {
		const Elf64_Phdr *segment = &segments->list[i];
		if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
		    address - segment->p_vaddr < segment->p_filesz)
			return segment->p_offset + (address - segment->p_vaddr);
	}
	return UINT64_MAX;
}

static int read_dynamic(int fd, struct pool *pool, const struct segments *segments,
			const Elf64_Phdr *dynamic, struct elf *elf)
{
	uint64_t count = dynamic->p_filesz / sizeof(Elf64_Dyn);
	uint64_t strings = UINT64_MAX;

	if (count > MAX_ENTRIES)
		return -ENOEXEC;
	Elf64_Dyn *entries = pool_alloc(pool, (size_t)count * sizeof(*entries) + 1);
	int error = read_at(fd, entries, (size_t)count * sizeof(*entries), dynamic->p_offset);
	for (uint64_t i = 0; !error && i < count && entries[i].d_tag != DT_NULL; i++)
		if (entries[i].d_tag == DT_STRTAB)
			strings = file_offset(segments, entries[i].d_un.d_ptr);
	if (error || strings == UINT64_MAX)
		return error ? error : -ENOEXEC;
	for (uint64_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
		Elf64_Sxword tag = entries[i].d_tag;
		if (tag != DT_NEEDED && tag != DT_RUNPATH && tag != DT_RPATH)
			continue;
		const char *text = read_text(fd, pool, strings + entries[i].d_un.d_val);
		if (!text)
			return -ENOEXEC;
		if (tag == DT_NEEDED) {
			POOL_GROW(pool, elf->needed, elf->needed_count);
			elf->needed[elf->needed_count++] = text;
		} else if (!elf->runpath || tag == DT_RUNPATH) {
			elf->runpath = text;
		}
	}
	return 0;
}

int elf_read(int fd, struct pool *pool, struct elf *elf)
{
	struct segments segments;
	Elf64_Ehdr header;
	int error = read_at(fd, &header, sizeof(header), 0);

	*elf = (struct elf){0};
	if (error == -ENOEXEC || (!error && memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)) {
		elf->script = read_script(fd, pool);
		return -ENOEXEC;
	}
	if (error)
		return error;
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > MAX_HEADERS)
		return -ENOEXEC;
	segments.count = header.e_phnum;
	error = read_at(fd, segments.list, segments.count * sizeof(Elf64_Phdr), header.e_phoff);
	for (uint32_t i = 0; !error && i < segments.count; i++) {
		const Elf64_Phdr *segment = &segments.list[i];
		if (segment->p_type == PT_INTERP) {
			elf->interpreter = read_text(fd, pool, segment->p_offset);
			error = elf->interpreter ? 0 : -ENOEXEC;
		} else if (segment->p_type == PT_DYNAMIC) {
			error = read_dynamic(fd, pool, &segments, segment, elf);
		}
	}
	return error;
}
