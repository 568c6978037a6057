/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probing: is a daemon ready? A service is ready when all of its probes have been met, and a probe
 * that was met stays met for this life of the service.
 *
 * `exec` and `notify` come from elsewhere, as ready_met(). `socket` and `http` are asked here: not
 * before the first two are met, then all at once, each again after its interval. Every attempt is
 * non-blocking and given up after READY_ATTEMPT_NS; how long in all is the service's start timeout.
 */
#ifndef KEELSON_READY_H
#define KEELSON_READY_H

#include <stdbool.h>
#include <stdint.h>

#include "rootfs-spec/plan.h"
#include "svc/world.h"

#define READY_ATTEMPT_NS 2000000000ull
#define READY_INTERVAL_MIN_NS 5000000ull /* whatever a plan says */

/* One probe's attempt. The array is the caller's, one per plan probe. */
struct ready_probe {
	int fd; /* the attempt's socket; -1: none */
	uint32_t service;
	uint32_t sent;       /* http: the request is out */
	uint32_t generation; /* in the event key: events of an earlier attempt are ignored */
	uint64_t at_ns;      /* next attempt, or when this one is given up; 0: not probing */
	uint32_t answer_bytes;
	char answer[16]; /* http: what has come of the status line */
};

struct ready {
	const struct plan *plan;
	struct world *world;
	int epoll_fd;
	uint64_t key; /* or'ed with generation << 32 and the probe's index: epoll_data.u64 */
	struct ready_probe *probes;
};

/* `probes` has plan_count(PLAN_PROBES) entries. */
void ready_init(struct ready *ready, const struct plan *plan, struct world *world, int epoll_fd,
		uint64_t key, struct ready_probe *probes);

/* All probes of `kind` of the service are met; the active ones begin when it is their turn. */
void ready_met(struct ready *ready, uint32_t service, enum plan_probe_kind kind, uint64_t now_ns);

/* Stop asking. */
void ready_stop(struct ready *ready, uint32_t service);

/* An event of probe `index`, meant for its `generation`. Returns its service, or PLAN_NONE. */
uint32_t ready_handle(struct ready *ready, uint32_t index, uint32_t generation, uint64_t now_ns);

/* Make or give up the attempts of `service` that are due. */
void ready_tick(struct ready *ready, uint32_t service, uint64_t now_ns);

/* When ready_tick() is due for `service`; UINT64_MAX: never. */
uint64_t ready_deadline_ns(const struct ready *ready, uint32_t service);

/*
 * Pure: judge the beginning of an HTTP answer (RFC 9112, section 4): 1 status 200, 0 more bytes are
 * needed, -EPROTO anything else.
 */
int ready_parse_answer(const char *text, size_t size);

#endif
