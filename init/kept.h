/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What init/ keeps in the world (world->init): everything of PID 1's own that has to outlive an
 * execution of itself. Written in place, so that a crash at any instruction finds it; every field
 * is checked by kept_check() before a new execution believes it, and the one descriptor proved.
 */
#ifndef KEELSON_KEPT_H
#define KEELSON_KEPT_H

#include <stdint.h>

#include "init/shutdown.h"
#include "init/stop.h"
#include "svc/world.h"

#define KEPT_VERSION 1u

/* gate.c: the verdict on the boot and the child that writes it. */
struct kept_gate {
	uint32_t given_up;    /* the end is or was to be asked for: enum control_power; 0: not */
	uint32_t refused;     /* 1: the rules do not allow a blessing, ever */
	uint32_t refilled;    /* 1: since the blessing the tries were filled, or need not be */
	uint32_t refills;     /* 1: what the child writes is that */
	uint32_t writing;     /* 1: a blessing is written, or was about to be; set before its child
				 is made, cleared when that ended */
	int32_t pid;          /* that child; 0: none, or nobody came to write its number down */
	uint64_t start_ticks; /* of the child */
	uint64_t deadline_ns; /* of the child; UINT64_MAX: none, or it was killed and has to end */
	uint64_t retry_ns;    /* no blessing before */
	uint64_t wait_ns;     /* before the last retry; 0: none yet */
};

/* stop.c: the shutdown. */
struct kept_stop {
	uint32_t asked;    /* 1: the end was asked for */
	uint32_t stage;    /* enum shutdown_stage */
	uint32_t action;   /* enum control_power; 0 while nothing was asked */
	uint32_t by;       /* enum last_by */
	uint32_t forced;   /* 1: asked a second time */
	uint32_t event;    /* of the stage, in the timeline; TIMELINE_EVENTS: none */
	uint64_t began_ns; /* the shutdown; 0: stop_advance() has not begun it */
	uint64_t stage_ns; /* the stage */
	uint64_t entered_ns[SHUTDOWN_STAGES]; /* those with work; 0: not entered */
	uint64_t left_ns[SHUTDOWN_STAGES];    /* 0: not yet */
	uint32_t status;                      /* that PID 1 of a container is to exit with */
	uint32_t zero;
	char who[STOP_WHO_BYTES]; /* asked, for people */
};

struct kept {
	uint32_t version; /* KEPT_VERSION */
	uint32_t size_bytes;
	struct kept_gate gate;
	struct kept_stop stop;
	uint64_t taken_over_ns; /* when the first execution in the slot's root began */
	uint64_t services_ns;   /* when services were first started */
	uint32_t traced;        /* events of the timeline printed so far */
	uint32_t milestones;    /* heard so far */
	uint32_t first_boot;    /* 1: the state file system was made in this boot */
	int32_t milestones_fd;  /* kept open: nothing that is created meanwhile is missed, and to
				   close an inotify(7) waits for 20 ms; -1: none */
};

_Static_assert(sizeof(struct kept) <= WORLD_INIT_BYTES, "it fits its place in the world");

static inline struct kept *kept_in(struct world *world)
{
	return (struct kept *)(void *)world->init;
}

/* A fresh world's: nothing has happened yet. */
void kept_init(struct world *world);

/* Every field in range, every enum known: 0 or -EBADMSG. Pure. */
int kept_check(const struct kept *kept);

#endif
