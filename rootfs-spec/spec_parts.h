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

/* Edges name services; none leads back; spec->order. */
void spec_check_graph(struct spec *spec, struct diagnostics *diagnostics);

/* Everything else that takes two parts to see: policies, health, duplicates, budgets. */
void spec_check_parts(struct spec *spec, struct diagnostics *diagnostics);

#endif
