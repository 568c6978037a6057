/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor: plan + world + epoll. It is driven by PID 1's loop and owns everything of a
 * service's life: its cgroup, process, probes, output pipe, notify and control sockets.
 *
 *     supervisor_open(&config, &supervisor);   // last allocation; runtime directory, cgroups
 *     supervisor_start(supervisor);            // marks what the boot wants and spawns
 *     for (;;) {
 *             epoll_wait(..., timeout until supervisor_deadline_ns(supervisor));
 *             now = clock_boottime_ns();
 *             for each event: if (supervisor_owns(event.data.u64)) supervisor_handle(...);
 *             on SIGCHLD (signalfd): supervisor_reap(supervisor), again while it says so;
 *             supervisor_tick(supervisor, now);
 *     }
 *
 * After supervisor_start() it neither allocates nor maps memory, and nothing it does blocks: every
 * descriptor is non-blocking, every wait has a deadline that supervisor_deadline_ns() tells. It logs
 * the errors that it meets (log.h); functions return errors only where the caller has to act.
 */
#ifndef KEELSON_SUPERVISOR_H
#define KEELSON_SUPERVISOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "rootfs-spec/plan.h"
#include "svc/control.h"
#include "svc/graph.h"
#include "svc/world.h"

/*
 * epoll_data.u64 of the shared epoll: the top byte says whose it is. 0x00 to 0x7f are the caller's,
 * 0x80 to 0xff the supervisor's.
 */
#define SUPERVISOR_KEY_FIRST 0x8000000000000000ull

static inline bool supervisor_owns(uint64_t key)
{
	return key >= SUPERVISOR_KEY_FIRST;
}

/* What the supervisor asks of PID 1; each may be NULL. `context` is passed back. */
struct supervisor_hooks {
	void *context;
	/* A root client asked for the end. 0 or a negative errno (-EALREADY: under way). The hook only
	 * takes note: it is called from within supervisor_handle(). After a 0 supervisor_ending()
	 * holds. */
	int (*power)(void *context, enum control_power action, bool force);
	/* A root client asked for a re-exec. The hook only takes note; the answer is sent before it
	 * happens. 0, -EALREADY, -ESHUTDOWN. */
	int (*reexec)(void *context);
	/* A root client vouches for the slot that runs: begin to bless it (control_server.h). */
	int (*bless)(void *context);
	/* Fill `status` for `keelctl slot status`: 0, -ENODATA when the node has no slots, or
	 * -EINPROGRESS: the disk is asked in a child, and supervisor_slots() will tell. */
	int (*slot_status)(void *context, struct control_slot_status *status);
	/* A child that is no service ended; it is reaped when this returns. For PID 1's own helpers. */
	void (*child_ended)(void *context, const siginfo_t *info);
	/* Every wanted service is up for the first time; world->up_ns is set. */
	void (*up)(void *context);
};

struct supervisor_config {
	const struct plan *plan;       /* verified node plan; borrowed for ever */
	struct world *world;           /* sized for it; borrowed for ever */
	int epoll_fd;                  /* shared with the caller; borrowed for ever */
	const char *runtime_directory; /* "/run/keelson": its parent must exist and be writable */
	const char *cgroup_root;       /* "/sys/fs/cgroup": a mounted cgroup2 */
	const struct supervisor_hooks *hooks; /* borrowed for ever; may be NULL */
	bool container;                       /* PID 1 is a container's init: for conditions */
	bool first_boot;                      /* the state was made in this boot: for conditions */
};

struct supervisor;

/*
 * Make the runtime directory, the notify and control sockets, the output pipes and the cgroup tree
 * (the caller's process is moved to the leaf `init`). A part that cannot be made is logged and left
 * out as far as the node can live without it: without cgroups every start fails at step `cgroup`,
 * without a control socket keelctl does not answer. 0, or a negative errno when there can be no
 * supervisor at all (memory, epoll).
 */
int supervisor_open(const struct supervisor_config *config, struct supervisor **supervisor);

/* Start what the boot wants: every service but the manual ones, and what these pull in. */
void supervisor_start(struct supervisor *supervisor);

/* Handle one event of epoll_wait(2) whose key supervisor_owns(). */
void supervisor_handle(struct supervisor *supervisor, const struct epoll_event *event);

/* When supervisor_tick() has to be called next: CLOCK_BOOTTIME ns; UINT64_MAX: only after events. */
uint64_t supervisor_deadline_ns(const struct supervisor *supervisor);

/*
 * Let timers that expired by `now_ns` act, and do what follows from everything that happened in this
 * turn. Cheap when nothing did; call after each epoll_wait(2) and its events.
 */
void supervisor_tick(struct supervisor *supervisor, uint64_t now_ns);

/*
 * Reap children that ended, to be called on SIGCHLD: deaths of main processes are recorded in the
 * world before they are reaped, orphans are counted in world->reaped_orphans. One turn takes a
 * bounded number. True: there may be more, call again after whatever else is due.
 */
bool supervisor_reap(struct supervisor *supervisor);

/*
 * Stop `services` and what requires them as a person would who asked for all of them at once: for PID
 * 1's own use.
 */
void supervisor_stop_set(struct supervisor *supervisor, const struct graph_set *services);

/*
 * The node is going down: people's requests are refused from now on (-ESHUTDOWN),
 * supervisor_stop_set() is not. For a caller that stops services in stages of its own.
 */
void supervisor_ending(struct supervisor *supervisor);

/* Stop everything in reverse order; nothing is started from now on. */
void supervisor_stop_all(struct supervisor *supervisor);

/* Kill what every service calls its own, at once: the shutdown's budget is spent. */
void supervisor_kill_all(struct supervisor *supervisor);

/* No service has a process any more (after supervisor_stop_all()). */
bool supervisor_stopped(const struct supervisor *supervisor);

/* Nothing will change by itself: every service is at rest or up. */
bool supervisor_settled(const struct supervisor *supervisor);

/* What the disk said of the slots, to all who asked: 0 and `status`, or a negative errno. */
void supervisor_slots(struct supervisor *supervisor, int error,
		      const struct control_slot_status *status);

/* Close the control and notify sockets: before /run is unmounted. */
void supervisor_close(struct supervisor *supervisor);

#endif
