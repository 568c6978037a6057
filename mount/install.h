/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written to a slot's partitions when an image is installed, in the order of init/slot.h:
 * the header goes first and comes last, so what was begun and not ended is signed by nobody. The
 * slot's bits are not written here: they are 0 before the first of these steps and armed after the
 * last. How far it came is in the journal (install_journal.h), so that another attempt goes on there.
 */
#ifndef KEELSON_INSTALL_H
#define KEELSON_INSTALL_H

#include "mount/devices.h"
#include "mount/header_io.h"
#include "mount/install_journal.h"
#include "mount/read_back.h"

/* Portions of content between two entries of the journal, each after a flush. */
#define INSTALL_JOURNAL_PORTIONS 4u

/* Paths of the slot's partitions. */
struct install_target {
	char root[DEVICE_PATH_BYTES];
	char hash[DEVICE_PATH_BYTES];
	char header[DEVICE_PATH_BYTES];
};

struct install_source {
	/*
	 * The next portion of the content, at `*bytes` until the next call, and where in the bundle the
	 * one after it begins: 0 or negative errno.
	 */
	int (*next)(void *context, const void **bytes, size_t *size, uint64_t *bundle_offset);
	/*
	 * So many bytes of the content have been written, and so many there will be: all is told after
	 * it was flushed. May be NULL.
	 */
	void (*written)(void *context, uint64_t bytes, uint64_t total);
	void *context;
};

/* Zero the header and its signature and flush; the marks stay. 0 or negative errno. */
int install_unsign(const struct install_target *target);

/*
 * Write root and tree as `source` gives them, from where `journal` says on, flush them, and let the
 * kernel forget what it has of them in memory, so that the next read is of the disk. `header` was
 * verified and its sizes fit the partitions. `journal` was written, and is written again on the way
 * and in the end; also when the source fails. 0 or negative errno, `*step` says of what.
 */
int install_content(const struct install_target *target, const struct slot_header *header,
		    const struct install_source *source, struct install_journal *journal,
		    const char **step);

/*
 * Read every block of the root through a verity device that is made for it and removed again: the
 * kernel compares each with the signed root hash, and a wrong one is -EIO here and no panic.
 * `buffer` has READ_BACK_BYTES, on a page's boundary.
 */
int install_verify(const struct install_target *target, const struct slot_header *header,
		   void *buffer, const char **step);

/* Write header and signature and flush. */
int install_sign(const struct install_target *target, const struct slot_header_block *block);

#endif
