/* SPDX-License-Identifier: Apache-2.0 */
/* Names that libcap and libseccomp own: capabilities and system calls. */
#ifndef KEELSON_NAMES_H
#define KEELSON_NAMES_H

#include <stdbool.h>

#include "rootfs-spec/pool.h"

/* The number of "net_admin" or "CAP_NET_ADMIN", or -1 (cap_from_name(3)). */
int names_capability(const char *name);
const char *names_nearest_capability(const char *name, struct pool *pool);

/* Does any architecture that libseccomp knows have this call? (seccomp_syscall_resolve_name(3)) */
bool names_system_call(const char *name);
const char *names_nearest_system_call(const char *name, struct pool *pool);

#endif
