/* SPDX-License-Identifier: Apache-2.0 */
/* What the world remembers, in words for people. Pure; for programs, not for PID 1. */
#ifndef KEELSON_EXPLAIN_H
#define KEELSON_EXPLAIN_H

#include <stddef.h>

#include "svc/control.h"

#define EXPLAIN_BYTES 256

/*
 * How and why a life ended: "exited with status 1", "killed by SIGKILL: out of memory, the kernel
 * killed 2 processes", "start failed at step exec: No such file or directory", "killed by SIGTERM: on
 * request"; "" for a service that never ended.
 */
const char *explain_death(const struct world_death *death, char text[static EXPLAIN_BYTES]);

/*
 * What is worth saying beside the state, at `now_ns`: "waits for disk", "retry in 3.2s: exited with
 * status 1", "next run in 5min 0s", "skipped: path /x", what it said in STATUS=, or "".
 */
const char *explain_service(const struct control_service *service, uint64_t now_ns,
			    char text[static EXPLAIN_BYTES]);

#endif
