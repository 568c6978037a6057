/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One static program as a container image: an OCI image layout (image-spec v1: layout, index,
 * manifest, configuration, one uncompressed layer) in a ustar archive, the form that `ctr images
 * import` reads. The pause image of a node is made this way, so that a node starts its first pod
 * without a registry.
 *
 * The same inputs give the same bytes: entries sorted, times zero, owner root, fixed key order.
 */
#ifndef KEELSON_OCI_H
#define KEELSON_OCI_H

#include "rootfs-spec/pool.h"

struct oci_image {
	const char *name;         /* full reference: "localhost/keelson/pause:1" */
	const char *architecture; /* in Go's words: "amd64", "arm64" */
	const char *program_name; /* in the image's root: "keelson-pause" */
	const void *program;
	size_t program_bytes;
};

/* Append the archive to `archive`. */
void oci_pack(const struct oci_image *image, struct bytes *archive);

#endif
