/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles (bundle.h) on the builder's machine: making one of a built image, and reading one, of
 * which nothing is believed. Errors are reported (report.h). The same image, base and libzstd give
 * the same bytes.
 */
#ifndef KEELSON_BUNDLE_FILE_H
#define KEELSON_BUNDLE_FILE_H

#include "rootfs-spec/bundle.h"
#include "rootfs-spec/image_dir.h"

/*
 * Make the bundle of `image` at `path`, a delta against the root of `base` unless that is NULL. It
 * appears when it is whole: it was read back, and its content is what the header says.
 */
int bundle_file_make(const struct image_dir *image, const struct image_dir *base, const char *path,
		     struct bundle_head *head);

struct bundle_file {
	const char *path;
	union slot_header_block block; /* well formed; the signature is not checked */
	struct bundle_head head;       /* checked against it */
};

int bundle_file_open(struct bundle_file *bundle, const char *path);

/*
 * Unpack it as a node does, and check the content against the header; a delta needs its base.
 */
int bundle_file_check(const struct bundle_file *bundle, const struct image_dir *base);

/* What is in it, for people. */
void bundle_file_print(const struct bundle_file *bundle, struct pool *pool, struct bytes *out);

#endif
