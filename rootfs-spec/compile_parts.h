/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a plan is compiled, private to compile.c: one function for each part of the spec, each of which
 * adds its records to the writer. Those that can fail tell why and return a negative errno.
 */
#ifndef KEELSON_COMPILE_PARTS_H
#define KEELSON_COMPILE_PARTS_H

#include "rootfs-spec/compile.h"
#include "rootfs-spec/plan_write.h"

struct compiler {
	const struct spec *spec;
	struct pool *pool;
	struct diagnostics *diagnostics;
	struct plan_writer *writer;
	uint32_t *place; /* of each service of the spec: its index in the plan */
};

/* Shorthands for the writer. */
plan_str compile_text(struct compiler *compiler, const char *text);
struct plan_list compile_texts(struct compiler *compiler, const struct texts *texts);

/* Settings in one row; `sysctl`: their names become paths below /proc/sys. */
struct plan_list compile_settings(struct compiler *compiler, const struct spec_setting *settings,
				  size_t count, bool sysctl);

int compile_modules(struct compiler *compiler, const char *root);
void compile_mounts(struct compiler *compiler);
void compile_paths(struct compiler *compiler);   /* and the directories that log files are in */
int compile_policies(struct compiler *compiler); /* those that are used */

/* The index in the plan of a policy that is used; PLAN_NONE for no name. */
uint32_t compile_policy_index(const struct spec *spec, const char *name);

struct plan_list compile_sandbox(struct compiler *compiler, const struct spec_sandbox *entries,
				 size_t count);
void compile_services(struct compiler *compiler); /* fills compiler->place */

#endif
