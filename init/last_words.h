/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing how this boot ends (svc/last.h), and showing how the one before it did. A node that was not
 * booted from a slot has no place for it: then nothing here does anything.
 *
 * A disk may hang, so every write is a child's. What is written before the end is not waited for.
 */
#ifndef KEELSON_LAST_WORDS_H
#define KEELSON_LAST_WORDS_H

#include "svc/last.h"

#define LAST_WORDS_NS 3000000000ull /* for the disk to take the last write */

/*
 * Services start: read what the last boot left on the disk, judge it, show it in LAST_PATH, log it,
 * and write that this one runs. Once more after a crash of PID 1: what this boot itself left is not
 * the last boot, and the crash is noted, for nobody can write it down when there are too many.
 */
void last_words_running(void);

/* Note how often PID 1 crashed in this boot, if it did. */
void last_words_crashes(struct last *last);

/* A shutdown begins: what is known of it is written, for the case that it does not come to its end. */
void last_words_ending(const struct last *last);

/*
 * Nothing is written to any file system any more: write `last` as the end and wait for it, no longer
 * than LAST_WORDS_NS. 0, -ENODATA (there is no slot), or negative errno.
 */
int last_words_ended(struct last *last);

/* Fill what is the same in every record of this boot: slot, image, boot id, clocks. */
void last_words_fill(struct last *last);

#endif
