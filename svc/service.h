/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service is.
 *
 * A service is a process (its main process), the cgroup that everything it forks stays in, and one
 * word of state. This file owns the model; service.c holds it as one complete table, graph.h walks
 * the plan's edges over it, supervisor.h makes the system calls.
 *
 *                    START             GO               READY
 *           down ------------> waiting ---> starting ----------> up
 *           ^ | ^              ^  ^ ^         |   |              | |
 *           | | |        START |  | | TIMEOUT |   | STOP         | | STOP, SICK
 *           | | |    (by name) |  | |         |   | TIMEOUT      | | LEFTOVERS
 *           | | |     failed <-+  | |         |   | LEFTOVERS    | | ENDING
 *           | | |       ^   START,| |         |   | ENDING       | | CLEANUP
 *           | | |       |  TIMEOUT| |         |   v CLEANUP      | |
 *           | | |       |         | backoff <-+  stopping <------+ |
 *           | | |       |         |    ^      |      |             |
 *           | | +-------+---------+----+------+------+-------------+
 *           | |         |         |       ENDED_DOWN, _FAILED, _RETRY, _DONE, _SCHEDULED
 *           | +-----> scheduled <-+
 *           | SCHEDULE
 *           +-- done (a oneshot that did its work, or whoever has nothing to do here)
 *
 * States
 *   down      Nothing runs. It rests here until somebody wants it.
 *   waiting   Wanted, but something it needs is not up yet, or something it conflicts with is not
 *             down yet. Nothing runs. With a requirement that failed or that a person stopped it
 *             waits until that one is started again.
 *   starting  The process was spawned, or the commands of `pre` run. A daemon stays here until all
 *             its probes have been met, a oneshot until it exits. A start timeout always runs.
 *   up        A daemon that is ready. The stable period runs: when it is over, the backoff and the
 *             burst are forgotten.
 *   stopping  The stop signal was sent, or it said that it stops by itself, or the main process
 *             ended and left others behind that have been killed, or the commands of `post` run.
 *             Left when nothing of the service runs any more. The stop timeout runs; each time it
 *             expires everything that the service calls its own is killed, again and again: a
 *             process in an uninterruptible sleep holds the service here, not PID 1.
 *   backoff   It ended and is to be restarted when the wait is over.
 *   failed    It ended and is not restarted: its policy or its exit status forbids it, or it was
 *             restarted `burst` times without once being up for the stable period. A person may
 *             start it again.
 *   done      A oneshot ended well, or the conditions of a service do not hold on this machine
 *             (SERVICE_MARK_SKIPPED). That is a fact: it counts as up for whoever needs it, and
 *             losing a requirement later does not undo it. Only a stop or restart by name, a
 *             conflict, and the shutdown take it back to down.
 *   scheduled A timer between two runs. It counts as up.
 *
 * Desired state
 *   `wanted` in struct world_service says whether somebody wants it up: the boot, a person, or a
 *   service that pulled it in. A stop by name clears it, so what was stopped stays stopped. A service
 *   that goes down because a requirement went down is still wanted: from down it goes on to waiting
 *   and comes back when the requirement is back. A restart is a stop with `wanted` set.
 *   A service never stops at once when told: SERVICE_STOP is delivered when all that needs it and
 *   has to go down too is down. Until then it carries the mark SERVICE_MARK_STOP and stays up.
 *
 * Conflicts
 *   Of two that conflict at most one is wanted: the one that was asked for last. Starting one is a
 *   stop by name of the other, which stays stopped; the one that starts waits until nothing of the
 *   other is left. Whatever a start pulls in displaces its own conflicts too.
 *
 * Timers
 *   A timer is a oneshot that runs again and again. The boot wants it SCHEDULEd: its first run is due
 *   `timer_first_ns` later, each further one `timer_every_ns` after the end of the one before. A
 *   start by name runs it at once. When a run is due it waits for what it requires like any other.
 *   How a run ended is told in last_death and changes nothing about the next: the restart policy is
 *   not for timers. A run that was cut short by a requirement is made again when that is back.
 *   A timer without a next run (`timer_every_ns` 0) is a oneshot that begins late.
 *
 * Commands around it
 *   `pre` runs in starting (WORLD_STAGE_PRE), under the start timeout: a command that fails ends the
 *   service, with reason PRE, which is never a oneshot's work done. `post` runs in stopping
 *   (WORLD_STAGE_POST) when nothing else of the service runs any more, however it ended: CLEANUP
 *   comes first, the ENDED event that is due when `post` has been run.
 *
 * Liveness
 *   SICK is a daemon that is up and failed a liveness probe too often, or did not feed its watchdog;
 *   whoever delivers it writes the reason (LIVENESS, WATCHDOG) into world_service.reason first. It is
 *   told to stop at once: what requires it follows, as after a crash. However politely it then ends,
 *   that is a failure for its restart policy.
 *
 * Events
 *   A state machine sees facts that are already judged: how a process ended is turned into one of
 *   five ENDED events by service_verdict(), so policy never hides in the table.
 *   A main process that ends while other processes of its cgroup still run, in a service that calls
 *   the cgroup its own (`kill: cgroup`), is LEFTOVERS first and ENDED when the group is empty; with
 *   `kill: main` it is ENDED at once and what it left (containerd's shims) lives on.
 *
 * What interrupts what
 *   A start cuts a backoff short and forgives a failure. A stop interrupts everything but stopping.
 *   A start during stopping is remembered (SERVICE_MARK_AGAIN) and happens after it, however the
 *   stopping process ends; only a oneshot that did its work is done.
 *
 * Why it went down
 *   world_service.reason is the reason of the stop that is under way, or was last: the graph writes
 *   REQUEST, REQUIREMENT, CONFLICT, SHUTDOWN; service_apply() START_TIMEOUT, STOP_TIMEOUT, ITSELF.
 *   last_death.reason is why the last life ended. Whoever records a death leaves it NONE unless it
 *   knows better (PRE, SPAWN, LOST); service_apply() then fills it in. The first cause counts: who
 *   crashes while it waits to be told to stop ended by ITSELF.
 *
 * Restart
 *   The n-th wait is min(backoff_min * 2^n, backoff_max), shortened by up to an eighth at random so
 *   that a fleet that lost the same thing does not come back in step.
 *   Exit statuses in `exits_clean` are as good as 0; after one in `exits_final` nobody restarts it,
 *   whatever the policy says: it failed, or, if the status is clean too, it is down (done).
 *   clone3(2) answering EAGAIN or ENOMEM is not the service's fault: NO_ROOM, a short wait that
 *   counts for nothing.
 *
 * Everything here is pure: no system calls, no allocation, no globals.
 */
#ifndef KEELSON_SERVICE_H
#define KEELSON_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"
#include "svc/world.h"

/* The numbers are written into the world and the timeline: only ever append. */
enum service_state {
	SERVICE_DOWN,
	SERVICE_WAITING,
	SERVICE_STARTING,
	SERVICE_UP,
	SERVICE_STOPPING,
	SERVICE_BACKOFF,
	SERVICE_FAILED,
	SERVICE_DONE,
	SERVICE_SCHEDULED,
	SERVICE_STATE_COUNT
};

enum service_event {
	SERVICE_START,      /* it is wanted: by the boot, a person, or a service that pulls it in */
	SERVICE_GO,         /* every requirement is up, everything it comes after is settled */
	SERVICE_READY,      /* all probes have been met (daemons only) */
	SERVICE_STOP,       /* it has to go down, and nothing that goes down before it is left */
	SERVICE_LEFTOVERS,  /* the main process ended, other processes of its own still run */
	SERVICE_ENDED_DONE, /* nothing runs any more: a oneshot's work is done */
	SERVICE_ENDED_DOWN, /* ... it was told to stop, or ended well and is not restarted */
	SERVICE_ENDED_RETRY,     /* ... it is to be restarted */
	SERVICE_ENDED_FAILED,    /* ... it is not to be restarted */
	SERVICE_NO_ROOM,         /* the kernel had no room for a process just now */
	SERVICE_TIMEOUT,         /* the timer of the state expired */
	SERVICE_SCHEDULE,        /* a timer is wanted: its first run is due later */
	SERVICE_ENDED_SCHEDULED, /* nothing runs any more: a timer, its next run is due later */
	SERVICE_SICK, /* a liveness probe failed too often, or the watchdog was not fed (daemons) */
	SERVICE_ENDING,  /* it said that it stops by itself (STOPPING=1) */
	SERVICE_CLEANUP, /* nothing runs any more, but `post` has to be run before it has ended */
	SERVICE_EVENT_COUNT
};

/* What the supervisor does on a transition, in this order. */
enum service_action {
	SERVICE_ACT_RESET = 1 << 0,   /* forget backoff and burst */
	SERVICE_ACT_BLAME = 1 << 1,   /* it failed, however it ends: mark SERVICE_MARK_BLAMED */
	SERVICE_ACT_COUNT = 1 << 2,   /* one more restart: burst + 1, the next wait is longer */
	SERVICE_ACT_SPAWN = 1 << 3,   /* make the cgroup, spawn the main process, start probing */
	SERVICE_ACT_SIGNAL = 1 << 4,  /* stop signal (and SIGCONT) to the main process */
	SERVICE_ACT_KILL = 1 << 5,    /* SIGKILL to what the service calls its own */
	SERVICE_ACT_RELEASE = 1 << 6, /* forget the process, stop probing, remove the cgroup */
	SERVICE_ACT_TIMER_START = 1 << 7,    /* arm: start timeout */
	SERVICE_ACT_TIMER_STABLE = 1 << 8,   /* arm: stable period */
	SERVICE_ACT_TIMER_STOP = 1 << 9,     /* arm: stop timeout */
	SERVICE_ACT_TIMER_BACKOFF = 1 << 10, /* arm: wait before a restart */
	SERVICE_ACT_TIMER_ROOM = 1 << 11,    /* arm: short wait before spawning is tried again */
	SERVICE_ACT_TIMER_OFF = 1 << 12,     /* disarm */
	SERVICE_ACT_TIMER_FIRST = 1 << 13,   /* arm: the timer's first run */
	SERVICE_ACT_TIMER_NEXT = 1 << 14,    /* arm: the timer's next run */
	SERVICE_ACT_POST = 1 << 15           /* run the first command of `post` */
};

struct service_step {
	uint32_t state;   /* enum service_state */
	uint32_t actions; /* enum service_action, or'ed */
};

/* The step that `event` takes in `state`. Total: every state knows every event. */
struct service_step service_next(enum service_state state, enum service_event event);

/*
 * Let `event` happen to `state` at `now_ns`: everything of the step that is bookkeeping is done here
 * (state and since when, marks, burst and backoff, restarts, reasons, the stage, the timer). Returns
 * the actions that are left, those that need system calls: SPAWN, SIGNAL, KILL, RELEASE, POST.
 * `random` is for the jitter. An ENDED_DOWN that nobody asked for also ends the wish to have it up.
 */
uint32_t service_apply(const struct plan_service *service, struct world_service *state,
		       enum service_event event, uint64_t now_ns, uint32_t random);

/* Names as people see them ("up", "stopping"; "START"); "?" for a number that is none. */
const char *service_state_name(uint32_t state);
const char *service_event_name(uint32_t event);

/* Bits of world_service.flags. */
#define SERVICE_MARK_STOP 1u        /* has to go down */
#define SERVICE_MARK_PULL 2u        /* to be started: delivered and cleared by graph_act() */
#define SERVICE_MARK_ON_WAY 4u      /* comes up by itself if all goes well (kept by graph_act()) */
#define SERVICE_MARK_BLAMED 8u      /* it was too slow or sick in this life */
#define SERVICE_MARK_READY 16u      /* it was up in this life */
#define SERVICE_MARK_AGAIN 32u      /* a start came while it was stopping */
#define SERVICE_MARK_SKIPPED 64u    /* done without having run: a condition did not hold */
#define SERVICE_MARK_RELOADING 128u /* RELOADING=1 came, READY=1 has not yet */
#define SERVICE_MARK_CLEANED 256u   /* CLEANUP of this life has been delivered */
#define SERVICE_MARK_NOW 512u       /* a timer's next start is a run, not a wait for the first */

/* A process of the service runs or may run. */
static inline bool service_is_active(uint32_t state)
{
	return state == SERVICE_STARTING || state == SERVICE_UP || state == SERVICE_STOPPING;
}

/* Whoever requires it may start. */
static inline bool service_is_up(uint32_t state)
{
	return state == SERVICE_UP || state == SERVICE_DONE || state == SERVICE_SCHEDULED;
}

/*
 * How the end of a service that runs no more is judged: one of the five SERVICE_ENDED events. Reads
 * kind, restart policy, exit statuses, burst limit, marks (set SERVICE_MARK_SKIPPED first if a
 * condition does not hold), and last_death of this life.
 */
enum service_event service_verdict(const struct plan_service *service,
				   const struct world_service *state);

/* Nothing of it runs any more and it has ended, but for its `post`: CLEANUP comes before ENDED. */
bool service_needs_cleanup(const struct plan_service *service, const struct world_service *state);

/* A death that nobody regrets: an exit status that is 0 or in `exits_clean`, or the stop signal. */
bool service_death_is_clean(const struct plan_service *service, const struct world_death *death);

/*
 * The wait before the next restart given the last one (0: none yet): doubles from backoff_min_ns to
 * backoff_max_ns. service_backoff_jitter() is what is really waited: `random` takes away at most an
 * eighth.
 */
uint64_t service_backoff_next(const struct plan_service *service, uint64_t last_ns);
uint64_t service_backoff_jitter(uint64_t wait_ns, uint32_t random);

/* All probes of `service` are in `probes_met`. */
bool service_probes_complete(const struct plan_service *service, uint32_t probes_met);

#endif
