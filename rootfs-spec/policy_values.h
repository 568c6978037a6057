/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of a policy that mean numbers, and numbers that are shown as such texts. */
#ifndef KEELSON_POLICY_VALUES_H
#define KEELSON_POLICY_VALUES_H

#include "rootfs-spec/spec.h"

/* "allow", "log", "kill", "errno(EPERM)": what a filter answers, SECCOMP_RET_* with its data. */
bool value_answer(const char *text, uint32_t *answer);
const char *value_answer_nearest(const char *text, struct pool *pool);

/* The text of an answer, in the pool. */
const char *value_answer_text(uint32_t answer, struct pool *pool);

/* "c 1:3 rw": type, numbers or '*', and what of "rwm" it is about. Without `said`. */
bool value_device(const char *text, struct spec_device *device);

#endif
