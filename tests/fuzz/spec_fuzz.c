/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any text is a spec or is told why not, and every spec that is right compiles to a plan
 * that can be walked. `extends` and files of the builder's machine are left to chance.
 */
#include <stdlib.h>

#include "rootfs-spec/compile.h"
#include "rootfs-spec/spec.h"
#include "tests/unit/plan_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pool pool = {0};
	struct diagnostics diagnostics = {.pool = &pool};
	struct spec spec;
	struct plan plan;
	struct bytes text = {0};
	void *bytes = NULL;
	char *told = NULL;
	size_t length;
	FILE *out = open_memstream(&told, &length);

	if (!out)
		return 0;
	int error = spec_parse("fuzz.yaml", (const char *)data, size, NULL, &pool, &spec,
			       &diagnostics);
	if (!error)
		error = compile_node_plan(&spec, NULL, NULL, &diagnostics, &bytes, &length);
	if (!error && plan_verify(bytes, length, PLAN_KIND_NODE, &plan, NULL) == 0)
		plan_walk(&plan);
	else if (!diagnostics.errors)
		abort();
	spec_print(&spec, true, &text);
	diagnostics_print(&diagnostics, out, true);
	fclose(out);
	free(told);
	free(bytes);
	bytes_free(&text);
	pool_free(&pool);
	return 0;
}
