/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbom.spdx.json: what an image is made of, for those who look for licences and known holes. SPDX
 * 2.3 as JSON (https://spdx.github.io/spdx-spec/v2.3/): the image, every Debian package of it with
 * a package URL (https://github.com/package-url/purl-spec), and every program that no package
 * brought. Like the manifest it holds no time and no path of the builder's machine.
 */
#ifndef KEELSON_SPDX_H
#define KEELSON_SPDX_H

#include "rootfs-spec/lock.h"
#include "rootfs-spec/spec.h"
#include "rootfs-spec/tree.h"

/* The source package that a Debian package was built from: what security advisories name. */
struct spdx_source {
	const char *name; /* NULL: not known */
	const char *version;
};

struct spdx {
	const char *name; /* of the image */
	const char *version;
	const uint8_t *build_id;
	const char *root_sha256; /* of the root image, hex */
	const struct package_set *packages;
	const struct spdx_source *sources; /* one for each package */
	const struct spec_pods *pods;      /* archives that count as programs */
	const struct tree *tree;           /* finished */
};

/* Append the document. */
void spdx_print(const struct spdx *spdx, struct bytes *json);

#endif
