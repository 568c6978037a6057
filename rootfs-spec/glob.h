/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path patterns: `?` is one character and `*` any number, neither crosses a '/'; `**` is any number
 * of characters, '/' included; `[a-z]` and `[!a-z]` one character of a set; `\` takes the next
 * character as it is. A pattern that ends in a directory and two stars also means the directory.
 *
 * A list of patterns is read like dpkg's path-exclude and path-include (dpkg(1)): the last one that
 * matches decides, and a pattern that begins with '!' takes back what an earlier one excluded.
 */
#ifndef KEELSON_GLOB_H
#define KEELSON_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool glob_match(const char *pattern, const char *path);

/* Does the list exclude `path`? */
bool glob_excludes(const char *const *patterns, size_t count, const char *path);

#endif
