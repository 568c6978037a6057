/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes: one table of everything that is asked about services. A probe of readiness (ready.h) is
 * asked until it is met, one of liveness (liveness.h) again and again while its service is up.
 *
 * Asking never makes PID 1 wait:
 *   http     a non-blocking connection to loopback, driven by epoll, given up after its timeout.
 *   command  a task (task.h), killed after its timeout.
 *   socket   connect(2) to an AF_UNIX path is answered or refused at once, but finding the path may
 *            take as long as a file system likes (a FUSE daemon that hangs, an NFS server that is
 *            gone). So PID 1 looks only at what the kernel has in its cache (openat2(2)
 *            RESOLVE_CACHED: a socket that somebody listens on holds its whole path there), and
 *            connects only to what lies on the file system of the runtime directory; a child that
 *            may hang asks for any other path, at most one at a time for a probe.
 *
 * A question that is late itself says nothing about a service: when PID 1 gives up an attempt more
 * than PROBE_LATE_NS after its time, the machine was asleep or PID 1 stopped, and the attempt counts
 * for nothing. (Times are CLOCK_BOOTTIME, which goes on in suspend; the timeouts of epoll_wait(2) do
 * not, so after a suspend PID 1 wakes late at most by what was left of its wait.)
 */
#ifndef KEELSON_PROBE_H
#define KEELSON_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"
#include "svc/world.h"

#define PROBE_INTERVAL_MIN_NS 5000000ull /* whatever a plan says */
#define PROBE_TIMEOUT_NS 1000000000ull   /* when a plan gives none */
#define PROBE_LATE_NS 1000000000ull      /* how late an answer may be judged */
#define PROBE_ELSEWHERE_NS 1000000000ull /* between two children for a path that is not cached */
#define PROBE_TEXT_BYTES 160u

enum probe_phase { PROBE_IDLE, PROBE_WAITING, PROBE_ASKING };

enum probe_verdict {
	PROBE_PENDING, /* the answer comes later */
	PROBE_MET,
	PROBE_UNMET,
	PROBE_UNKNOWN /* it could not be asked, which says nothing about the service */
};

/* What came of an attempt. */
struct probe_outcome {
	enum probe_verdict verdict;
	int error;                       /* negative errno; 0: none */
	int status;                      /* http: what it answered instead of 200; else 0 */
	const struct world_death *death; /* command: how it ended; NULL: it did not */
};

/* One probe. The array is the caller's, one for each probe of the plan. */
struct probe {
	int fd; /* http: the attempt's socket; -1: none */
	uint32_t service;
	uint32_t generation;   /* in event keys: events of an earlier attempt are ignored */
	uint32_t failures;     /* liveness: in a row */
	uint64_t at_ns;        /* WAITING: when to ask; ASKING: when to give up; else 0 */
	uint64_t elsewhere_ns; /* socket: not before this does a child ask */
	uint8_t phase;         /* enum probe_phase */
	bool live;             /* of liveness */
	bool said;             /* liveness: that it cannot be asked was said */
	bool sent;             /* http: the request is out */
	bool hangs;            /* what was run was given up, and has not ended */
	uint8_t answer_bytes;
	char answer[14]; /* http: what has come of the status line */
};

struct probe_calls {
	void *context;
	/* Run the command of `probe`, or the child that asks for its socket: probe_answered() tells how
	 * it ended. 0; -EBUSY: one runs already; another negative errno. */
	int (*run)(void *context, uint32_t probe);
	/* Nobody waits for it any more. */
	void (*drop)(void *context, uint32_t probe);
	/* A probe of liveness failed too often; why was said. The service leaves `up`. */
	void (*sick)(void *context, uint32_t service);
};

struct probes {
	const struct plan *plan;
	struct world *world;
	int epoll_fd;
	uint64_t key;      /* or'ed with generation << 32 and the probe's index: epoll_data.u64 */
	const char *local; /* a directory: on its file system, and no other, PID 1 connects itself */
	uint64_t device;   /* of that; 0: not looked up yet */
	const struct probe_calls *calls;
	struct probe *table;
};

/* `table` has plan_count(PLAN_PROBES) entries; everything is borrowed for ever. */
void probes_init(struct probes *probes, const struct probes *from);

/* The state of `service` changed: leaving `starting` ends readiness, `up` begins and ends liveness. */
void probes_changed(struct probes *probes, uint32_t service, uint32_t before, uint64_t now_ns);

/* Ask nothing more about `service`. */
void probes_stop(struct probes *probes, uint32_t service);

/* After a re-exec, for a service that is `starting` or `up`: what is not met is asked again. */
void probes_resume(struct probes *probes, uint32_t service, uint64_t now_ns);

/* An event of probe `index`, meant for its `generation`. Returns its service, or PLAN_NONE. */
uint32_t probes_handle(struct probes *probes, uint32_t index, uint32_t generation, uint64_t now_ns);

/* Ask, or give up, what is due; when that is: UINT64_MAX: never. */
void probes_tick(struct probes *probes, uint32_t service, uint64_t now_ns);
uint64_t probes_deadline_ns(const struct probes *probes, uint32_t service);

/* What probe_calls.run() ran for probe `index` ended. */
void probe_answered(struct probes *probes, uint32_t index, const struct world_death *death,
		    uint64_t now_ns);

/* ---- for ready.c and liveness.c ---- */

static inline const struct plan_probe *probe_plan(const struct probes *probes, uint32_t index)
{
	return plan_probe(probes->plan, index);
}

/* Ask now; ask at `at_ns`; do not ask. */
void probe_ask(struct probes *probes, uint32_t index, uint64_t now_ns);
void probe_wait(struct probes *probes, uint32_t index, uint64_t at_ns);
void probe_rest(struct probes *probes, uint32_t index);

/* From one attempt's end to the next. */
uint64_t probe_interval_ns(const struct plan_probe *probe);

/* ---- probe_http.c, probe_socket.c: one attempt ---- */

struct probe_outcome probe_http_begin(struct probes *probes, uint32_t index);
struct probe_outcome probe_http_go_on(struct probes *probes, uint32_t index);

/* 0: it accepts; negative errno: it does not; 1: PID 1 cannot tell without waiting. */
int probe_socket_ask(const char *path, uint64_t device);

/* The same from a child that may wait, in raw system calls. 0 or negative errno. */
int probe_socket_ask_slowly(const char *path);

/* The file system that `path` is on; 0: not known. */
uint64_t probe_socket_device(const char *path);

/* ---- probe_text.c, pure ---- */

/*
 * The beginning of an HTTP answer (RFC 9112, section 4): its status, 0 when more bytes are needed,
 * -EPROTO when it is none.
 */
int probe_parse_answer(const char *text, size_t size);

/* "http 127.0.0.1:8080/healthz", "socket /run/x", "command /bin/check", "notify", "fd 3", "exec" */
size_t probe_name(const struct plan *plan, const struct plan_probe *probe, char *buffer,
		  size_t size);

/* Why it was not met: "status 503", "Connection refused", "no answer within 1000 ms", ... */
size_t probe_reason(const struct plan_probe *probe, const struct probe_outcome *outcome,
		    char *buffer, size_t size);

#endif
