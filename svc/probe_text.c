/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "svc/confine.h"
#include "svc/death.h"
#include "svc/format.h"
#include "svc/log.h"
#include "svc/probe.h"

int probe_parse_answer(const char *text, size_t size)
{
	static const char pattern[] = "HTTP/1.? ???";
	int status = 0;

	for (size_t i = 0; i < size && i < sizeof pattern - 1; i++) {
		if (pattern[i] == '?' ? text[i] < '0' || text[i] > '9' : text[i] != pattern[i])
			return -EPROTO;
		if (i > 8)
			status = status * 10 + text[i] - '0';
	}
	if (size < sizeof pattern - 1)
		return 0;
	return status < 100 ? -EPROTO : status;
}

size_t probe_name(const struct plan *plan, const struct plan_probe *probe, char *buffer,
		  size_t size)
{
	const char *target = plan_string(plan, probe->target);

	switch (probe->kind) {
	case PLAN_PROBE_NOTIFY: return format_text(buffer, size, "notify");
	case PLAN_PROBE_SOCKET: return format_text(buffer, size, "socket %s", target);
	case PLAN_PROBE_HTTP:
		return format_text(buffer, size, "http 127.0.0.1:%u%s", probe->number, target);
	case PLAN_PROBE_FD: return format_text(buffer, size, "fd %u", probe->number);
	case PLAN_PROBE_COMMAND:
		return format_text(buffer, size, "command %s",
				   plan_list_string(plan, plan_command(plan, probe->command)->argv,
						    0));
	default: return format_text(buffer, size, "exec");
	}
}

size_t probe_reason(const struct plan_probe *probe, const struct probe_outcome *outcome,
		    char *buffer, size_t size)
{
	const struct world_death *death = outcome->death;
	uint64_t timeout_ns = probe->timeout_ns ? probe->timeout_ns : PROBE_TIMEOUT_NS;
	bool late = outcome->error == -ETIMEDOUT ||
		    (death && death->error == -ETIMEDOUT && death->step == CONFINE_NONE);

	if (late)
		return format_text(buffer, size, "no answer within %llu ms",
				   (unsigned long long)(timeout_ns / 1000000));
	if (death)
		return death_text(death, buffer, size);
	if (outcome->status != 0)
		return format_text(buffer, size, "status %d", outcome->status);
	switch (outcome->error) {
	case -EPROTO: return format_text(buffer, size, "not an HTTP answer");
	case -ENODATA: return format_text(buffer, size, "closed without an answer");
	case -EBUSY: return format_text(buffer, size, "the last one still runs");
	case -EAGAIN:
		if (probe->kind == PLAN_PROBE_SOCKET)
			return format_text(buffer, size, "its queue is full");
	}
	return format_text(buffer, size, "%s", log_errno(outcome->error));
}
