/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/pids.h"

#include <string.h>

uint32_t pids_slots(uint32_t entries)
{
	uint32_t slots = 16;

	while (slots < entries + entries / 3)
		slots *= 2;
	return slots;
}

void pids_init(struct pids *pids, struct pid_slot *slots, uint32_t count)
{
	memset(slots, 0, count * sizeof *slots);
	*pids = (struct pids){.slots = slots, .mask = count - 1};
}

/* Pids are dense: neighbours that were forked together would cluster, so spread them (Knuth 6.4). */
static uint32_t home(const struct pids *pids, int pid)
{
	return ((uint32_t)pid * 2654435769u >> 7) & pids->mask;
}

/* Where `pid` is, or the free slot in which it would be. */
static uint32_t place(const struct pids *pids, int pid)
{
	uint32_t at = home(pids, pid);

	while (pids->slots[at].pid != 0 && pids->slots[at].pid != pid)
		at = (at + 1) & pids->mask;
	return at;
}

void pids_set(struct pids *pids, int pid, uint32_t owner)
{
	pids->slots[place(pids, pid)] = (struct pid_slot){.pid = pid, .owner = owner};
}

void pids_remove(struct pids *pids, int pid, uint32_t owner)
{
	uint32_t hole = place(pids, pid);

	if (pids->slots[hole].pid == 0 || pids->slots[hole].owner != owner)
		return;
	/* Move back what was pushed beyond the hole, so that every search still finds its end. */
	for (uint32_t at = (hole + 1) & pids->mask; pids->slots[at].pid != 0;
	     at = (at + 1) & pids->mask) {
		uint32_t distance = (at - home(pids, pids->slots[at].pid)) & pids->mask;

		if (distance >= ((at - hole) & pids->mask)) {
			pids->slots[hole] = pids->slots[at];
			hole = at;
		}
	}
	pids->slots[hole].pid = 0;
}

uint32_t pids_find(const struct pids *pids, int pid)
{
	const struct pid_slot *slot = &pids->slots[place(pids, pid)];

	return slot->pid == pid && pid != 0 ? slot->owner : PIDS_NONE;
}
