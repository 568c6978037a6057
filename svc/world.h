/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world: all mutable state of PID 1 in one pointer-free block, sized from the node plan,
 * allocated in a memfd, sealed in size and locked before the first service; nothing is allocated
 * after. Only indices and numbers live here, so a re-exec of PID 1 keeps the memfd and goes on.
 * The world is a hint, the kernel is the truth: what is read back after a re-exec is reconciled
 * against the children that PID 1 really has, their start times and their cgroups.
 *
 *     struct world | struct world_service [service_count] | struct world_task [task_count]
 *
 * What a later PID 1 of any version reads of an earlier one's world is frozen and marked so; a world
 * of another version or plan is transcribed by service name from that, never cast.
 *
 * Descriptors: a number in here is a descriptor that the re-exec keeps open (world_each_descriptor());
 * all others of PID 1 are made anew.
 */
#ifndef KEELSON_WORLD_H
#define KEELSON_WORLD_H

#include "rootfs-spec/plan.h"
#include "svc/timeline.h"

#define WORLD_MAGIC 0x444c524f574c4b45ull /* "EKLWORLD" */
#define WORLD_VERSION 3u
#define WORLD_NAME_BYTES 64u
#define WORLD_EVENTS 512u      /* the last so many are kept for who listens */
#define WORLD_CALLS 256u       /* different calls that filters did not just allow (calls.h) */
#define WORLD_INIT_BYTES 2048u /* what init/ keeps over a re-exec */

/* Why a service last went down, or is about to. Only ever append. */
enum world_reason {
	WORLD_REASON_NONE,
	WORLD_REASON_ITSELF,        /* it ended by itself; how, the death tells */
	WORLD_REASON_REQUEST,       /* somebody stopped or restarted it by name */
	WORLD_REASON_REQUIREMENT,   /* something that it requires went down */
	WORLD_REASON_CONFLICT,      /* something that it conflicts with was started */
	WORLD_REASON_SHUTDOWN,      /* the node goes down */
	WORLD_REASON_START_TIMEOUT, /* it was not ready in time */
	WORLD_REASON_STOP_TIMEOUT,  /* it was told to stop, did not in time, and was killed */
	WORLD_REASON_LIVENESS,      /* a liveness probe failed too often */
	WORLD_REASON_WATCHDOG,      /* WATCHDOG=1 did not come in time, or WATCHDOG=trigger did */
	WORLD_REASON_PRE,           /* a command of `pre` failed */
	WORLD_REASON_SPAWN,         /* a step before its execve failed: the death tells which */
	WORLD_REASON_OOM,           /* the kernel killed it for want of memory (memory.events) */
	WORLD_REASON_LOST, /* it ended while PID 1 executed itself anew: how is not known */
	WORLD_REASON_COUNT
};

/* How a process ended, as waitid(2) tells. */
struct world_death {
	uint64_t at_ns;
	int32_t code;       /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: never ran, or nobody knows */
	int32_t status;     /* exit status or signal */
	int32_t error;      /* spawn failed: negative errno */
	uint32_t step;      /* spawn failed: enum confine_step */
	uint32_t reason;    /* enum world_reason */
	uint32_t oom_kills; /* processes of the service that the kernel killed in this life */
};

enum world_stage {
	WORLD_STAGE_MAIN, /* the main process, or nothing */
	WORLD_STAGE_PRE,  /* STARTING: task is `pre` number `hook` */
	WORLD_STAGE_POST  /* STOPPING: task is `post` number `hook` */
};

struct world_service {
	/* Frozen from here ... */
	char name[WORLD_NAME_BYTES];
	uint32_t state;  /* enum service_state */
	uint32_t wanted; /* 1: somebody wants it up */
	int32_t pid;   /* main process, 0: none; for people and /proc, never signalled by number */
	int32_t pidfd; /* -1: none. Made anew after a re-exec */
	uint64_t pid_start_ticks; /* field 22 of /proc/PID/stat: tells a reused pid; 0: unknown */
	/* ... to here. */
	int32_t spawned_pid;  /* the child of PID 1 when MAINPID= named another one; else 0 */
	uint32_t stage;       /* enum world_stage */
	uint32_t hook;        /* which command of the stage */
	uint32_t flags;       /* private to svc/ */
	uint32_t reason;      /* enum world_reason of the stop that is under way or was last */
	uint32_t probes_met;  /* bit per probe of the service, in plan order */
	uint32_t starts;      /* main processes spawned, ever */
	uint32_t restarts;    /* of these, after a death that nobody asked for */
	uint32_t burst;       /* restarts since the last stable period */
	int32_t notify_errno; /* ERRNO= of sd_notify(3), 0: none */
	/* Descriptors that are kept over a re-exec; -1: none. */
	int32_t report_fd;         /* read end: the child has not executed yet */
	int32_t ready_fd;          /* read end: readiness by descriptor, not written yet */
	int32_t output_read_fd;    /* its output pipe, for the logger ... */
	int32_t output_write_fd;   /* ... and for itself */
	uint64_t oom_kills_before; /* counter of memory.events when this life began */
	uint64_t backoff_ns;       /* next wait before a restart */
	uint64_t deadline_ns;      /* of the state's timer; 0: none */
	uint64_t state_since_ns;
	uint64_t started_ns;           /* last spawn */
	uint64_t ready_ns;             /* last time it came up */
	uint64_t watchdog_ns;          /* WATCHDOG=1 is expected so often; 0: not */
	uint64_t watchdog_deadline_ns; /* 0: not armed */
	uint64_t reload_deadline_ns;   /* a reload is under way until then; 0: none */
	uint64_t reloading_us;         /* MONOTONIC_USEC= of RELOADING=1, 0: none came */
	struct world_death last_death;
	char status[64]; /* STATUS= of sd_notify(3), cut */
};

