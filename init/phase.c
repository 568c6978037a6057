/* SPDX-License-Identifier: Apache-2.0 */
#include "init/phase.h"

#include "init/watchdog.h"
#include "svc/format.h"
#include "svc/log.h"

static char last_fault[256];

int fault(const char *object, const char *step, int error)
{
	format_text(last_fault, sizeof(last_fault), "%s: %s: %s", object, step, log_errno(error));
	log_error("%s", last_fault);
	return error;
}

const char *fault_text(void)
{
	return last_fault;
}

static int run(const struct phase *phase, struct timeline **timeline)
{
	uint64_t start_ns = clock_boottime_ns();
	uint32_t event = TIMELINE_EVENTS;
	int error;

	watchdog_feed();
	if (*timeline)
		event = timeline_begin(*timeline, TIMELINE_PHASE, phase->name, start_ns);
	error = phase->run();
	if (*timeline && event == TIMELINE_EVENTS)
		event = timeline_begin(*timeline, TIMELINE_PHASE, phase->name, start_ns);
	if (*timeline)
		timeline_end(*timeline, event, clock_boottime_ns(), error);
	return error;
}

int phases_run(const struct phase *phases, size_t count, struct timeline **timeline)
{
	for (size_t i = 0; i < count; i++) {
		int error = run(&phases[i], timeline);

		if (error)
			return error;
	}
	return 0;
}
