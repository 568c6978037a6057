/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose child is that? A hash of the pids of living and not yet reaped children, so that a death is
 * found at once however many services and orphans there are. Open addressing, linear probing; the
 * slots are the caller's. Pure.
 */
#ifndef KEELSON_PIDS_H
#define KEELSON_PIDS_H

#include <stddef.h>
#include <stdint.h>

struct pid_slot {
	int32_t pid; /* 0: free */
	uint32_t owner;
};

struct pids {
	struct pid_slot *slots;
	uint32_t mask; /* slots - 1, a power of two less one */
};

#define PIDS_NONE UINT32_MAX

/* Slots for at most `entries` pids at a time: a power of two, at most three quarters of them used. */
uint32_t pids_slots(uint32_t entries);

/* All slots free. */
void pids_init(struct pids *pids, struct pid_slot *slots, uint32_t count);

/* `pid` (> 0) belongs to `owner` from now on, whoever had it before. */
void pids_set(struct pids *pids, int pid, uint32_t owner);

/* Forget it, unless it is somebody else's by now, or nobody's. */
void pids_remove(struct pids *pids, int pid, uint32_t owner);

/* Its owner, or PIDS_NONE. */
uint32_t pids_find(const struct pids *pids, int pid);

#endif
