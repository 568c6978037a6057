/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A built image, DIR of `keelson build`, as the commands read it that come after the build. Nothing
 * in it is believed: its files may be of two builds. Errors are reported (report.h).
 */
#ifndef KEELSON_IMAGE_DIR_H
#define KEELSON_IMAGE_DIR_H

#include "rootfs-spec/certificate.h"
#include "rootfs-spec/files.h"
#include "rootfs-spec/slot_header.h"

/* The signed part of a header partition as it lies on disks and in bundles. */
union slot_header_block {
	uint8_t bytes[SLOT_MARKS_OFFSET];
	struct slot_header header; /* the signature follows it */
};

struct image_dir {
	const char *path;
	union slot_header_block block;
	const char *root; /* paths of its files */
	const char *tree;
};

/* Well formed, zero behind the signature? `name` is for the message. */
int slot_header_block_check(const union slot_header_block *block, const char *name);

/* Read the header; the root and its tree are there and as large as it says. */
int image_dir_open(struct image_dir *image, struct pool *pool, const char *path);

/* The certificates that it trusts: trusted-0.der and so on. One at least. */
int image_dir_trust(const struct image_dir *image, struct pool *pool, struct trust *trust);

/* Is every file that its manifest lists the one that was built? */
int image_dir_check_files(const struct image_dir *image, struct pool *pool);

/* Did one of these keys sign it? Tells why not; `name` is for the message. */
int slot_header_block_verify(const union slot_header_block *block, const struct trust *trust,
			     const char *name);

/* The same image, whoever signed it? */
bool slot_header_same_image(const struct slot_header *one, const struct slot_header *other);

/* Give the root and then its tree to `sink`. */
int image_dir_stream(const struct image_dir *image, file_sink sink, void *context);

/* Do root, tree and header belong together? Looks at every byte. */
int image_dir_check(const struct image_dir *image);

#endif
