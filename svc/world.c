/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "svc/service.h"

size_t world_size(uint32_t service_count, uint32_t probe_count)
{
	size_t tasks = (size_t)service_count + probe_count;

	return sizeof(struct world) + service_count * sizeof(struct world_service) +
	       tasks * sizeof(struct world_task);
}

int world_init(struct world *world, size_t size, const struct plan *plan)
{
	uint32_t count = plan_count(plan, PLAN_SERVICES);
	uint32_t probes = plan_count(plan, PLAN_PROBES);

	if (size < world_size(count, probes))
		return -EMSGSIZE;
	world->magic = WORLD_MAGIC;
	world->version = WORLD_VERSION;
	world->size_bytes = (uint32_t)world_size(count, probes);
	world->header_bytes = sizeof *world;
	world->service_bytes = sizeof world->services[0];
	world->service_count = count;
	world->plan_crc32 = plan->header->crc32;
	world->executions = 1;
	world->task_count = count + probes;
	world->notify_fd = world->control_fd = world->calls.fd = -1;
	for (uint32_t i = 0; i < count; i++) {
		struct world_service *service = &world->services[i];
		const char *name = plan_string(plan, plan_service(plan, i)->name);

		memcpy(service->name, name, strnlen(name, sizeof service->name - 1));
		service->state = SERVICE_DOWN;
		service->pidfd = -1;
		service->report_fd = service->ready_fd = -1;
		service->output_read_fd = service->output_write_fd = -1;
	}
	for (uint32_t i = 0; i < world->task_count; i++)
		world_task(world, i)->pidfd = -1;
	return 0;
}

void world_note(struct world *world, const struct world_event *event)
{
	world->events[world->event_count++ % WORLD_EVENTS] = *event;
}

static void visit_one(int32_t *fd, void (*visit)(void *context, int32_t *fd), void *context)
{
	if (*fd >= 0)
		visit(context, fd);
}

void world_each_descriptor(struct world *world, void (*visit)(void *context, int32_t *fd),
			   void *context)
{
	visit_one(&world->notify_fd, visit, context);
	visit_one(&world->control_fd, visit, context);
	visit_one(&world->calls.fd, visit, context);
	for (uint32_t i = 0; i < world->service_count; i++) {
		struct world_service *service = &world->services[i];

		visit_one(&service->report_fd, visit, context);
		visit_one(&service->ready_fd, visit, context);
		visit_one(&service->output_read_fd, visit, context);
		visit_one(&service->output_write_fd, visit, context);
	}
}

const char *world_reason_name(uint32_t reason)
{
	static const char names[][14] = {
		[WORLD_REASON_NONE] = "none",
		[WORLD_REASON_ITSELF] = "itself",
		[WORLD_REASON_REQUEST] = "request",
		[WORLD_REASON_REQUIREMENT] = "requirement",
		[WORLD_REASON_CONFLICT] = "conflict",
		[WORLD_REASON_SHUTDOWN] = "shutdown",
		[WORLD_REASON_START_TIMEOUT] = "start timeout",
		[WORLD_REASON_STOP_TIMEOUT] = "stop timeout",
		[WORLD_REASON_LIVENESS] = "liveness",
		[WORLD_REASON_WATCHDOG] = "watchdog",
		[WORLD_REASON_PRE] = "pre",
		[WORLD_REASON_SPAWN] = "spawn",
		[WORLD_REASON_OOM] = "oom",
		[WORLD_REASON_LOST] = "lost",
	};
	_Static_assert(sizeof names / sizeof names[0] == WORLD_REASON_COUNT, "a name a reason");

	return reason < WORLD_REASON_COUNT ? names[reason] : "?";
}

/* Sized, sealed against resizing, mapped, resident, and absent from children. */
static int map_world(int fd, size_t size, struct world **world)
{
	if (ftruncate(fd, (off_t)size) < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	if (mlock(at, size) < 0 || madvise(at, size, MADV_DONTFORK) < 0) {
		int error = -errno;

		munmap(at, size);
		return error;
	}
	*world = at;
	return 0;
}

int world_create(const struct plan *plan, struct world **world, int *fd)
{
	size_t size = world_size(plan_count(plan, PLAN_SERVICES), plan_count(plan, PLAN_PROBES));
	int memfd = memfd_create("keelson-world", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memfd < 0)
		return -errno;
	int error = map_world(memfd, size, world);

	if (error == 0)
		error = world_init(*world, size, plan);
	if (error != 0) {
		close(memfd);
		return error;
	}
	*fd = memfd;
	return 0;
}
