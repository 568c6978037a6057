/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot timeline: a fixed array of stamped events, from /init in the initramfs to the node's
 * last service, carried across switch-root in the boot record and across re-exec in the world.
 * Pointer-free. Times are CLOCK_BOOTTIME nanoseconds, so they count from kernel start and a
 * container on the node may stamp its own with the same clock.
 *
 * When the array is full further events are counted in `dropped`, never written over old ones: the
 * boot is what the timeline is for.
 */
#ifndef KEELSON_TIMELINE_H
#define KEELSON_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#define TIMELINE_EVENTS 1024u
#define TIMELINE_NAME_BYTES 40u

enum timeline_kind {
	TIMELINE_PHASE =
		1,        /* a phase of PID 1; `name` is the phase; end_ns is set when it is over */
	TIMELINE_MODULE,  /* a kernel module loaded */
	TIMELINE_MOUNT,   /* a target mounted */
	TIMELINE_SERVICE, /* a service entered `state` at start_ns (end_ns is 0) */
	TIMELINE_MILESTONE, /* somebody created a file of that name in the milestones directory */
	TIMELINE_SLOT,      /* "burned a", "opened a" (its verity), "blessed a", ... */
	TIMELINE_BOOTSTRAP  /* a phase under the kernel before a kexec, by the clock of that one */
};

struct timeline_event {
	uint64_t start_ns;
	uint64_t end_ns;                /* 0: a point in time, or not yet over */
	uint16_t kind;                  /* enum timeline_kind */
	uint16_t state;                 /* TIMELINE_SERVICE: enum service_state */
	int32_t error;                  /* 0 or the negative errno it ended with */
	char name[TIMELINE_NAME_BYTES]; /* NUL-terminated, cut if longer */
};

struct timeline {
	uint32_t count;
	uint32_t dropped;
	struct timeline_event events[TIMELINE_EVENTS];
};

_Static_assert(sizeof(struct timeline_event) == 64, "timeline event layout");

/* CLOCK_BOOTTIME now, in nanoseconds (clock_gettime(2)). */
uint64_t clock_boottime_ns(void);

/* `span_ns` after `at_ns`; a span that no clock reaches is never over, and no past time. */
static inline uint64_t clock_after_ns(uint64_t at_ns, uint64_t span_ns)
{
	return span_ns > UINT64_MAX - at_ns ? UINT64_MAX : at_ns + span_ns;
}

/*
 * Append an event that starts at `start_ns`; returns its index, or TIMELINE_EVENTS when full.
 * timeline_end() stamps the end of such an event; an index of TIMELINE_EVENTS is ignored.
 */
uint32_t timeline_begin(struct timeline *timeline, enum timeline_kind kind, const char *name,
			uint64_t start_ns);
void timeline_end(struct timeline *timeline, uint32_t index, uint64_t end_ns, int error);

/* Append a point event (state is 0 but for services). */
void timeline_point(struct timeline *timeline, enum timeline_kind kind, const char *name,
		    uint16_t state, uint64_t at_ns);

#define TIMELINE_LINE_BYTES 160u
#define TIMELINE_TRACE_PREFIX "keelson: trace: "

/*
 * One event as a line of a console log, for boots whose node nobody can ask (analyze.h reads them):
 *
 *     keelson: trace: KIND START_NS END_NS STATE ERROR NAME
 *
 * in decimal, NAME to the end of the line. Returns the length (without NUL) of what was written to
 * `line`. timeline_parse_line() finds the prefix anywhere in `line` (the kernel puts a stamp before
 * it) and fills `event`: 0, -ENOENT (no trace line), -EBADMSG.
 */
size_t timeline_trace_line(const struct timeline_event *event, char *line, size_t size);
int timeline_parse_line(const char *line, struct timeline_event *event);

/* "phase", "module", "mount", "service", "milestone", "slot", "bootstrap"; "?" for a number that is none. */
const char *timeline_kind_name(uint32_t kind);

#endif
