/* SPDX-License-Identifier: Apache-2.0 */
/* How a process ended, in words. */
#ifndef KEELSON_DEATH_H
#define KEELSON_DEATH_H

#include <stddef.h>

#include "svc/world.h"

/*
 * "exited with status 1", "killed by signal 9 (Killed)", "start failed at step exec: No such file or
 * directory", "pre: exited with status 1", or "" for a service that never ended. Returns the length.
 */
size_t death_text(const struct world_death *death, char *buffer, size_t size);

#endif
