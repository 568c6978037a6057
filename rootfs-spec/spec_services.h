/* SPDX-License-Identifier: Apache-2.0 */
/* How one service is read, private to spec_services.c: `view` is its map. All report to it. */
#ifndef KEELSON_SPEC_SERVICES_H
#define KEELSON_SPEC_SERVICES_H

#include "rootfs-spec/spec.h"
#include "rootfs-spec/view.h"

/* When it ends, starts again, and runs: restart, backoff, timeouts, timer. Needs its kind. */
void service_read_life(const struct view *view, struct spec_service *service);

/* Ready, liveness, watchdog, whose notifications count. Needs its kind. */
void service_read_probes(const struct view *view, struct spec_service *service);

/* Commands before, after and beside it; conditions. Needs its timeouts. */
void service_read_beside(const struct view *view, struct spec_service *service);

/* User, limits, environment, cgroup, scheduling. */
void service_read_process(const struct view *view, struct spec_service *service);

/* What it sees differently: tmp, read-only, hidden, binds, in the order to mount them. */
void service_read_sandbox(const struct view *view, struct spec_service *service);

/*
 * The program and its arguments: under `key`, or those of a list that messages call `what`. None when
 * they are not right, which is told.
 */
struct texts service_read_argv(const struct view *view, const char *key);
struct texts service_argv(const struct view *view, const struct node *list, const char *what);

/* A time that is a wait: told about when it is 0. */
uint64_t service_read_wait(const struct view *view, const char *key);

bool text_is(struct text text, const char *word);

#endif
