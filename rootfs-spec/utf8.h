/* SPDX-License-Identifier: Apache-2.0 */
/* Characters of texts that others wrote, before they reach a terminal. */
#ifndef KEELSON_UTF8_H
#define KEELSON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_INVALID UINT32_MAX

/*
 * Bytes of the character that `text` (NUL-terminated, not empty) begins with, and its code point; 1
 * and UTF8_INVALID for a byte that begins none (RFC 3629: no surrogates, no overlong forms).
 */
size_t utf8_next(const char *text, uint32_t *code);

/*
 * Does a terminal show this character as itself? Not so control characters (C0, C1, DEL), line
 * separators, and those that turn the direction of what follows.
 */
bool utf8_is_printable(uint32_t code);

#endif
