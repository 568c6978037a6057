/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of a shutdown. Services stop in reverse dependency order, but a container node has
 * processes that no service calls its own: pods. They have to end after whatever would start them
 * anew (kubelet) and while what answers for them (containerd and its shims) still runs. The rule
 * needs no names:
 *
 *     runtime   a service with `kill: main` (its processes outlive it by design, so it runs pods
 *               for somebody) that needs no other such service, and everything that it needs,
 *               directly or not. A service with `kill: main` that needs one is its client: kubelet
 *     logger    the service that takes everybody's output
 *     first     all other services
 *
 *     stage        what ends                                    how long at most
 *     SERVICES     the `first` services, reverse order          budget less the pods' grace
 *     PODS_TERM    pods: SIGTERM to every process of theirs     pods_grace_ns
 *     PODS_KILL    pods: cgroup.kill                            SHUTDOWN_KILL_NS
 *     RUNTIME      the `runtime` services, reverse order        what is left of the budget
 *     LEFTOVERS    cgroup.kill of every group but the logger's  SHUTDOWN_KILL_NS
 *     LOGGER       the logger                                   SHUTDOWN_LOGGER_NS
 *     FINAL        kill spree, sync, unmount, power: power.h    timed children
 *
 * A stage is over when its work is done or its time is; a stage without work takes no time. When
 * the whole budget is spent, and when somebody asks a second time, what is left is killed: a hung
 * service delays the reboot by its budget, never for ever.
 *
 * Pure: no system call, no clock of its own.
 */
#ifndef KEELSON_SHUTDOWN_H
#define KEELSON_SHUTDOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"
#include "svc/world.h"

#define SHUTDOWN_KILL_NS 2000000000ull
#define SHUTDOWN_LOGGER_NS 2000000000ull
#define SHUTDOWN_POLL_NS 20000000ull /* how often the pods' group is looked at while they end */

enum shutdown_stage {
	SHUTDOWN_NONE,
	SHUTDOWN_SERVICES,
	SHUTDOWN_PODS_TERM,
	SHUTDOWN_PODS_KILL,
	SHUTDOWN_RUNTIME,
	SHUTDOWN_LEFTOVERS,
	SHUTDOWN_LOGGER,
	SHUTDOWN_FINAL,
	SHUTDOWN_STAGES
};

enum shutdown_group { SHUTDOWN_GROUP_FIRST, SHUTDOWN_GROUP_RUNTIME, SHUTDOWN_GROUP_LOGGER };

struct shutdown_groups {
	uint64_t runtime[PLAN_MAX_SERVICES / 64]; /* bit per service */
};

struct shutdown_view {
	bool first_down; /* no service of the group has a process */
	bool runtime_down;
	bool logger_down;
	bool pods;         /* processes in the pods' cgroup */
	bool leftovers;    /* processes in any group but PID 1's and the logger's */
	bool forced;       /* asked a second time */
	uint64_t began_ns; /* the shutdown */
	uint64_t stage_ns; /* the stage */
	uint64_t budget_ns;
	uint64_t grace_ns; /* of pods */
};

/* Which services belong to the runtime: two passes over the plan's edges. */
void shutdown_groups_find(const struct plan *plan, struct shutdown_groups *groups);

enum shutdown_group shutdown_group_of(const struct plan *plan, const struct shutdown_groups *groups,
				      uint32_t service);

/* Fill the view's three *_down from the world. */
void shutdown_look(const struct plan *plan, const struct world *world,
		   const struct shutdown_groups *groups, struct shutdown_view *view);

/*
 * The stage after `stage` at `now_ns`: the same one while it has work and time. The caller enters
 * the new stage, which is when its work begins, and asks again with a new view.
 */
enum shutdown_stage shutdown_next(enum shutdown_stage stage, const struct shutdown_view *view,
				  uint64_t now_ns);

/* Is there anything for the stage to do? */
bool shutdown_has_work(enum shutdown_stage stage, const struct shutdown_view *view);

/* When the stage's time is over, CLOCK_BOOTTIME ns. */
uint64_t shutdown_deadline_ns(enum shutdown_stage stage, const struct shutdown_view *view);

/*
 * What went wrong with a service in a shutdown that began at `began_ns`, seen at its end: a constant
 * text, NULL: nothing.
 */
const char *shutdown_service_fault(const struct world_service *service, uint64_t began_ns);

/*
 * What keelson-init --container exits with: 0 when it was asked to end. When the node failed by
 * itself, what the critical service that failed ended with, as shells tell it (its exit status,
 * 128 and the signal), else SHUTDOWN_EXIT_FAILED.
 */
#define SHUTDOWN_EXIT_FAILED 2
int shutdown_exit_status(const struct plan *plan, const struct world *world, bool failed);

/* "stop services", "stop pods", ... for the log and the timeline. */
const char *shutdown_stage_name(enum shutdown_stage stage);

#endif
