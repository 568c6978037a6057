/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How spec_load() is put together, private to it: one function for each part of the document, which
 * turns checked texts into values and tells what the schema cannot see, and then the checks across
 * parts. All report to view->diagnostics.
 */
#ifndef KEELSON_SPEC_PARTS_H
#define KEELSON_SPEC_PARTS_H

#include "rootfs-spec/spec.h"
#include "rootfs-spec/view.h"

/*
 * Turn the commands of the health condition into services of the document: before it is read. The
 * name of the service of command `index`.
 */
void spec_add_health(struct node *document, struct pool *pool, struct diagnostics *diagnostics);
const char *spec_health_name(size_t index, struct pool *pool);

void spec_read_packages(const struct view *root, struct spec_packages *packages);
void spec_read_files(const struct view *root, struct spec *spec);
void spec_read_image(const struct view *root, struct spec *spec); /* image, disk, pods, slots */
void spec_read_kernel(const struct view *root, struct spec_kernel *kernel);
void spec_read_mounts(const struct view *root, struct spec *spec);
void spec_read_paths(const struct view *root, struct spec *spec);
void spec_read_sysctls(const struct view *root, struct spec *spec);
void spec_read_policies(const struct view *root, struct spec *spec);
void spec_read_services(const struct view *root, struct spec *spec);

/* Add the logger if a service logs and none of that name is there; set spec->logger. */
void spec_add_logger(struct spec *spec);

/* Put spec->mounts into an order in which each finds what it lies on. */
void spec_order_mounts(struct spec *spec, struct diagnostics *diagnostics);

/* The service of that name, PLAN_NONE if there is no such one; the name that is nearest, or NULL. */
uint32_t spec_find_service(const struct spec *spec, const char *name);
const char *spec_nearest_service(const struct spec *spec, const char *name);

/* Edges name services; none leads back; spec->order. */
void spec_check_graph(struct spec *spec, struct diagnostics *diagnostics);

/* Of each service: does the boot start it, itself or because another needs it? After the graph. */
const bool *spec_started_at_boot(const struct spec *spec);

/* What can never be up together is neither required together nor started together. */
void spec_check_boot(const struct spec *spec, struct diagnostics *diagnostics);

/* Files of a service's cgroup: known, of a controller that the spec has, with a value it takes. */
void spec_check_settings(const struct spec *spec, const struct spec_service *service,
			 struct diagnostics *diagnostics);

/* Probes that never reach the service, and what cannot be left behind, in namespaces of its own. */
void spec_check_namespaces(const struct spec *spec, const struct spec_service *service,
			   struct diagnostics *diagnostics);

/* Everything else that takes two parts to see: policies, health, duplicates, budgets. */
void spec_check_parts(struct spec *spec, struct diagnostics *diagnostics);

#endif
