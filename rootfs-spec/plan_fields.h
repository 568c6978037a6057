/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single fields of a plan that is being verified: does a reference stay in its section, is the text
 * it names of the right form? Each costs at most a bounded walk over one text.
 */
#ifndef KEELSON_PLAN_FIELDS_H
#define KEELSON_PLAN_FIELDS_H

#include "rootfs-spec/plan.h"

/* The offset of a string lies in PLAN_STRINGS, whose last byte is NUL. */
bool field_string(const struct plan *plan, plan_str string);

/* A list of at most `most` records lies in its section; an empty one begins at 0. */
bool field_list(const struct plan *plan, struct plan_list list, enum plan_section section,
		uint32_t most);

/* The same of references, each of which is a string. */
bool field_strings(const struct plan *plan, struct plan_list list, uint32_t most);

/* No component of a path is "..", and the path is not longer than the kernel takes. */
bool field_no_parent(const char *path);

/* An absolute path without "..". */
bool field_absolute(const struct plan *plan, plan_str string);

/* A string that is not empty; one of at most `most` bytes. */
bool field_filled(const struct plan *plan, plan_str string);
bool field_shorter(const struct plan *plan, plan_str string, size_t most);

/* "a" or "a/b": below the cgroup root, every component a name, no leading or trailing slash. */
bool field_cgroup(const struct plan *plan, plan_str string);

#endif
