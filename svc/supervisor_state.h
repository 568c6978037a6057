/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of supervisor.h. supervisor_open.c makes what lives as long as the node, supervisor.c
 * is the loop, hear.c listens to sd_notify(3); life.c is one service's life, from life_start.c over
 * life_hooks.c and life_heard.c to life_end.c, with its deadlines in life_time.c; task.h are the
 * commands beside it.
 */
#ifndef KEELSON_SUPERVISOR_STATE_H
#define KEELSON_SUPERVISOR_STATE_H

#include "svc/condition.h"
#include "svc/confine.h"
#include "svc/control_server.h"
#include "svc/output.h"
#include "svc/pids.h"
#include "svc/probe.h"
#include "svc/ready.h"
#include "svc/service.h"
#include "svc/spawn.h"
#include "svc/supervisor.h"
#include "svc/task.h"

/* Top byte of an event key; then 24 bits of generation and 32 of index. */
enum supervisor_source {
	SOURCE_LISTEN = 0x80,
	SOURCE_CLIENT,
	SOURCE_NOTIFY,
	SOURCE_PROBE,
	SOURCE_REPORT,
	SOURCE_GROUP,
	SOURCE_READY, /* ready_fd */
	SOURCE_MAIN,  /* pidfd of a main process that MAINPID= named */
	SOURCE_AUDIT  /* records of what filters deny: audit.h */
};

#define SUPERVISOR_GENERATION_MASK 0xffffffu

static inline uint64_t source_key(enum supervisor_source source)
{
	return (uint64_t)source << 56;
}

/* What a service has beyond what the world remembers: made anew by a PID 1 that executed itself. */
struct life {
	bool has_group;      /* its group was made, and not given back yet */
	int cgroup_fd;       /* of it; -1: not needed just now, life_group() opens it */
	int events_fd;       /* cgroup.events; -1: nobody has asked yet who is left */
	bool group_killed;   /* cgroup.kill was written: no process can be born into it any more */
	uint32_t generation; /* of this life, in event keys */
	uint64_t retry_ns;   /* then its stage goes on; 0: nothing waits for room */
	uint64_t look_ns;    /* its group could not be looked at: again then; 0: it could */
	uint32_t room_waits; /* NO_ROOM in a row */
	bool executed;       /* the main process has executed its program */
	bool reload_heard;   /* RELOADING=1 came, or the command of the reload still runs */
	bool reload_queued;  /* ... not yet: it is still at a reload of before the request */
	bool main_pid_said;  /* that it named a process that cannot be its main one */
	uint64_t reload_us;  /* CLOCK_MONOTONIC when a reload was last asked for */
	uint64_t ready_again_ns;      /* when the end of a reload was last told */
	struct confine_report report; /* step CONFINE_NONE: no step failed */
};

struct for_children {
	char notify_environment[128];
	int passed[]; /* scratch: descriptors for the logger */
};

/* pids.h: whose a pid is. The index of a service (its main or spawned process), or a task's. */
#define PIDS_TASK 0x80000000u

#define AUDIT_REMEMBERED 64u /* services' processes that were reaped last */

struct supervisor {
	struct supervisor_config config;
	const struct plan *plan;
	struct world *world;
	int cgroup_root; /* -1: no cgroups */
	uint32_t last_capability;
	uint64_t bounding, permitted; /* PID 1's own capabilities */
	uint64_t ignored_signals;
	uint32_t random;
	bool dirty; /* a state or mark changed: graph_act() is due */
	struct output output;
	struct probes probes;
	struct probe_calls probe_calls;
	bool hears_members;     /* some service hears more than its main process */
	bool hear_failed;       /* told that what comes with a message cannot be dropped now */
	uint64_t hear_again_ns; /* then the first message is tried again; 0: epoll tells of some */
	struct condition_facts facts;
	struct control_calls calls;
	struct control_server control;
	struct life *lives;      /* one for each service */
	uint64_t *due_ns;        /* when life_tick() is due, for each service; UINT64_MAX: never */
	struct task_life *tasks; /* one for each task */
	int *device_programs;    /* one for each policy; below 1: not loaded yet */
	struct pids pids;
	struct pid_slot reaped[AUDIT_REMEMBERED]; /* a ring: audit.h */
	uint32_t reaped_count;
	/* What a child is to see lies elsewhere: it gets no copy of all this (MADV_DONTFORK). */
	struct for_children *for_children;
};

static inline const struct plan_service *plan_of(const struct supervisor *supervisor,
						 uint32_t index)
{
	return plan_service(supervisor->plan, index);
}

static inline struct world_service *state_of(struct supervisor *supervisor, uint32_t index)
{
	return &supervisor->world->services[index];
}

/* ---- supervisor.c: control_calls, `context` is the supervisor ---- */

int supervisor_call_request(void *context, enum control_verb verb, uint32_t service);
int supervisor_call_reload(void *context, uint32_t service);
int supervisor_call_kill(void *context, uint32_t service, int signal, bool main_only);
int supervisor_call_power(void *context, enum control_power action, bool force);
int supervisor_call_reexec(void *context);
int supervisor_call_bless(void *context);
int supervisor_call_slot_status(void *context, struct control_slot_status *status);

