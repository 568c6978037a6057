/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/death.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "svc/confine.h"
#include "svc/format.h"
#include "svc/log.h"

/* How the process itself ended. */
static size_t ending(const struct world_death *death, char *buffer, size_t size)
{
	const char *suffix = "";

	if (death->error == -ETIMEDOUT && death->step == CONFINE_NONE)
		return format_text(buffer, size, "%s", "took too long and was killed");
	if (death->error != 0)
		return format_text(buffer, size, "start failed at step %s: %s",
				   confine_step_name(death->step), log_errno(death->error));
	if (death->reason == WORLD_REASON_OOM)
		suffix = ", out of memory";
	else if (death->reason == WORLD_REASON_SPAWN)
		suffix = " before it executed its program";
	switch (death->code) {
	case CLD_EXITED: return format_text(buffer, size, "exited with status %d", death->status);
	case CLD_KILLED:
		return format_text(buffer, size, "killed by signal %d (%s)%s", death->status,
				   strsignal(death->status), suffix);
	case CLD_DUMPED:
		return format_text(buffer, size, "dumped core on signal %d (%s)%s", death->status,
				   strsignal(death->status), suffix);
	default:
		return format_text(buffer, size, "%s",
				   death->at_ns != 0 ? "ended, and nobody knows how" : "");
	}
}

size_t death_text(const struct world_death *death, char *buffer, size_t size)
{
	size_t length = 0;

	if (death->reason == WORLD_REASON_PRE)
		length = format_text(buffer, size, "%s", "pre: ");
	return length + ending(death, buffer + length, size - length);
}
