/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of confine.h: the steps that have a file of their own. Each returns 0 or more, or a
 * negative errno; what they are is told there.
 */
#ifndef KEELSON_CONFINE_STEPS_H
#define KEELSON_CONFINE_STEPS_H

#include <stddef.h>

#include "svc/confine.h"

/* NULL: the service has none. */
static inline const struct plan_policy *confine_policy(const struct confine_child *child)
{
	return child->service->policy == PLAN_NONE
		       ? NULL
		       : plan_policy(child->plan, child->service->policy);
}

/* ---- confine_namespaces.c ---- */

long confine_keyring(struct confine_child *child);
long confine_namespaces(struct confine_child *child);
long confine_sources(struct confine_child *child);
long confine_proc(struct confine_child *child);
long confine_dev(struct confine_child *child);
long confine_sandbox(struct confine_child *child);

/* ---- confine_landlock.c ---- */

/* The first makes the ruleset, in any case. */
long confine_landlock(struct confine_child *child);
long confine_landlock_last(struct confine_child *child);

/* ---- confine_descriptors.c ---- */

long confine_descriptors(struct confine_child *child);
long confine_close_rest(struct confine_child *child);

/* ---- confine_rights.c ---- */

long confine_securebits(struct confine_child *child);
long confine_bounding(struct confine_child *child);
long confine_seccomp_privileged(struct confine_child *child);
long confine_seccomp_last(struct confine_child *child);
long confine_ids(struct confine_child *child);
long confine_capabilities(struct confine_child *child);
long confine_ambient(struct confine_child *child);
long confine_no_new_privs(struct confine_child *child);

#endif
