/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device read from front to back for nothing but the errors that it may show: with several reads
 * under way (io_submit(2)), so that a disk and what verifies its blocks work at the same time.
 */
#ifndef KEELSON_READ_BACK_H
#define KEELSON_READ_BACK_H

#include <stddef.h>
#include <stdint.h>

#define READ_BACK_AHEAD 4u /* reads that are under way at a time */
#define READ_BACK_PORTION_BYTES (256u << 10)
#define READ_BACK_BYTES (READ_BACK_AHEAD * READ_BACK_PORTION_BYTES)

/*
 * Read `size` bytes, whole blocks, of `fd`, which was opened with O_DIRECT. `buffer` has
 * READ_BACK_BYTES, on a page's boundary; what it holds afterwards means nothing. 0 or negative errno
 * (-EIO: also an end before `size`). Nothing is under way when it returns. For programs: it waits as
 * long as the device takes.
 */
int read_back(int fd, uint64_t size, void *buffer);

#endif
