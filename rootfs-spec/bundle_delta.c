// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/bundle_delta.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BYTES 16u
#define SIEVE_SHIFT 58     /* one hash of 64 counts */
#define SAME_PLACES_MAX 8u /* what the base has more often says nothing about a place */
#define VOTE 64u
#define BLOCKS_MAX (BUNDLE_PREFIX_BYTES_MAX / BUNDLE_BLOCK_BYTES)

struct delta_place {
	uint64_t hash;
	uint32_t block;
};

/* A hash that passes the sieve, or 0. */
static uint64_t sieve(const uint8_t *bytes)
{
	uint64_t word[2];
	uint64_t hash;

	memcpy(word, bytes, sizeof(word));
	if (word[0] == word[1])
		return 0; /* zeroes, mostly: everywhere */
	hash = word[0] * 0x9e3779b97f4a7c15u ^
	       (word[1] + 0x2545f4914f6cdd1du) * 0xd6e8feb86659fd93u;
	hash = (hash ^ hash >> 32) * 0xff51afd7ed558ccdu;
	return hash >> SIEVE_SHIFT ? 0 : hash;
}

static int by_hash(const void *one, const void *other)
{
	const struct delta_place *a = one, *b = other;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->block < b->block ? -1 : a->block > b->block;
}

void delta_index(struct delta_index *index, struct pool *pool, const uint8_t *base, size_t size)
{
	*index = (struct delta_index){.base = base,
				      .blocks = (uint32_t)(size / BUNDLE_BLOCK_BYTES)};
	for (size_t at = 0; at + WORD_BYTES <= size; at++)
		index->count += sieve(base + at) != 0;
	index->places = pool_alloc(pool, (index->count + 1) * sizeof(index->places[0]));
	index->votes = pool_alloc(pool, (index->blocks + 1u) * sizeof(index->votes[0]));
	index->count = 0;
	for (size_t at = 0; at + WORD_BYTES <= size; at++) {
		uint64_t hash = sieve(base + at);

		if (hash)
			index->places[index->count++] =
				(struct delta_place){hash, (uint32_t)(at / BUNDLE_BLOCK_BYTES)};
	}
	qsort(index->places, index->count, sizeof(index->places[0]), by_hash);
}

/* The first place of this hash or of a higher one. */
static size_t find(const struct delta_index *index, uint64_t hash)
{
	size_t from = 0, to = index->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (index->places[middle].hash < hash)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* Whole to the place that follows the one before, else in parts. */
static bool vote(struct delta_index *index, uint64_t hash, int64_t block)
{
	size_t first = find(index, hash);
	size_t end = first;

	while (end < index->count && index->places[end].hash == hash &&
	       end - first <= SAME_PLACES_MAX)
		end++;
	if (end == first || end - first > SAME_PLACES_MAX)
		return false;
	for (size_t i = first; i < end; i++) {
		int64_t moved = index->places[i].block - block;

		if (llabs(moved - index->moved) > 1)
			continue;
		index->votes[index->places[i].block] += VOTE;
		return true;
	}
	for (size_t i = first; i < end; i++)
		index->votes[index->places[i].block] += VOTE / (uint32_t)(end - first);
	if (end - first == 1)
		index->moved = index->places[first].block - block;
	return true;
}

static void vote_for_block(struct delta_index *index, const uint8_t *bytes, size_t size,
			   int64_t block)
{
	bool found = false;
	int64_t neighbour;

	for (size_t at = 0; at + WORD_BYTES <= size && at < BUNDLE_BLOCK_BYTES; at++) {
		uint64_t hash = sieve(bytes + at);

		if (hash)
			found |= vote(index, hash, block);
	}
	neighbour = block + index->moved;
	if (!found && neighbour >= 0 && neighbour < index->blocks)
		index->votes[neighbour]++;
}

struct vote {
	uint32_t block;
	uint32_t votes;
};

static int by_votes(const void *one, const void *other)
{
	const struct vote *a = one, *b = other;

	if (a->votes != b->votes)
		return a->votes > b->votes ? -1 : 1;
	return a->block < b->block ? -1 : a->block > b->block;
}

static int by_block(const void *one, const void *other)
{
	const struct bundle_range *a = one, *b = other;

	return a->block < b->block ? -1 : a->block > b->block;
}

/* The best block goes first; it joins the ranges that it touches. */
static uint32_t take(const struct vote *votes, size_t count, struct bundle_range *ranges)
{
	uint32_t taken = 0;

	for (size_t i = 0; i < count && i < BLOCKS_MAX; i++)
		ranges[taken++] = (struct bundle_range){votes[i].block, 1};
	qsort(ranges, taken, sizeof(ranges[0]), by_block);
	count = taken;
	taken = 0;
	for (size_t i = 0; i < count; i++) {
		struct bundle_range *last = taken ? &ranges[taken - 1] : NULL;

		if (last && last->block + last->count == ranges[i].block)
			last->count++;
		else
			ranges[taken++] = ranges[i];
	}
	return taken;
}

uint32_t delta_choose(struct delta_index *index, const uint8_t *bytes, size_t size, uint64_t block,
		      struct bundle_range chosen[BUNDLE_RANGES_MAX])
{
	struct bundle_range ranges[BLOCKS_MAX];
	struct vote *votes = calloc(index->blocks + 1u, sizeof(*votes));
	size_t count = 0, tried;
	uint32_t taken;

	if (votes == NULL)
		return 0;
	memset(index->votes, 0, index->blocks * sizeof(index->votes[0]));
	for (size_t at = 0; at < size; at += BUNDLE_BLOCK_BYTES)
		vote_for_block(index, bytes + at, size - at,
			       (int64_t)(block + at / BUNDLE_BLOCK_BYTES));
	for (uint32_t i = 0; i < index->blocks; i++)
		if (index->votes[i])
			votes[count++] = (struct vote){i, index->votes[i]};
	qsort(votes, count, sizeof(votes[0]), by_votes);
	/* Fewer blocks until they are few enough ranges. */
	for (tried = count < BLOCKS_MAX ? count : BLOCKS_MAX;; tried -= tried / 8 + 1) {
		taken = take(votes, tried, ranges);
		if (taken <= BUNDLE_RANGES_MAX)
			break;
	}
	memcpy(chosen, ranges, taken * sizeof(ranges[0]));
	free(votes);
	return taken;
}
