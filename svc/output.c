/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/output.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "svc/log_protocol.h"

int output_open(struct output *output, const struct plan *plan, struct output_pipe *pipes)
{
	uint32_t count = plan_count(plan, PLAN_SERVICES);
	int error = 0;

	*output = (struct output){.plan = plan, .pipes = pipes};
	output->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (output->null_fd < 0)
		error = -errno;
	output->kmsg_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	for (uint32_t i = 0; i < count; i++)
		pipes[i] = (struct output_pipe){.read_fd = -1, .write_fd = -1};
	for (uint32_t i = log_next_service(plan, 0); i < count; i = log_next_service(plan, i + 1)) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0) {
			error = error ? error : -errno;
			continue;
		}
		pipes[i] = (struct output_pipe){.read_fd = ends[0], .write_fd = ends[1]};
	}
	return error;
}

int output_fd(const struct output *output, uint32_t service)
{
	switch (plan_service(output->plan, service)->output) {
	case PLAN_OUTPUT_LOG: return output->pipes[service].write_fd;
	case PLAN_OUTPUT_KMSG: return output->kmsg_fd;
	default: return -1;
	}
}

uint32_t output_logger_fds(const struct output *output, int *fds)
{
	uint32_t services = plan_count(output->plan, PLAN_SERVICES), count = 0;

	for (uint32_t i = log_next_service(output->plan, 0); i < services;
	     i = log_next_service(output->plan, i + 1))
		fds[count++] = output->pipes[i].read_fd;
	return count;
}
