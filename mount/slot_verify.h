/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One slot examined: header read and checked, signature verified by the kernel, marks read, sizes
 * and the tree's root block compared with the signed header. Everything that slot_choose() needs
 * to know of a slot's content.
 */
#ifndef KEELSON_SLOT_VERIFY_H
#define KEELSON_SLOT_VERIFY_H

#include "mount/header_io.h"
#include "mount/keyring.h"
#include "mount/slots.h"

/* About 20 KiB: static storage. */
struct slot_examination {
	enum slot_verdict verdict; /* never SLOT_OUTDATED: that takes both slots, slot_judge() */
	int error;                 /* the errno behind it, 0: none */
	const char *step;          /* what was being done, or why it was refused: constant text */
	bool header_verified;      /* block.header is signed by a trusted key */
	bool marks_valid;          /* at least one copy of the marks was */
	struct slot_header_block block;
	struct slot_marks copies[2];
};

/*
 * Examine the slot whose tree and header partitions are the device paths given. `parts` gives the
 * sizes. Cannot fail: what goes wrong is the verdict. `hash` is from hash_open().
 */
void slot_examine(const struct slot_parts *parts, const char *hash_path, const char *header_path,
		  const struct keyring *keyring, int hash, struct slot_examination *examination);

/* The marks that count, or NULL. */
const struct slot_marks *slot_examination_marks(const struct slot_examination *examination);

#endif
