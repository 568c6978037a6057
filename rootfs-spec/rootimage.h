/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system of a slot: a directory packed as erofs or squashfs, a multiple of 4096 bytes
 * long, with its hash tree. The same directory gives the same bytes: owners are root, times one
 * fixed moment, identifiers derived from the build id.
 */
#ifndef KEELSON_ROOTIMAGE_H
#define KEELSON_ROOTIMAGE_H

#include "rootfs-spec/spec.h"
#include "rootfs-spec/verity_tree.h"

/* 2020-01-01T00:00:00Z: every time in an image. Not zero, which some programs take for "unknown". */
#define IMAGE_EPOCH 1577836800
#define IMAGE_EPOCH_TEXT "1577836800"
#define IMAGE_EPOCH_DATE "2020-01-01T00:00:00Z"

/* Pack `root` into the file `image`. */
int rootimage_make(const struct spec_image *format, struct pool *pool, const char *root,
		   const uint8_t build_id[32], const char *image);

/*
 * The image and its tree, DIR/root.img and DIR/root.verity in `*directory`, from the cache if they
 * were made before with the same `key`, which stands for every byte below `root` (unless `fresh`).
 */
int rootimage_get(const struct spec_image *format, struct pool *pool, const char *cache, bool fresh,
		  const char *root, const uint8_t build_id[32], const uint8_t key[32],
		  const char **directory, struct verity_tree *tree);

#endif
