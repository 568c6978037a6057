/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world: all mutable state of PID 1 in one pointer-free block, sized from the node plan,
 * allocated in a memfd, sealed in size and locked before the first service; nothing is allocated
 * after. Only indices and numbers live here, so a re-exec of PID 1 keeps the memfd and goes on.
 * The world is a hint, the kernel is the truth: what is read back after a re-exec is reconciled
 * against pidfds, start times and cgroups.
 *
 *     struct world | struct world_service [service_count]
 *
 * A world of another version or plan is transcribed by service name, never cast.
 */
#ifndef KEELSON_WORLD_H
#define KEELSON_WORLD_H

#include "rootfs-spec/plan.h"
#include "svc/timeline.h"

#define WORLD_MAGIC 0x444c524f574c4b45ull /* "EKLWORLD" */
#define WORLD_VERSION 1u
#define WORLD_NAME_BYTES 64u

/* How a process ended, as waitid(2) tells. */
struct world_death {
	uint64_t at_ns;
	int32_t code;   /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: never ran */
	int32_t status; /* exit status or signal */
	int32_t error;  /* spawn failed: negative errno */
	uint32_t step;  /* spawn failed: enum confine_step */
};

struct world_service {
	char name[WORLD_NAME_BYTES];
	uint32_t state;  /* enum service_state */
	uint32_t wanted; /* 1: somebody wants it up */
	int32_t pid;   /* main process, 0: none; for people and /proc, never signalled by number */
	int32_t pidfd; /* -1: none */
	uint64_t pid_start_ticks; /* field 22 of /proc/PID/stat: tells a reused pid */
	uint32_t probes_met;      /* bit per probe of the service, in plan order */
	uint32_t flags;           /* private to svc/ */
	uint32_t starts;          /* processes spawned, ever */
	uint32_t burst;           /* restarts since the last stable period */
	uint64_t backoff_ns;      /* next wait before a restart */
	uint64_t deadline_ns;     /* of the state's timer; 0: none */
	uint64_t state_since_ns;
	uint64_t started_ns; /* last spawn */
	uint64_t ready_ns;   /* last time it came up */
	struct world_death last_death;
	char status[64]; /* STATUS= of sd_notify(3), cut */
};

struct world {
	uint64_t magic;
	uint32_t version;
	uint32_t size_bytes;
	uint32_t service_count;
	uint32_t plan_crc32; /* of the plan it was sized for */
	uint32_t executions; /* of this PID 1: 1, then one more for each re-exec */
	uint32_t phase;      /* private to init/ */
	uint64_t up_ns;      /* every wanted service first up; 0: not yet */
	uint64_t blessed_ns; /* slot blessed; 0: not yet */
	uint64_t reaped_orphans;
	struct timeline timeline;
	struct world_service services[];
};

/* Bytes that a world for `service_count` services takes. */
size_t world_size(uint32_t service_count);

/* Lay out a fresh world in `size` zeroed bytes for `plan`: every service down. 0 or -EMSGSIZE. */
int world_init(struct world *world, size_t size, const struct plan *plan);

/*
 * Create the memfd, size, seal, map, lock and mark it MADV_DONTFORK, then world_init(). `*fd` is
 * CLOEXEC and belongs to the caller. 0 or negative errno (memfd_create(2), mmap(2), mlock(2)).
 */
int world_create(const struct plan *plan, struct world **world, int *fd);

#endif
