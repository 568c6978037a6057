/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `keelson check` as far as the image goes: its packages are resolved, its root is composed in the
 * cache, looked into, and thrown away. Nothing is packed or kept.
 */
#ifndef KEELSON_CHECK_IMAGE_H
#define KEELSON_CHECK_IMAGE_H

#include "rootfs-spec/programs.h"
#include "rootfs-spec/spec.h"

/*
 * Check what `spec`, read from `path`, makes of an image. `programs` needs no cache: it is set here.
 * 0; -EINVAL with errors told in `diagnostics`; or another negative errno, reported.
 */
int check_image(const struct spec *spec, const char *path, struct programs programs,
		struct diagnostics *diagnostics);

/* Does the spec put anything into an image? One of services alone needs no root to be checked. */
bool check_image_needed(const struct spec *spec);

#endif