/* ---- hear.c ---- */

/* Take some of the messages that services sent; epoll tells again if there are more. */
void hear_messages(struct supervisor *supervisor);

/* Take what came before the deaths that are about to be looked at: it counts first. Bounded. */
void hear_before_reaping(struct supervisor *supervisor);

/* What could not be taken is tried again: hear_again_ns. */
void hear_tick(struct supervisor *supervisor, uint64_t now_ns);

/* ---- life.c: one service's life ---- */

void life_init(struct supervisor *supervisor);

/* graph_deliver, `context` is the supervisor: an event happens, and what follows from it is done. */
void life_deliver(void *context, uint32_t index, enum service_event event);

/* The service whose main process, or the child that this replaced, `pid` is; PLAN_NONE: none. */
uint32_t life_of_pid(const struct supervisor *supervisor, int pid);

/*
 * The main process ended as `info` says (si_code 0: nobody knows); it is not reaped yet, and is when
 * this returns.
 */
void life_main_ended(struct supervisor *supervisor, uint32_t index, const siginfo_t *info);

/* Log the path of a sandbox that could not be made, if `report` is about one. */
void life_tell_path(const struct supervisor *supervisor, uint32_t index,
		    const struct confine_report *report);

/* Neither its main process nor a hook runs any more: it has ended, or what they left is killed. */
void life_finish(struct supervisor *supervisor, uint32_t index);

/* Nothing of its own runs: no main process, no hook, no group with somebody in it. */
bool life_is_empty(struct supervisor *supervisor, uint32_t index);

/* Its report pipe, cgroup.events, readiness pipe or foreign main process of this `generation`. */
void life_report(struct supervisor *supervisor, uint32_t index, uint32_t generation);
void life_group_changed(struct supervisor *supervisor, uint32_t index, uint32_t generation);
/* The same without having been told: its group could not be watched when it was looked at. */
void life_look(struct supervisor *supervisor, uint32_t index);
void life_ready_written(struct supervisor *supervisor, uint32_t index, uint32_t generation);
void life_main_gone(struct supervisor *supervisor, uint32_t index, uint32_t generation);

/* Some probe was met: the service may be ready. */
void life_check_ready(struct supervisor *supervisor, uint32_t index);

/* ---- life_time.c ---- */

/* Something of the service has another deadline now: due_ns is made anew. */
void life_touch(struct supervisor *supervisor, uint32_t index);

/* Do what is due at `now_ns`. */
void life_tick(struct supervisor *supervisor, uint32_t index, uint64_t now_ns);

/* ---- life_start.c ---- */

/*
 * Judge the conditions, make the cgroup, run `pre`, spawn the main process. What goes wrong is an
 * event of the service: NO_ROOM, or an end.
 */
void life_start(struct supervisor *supervisor, uint32_t index);

/*
 * A child looks up the path of condition number world_service.hook: in STARTING with WORLD_STAGE_MAIN
 * and no main process. Its answer.
 */
bool life_is_judging(const struct supervisor *supervisor, uint32_t index);
void life_condition_answered(struct supervisor *supervisor, uint32_t index,
			     const struct world_death *death);

/* The stage goes on: its next hook, the main process, or the end. */
void life_go_on(struct supervisor *supervisor, uint32_t index);

/* ---- life_group.c, life_spawn.c ---- */

/*
 * The group of a new life, set up as the plan says: a new one unless others may live on in it. On
 * failure `step` is CGROUP or DEVICES.
 */
int life_make_group(struct supervisor *supervisor, uint32_t index, enum confine_step *step);

/* Spawn the main process and watch it. 0, or a negative errno: there is none. */
int life_spawn_main(struct supervisor *supervisor, uint32_t index);

/* The service is given the notify socket. */
bool life_is_heard(const struct plan *plan, const struct plan_service *service);

/* Everything of a spawn that all processes of the service share; one more "NAME=value" for it. */
void life_request(struct supervisor *supervisor, uint32_t index, struct spawn_request *request);
void life_request_extra(struct spawn_request *request, const char *variable);

/*
 * Spawn into the service's group, or into its leaf LIFE_LEAF when the group cannot take a process
 * because controllers are enabled below it. A command of a service that has its group delegated is
 * always born there: a process in the group itself would keep the service from enabling controllers
 * (cgroup-v2.rst, "No Internal Process Constraint").
 */
#define LIFE_LEAF "control"
int life_spawn(struct supervisor *supervisor, uint32_t index, struct spawn_request *request,
	       bool is_command, struct spawned *spawned);

/* Have epoll watch `fd` for this life. 0 or negative errno. */
int life_watch(struct supervisor *supervisor, uint32_t index, int fd, enum supervisor_source source,
	       uint32_t events);

/*
 * SIGKILL to everything in the group. A group that was killed cannot take another process: since
 * Linux 6.13, and in the stable releases of early 2025 (6.1.129), clone3(2) compares the group's
 * count of kills with that of the parent's own group, and kills the child at birth when they differ.
 * life_spawn() makes the group anew, when it is empty.
 */
