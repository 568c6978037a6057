/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/plan_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "svc/fd.h"

int plan_file_map(const char *who, const char *path, struct plan *plan)
{
	struct plan_fault fault = {.reason = "cannot be mapped"};
	struct stat status;
	owned_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0) {
		int error = -errno;

		fprintf(stderr, "%s: %s: %s\n", who, path, strerror(-error));
		return error;
	}
	void *base = status.st_size > 0 && status.st_size <= (off_t)PLAN_MAX_BYTES
			     ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
			     : MAP_FAILED;

	if (base != MAP_FAILED &&
	    plan_verify(base, (size_t)status.st_size, PLAN_KIND_NODE, plan, &fault) == 0)
		return 0;
	fprintf(stderr, "%s: %s: not a plan: %s\n", who, path, fault.reason);
	return -EBADMSG;
}

uint32_t plan_file_service(const struct plan *plan, const char *name)
{
	for (uint32_t i = 0; i < plan_count(plan, PLAN_SERVICES); i++)
		if (strcmp(plan_string(plan, plan_service(plan, i)->name), name) == 0)
			return i;
	return PLAN_NONE;
}
