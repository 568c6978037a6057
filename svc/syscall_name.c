/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/syscall_name.h"

#include <linux/audit.h>
#include <stddef.h>

#include "svc/syscall_table.inc"

#define X32_BIT 0x40000000u /* __X32_SYSCALL_BIT of asm/unistd.h */

static const struct kind {
	const char *name;
	uint32_t arch;
	uint32_t bit;
	const uint16_t *numbers;
	size_t count;
} kinds[] = {
#define KIND(text, arch, bit, table)                                       \
	{                                                                  \
		text, arch, bit, table, sizeof(table) / sizeof((table)[0]) \
	}
	KIND("x86-64", AUDIT_ARCH_X86_64, 0, numbers_x86_64),
	KIND("x32", AUDIT_ARCH_X86_64, X32_BIT, numbers_x32),
	KIND("i386", AUDIT_ARCH_I386, 0, numbers_i386),
	KIND("aarch64", AUDIT_ARCH_AARCH64, 0, numbers_aarch64),
	KIND("arm", AUDIT_ARCH_ARM, 0, numbers_arm),
#undef KIND
};

static const struct kind *find(uint32_t arch, uint32_t number)
{
	uint32_t bit = arch == AUDIT_ARCH_X86_64 && number != UINT32_MAX ? number & X32_BIT : 0;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (kinds[i].arch == arch && kinds[i].bit == bit)
			return &kinds[i];
	return NULL;
}

const char *syscall_name(uint32_t arch, uint32_t number)
{
	const struct kind *kind = find(arch, number);

	if (!kind || number < kind->bit || number - kind->bit >= kind->count ||
	    kind->numbers[number - kind->bit] == 0)
		return NULL;
	return names + kind->numbers[number - kind->bit];
}

const char *syscall_kind(uint32_t arch, uint32_t number)
{
	const struct kind *kind = find(arch, number);

	return kind ? kind->name : "?";
}
