/* SPDX-License-Identifier: Apache-2.0 */
#include "init/plan_map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "init/phase.h"
#include "mount/sys.h"
#include "svc/format.h"

static int refuse(const char *path, const struct plan_fault *why, int error)
{
	const char *reason = why->reason ? why->reason : "refused";
	char step[128];

	if (why->section == PLAN_NONE)
		format_text(step, sizeof(step), "verify: %s", reason);
	else
		format_text(step, sizeof(step), "verify: %s %u: %s",
			    plan_section_name(why->section), why->index, reason);
	return fault(path, step, error);
}

int plan_map(const char *path, enum plan_kind kind, struct plan *plan)
{
	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct plan_fault why = {.section = PLAN_NONE};
	struct stat st;
	void *base;
	int error;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fault(path, "open", -errno);
	if (st.st_size <= 0 || st.st_size > (off_t)PLAN_MAX_BYTES)
		return fault(path, "size", -EMSGSIZE);
	base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (base == MAP_FAILED)
		return fault(path, "map", -errno);
	error = plan_verify(base, (size_t)st.st_size, kind, plan, &why);
	return error ? refuse(path, &why, error) : 0;
}
