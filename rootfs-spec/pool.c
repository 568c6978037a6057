// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool_block {
	struct pool_block *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) unsigned char data[];
};

#define BLOCK_BYTES (64u << 10)

static void *must(void *memory)
{
	if (memory == NULL) {
		fputs("keelson: out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

void *pool_alloc(struct pool *pool, size_t size)
{
	struct pool_block *block = pool->blocks;
	size_t aligned = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);

	if (block == NULL || block->size - block->used < aligned) {
		size_t room = aligned > BLOCK_BYTES ? aligned : BLOCK_BYTES;

		block = must(calloc(1, sizeof(*block) + room));
		block->size = room;
		block->next = pool->blocks;
		pool->blocks = block;
	}
	block->used += aligned;
	return block->data + block->used - aligned;
}

char *pool_copy(struct pool *pool, const char *text, size_t length)
{
	char *copy = pool_alloc(pool, length + 1);

	memcpy(copy, text, length);
	return copy;
}

char *pool_strdup(struct pool *pool, const char *text)
{
	return pool_copy(pool, text, strlen(text));
}

char *pool_printf(struct pool *pool, const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	text = pool_alloc(pool, (size_t)length + 1);
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}

void *pool_grow(struct pool *pool, void *list, size_t count, size_t stride)
{
	void *larger;

	/* Full exactly at 0, 4, 8, 16, ...: the capacity needs no field of its own. */
	if (count != 0 && (count < 4 || (count & (count - 1)) != 0))
		return list;
	larger = pool_alloc(pool, (count < 4 ? 4 : 2 * count) * stride);
	if (count > 0)
		memcpy(larger, list, count * stride);
	return larger;
}

void pool_free(struct pool *pool)
{
	while (pool->blocks != NULL) {
		struct pool_block *next = pool->blocks->next;

		free(pool->blocks);
		pool->blocks = next;
	}
}

static void reserve(struct bytes *bytes, size_t more)
{
	size_t need = bytes->size + more + 1;

	if (need > bytes->capacity) {
		bytes->capacity = need > 2 * bytes->capacity ? need : 2 * bytes->capacity;
		bytes->data = must(realloc(bytes->data, bytes->capacity));
	}
}

void bytes_add(struct bytes *bytes, const void *data, size_t size)
{
	reserve(bytes, size);
	if (size > 0)
		memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
	bytes->data[bytes->size] = 0;
}

void bytes_zero(struct bytes *bytes, size_t size)
{
	reserve(bytes, size);
	memset(bytes->data + bytes->size, 0, size + 1);
	bytes->size += size;
}

void bytes_text(struct bytes *bytes, const char *text)
{
	bytes_add(bytes, text, strlen(text));
}

void bytes_printf(struct bytes *bytes, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	reserve(bytes, (size_t)length);
	va_start(arguments, format);
	vsnprintf((char *)bytes->data + bytes->size, (size_t)length + 1, format, arguments);
	va_end(arguments);
	bytes->size += (size_t)length;
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}
