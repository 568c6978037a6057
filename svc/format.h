/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text into a bounded buffer, for PID 1: the part of printf(3) that a program without floating
 * point, locales and streams needs, at a twentieth of its size. Formats are checked by the compiler.
 *
 *     %s %c %d %i %u %x %% with the lengths l, ll, z; a width, zero padding and %.*s
 */
#ifndef KEELSON_FORMAT_H
#define KEELSON_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Write to `buffer` (`size` > 0), always NUL-terminated, cut when too long. Returns the length that
 * was written, without the NUL. An unknown conversion is copied as it stands.
 */
size_t format_text(char *buffer, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
size_t format_text_v(char *buffer, size_t size, const char *format, va_list given)
	__attribute__((format(printf, 3, 0)));

#endif
