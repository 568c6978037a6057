/* SPDX-License-Identifier: Apache-2.0 */
/* A spec's text on its way through the compiler, and questions to the policies of its plan. */
#ifndef KEELSON_TESTS_POLICY_TRIAL_H
#define KEELSON_TESTS_POLICY_TRIAL_H

#include <errno.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rootfs-spec/compile.h"
#include "rootfs-spec/spec.h"
#include "tests/unit/bpf.h"
#include "tests/unit/plan_walk.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct trial {
	struct pool pool;
	struct diagnostics diagnostics;
	struct spec spec;
	char *told;
	void *bytes;
	struct plan plan;
};

static inline void trial_end(struct trial *trial)
{
	pool_free(&trial->pool);
	free(trial->told);
	free(trial->bytes);
}

/* Read and compile; the errors are in `told`, in one line each without the quoted source. */
static inline int trial_run(struct trial *trial, const char *text)
{
	size_t size = 0;

	*trial = (struct trial){0};
	trial->diagnostics.pool = &trial->pool;
	int error = spec_parse("t", text, strlen(text), NULL, &trial->pool, &trial->spec,
			       &trial->diagnostics);
	if (!error)
		error = compile_node_plan(&trial->spec, NULL, NULL, &trial->diagnostics,
					  &trial->bytes, &size);
	FILE *out = open_memstream(&trial->told, &(size_t){0});
	for (size_t i = 0; i < trial->diagnostics.count; i++) {
		const struct diagnostic *one = &trial->diagnostics.list[i];
		fprintf(out, "%u:%u %s%s%s%s\n", one->where.line, one->where.column,
			one->warning ? "warning: " : "", one->text, one->suggestion ? " | " : "",
			one->suggestion ? one->suggestion : "");
	}
	fclose(out);
	if (error)
		return error;
	assert_int_equal(plan_verify(trial->bytes, size, PLAN_KIND_NODE, &trial->plan, NULL), 0);
	plan_walk(&trial->plan);
	return 0;
}

static inline const struct plan_policy *policy_of(const struct trial *trial, const char *name)
{
	for (uint32_t i = 0; i < plan_count(&trial->plan, PLAN_POLICIES); i++)
		if (strcmp(plan_string(&trial->plan, plan_policy(&trial->plan, i)->name), name) ==
		    0)
			return plan_policy(&trial->plan, i);
	fail_msg("no policy %s", name);
	return NULL;
}

static inline uint32_t ask(const struct trial *trial, const char *policy,
			   const struct seccomp_data *call, uint32_t *steps)
{
	const struct plan_filter *filter = plan_filter(&trial->plan,
						       policy_of(trial, policy)->filters.first);

	return bpf_run(plan_bytes(&trial->plan, filter->program), filter->program.size_bytes / 8,
		       call, steps);
}

#endif
