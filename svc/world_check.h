/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of an earlier execution of PID 1, before it is believed: something made that execution
 * end, and it may have been the world. Pure.
 */
#ifndef KEELSON_WORLD_CHECK_H
#define KEELSON_WORLD_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "rootfs-spec/plan.h"
#include "svc/world.h"

/* Descriptors of the world are below that; PID 1 holds a few for each of at most 4096 services. */
#define WORLD_DESCRIPTORS 65536u

/* Why a world was refused. */
struct world_fault {
	const char *reason; /* constant text */
	uint32_t service;   /* or PLAN_NONE */
};

/*
 * May the `size` bytes at `world` be used as they are, with `plan`? Version, sizes and plan are
 * this program's; every number that indexes, selects or is a descriptor is one that can be; every
 * text ends; no descriptor is there twice. 0, -EPROTONOSUPPORT (another version, or made for
 * another plan: world_transcribe() reads it) or -EBADMSG (damaged).
 */
int world_check(const struct world *world, size_t size, const struct plan *plan,
		struct world_fault *fault);

/*
 * Make its history safe to read: events and the timeline only tell, so one that is damaged is
 * dropped, no reason to refuse the rest. For a world of this version.
 */
void world_mend(struct world *world);

/* What every version of a world tells of a service. */
struct world_frozen {
	char name[WORLD_NAME_BYTES];
	uint32_t state;
	uint32_t wanted;
	int32_t pid;
	int32_t pidfd;
	uint64_t pid_start_ticks;
};

/*
 * Take over into the fresh `world`, made for `plan`, what the frozen part of another one in the
 * `size` bytes at `old` tells, by service name: who is wanted, which oneshots did their work, which
 * failed, and as hints for who looks the services up (adopt.h) the state and pid of the others. A
 * world of the same layout gives its history, too. Returns how many services were found; 0: nothing
 * there can be read, every service is down and unwanted.
 */
uint32_t world_transcribe(const void *old, size_t size, const struct plan *plan,
			  struct world *world);

#endif
