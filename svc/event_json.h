/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened, for programs: one JSON object a line, documented in keelctl(1). Every object has all
 * the keys, in this order; what does not apply is null. Keys are only ever added, at the end.
 *
 *     number   of all events since PID 1's memory began
 *     at_ns    CLOCK_BOOTTIME
 *     kind     "service", "ready-again", "reexec", "shutdown", "lost"
 *     service  its name
 *     from to  states of a service; of the kind shutdown `to` is the stage that began
 *     event    what took it from one state to the other
 *     pid      main process
 *     reason   why it goes or went down
 *     exit_status signal core   how the process ended
 *     step error   what failed before its program began
 *     lost     "lost": so many events, the first of them with this number, are told by nobody
 */
#ifndef KEELSON_EVENT_JSON_H
#define KEELSON_EVENT_JSON_H

#include <stdio.h>

#include "svc/control.h"

void event_json(FILE *stream, const struct control_event *item);
void event_json_lost(FILE *stream, uint64_t number, uint64_t count);

/* Of the kind shutdown, in the order of the stages; "?" for a number that is none. */
const char *event_stage_name(uint32_t stage);

#endif