int life_kill_group(struct supervisor *supervisor, uint32_t index);

/* Have a group for a service that runs: make it, or open it. 0 or negative errno. */
int life_open_group(struct supervisor *supervisor, uint32_t index);

/*
 * The open group of a life that has one: borrowed, life_spawn() closes it. A negative errno: it
 * cannot be opened now; -ENOENT: it has none, or somebody removed it. Nothing is kept open while a
 * service just runs: every clone3(2) copies all descriptors of PID 1, and every child closes them.
 */
int life_group(struct supervisor *supervisor, uint32_t index);

/*
 * Somebody lives in the group of a service that calls it its own. From the first time that this is
 * asked the group is watched, and life_group_changed() hears when it is empty. What cannot be known
 * is taken for true, and looked at again a little later.
 */
bool life_is_populated(struct supervisor *supervisor, uint32_t index);

/* ---- life_hooks.c ---- */

/* Start hook number world_service.hook of the stage. 1: under way; 0: there is none, or it may be
 * passed over; negative errno: it cannot be started. */
int life_start_hook(struct supervisor *supervisor, uint32_t index);

/* The task of the service (a hook or its reload) ended. */
void life_task_ended(struct supervisor *supervisor, uint32_t index,
		     const struct world_death *death);

/*
 * Tell the service to read its configuration again. 0: it was told, and says nothing about it;
 * -EINPROGRESS: control_server_reloaded() tells when it is over; -ENOTSUP, -EHOSTDOWN (it is not up),
 * -EALREADY (its command runs), or another negative errno.
 */
int life_reload(struct supervisor *supervisor, uint32_t index);

/* The reload is over, if one is under way: 0, -EIO, -ETIMEDOUT, -ECANCELED. */
void life_reload_over(struct supervisor *supervisor, uint32_t index, int error);

/* It was told to reload: it has a moment to say that it does. */
void life_reload_listen(struct supervisor *supervisor, uint32_t index);

/* The reload's deadline has passed. */
void life_reload_late(struct supervisor *supervisor, uint32_t index);

/* ---- life_heard.c: what a service said (hear.c judged who said it) ---- */

void life_main_pid(struct supervisor *supervisor, uint32_t index, int pid);     /* MAINPID= */
void life_extend(struct supervisor *supervisor, uint32_t index, uint64_t usec); /* EXTEND_... */
void life_says_stopping(struct supervisor *supervisor, uint32_t index);         /* STOPPING=1 */
void life_fed(struct supervisor *supervisor, uint32_t index);                   /* WATCHDOG=1 */
void life_watchdog_period(struct supervisor *supervisor, uint32_t index, uint64_t usec);
void life_reloading(struct supervisor *supervisor, uint32_t index, uint64_t monotonic_us);
void life_reloaded(struct supervisor *supervisor, uint32_t index); /* READY=1 after RELOADING=1 */

/* It is up, but not well: `reason` is LIVENESS or WATCHDOG. */
void life_sick(struct supervisor *supervisor, uint32_t index, enum world_reason reason);

/* The watchdog of a service that is up begins, or was not fed in time. */
void life_watchdog_start(struct supervisor *supervisor, uint32_t index);
void life_watchdog_late(struct supervisor *supervisor, uint32_t index, uint64_t now_ns);

/* ---- life_adopt.c: after a re-exec ---- */

/*
 * Take up what the world says that runs: the group and the watches are made anew. The caller has
 * proved the main process and made pidfd, if there is one. No event happens.
 */
void life_adopt(struct supervisor *supervisor, uint32_t index);

/* The main process is gone, and how is not known. */
void life_lost(struct supervisor *supervisor, uint32_t index);

/* After life_adopt() and task_adopt(): a stage in which nothing runs goes on, or has ended. */
void life_resume(struct supervisor *supervisor, uint32_t index);

/* ---- life_end.c ---- */

/* Stop signal (and SIGCONT) to the main process; SIGKILL to what the service calls its own. */
void life_ask_to_stop(struct supervisor *supervisor, uint32_t index);
void life_kill(struct supervisor *supervisor, uint32_t index);

/* A signal to the main process. */
void life_signal(struct supervisor *supervisor, uint32_t index, int number);

/*
 * A person's signal to the main process, or to everything that the service calls its own. 0; -ESRCH:
 * nothing runs; another negative errno.
 */
int life_signal_by_name(struct supervisor *supervisor, uint32_t index, int number, bool main_only);

/* Forget the process, stop probing, close what belongs to this life, remove the cgroup. */
void life_release(struct supervisor *supervisor, uint32_t index);

/* Forget the main process and the child that it replaced. */
void life_forget_main(struct supervisor *supervisor, uint32_t index);

/* Close a watched descriptor of this life, and forget it. */
void life_unwatch(struct supervisor *supervisor, int *fd);

/* ---- probing.c: probes (probe.h) and tasks ---- */

/* Once; `table` has an entry for each probe of the plan. */
void probing_init(struct supervisor *supervisor, struct probe *table);

/* What was run for `probe` ended. */
void probe_command_ended(struct supervisor *supervisor, uint32_t probe,
			 const struct world_death *death);

#endif
