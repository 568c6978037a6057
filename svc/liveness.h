/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Liveness: is a daemon that is up still well? Each of its liveness probes (probe.h) is asked an
 * interval after the last answer, from the moment on that the service is up until it leaves that
 * state. A probe that fails as often in a row as the plan says makes the service sick: it is stopped
 * and goes through its restart policy as after any failure. While it reloads its configuration it is
 * left alone.
 *
 * The watchdog of sd_notify(3) is the service's own liveness; it is life_heard.c's.
 */
#ifndef KEELSON_LIVENESS_H
#define KEELSON_LIVENESS_H

#include "svc/probe.h"

/* Begin anew, with the first question an interval from now; stop asking. */
void liveness_start(struct probes *probes, uint32_t service, uint64_t now_ns);
void liveness_stop(struct probes *probes, uint32_t service);

/* Probe `index` is due. */
void liveness_ask(struct probes *probes, uint32_t index, uint64_t now_ns);

/* An attempt of probe `index` ended. */
void liveness_judge(struct probes *probes, uint32_t index, const struct probe_outcome *outcome,
		    uint64_t now_ns);

/* Pure: count an answer. True: so many failures in a row are too many. */
bool liveness_count(uint32_t *failures, uint32_t threshold, enum probe_verdict verdict);

/* Pure: the service reads its configuration again. */
bool liveness_pauses(const struct world_service *state);

#endif
