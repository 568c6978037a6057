/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "svc/service.h"

size_t world_size(uint32_t service_count)
{
	return sizeof(struct world) + (size_t)service_count * sizeof(struct world_service);
}

int world_init(struct world *world, size_t size, const struct plan *plan)
{
	uint32_t count = plan_count(plan, PLAN_SERVICES);

	if (size < world_size(count))
		return -EMSGSIZE;
	world->magic = WORLD_MAGIC;
	world->version = WORLD_VERSION;
	world->size_bytes = (uint32_t)world_size(count);
	world->service_count = count;
	world->plan_crc32 = plan->header->crc32;
	world->executions = 1;
	for (uint32_t i = 0; i < count; i++) {
		struct world_service *service = &world->services[i];
		const char *name = plan_string(plan, plan_service(plan, i)->name);

		memcpy(service->name, name, strnlen(name, sizeof service->name - 1));
		service->state = SERVICE_DOWN;
		service->pidfd = -1;
	}
	return 0;
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
	size_t size = world_size(plan_count(plan, PLAN_SERVICES));
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
