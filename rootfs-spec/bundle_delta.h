/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which blocks of an older root serve a frame of a newer image best: what a delta bundle (bundle.h)
 * names as the frame's prefix, so that a node needs a few MiB of the older root at a time and not
 * all of it.
 *
 * Both roots are looked at through the same sieve: of all places where sixteen bytes begin, those
 * count whose hash is one of 64, wherever they lie. So content is found again after it moved by any
 * number of bytes. A block of the base gets a vote for every such place of the frame that it has,
 * and the blocks with the most votes are taken. What has nothing in common with the base (an inode
 * table, every entry of which names another place) gets the blocks from where its neighbours came.
 *
 * Pure, and the same for the same bytes.
 */
#ifndef KEELSON_BUNDLE_DELTA_H
#define KEELSON_BUNDLE_DELTA_H

#include "rootfs-spec/bundle.h"
#include "rootfs-spec/pool.h"

struct delta_place;

struct delta_index {
	const uint8_t *base;
	uint32_t blocks;
	struct delta_place *places; /* by hash, then by block */
	size_t count;
	uint32_t *votes; /* of every block, for the frame that is being looked at */
	int64_t moved;   /* blocks by which the content that was looked at last has moved */
};

/* `base` stays where it is: whole blocks. Memory: a quarter of the base, from the pool. */
void delta_index(struct delta_index *index, struct pool *pool, const uint8_t *base, size_t size);

/*
 * Choose for the frame `bytes`, which begins at the content's block `block`: `chosen` in the base's
 * order, no two of which touch. Returns how many, 0 when nothing of the base serves it.
 */
uint32_t delta_choose(struct delta_index *index, const uint8_t *bytes, size_t size, uint64_t block,
		      struct bundle_range chosen[BUNDLE_RANGES_MAX]);

#endif
