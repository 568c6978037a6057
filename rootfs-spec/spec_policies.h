/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one policy is read, private to spec_policies.c: `view` is its map, `policy` holds what it
 * extends and is changed by what the map says. All report to view->diagnostics.
 */
#ifndef KEELSON_SPEC_POLICIES_H
#define KEELSON_SPEC_POLICIES_H

#include "rootfs-spec/spec.h"
#include "rootfs-spec/view.h"

/* Every capability of the headers that keelson is built with, not of the builder's kernel. */
extern const uint64_t policy_every_capability;

/* Take away what `remove` names. */
void policy_read_remove(const struct view *view, struct spec_policy *policy);

void policy_read_capabilities(const struct view *view, struct spec_policy *policy);
void policy_read_securebits(const struct view *view, struct spec_policy *policy);

/* Rules of system calls: entries become rules, groups their calls; what cannot be told apart is told. */
void policy_read_seccomp(const struct view *view, struct spec_policy *policy);

/* Namespaces, paths, /proc, /dev, devices. */
void policy_read_surroundings(const struct view *view, struct spec_policy *policy);

/* May the mount that this path lies on be private, in a view whose other mounts are shared? */
bool spec_path_may_be_private(const char *path);

void policy_read_landlock(const struct view *view, struct spec_policy *policy);

#endif
