/* SPDX-License-Identifier: Apache-2.0 */
#include "init/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mount/sys.h"

/* What the file holds of a segment: zeroed memory behind it is touched when it is used. */
static int lock_program(struct dl_phdr_info *program, size_t size, void *error)
{
	(void)size;
	for (size_t i = 0; i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &program->dlpi_phdr[i];
		uintptr_t start = program->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_LOAD && mlock((const void *)start, segment->p_filesz) < 0)
			*(int *)error = -errno;
	}
	return 1; /* the first one is this program */
}

int memory_lock(const struct plan *plan)
{
	int error = 0;

	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		error = -errno;
	dl_iterate_phdr(lock_program, &error);
	if (mlock(plan->header, plan->header->size_bytes) < 0)
		error = -errno;
	return error;
}

int memory_protect(void)
{
	cleanup_fd fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, "-1000", 5) < 0 ? -errno : 0;
}
