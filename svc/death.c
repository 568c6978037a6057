/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/death.h"

#include <string.h>
#include <sys/wait.h>

#include "svc/confine.h"
#include "svc/format.h"
#include "svc/log.h"

size_t death_text(const struct world_death *death, char *buffer, size_t size)
{
	if (death->error != 0)
		return format_text(buffer, size, "start failed at step %s: %s",
				   confine_step_name(death->step), log_errno(death->error));
	switch (death->code) {
	case CLD_EXITED: return format_text(buffer, size, "exited with status %d", death->status);
	case CLD_KILLED:
		return format_text(buffer, size, "killed by signal %d (%s)", death->status,
				   strsignal(death->status));
	case CLD_DUMPED:
		return format_text(buffer, size, "dumped core on signal %d (%s)", death->status,
				   strsignal(death->status));
	default: return format_text(buffer, size, "%s", "");
	}
}
