/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After PID 1 executed itself anew: what the world says of a service, against what the kernel says.
 * The world may be a few instructions behind (a process was made that it does not know of) or ahead
 * (a state was entered and its signal was not sent), because the execution before ended anywhere.
 * The kernel is right: a child of PID 1's exists, has ended but is not reaped, or is gone.
 *
 *     state      main process   else                       what follows
 *     at rest    -              -                          RELEASE (its left-overs are killed)
 *     starting   lives          not executed, and the      RETRY: kill it, start again in a moment
 *                               pipe that tells is lost
 *                lives, ended   -                          KEEP
 *                gone           -                          END if its death was recorded, else LOST
 *                none           its command runs           KEEP
 *                none           its death was recorded     END
 *                none           -                          RETRY: conditions, hooks and all
 *     up         lives, ended   -                          KEEP
 *                gone, none     -                          END if its death was recorded, else LOST
 *     stopping   lives          after a crash              ASK: the signal may not have been sent
 *                lives, ended   -                          KEEP
 *                gone, none     something of its own left  KILL: the same
 *                gone           nothing left               END or LOST
 *                none           nothing left               KEEP: `post` goes on, or it has ended
 *
 * "Ended" is a child that is not reaped: its death is handled as always. "Gone" is a number in the
 * world without such a child. Pure.
 */
#ifndef KEELSON_RECONCILE_H
#define KEELSON_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

#include "svc/service.h"

enum reconcile_main {
	RECONCILE_NONE,  /* the world knows of no main process */
	RECONCILE_LIVES, /* it runs, and is the one that the world means */
	RECONCILE_ENDED, /* it ended and is not reaped */
	RECONCILE_GONE   /* there is no such process, or another one has its number */
};

struct reconcile_facts {
	uint32_t state; /* enum service_state */
	uint32_t stage; /* enum world_stage */
	enum reconcile_main main;
	bool mute;      /* the main process has not executed, and its report pipe is not known */
	bool populated; /* processes in its group or below */
	bool task;      /* the command of its stage runs, or ended and is not reaped */
	bool death_recorded; /* last_death tells of this life */
	bool crashed;        /* the execution before did not end on purpose */
	bool own_group;      /* kill: cgroup: all in its group is its own */
};

enum reconcile_action {
	RECONCILE_KEEP,    /* all is as the world says; what it has to do next is done */
	RECONCILE_END,     /* its main process ended and was reaped: last_death tells how */
	RECONCILE_LOST,    /* the same, and nobody knows how */
	RECONCILE_RETRY,   /* kill it, and start again in a moment, which counts for nothing */
	RECONCILE_ASK,     /* the stop signal once more */
	RECONCILE_KILL,    /* what is left has to be killed, once more */
	RECONCILE_RELEASE, /* nothing of it runs: give back what it may have open */
	RECONCILE_ACTION_COUNT
};

enum reconcile_action reconcile_decide(const struct reconcile_facts *facts);

/* "keep", "end", ...; "?" for a number that is none. */
const char *reconcile_action_name(uint32_t action);

/* ---- a world that is not believed: who is the main process? ---- */

/* A child of PID 1's in a service's group. */
struct reconcile_child {
	int32_t pid;
	uint64_t start_ticks;
	bool hinted;  /* the old world names it, with this start */
	bool program; /* it runs the service's program */
	bool leads;   /* it leads its session, as every main process does */
};

/*
 * Is `a` the main process rather than `b`? Whom the old world names; else who runs the service's
 * program; else who leads a session; else who is older: containerd's shims, which become PID 1's
 * children when it dies, lead sessions too and may be older than it is.
 */
bool reconcile_prefers(const struct reconcile_child *a, const struct reconcile_child *b);

#endif
