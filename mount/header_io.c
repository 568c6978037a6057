/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/header_io.h"

#include <errno.h>
#include <unistd.h>

#include "mount/gpt_io.h"

_Static_assert(sizeof(struct slot_header_block) == SLOT_MARKS_OFFSET, "marks follow the signature");

int slot_header_read(int fd, struct slot_header_block *block)
{
	return disk_read(fd, block, sizeof(*block), 0);
}

int slot_marks_read(int fd, struct slot_marks copies[2])
{
	return disk_read(fd, copies, 2 * sizeof(copies[0]), SLOT_MARKS_OFFSET);
}

int slot_marks_write(int fd, struct slot_marks *next, struct slot_marks copies[2])
{
	const struct slot_marks *newest = slot_marks_newest(copies);
	uint32_t at = newest == &copies[0] ? 1 : 0;
	int error;

	slot_marks_seal(next, newest);
	error = disk_write(fd, next, sizeof(*next),
			   SLOT_MARKS_OFFSET + (uint64_t)at * SLOT_MARKS_BYTES);
	if (error)
		return error;
	if (fsync(fd) < 0)
		return -errno;
	copies[at] = *next;
	return 0;
}
