/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions on the arguments of a system call, private to the reading of policies. */
#ifndef KEELSON_SPEC_CONDITIONS_H
#define KEELSON_SPEC_CONDITIONS_H

#include "rootfs-spec/spec.h"
#include "rootfs-spec/view.h"

/*
 * The `when` of an entry into the rule, whose answer is set. False: it is not right, or can be evaded,
 * which is told.
 */
bool condition_read(const struct view *entry, const char *call, struct spec_rule *rule);

/* No value satisfies it. */
bool condition_never(const struct spec_argument *argument);

/* Is it certain that no value satisfies both, no call both rules? */
bool condition_exclude(const struct spec_argument *a, const struct spec_argument *b);
bool condition_disjoint(const struct spec_rule *a, const struct spec_rule *b);

#endif
