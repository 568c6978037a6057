/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path patterns: `?` is one character and `*` any number, neither crosses a '/'; `**` is any number
 * of characters, '/' included; `[a-z]` and `[!a-z]` one character of a set; `\` takes the next
 * character as it is. A pattern that ends in a directory and two stars also means the directory.
 */
#ifndef KEELSON_GLOB_H
#define KEELSON_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool glob_match(const char *pattern, const char *path);

/* Does any of the patterns match? */
bool glob_any(const char *const *patterns, size_t count, const char *path);

#endif