/*
 * A command that runs beside a service: the hook or reload of service i is task i, the command of
 * probe p is task service_count + p.
 */
struct world_task {
	int32_t pid; /* 0: none */
	int32_t pidfd;
	uint64_t start_ticks;
	uint64_t deadline_ns; /* then it is killed */
	uint32_t killed;      /* 1: it was */
	uint32_t zero;
};

enum world_event_kind {
	WORLD_EVENT_SERVICE = 1, /* service went from state `from` to `to` by `event` */
	WORLD_EVENT_READY_AGAIN, /* service: RELOADING=1 was followed by READY=1 */
	WORLD_EVENT_REEXEC,  /* PID 1 executed itself anew; `status`: the signal, 0: on purpose */
	WORLD_EVENT_SHUTDOWN /* a stage of the shutdown began; `to`: enum shutdown_stage */
};

/* Something that happened, for those who listen. Number n lies at events[n % WORLD_EVENTS]. */
struct world_event {
	uint64_t at_ns;
	uint32_t service; /* index or PLAN_NONE */
	int32_t pid;
	uint8_t kind;    /* enum world_event_kind */
	uint8_t from;    /* enum service_state */
	uint8_t to;      /* enum service_state */
	uint8_t event;   /* enum service_event */
	uint32_t reason; /* enum world_reason */
	int32_t code;    /* of the last death, when the event is one */
	int32_t status;
	int32_t error;
	uint32_t step;
};

/* System calls that a filter denied or logged, of one service: calls.h. */
struct world_call {
	uint64_t count;
	uint64_t first_ns;
	uint64_t last_ns;
	uint32_t service; /* index; PLAN_NONE: nobody knows whose it was */
	uint32_t flags;   /* WORLD_CALL_* */
	uint32_t arch;    /* AUDIT_ARCH_* */
	uint32_t syscall;
	uint32_t action; /* SECCOMP_RET_*, without its data */
	int32_t pid;     /* of the last one */
	char comm[16];   /* of the last one */
};
#define WORLD_CALL_POD 1u /* a process of a pod, which lives under the service's filter */

struct world_calls {
	int32_t fd;    /* of audit.h; -1: none */
	int32_t error; /* why there is none: negative errno */
	uint32_t count;
	uint32_t overruns; /* times that the kernel had no room for a record */
	uint64_t heard;    /* records of any kind */
	uint64_t first_serial;
	uint64_t last_serial;
	uint64_t no_room; /* in `entries`, for one more */
	uint64_t unread;  /* seccomp records that made no sense */
	struct world_call entries[WORLD_CALLS];
};

struct world {
	/* Frozen from here ... */
	uint64_t magic;
	uint32_t version;
	uint32_t size_bytes;
	uint32_t header_bytes;  /* where services[] begins */
	uint32_t service_bytes; /* of one service */
	uint32_t service_count;
	uint32_t plan_crc32; /* of the plan it was sized for */
	uint32_t executions; /* of this PID 1: 1, then one more for each re-exec */
	uint32_t phase;      /* private to init/ */
	/* ... to here. */
	uint32_t task_count;
	uint32_t ending;     /* people's requests are refused */
	uint64_t up_ns;      /* every wanted service first up; 0: not yet */
	uint64_t blessed_ns; /* slot blessed; 0: not yet */
	uint64_t reaped_orphans;
	uint32_t crashes;     /* of this PID 1, ever */
	int32_t crash_signal; /* of the last one; 0: none */
	uint64_t crash_ns;
	uint64_t crash_address; /* si_addr */
	uint64_t descriptors;   /* soft limit of open files that services get */
	/* Descriptors that are kept over a re-exec; -1: none. */
	int32_t notify_fd;
	int32_t control_fd;   /* listening */
	int32_t landlock_abi; /* of this kernel; a negative errno: it has none */
	uint32_t zero;
	uint64_t event_count; /* ever */
	struct world_event events[WORLD_EVENTS];
	struct timeline timeline;
	struct world_calls calls;
	_Alignas(8) uint8_t init[WORLD_INIT_BYTES]; /* private to init/: kept.h */
	struct world_service services[];
};

_Static_assert(sizeof(struct world_event) == 40, "world event layout");
_Static_assert(sizeof(struct world_call) == 64, "world call layout");

/* Bytes that a world for so many services and probes takes. */
size_t world_size(uint32_t service_count, uint32_t probe_count);

/* Lay out a fresh world in `size` zeroed bytes for `plan`: every service down. 0 or -EMSGSIZE. */
int world_init(struct world *world, size_t size, const struct plan *plan);

/*
 * Create the memfd, size, seal, map, lock and mark it MADV_DONTFORK, then world_init(). `*fd` is
 * CLOEXEC and belongs to the caller. 0 or negative errno (memfd_create(2), mmap(2), mlock(2)).
 */
int world_create(const struct plan *plan, struct world **world, int *fd);

/* Task i (see struct world_task). */
static inline struct world_task *world_task(struct world *world, uint32_t i)
{
	return (struct world_task *)(void *)(world->services + world->service_count) + i;
}

/* Append an event: `event->at_ns` and the rest are the caller's. Never fails. */
void world_note(struct world *world, const struct world_event *event);

/* Call `visit` for every kept descriptor in the world that is not -1. */
void world_each_descriptor(struct world *world, void (*visit)(void *context, int32_t *fd),
			   void *context);

/* "itself", "requirement", "liveness", ...; "?" for a number that is none. */
const char *world_reason_name(uint32_t reason);

#endif
