/* SPDX-License-Identifier: Apache-2.0 */
/* The partition table on a disk: gpt.h over pread(2), pwrite(2) and fsync(2). */
#ifndef KEELSON_GPT_IO_H
#define KEELSON_GPT_IO_H

#include "mount/gpt.h"

/* Read or write exactly `size` bytes: 0, negative errno, or -EIO at the end of the device. */
int disk_read(int fd, void *bytes, size_t size, uint64_t offset_bytes);
int disk_write(int fd, const void *bytes, size_t size, uint64_t offset_bytes);

/*
 * Read both copies from the whole disk open at `fd` and keep the one that counts. What is wrong
 * with the other is in gpt->primary_fault, gpt->backup_fault. 0, or -EBADMSG when neither is
 * valid.
 */
int gpt_read(int fd, uint32_t sector_bytes, uint64_t disk_sectors, struct gpt *gpt);

/*
 * Write both copies, flushing after each, in the order that gpt.h gives; the sequence number counts
 * up. Returns 0 when the copy that the next reader will believe holds the new table; the other copy
 * may have failed (its fault is then set in `gpt`). Negative errno: the disk still says what it said before, or nothing is
 * known; `*step` names the write that failed.
 */
int gpt_write(int fd, struct gpt *gpt, const char **step);

/*
 * Write what gpt_grow() changed. The backup at its new place is flushed and read back before the
 * primary names it; until then the primary and the old backup are the table. What stays of the old
 * backup lies in the grown partition and is found by nobody, as no primary names it. 0; negative
 * errno: the disk says what it said before.
 */
int gpt_write_grown(int fd, struct gpt *gpt, const char **step);

#endif
