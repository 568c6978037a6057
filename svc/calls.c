/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/calls.h"

#include <string.h>

static bool is_same(const struct world_call *call, const struct audit_record *record,
		    uint32_t service, uint32_t flags)
{
	return call->syscall == record->syscall && call->service == service &&
	       call->arch == record->arch && call->action == record->action && call->flags == flags;
}

/* Its entry, a new one, or NULL: there is no room. */
static struct world_call *find(struct world_calls *calls, const struct audit_record *record,
			       uint32_t service, uint32_t flags)
{
	for (uint32_t i = 0; i < calls->count; i++)
		if (is_same(&calls->entries[i], record, service, flags))
			return &calls->entries[i];
	if (calls->count >= WORLD_CALLS)
		return NULL;
	struct world_call *call = &calls->entries[calls->count++];

	memset(call, 0, sizeof *call);
	call->service = service;
	call->flags = flags;
	call->arch = record->arch;
	call->syscall = record->syscall;
	call->action = record->action;
	return call;
}

void calls_note(struct world *world, const struct audit_record *record, uint32_t service,
		uint32_t flags, uint64_t now_ns)
{
	struct world_call *call = find(&world->calls, record, service, flags);

	if (!call) {
		world->calls.no_room++;
		return;
	}
	if (call->count++ == 0)
		call->first_ns = now_ns;
	call->last_ns = now_ns;
	call->pid = record->pid;
	memcpy(call->comm, record->comm, sizeof call->comm);
}

void calls_heard(struct world_calls *calls, uint64_t serial)
{
	if (calls->heard++ == 0 || serial < calls->first_serial)
		calls->first_serial = serial;
	if (serial > calls->last_serial)
		calls->last_serial = serial;
}

void calls_overrun(struct world_calls *calls)
{
	calls->overruns++;
}

uint64_t calls_lost(const struct world_calls *calls)
{
	uint64_t span = calls->heard ? calls->last_serial - calls->first_serial + 1 : 0;

	if (calls->overruns == 0)
		return 0;
	/* What is missing at the end has left no gap yet. */
	return span > calls->heard + calls->overruns ? span - calls->heard : calls->overruns;
}
