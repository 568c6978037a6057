/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of plan_verify(), private to it and to the writer. Each check returns NULL or why the
 * plan is refused, a constant text, with the section and the record it met it in. They rely on the
 * section table and the string section having been checked before, and on each other in the order
 * below.
 */
#ifndef KEELSON_PLAN_CHECK_H
#define KEELSON_PLAN_CHECK_H

#include "rootfs-spec/plan.h"

/* Every field of every record: strings, lists, enums, ranges, reserved fields. */
const char *plan_check_records(const struct plan *plan, uint32_t *section, uint32_t *index);

/* Of these, those in files of their own. `index` is the record's. */
const char *plan_check_command(const struct plan *plan, uint32_t index);
const char *plan_check_probe(const struct plan *plan, uint32_t index); /* after the commands */
const char *plan_check_condition(const struct plan *plan, uint32_t index);
const char *plan_check_sandbox(const struct plan *plan, uint32_t index);
const char *plan_check_filter(const struct plan *plan, uint32_t index);
const char *plan_check_landlock(const struct plan *plan, uint32_t index);
const char *plan_check_policy(const struct plan *plan, uint32_t index); /* after all of these */
const char *plan_check_service(const struct plan *plan, uint32_t index);
const char *plan_check_system(const struct plan *plan, uint32_t index);

/*
 * Edges: in order, acyclic, of known kind, at most one between two services, none requires what is
 * never up, and the two halves mirror each other.
 */
const char *plan_check_graph(const struct plan *plan, uint32_t *section, uint32_t *index);

/* Service names unique; cgroups unique and none inside another or inside that of the pods. */
const char *plan_check_names(const struct plan *plan, uint32_t *section, uint32_t *index);

/*
 * A probe that is polled has state and a task of its own on the node (svc/world.h), so it belongs to
 * one service: no list that holds one reaches into another such list.
 */
const char *plan_check_sharing(const struct plan *plan, uint32_t *section, uint32_t *index);

/* sizeof a section's record; 0 for no section. */
uint32_t plan_section_stride(uint32_t section);

#endif
