/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one writer of plans (host only; the compiler and the tests use it).
 *
 * Records are added section by section and copied; each call returns the record's index. Strings
 * are interned, "" is always 0. What belongs to one list is added without anything else of that
 * section in between; the plan_write_*s() helpers do that. Services are added in topological order,
 * edges in any order: finish sorts them and fills `needs` and `needed_by`.
 *
 * Memory that cannot be had is remembered and reported by plan_write_finish(), so callers need not
 * look at every call.
 *
 *	struct plan_writer *writer = plan_write_new(PLAN_KIND_NODE);
 *	plan_write_system(writer)->name = plan_write_string(writer, "edge");
 *	...
 *	error = plan_write_finish(writer, build_id, &bytes, &size, &fault);
 *	plan_write_free(writer);
 */
#ifndef KEELSON_PLAN_WRITE_H
#define KEELSON_PLAN_WRITE_H

#include "rootfs-spec/plan.h"

struct plan_writer;

/* An empty plan; NULL without memory. Owned by the caller. */
struct plan_writer *plan_write_new(enum plan_kind kind);
void plan_write_free(struct plan_writer *writer);

/*
 * The plan's system record, zero but for `logger` (PLAN_NONE) and `critical` (reboot); the caller
 * fills it in place.
 */
struct plan_system *plan_write_system(struct plan_writer *writer);

/* NULL counts as "". */
plan_str plan_write_string(struct plan_writer *writer, const char *string);

/* A list in PLAN_REFS of interned strings, or of numbers as they are. */
struct plan_list plan_write_strings(struct plan_writer *writer, const char *const *strings,
				    size_t count);
struct plan_list plan_write_refs(struct plan_writer *writer, const uint32_t *refs, size_t count);

/* Bytes in PLAN_BYTES; the same bytes are stored once. */
struct plan_blob plan_write_blob(struct plan_writer *writer, const void *bytes, size_t size);

uint32_t plan_write_module(struct plan_writer *writer, const struct plan_module *module);
uint32_t plan_write_path(struct plan_writer *writer, const struct plan_path *path);
uint32_t plan_write_setting(struct plan_writer *writer, const struct plan_setting *setting);
uint32_t plan_write_mount(struct plan_writer *writer, const struct plan_mount *mount);
uint32_t plan_write_filter(struct plan_writer *writer, const struct plan_filter *filter);
uint32_t plan_write_landlock(struct plan_writer *writer, const struct plan_landlock *landlock);
uint32_t plan_write_policy(struct plan_writer *writer, const struct plan_policy *policy);
uint32_t plan_write_limit(struct plan_writer *writer, const struct plan_limit *limit);
uint32_t plan_write_probe(struct plan_writer *writer, const struct plan_probe *probe);

/*
 * A list of probes. Those that are not polled keep no state of their own on the node, so one alone is
 * stored once for all services that have it: most have the same.
 */
struct plan_list plan_write_probes(struct plan_writer *writer, const struct plan_probe *probes,
				   size_t count);
uint32_t plan_write_command(struct plan_writer *writer, const struct plan_command *command);
uint32_t plan_write_condition(struct plan_writer *writer, const struct plan_condition *condition);
uint32_t plan_write_sandbox(struct plan_writer *writer, const struct plan_sandbox *sandbox);
uint32_t plan_write_service(struct plan_writer *writer, const struct plan_service *service);

/*
 * `from` needs `to`, both indices of services. Given twice, the stronger kind counts. A conflict may
 * be given in either direction, but not beside another kind.
 */
void plan_write_edge(struct plan_writer *writer, uint32_t from, uint32_t to,
		     enum plan_edge_kind kind);

/*
 * A service with every field that may not be zero at its default: a daemon restarted always, ready
 * after exec, cgroup of its own name, output to nowhere. `argv` ends in NULL. For tests and as the
 * compiler's starting point; the caller changes fields and passes it to plan_write_service().
 */
struct plan_service plan_write_service_defaults(struct plan_writer *writer, const char *name,
						const char *const *argv);

/*
 * Lay the file out, compute its CRC and verify it. `build_id` may be NULL (zeroes). On success the
 * file is in `*bytes` (malloc'ed, the caller frees it) and `*size`. 0, -ENOMEM, -EMSGSIZE (larger
 * than PLAN_MAX_BYTES) or what plan_verify() said of it, with `fault` (may be NULL).
 */
int plan_write_finish(struct plan_writer *writer, const uint8_t build_id[32], void **bytes,
		      size_t *size, struct plan_fault *fault);

#endif
