/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness: is a daemon ready? It is when all of its probes have been met, and
 * a probe that was met stays met for this life of the service
 * (world_service.probes_met).
 *
 * `exec`, `notify` and `fd` are told, as ready_met(). `socket`, `http` and
 * `command` are asked (probe.h): not before the others are met, then all at
 * once, each again after its interval. How long in all is the service's start
 * timeout.
 *
 * `fd` is the readiness notification of s6: the service has the write end of a
 * pipe as the descriptor that the plan says, and is ready when it writes a
 * newline; what comes before it does not matter. Then, or when the service
 * closes it without one, the pipe is closed. It is kept over a re-exec.
 */
#ifndef KEELSON_READY_H
#define KEELSON_READY_H

#include "svc/probe.h"

/* All probes of `kind` of the service are met; those that are asked begin when
 * it is their turn. */
void ready_met(struct probes *probes, uint32_t service, enum plan_probe_kind kind, uint64_t now_ns);

/* world_service.ready_fd has something to say: true when that is all, and it is
 * closed. */
bool ready_fd_readable(struct probes *probes, uint32_t service, uint64_t now_ns);

/* Ask what is not met, if it is time to; stop asking. */
void ready_ask(struct probes *probes, uint32_t service, uint64_t now_ns);
void ready_stop(struct probes *probes, uint32_t service);

/* An attempt of probe `index` ended. */
void ready_judge(struct probes *probes, uint32_t index, const struct probe_outcome *outcome,
		 uint64_t now_ns);

/* What is not met yet, for people: "notify, socket /run/x"; "" for nothing. */
size_t ready_missing(const struct plan *plan, const struct plan_service *service,
		     uint32_t probes_met, char *buffer, size_t size);

#endif
