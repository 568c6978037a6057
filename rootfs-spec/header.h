/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing slot headers (slot_header.h) on the builder's machine.
 */
#ifndef KEELSON_HEADER_H
#define KEELSON_HEADER_H

#include "rootfs-spec/sign.h"
#include "rootfs-spec/slot_header.h"
#include "rootfs-spec/verity_tree.h"

/* What a header says of an image. */
struct header_facts {
	const char *name;
	const char *version;
	const char *root_type; /* "erofs" or "squashfs" */
	uint64_t security_epoch;
	const uint8_t *build_id;
	const struct verity_tree *tree;
	uint64_t kernel_bytes;
	uint8_t kernel_sha256[SLOT_DIGEST_BYTES];
};

/* 0, or -ENAMETOOLONG when name or version do not fit. */
int header_fill(const struct header_facts *facts, const struct signer *signer,
		struct slot_header *header);

/*
 * Append the header partition's content up to the marks: header, signature, zeroes to
 * SLOT_MARKS_OFFSET. Marks that hold no valid copy mean a slot that nothing happened to.
 */
int header_make(const struct header_facts *facts, const struct signer *signer,
		struct bytes *partition);

#endif
