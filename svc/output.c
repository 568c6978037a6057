/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "svc/fd.h"
#include "svc/log.h"
#include "svc/log_protocol.h"

/* A file of that name that some program made by writing to it would fill the memory. */
static int open_null_device(void)
{
	struct stat status;
	owned_fd int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
		return -ENODEV;
	return fd_take(&fd);
}

/*
 * In its place where there is none: an empty file that nobody can write to. Who reads it is at its
 * end, and who writes is refused instead of held (F_ADD_SEALS in fcntl(2)).
 */
static int make_null(void)
{
	int fd = memfd_create("null", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0)
		fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	return fd;
}

int output_open(struct output *output, const struct plan *plan, struct world *world)
{
	uint32_t count = plan_count(plan, PLAN_SERVICES);
	int error = 0;

	*output = (struct output){.plan = plan, .world = world};
	output->null_fd = open_null_device();
	if (output->null_fd < 0) {
		log_warning("output: /dev/null: services get an empty file instead: %s",
			    log_errno(output->null_fd));
		output->null_fd = make_null();
	}
	output->kmsg_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	for (uint32_t i = log_next_service(plan, 0); i < count; i = log_next_service(plan, i + 1)) {
		struct world_service *state = &world->services[i];
		int ends[2];

		if (state->output_read_fd >= 0)
			continue;
		if (pipe2(ends, O_CLOEXEC) < 0) {
			error = error ? error : -errno;
			continue;
		}
		state->output_read_fd = ends[0];
		state->output_write_fd = ends[1];
	}
	return error;
}

int output_fd(const struct output *output, uint32_t service)
{
	switch (plan_service(output->plan, service)->output) {
	case PLAN_OUTPUT_LOG: return output->world->services[service].output_write_fd;
	case PLAN_OUTPUT_KMSG: return output->kmsg_fd;
	default: return -1;
	}
}

uint32_t output_logger_fds(const struct output *output, int *fds)
{
	uint32_t services = plan_count(output->plan, PLAN_SERVICES), count = 0;

	for (uint32_t i = log_next_service(output->plan, 0); i < services;
	     i = log_next_service(output->plan, i + 1))
		fds[count++] = output->world->services[i].output_read_fd;
	return count;
}
