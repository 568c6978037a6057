/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy is, for people: its cost, its lines with their reasons, its answer to one question. */
#ifndef KEELSON_POLICY_SHOW_H
#define KEELSON_POLICY_SHOW_H

#include "rootfs-spec/spec.h"

/*
 * The size of the filter, the dearest call, which of the calls that programs make all the time the
 * kernel answers without it. 0 or a negative errno, with errors told.
 */
int policy_show(const struct spec_policy *policy, struct diagnostics *diagnostics,
		struct bytes *out);

/* Every line, whose it is, and why it is there. */
void policy_explain(const struct spec_policy *policy, struct pool *pool, struct bytes *out);

/* A capability: left or not, and why. */
void policy_explain_capability(const struct spec_policy *policy, const char *name,
			       struct bytes *out);

/*
 * A system call: for each kind of program its number, the answer of the finished filter to it (with
 * all arguments 0, and where there are conditions, what they are), and why.
 */
int policy_explain_call(const struct spec_policy *policy, const char *name,
			struct diagnostics *diagnostics, struct bytes *out);

#endif
