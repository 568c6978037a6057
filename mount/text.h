/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text put together in a bounded buffer, without printf(3): device paths, mount options, the
 * verity table. A text that does not fit is cut and remembered as such; text_end() tells.
 */
#ifndef KEELSON_MOUNT_TEXT_H
#define KEELSON_MOUNT_TEXT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *bytes;
	size_t size; /* of the buffer, at least 1 */
	size_t used;
	bool cut;
};

static inline void text_char(struct text *text, char c)
{
	if (text->used + 1 < text->size)
		text->bytes[text->used++] = c;
	else
		text->cut = true;
}

static inline void text_string(struct text *text, const char *string)
{
	while (*string)
		text_char(text, *string++);
}

static inline void text_number(struct text *text, uint64_t number)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (count)
		text_char(text, digits[--count]);
}

static inline void text_hex(struct text *text, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		text_char(text, "0123456789abcdef"[bytes[i] >> 4]);
		text_char(text, "0123456789abcdef"[bytes[i] & 15]);
	}
}

/* End the text with a NUL: its length, or -ENAMETOOLONG when it was cut. */
static inline int text_end(struct text *text)
{
	text->bytes[text->used] = '\0';
	return text->cut ? -ENAMETOOLONG : (int)text->used;
}

#endif
