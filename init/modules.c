/* SPDX-License-Identifier: Apache-2.0 */
#include "init/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/phase.h"
#include "mount/sys.h"
#include "svc/format.h"
#include "svc/log.h"

static int load(const char *path, const char *parameters)
{
	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return syscall(SYS_finit_module, fd, parameters, 0) < 0 ? -errno : 0;
}

int modules_load(const struct plan *plan, struct timeline *timeline)
{
	int first = 0;

	for (uint32_t i = 0; i < plan_count(plan, PLAN_MODULES); i++) {
		const struct plan_module *module = plan_module(plan, i);
		const char *path = plan_string(plan, module->path);
		const char *slash = strrchr(path, '/');
		uint32_t event = timeline_begin(timeline, TIMELINE_MODULE, slash ? slash + 1 : path,
						clock_boottime_ns());
		int error = load(path, plan_string(plan, module->parameters));

		timeline_end(timeline, event, clock_boottime_ns(), error == -EEXIST ? 0 : error);
		if (error == -EEXIST) {
			log_debug("module: %s: loaded already", path);
		} else if (error == -ENODEV) {
			log_info("module: %s: no such device here", path);
		} else if (error) {
			char object[PLAN_MAX_PATH];

			format_text(object, sizeof(object), "module: %s", path);
			fault(object, "load", error);
			first = first ? first : error;
		}
	}
	return first;
}
