/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one build: everything is allocated from a pool and freed with it, so nothing has an
 * owner of its own. A host program that runs out of memory says so and exits: there is nothing
 * half-done that would have to be undone. Never linked into the node.
 */
#ifndef KEELSON_POOL_H
#define KEELSON_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool_block;

struct pool {
	struct pool_block *blocks;
};

/* Zeroed, aligned for every type. */
void *pool_alloc(struct pool *pool, size_t size);

char *pool_copy(struct pool *pool, const char *text, size_t length);
char *pool_strdup(struct pool *pool, const char *text);
char *pool_printf(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));

void pool_free(struct pool *pool);

/* A buffer that grows; freed by bytes_free(). Its content is followed by a NUL that is not counted. */
struct bytes {
	uint8_t *data;
	size_t size;
	size_t capacity;
};

void bytes_add(struct bytes *bytes, const void *data, size_t size);
void bytes_zero(struct bytes *bytes, size_t size);
void bytes_text(struct bytes *bytes, const char *text);
void bytes_printf(struct bytes *bytes, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void bytes_free(struct bytes *bytes);

/* An array of `*list` with room for one more: doubles it within the pool when `count` fills it. */
#define POOL_GROW(pool, list, count) ((list) = pool_grow((pool), (list), (count), sizeof(*(list))))
void *pool_grow(struct pool *pool, void *list, size_t count, size_t stride);

#endif
