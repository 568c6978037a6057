/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mark "to be made anew" of a file system that a plan makes (`make: if-empty`): what is on the
 * partition does not count, at the next boot a file system is made there. `keelctl reset` writes it,
 * and PID 1 does before it makes one; it is erased when that file system is whole on the disk. So a
 * cut in between is followed by another making, however mkfs's writes reached the disk.
 *
 * It is the first 512 bytes of the partition, which ext4 leaves to boot loaders. mke2fs(8) zeroes
 * them, except when they hold a BSD disk label (zap_sector() in its misc/mke2fs.c): the mark has
 * that label's number at its offset, and its second number not, so that nobody takes it for one.
 *
 * Write it through the block device's cache, never with O_DIRECT: the first block belongs to a
 * mounted file system's superblock, too, and must stay one with it.
 */
#ifndef KEELSON_STATE_MARK_H
#define KEELSON_STATE_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define STATE_MARK_BYTES 512u
#define STATE_MARK_LABEL_AT 64u

static inline void state_mark_fill(uint8_t mark[STATE_MARK_BYTES])
{
	static const char text[] = "KEELSON\n a file system is to be made here anew\n";
	static const uint8_t label[] = {0x57, 0x45, 0x56, 0x82}; /* DISKMAGIC, little-endian */

	memset(mark, 0, STATE_MARK_BYTES);
	memcpy(mark, text, sizeof(text) - 1);
	memcpy(mark + STATE_MARK_LABEL_AT, label, sizeof(label));
}

static inline bool state_mark_is(const uint8_t start[STATE_MARK_BYTES])
{
	uint8_t mark[STATE_MARK_BYTES];

	state_mark_fill(mark);
	return memcmp(start, mark, sizeof(mark)) == 0;
}

#endif
