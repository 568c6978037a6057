/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the names of all system calls, as libseccomp knows them, as C for syscall_name.c. Runs on
 * the builder's machine while keelson is built; keelctl is all that links what it writes.
 */
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 1024 /* of each architecture: more than any has */
#define NAMES 1024

static const struct {
	const char *name;
	uint32_t arch;
	int base; /* of libseccomp's numbers */
} architectures[] = {
	{"x86_64", SCMP_ARCH_X86_64, 0},    {"i386", SCMP_ARCH_X86, 0},
	{"x32", SCMP_ARCH_X32, 0x40000000}, {"aarch64", SCMP_ARCH_AARCH64, 0},
	{"arm", SCMP_ARCH_ARM, 0},
};

static char *names[NAMES];
static size_t offsets[NAMES];
static size_t name_count, bytes = 1; /* offset 0: no name */

static size_t offset_of(char *name)
{
	for (size_t i = 0; i < name_count; i++) {
		if (strcmp(names[i], name) == 0) {
			free(name);
			return offsets[i];
		}
	}
	if (name_count == NAMES || bytes > UINT16_MAX - 64) {
		fputs("syscall_table: too many names\n", stderr);
		exit(1);
	}
	names[name_count] = name;
	offsets[name_count] = bytes;
	bytes += strlen(name) + 1;
	return offsets[name_count++];
}

static void put_numbers(uint32_t arch, int base, const char *name)
{
	static size_t table[NUMBERS];
	int last = -1;

	for (int number = 0; number < NUMBERS; number++) {
		char *call = seccomp_syscall_resolve_num_arch(arch, base + number);

		table[number] = call ? offset_of(call) : 0;
		if (call)
			last = number;
	}
	printf("static const uint16_t numbers_%s[] = {", name);
	for (int number = 0; number <= last; number++)
		printf("%s%zu,", number % 12 == 0 ? "\n\t" : " ", table[number]);
	puts("\n};\n");
}

int main(void)
{
	puts("/* Made by syscall_table.c. */");
	for (size_t i = 0; i < sizeof architectures / sizeof architectures[0]; i++)
		put_numbers(architectures[i].arch, architectures[i].base, architectures[i].name);
	puts("static const char names[] =\n\t\"\\0\"");
	for (size_t i = 0; i < name_count; i++)
		printf("\t\"%s\\0\"\n", names[i]);
	puts("\t;");
	return ferror(stdout) || fflush(stdout) != 0;
}
