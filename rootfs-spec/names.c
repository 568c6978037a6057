/* SPDX-License-Identifier: Apache-2.0 */
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>

#include "rootfs-spec/names.h"
#include "rootfs-spec/nearest.h"

#define MOST_CAPABILITIES 64
#define MOST_CALLS 600 /* numbers of x86-64 end below 470 */

int names_capability(const char *name)
{
	char full[64];
	cap_value_t value;

	if (strncasecmp(name, "cap_", 4) == 0)
		name += 4;
	/* With its prefix, because cap_from_name(3) takes plain numbers, too. */
	int length = snprintf(full, sizeof(full), "cap_%s", name);
	if (length < 0 || (size_t)length >= sizeof(full))
		return -1;
	return cap_from_name(full, &value) == 0 ? value : -1;
}

const char *names_nearest_capability(const char *name, struct pool *pool)
{
	struct nearest nearest = {.name = strncasecmp(name, "cap_", 4) == 0 ? name + 4 : name};

	for (int i = 0; i < MOST_CAPABILITIES; i++) {
		char *known = cap_to_name(i);
		/* Numbers that libcap has no name for come back as digits. */
		if (known && strncmp(known, "cap_", 4) == 0)
			nearest_offer(&nearest, pool_strdup(pool, known + 4));
		cap_free(known);
	}
	return nearest.best;
}

bool names_system_call(const char *name)
{
	return seccomp_syscall_resolve_name(name) != __NR_SCMP_ERROR;
}

const char *names_nearest_system_call(const char *name, struct pool *pool)
{
	struct nearest nearest = {.name = name};

	for (int i = 0; i < MOST_CALLS; i++) {
		char *known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, i);
		if (known)
			nearest_offer(&nearest, pool_strdup(pool, known));
		free(known);
	}
	return nearest.best;
}
