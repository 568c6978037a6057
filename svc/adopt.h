/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking the services over after PID 1 executed itself anew. First, while nothing else is open:
 *
 *     adopt_find()      only for a fresh world: the main processes from the cgroups, and then the
 *                       pipes and sockets among the inherited descriptors, by what they are
 *     adopt_verify()    only for a kept world: a descriptor that is not what it should be is
 *                       forgotten
 *
 * then supervisor_open(), which takes what the world has open as it is and opens the rest, and
 *
 *     supervisor_resume()   takes every service up as reconcile.h decides
 */
#ifndef KEELSON_ADOPT_H
#define KEELSON_ADOPT_H

#include "rootfs-spec/plan.h"
#include "svc/supervisor.h"
#include "svc/world.h"

/*
 * Fill a fresh world, whose states and pids world_transcribe() may have hinted at, from the kernel:
 * each service's main process is the child of PID 1's in its cgroup that reconcile_prefers(); its
 * state is what that allows. Then the output pipes, as the logger or the services themselves have
 * them open, and the sockets, by their names, among the descriptors up to `highest`. Returns how
 * many services have a process.
 */
uint32_t adopt_find(const struct plan *plan, struct world *world, const char *cgroup_root,
		    const char *runtime_directory, int highest, bool transcribed);

/* Of a kept world: descriptors that are closed, or are no pipe or socket, become -1. How many. */
uint32_t adopt_verify(struct world *world);

/*
 * Once, after supervisor_open() and instead of supervisor_start(). `crashed`: the execution before
 * did not end on purpose, so what a state calls for may not have been done.
 */
void supervisor_resume(struct supervisor *supervisor, bool crashed);

#endif
