/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shutdown, driven: shutdown.h decides which stage comes, here its work is begun, watched from
 * the event loop, stamped and logged, until power.h ends it all. What has happened of it is in the
 * world (kept.h), so that a crash of PID 1 in the middle of it costs nothing: stop_resume().
 */
#ifndef KEELSON_STOP_H
#define KEELSON_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "svc/control.h"
#include "svc/last.h"

#define STOP_WHO_BYTES 64u

struct stop_request {
	enum control_power action;
	enum last_by by;
	bool forced;     /* do not wait for anything: what is left is killed */
	const char *who; /* for people: "signal 39 from kured (612)"; cut at STOP_WHO_BYTES */
};

/*
 * Take note that the end was asked for, which may happen within a call of the supervisor's; the next
 * stop_advance() begins it; people's requests to services are refused from now on. When one is under
 * way already it is forced, whatever it asks for: what is left is killed.
 *
 * 0, or refused before anything was stopped: -ENODATA (kexec, and no kernel is loaded: kexec_load(2)),
 * -EOPNOTSUPP (kexec in a container).
 */
int stop_ask(const struct stop_request *request);

bool stop_under_way(void);

/* ... and whoever asked, or asked again, wants it to be over. */
bool stop_forced(void);

/* Go on as far as possible. Does not return when the end is reached. */
void stop_advance(uint64_t now_ns);

/* When to look again if nothing happens: CLOCK_BOOTTIME ns; UINT64_MAX: never. */
uint64_t stop_wake_ns(void);

/* After an execution of PID 1 anew: find out again what is not kept. stop_advance() goes on then. */
void stop_resume(void);

#endif
