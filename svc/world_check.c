/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/world_check.h"

#include <errno.h>
#include <string.h>

#include "svc/service.h"

struct check {
	const struct plan *plan;
	const struct world *world;
	struct world_fault *fault;
	uint8_t seen[WORLD_DESCRIPTORS / 8]; /* bit per descriptor */
};

static int refuse(struct world_fault *fault, const char *reason, uint32_t service, int error)
{
	if (fault)
		*fault = (struct world_fault){reason, service};
	return error;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* -1, or a descriptor that nobody else has. */
static bool descriptor_is_sane(struct check *check, int32_t fd)
{
	if (fd == -1)
		return true;
	if (fd < 3 || (uint32_t)fd >= WORLD_DESCRIPTORS)
		return false;
	uint8_t bit = (uint8_t)(1u << (fd & 7));
	bool first = (check->seen[fd >> 3] & bit) == 0;

	check->seen[fd >> 3] |= bit;
	return first;
}

static bool pid_is_sane(int32_t pid)
{
	return pid == 0 || pid > 1;
}

/* The command, or in the main stage the condition, that `hook` counts. */
static bool hook_is_sane(const struct plan_service *plan, const struct world_service *service)
{
	switch (service->stage) {
	case WORLD_STAGE_PRE: return service->hook < plan->pre.count;
	case WORLD_STAGE_POST: return service->hook <= plan->post.count; /* what they left ends */
	case WORLD_STAGE_MAIN: return service->hook == 0 || service->hook < plan->conditions.count;
	default: return false;
	}
}

static const char *service_fault(struct check *check, uint32_t index)
{
	const struct plan_service *plan = plan_service(check->plan, index);
	const struct world_service *service = &check->world->services[index];
	uint32_t probes = plan->probes.count;

	if (!ends(service->name, sizeof service->name) ||
	    strcmp(service->name, plan_string(check->plan, plan->name)) != 0)
		return "name";
	if (service->state >= SERVICE_STATE_COUNT || service->wanted > 1)
		return "state";
	if (!pid_is_sane(service->pid) || !pid_is_sane(service->spawned_pid))
		return "pid";
	if (!hook_is_sane(plan, service))
		return "stage";
	if (service->reason >= WORLD_REASON_COUNT ||
	    service->last_death.reason >= WORLD_REASON_COUNT)
		return "reason";
	if (probes < 32 && service->probes_met >> probes != 0)
		return "probes";
	if (!descriptor_is_sane(check, service->report_fd) ||
	    !descriptor_is_sane(check, service->ready_fd) ||
	    !descriptor_is_sane(check, service->output_read_fd) ||
	    !descriptor_is_sane(check, service->output_write_fd))
		return "descriptor";
	if (!ends(service->status, sizeof service->status))
		return "status";
	return NULL;
}

static bool tasks_are_sane(const struct world *world)
{
	const struct world_task *tasks = (const void *)(world->services + world->service_count);

	for (uint32_t i = 0; i < world->task_count; i++)
		if (!pid_is_sane(tasks[i].pid) || tasks[i].killed > 1)
			return false;
	return true;
}

static bool calls_are_sane(const struct world_calls *calls, uint32_t service_count)
{
	if (calls->count > WORLD_CALLS)
		return false;
	for (uint32_t i = 0; i < calls->count; i++) {
		const struct world_call *call = &calls->entries[i];

		if ((call->service >= service_count && call->service != PLAN_NONE) ||
		    call->flags > WORLD_CALL_POD || !ends(call->comm, sizeof call->comm))
			return false;
	}
	return true;
}

/* Was it laid out by this program for this plan? */
static const char *layout_fault(const struct world *world, size_t size, const struct plan *plan)
{
	uint32_t services = plan_count(plan, PLAN_SERVICES);
	uint32_t probes = plan_count(plan, PLAN_PROBES);

	if (world->plan_crc32 != plan->header->crc32)
		return "plan";
	if (world->version != WORLD_VERSION)
		return "version";
	if (world->header_bytes != sizeof *world ||
	    world->service_bytes != sizeof world->services[0] || world->service_count != services ||
	    world->task_count != services + probes ||
	    world->size_bytes != world_size(services, probes) || size < world->size_bytes)
		return "layout";
	return NULL;
}

int world_check(const struct world *world, size_t size, const struct plan *plan,
		struct world_fault *fault)
{
	static struct check check; /* too large for the stack; one world is checked at a time */
	const char *reason;

	if (size < sizeof *world || world->magic != WORLD_MAGIC)
		return refuse(fault, "header", PLAN_NONE, -EBADMSG);
	reason = layout_fault(world, size, plan);
	if (reason)
		return refuse(fault, reason, PLAN_NONE, -EPROTONOSUPPORT);
	memset(&check, 0, sizeof check);
	check.plan = plan;
	check.world = world;
	check.fault = fault;
	if (world->executions == 0 || world->ending > 1)
		return refuse(fault, "counters", PLAN_NONE, -EBADMSG);
	if (!descriptor_is_sane(&check, world->notify_fd) ||
	    !descriptor_is_sane(&check, world->control_fd) ||
	    !descriptor_is_sane(&check, world->calls.fd))
		return refuse(fault, "descriptor", PLAN_NONE, -EBADMSG);
	for (uint32_t i = 0; i < world->service_count; i++) {
		reason = service_fault(&check, i);
		if (reason)
			return refuse(fault, reason, i, -EBADMSG);
	}
	return tasks_are_sane(world) ? 0 : refuse(fault, "tasks", PLAN_NONE, -EBADMSG);
}

/* ---- history ---- */

static bool event_is_sane(const struct world *world, const struct world_event *event)
{
	return (event->service == PLAN_NONE || event->service < world->service_count) &&
	       event->reason < WORLD_REASON_COUNT;
}

static void mend_timeline(struct timeline *timeline)
{
	if (timeline->count > TIMELINE_EVENTS)
		timeline->count = TIMELINE_EVENTS;
	for (uint32_t i = 0; i < timeline->count; i++)
		timeline->events[i].name[TIMELINE_NAME_BYTES - 1] = '\0';
}

void world_mend(struct world *world)
{
	for (uint32_t i = 0; i < WORLD_EVENTS; i++)
		if (!event_is_sane(world, &world->events[i]))
			world->events[i] = (struct world_event){.service = PLAN_NONE};
	mend_timeline(&world->timeline);
	if (!calls_are_sane(&world->calls, world->service_count))
		world->calls = (struct world_calls){.fd = world->calls.fd};
}

/* ---- another version, another plan, or a damaged one ---- */

/* The header's frozen part (world.h). */
struct frozen_header {
	uint64_t magic;
	uint32_t version;
	uint32_t size_bytes;
	uint32_t header_bytes;
	uint32_t service_bytes;
	uint32_t service_count;
	uint32_t plan_crc32;
	uint32_t executions;
	uint32_t phase;
};

_Static_assert(offsetof(struct world, phase) == offsetof(struct frozen_header, phase),
	       "the header's frozen part");
_Static_assert(offsetof(struct world_service, pid_start_ticks) ==
		       offsetof(struct world_frozen, pid_start_ticks),
	       "a service's frozen part");

static bool read_header(const void *old, size_t size, struct frozen_header *header)
{
	if (size < sizeof *header)
		return false;
	memcpy(header, old, sizeof *header);
	return header->magic == WORLD_MAGIC && header->header_bytes >= sizeof *header &&
	       header->service_bytes >= sizeof(struct world_frozen) &&
	       header->service_count <= PLAN_MAX_SERVICES && header->header_bytes <= size &&
	       header->service_count <= (size - header->header_bytes) / header->service_bytes;
}

static bool find(const void *old, const struct frozen_header *header, const char *name,
		 struct world_frozen *found)
{
	const uint8_t *at = (const uint8_t *)old + header->header_bytes;

	for (uint32_t i = 0; i < header->service_count; i++, at += header->service_bytes) {
		memcpy(found, at, sizeof *found);
		if (ends(found->name, sizeof found->name) && strcmp(found->name, name) == 0)
			return found->state < SERVICE_STATE_COUNT && found->wanted <= 1;
	}
	return false;
}

/* Whose calls they were is a number, so it has to be of the same plan. */
static void take_calls(const struct world_calls *old, struct world_calls *calls,
		       uint32_t service_count)
{
	if (!calls_are_sane(old, service_count))
		return;
	*calls = *old;
	calls->fd = -1;
}

static void take_history(const struct world *old, struct world *world)
{
	world->up_ns = old->up_ns;
	world->blessed_ns = old->blessed_ns;
	world->reaped_orphans = old->reaped_orphans;
	world->crashes = old->crashes;
	world->descriptors = old->descriptors;
	world->ending = old->ending == 1;
	world->timeline = old->timeline;
	mend_timeline(&world->timeline);
	if (old->plan_crc32 == world->plan_crc32)
		take_calls(&old->calls, &world->calls, world->service_count);
}

uint32_t world_transcribe(const void *old, size_t size, const struct plan *plan,
			  struct world *world)
{
	struct frozen_header header;
	uint32_t found_count = 0;

	if (!read_header(old, size, &header))
		return 0;
	world->executions = header.executions;
	world->phase = header.phase;
	if (header.version == WORLD_VERSION && header.header_bytes == sizeof *world)
		take_history(old, world);
	for (uint32_t i = 0; i < world->service_count; i++) {
		struct world_service *service = &world->services[i];
		struct world_frozen found;

		if (!find(old, &header, plan_string(plan, plan_service(plan, i)->name), &found))
			continue;
		found_count++;
		service->state = found.state;
		service->wanted = found.wanted;
		if (found.pid > 1) {
			service->pid = found.pid;
			service->pid_start_ticks = found.pid_start_ticks;
		}
	}
	return found_count;
}
