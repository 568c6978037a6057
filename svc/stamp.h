/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw output becomes stamped lines: "2026-01-31T23:59:59.123Z text". UTC to the millisecond, when the
 * logger read the line's first bytes; sorts as text, and is what people grep for. Pure.
 */
#ifndef KEELSON_STAMP_H
#define KEELSON_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define STAMP_BYTES 25 /* with the space, without NUL */

/* Write STAMP_BYTES for `now` to `stamp`. */
void stamp_make(const struct timespec *now, char stamp[static STAMP_BYTES + 1]);

/*
 * Copy from `in` to `out` with a stamp before each line until one of them is exhausted. `*line_start`
 * says whether the next byte begins a line, and is kept. Returns the bytes of `in` that were taken;
 * `*written` is what `out` holds. `out_size` > STAMP_BYTES.
 */
size_t stamp_lines(const char *in, size_t size, const char stamp[static STAMP_BYTES],
		   bool *line_start, char *out, size_t out_size, size_t *written);

#endif
