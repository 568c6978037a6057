/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far an installation came: two copies in the slot's header partition, from byte 65536 on. The
 * copy with a right checksum and the higher sequence counts; a write goes to the other one.
 *
 * An entry is written after what it tells was flushed, and before the first byte of another image is
 * written; so what it says of its image is on the disk. It is not signed and need not be: what is
 * armed in the end was read back and compared with the signed root hash, whoever wrote it.
 */
#ifndef KEELSON_INSTALL_JOURNAL_H
#define KEELSON_INSTALL_JOURNAL_H

#include "rootfs-spec/slot_header.h"

#define INSTALL_JOURNAL_MAGIC "KEELINST"
#define INSTALL_JOURNAL_VERSION 1u
#define INSTALL_JOURNAL_OFFSET 65536u
#define INSTALL_JOURNAL_BYTES 4096u

struct install_journal {
	uint8_t magic[8];
	uint32_t version;
	uint32_t crc32; /* of the 4096 bytes with this field zero */
	uint64_t sequence;
	uint64_t content_bytes; /* of root and tree that are on the disk; 0: nothing is under way */
	uint64_t bundle_offset; /* where in the bundle the frame begins that comes next */
	uint8_t root_hash[SLOT_DIGEST_BYTES];     /* of the image */
	uint8_t stream_sha256[SLOT_DIGEST_BYTES]; /* of the bundle (rootfs-spec/bundle.h) */
	uint8_t reserved[3992];
};

_Static_assert(sizeof(struct install_journal) == INSTALL_JOURNAL_BYTES, "journal layout is frozen");

/*
 * The journal of the header partition at `path`: what its newest whole copy says, or all zero when
 * there is none. 0 or negative errno.
 */
int install_journal_read(const char *path, struct install_journal *journal);

/*
 * Write `journal` as what comes after `journal->sequence`, and flush. A power cut leaves the old entry
 * or the new. 0 or negative errno.
 */
int install_journal_write(const char *path, struct install_journal *journal);

#endif
