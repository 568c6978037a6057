/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle: one file that carries an image to a node's other slot.
 *
 *     byte 0      struct slot_header and its signature, exactly as in the header partition
 *                 (slot_header.h): what is proven before a byte is written
 *     byte 4096   struct bundle_head: how the rest is packed
 *     byte 8192   the frames, one behind the other: struct bundle_frame, its ranges, and one zstd
 *                 frame (RFC 8878)
 *
 * The content is the root's data_blocks, then the hash partition's hash_blocks, each of 4096 bytes;
 * every frame but the last holds frame_bytes of it. A frame needs no other one, so that an
 * installation that was interrupted goes on at the next frame, and unpacking takes one frame's
 * content of memory.
 *
 * A frame of a delta bundle was made with some ranges of blocks of another image's root, the base, as
 * its prefix (zstd's --patch-from), in the order in which they are named. It unpacks only where a slot
 * holds that root, and takes the prefix of memory beside the content.
 *
 * Only the header is signed. All that head and frames can do is make the unpacked bytes differ from
 * what the header says, and then they are refused. Little-endian. The reader believes no size but the
 * signed header's.
 */
#ifndef KEELSON_BUNDLE_H
#define KEELSON_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "rootfs-spec/slot_header.h"

#define BUNDLE_MAGIC "KEELBNDL"
#define BUNDLE_VERSION 2u
#define BUNDLE_HEAD_OFFSET 4096u
#define BUNDLE_HEAD_BYTES 4096u
#define BUNDLE_STREAM_OFFSET 8192u
#define BUNDLE_BLOCK_BYTES 4096u
#define BUNDLE_FRAME_BYTES_MAX (4u << 20)
#define BUNDLE_PREFIX_BYTES_MAX (6u << 20)
#define BUNDLE_RANGES_MAX 512u
/* What does not compress grows: by an eighth and this, and what is more is refused. */
#define BUNDLE_SLACK 4096u

enum bundle_kind { BUNDLE_FULL = 1, BUNDLE_DELTA };

struct bundle_head {
	uint8_t magic[8];
	uint32_t version;
	uint32_t crc32;          /* of the 4096 bytes with this field zero */
	uint32_t kind;           /* enum bundle_kind */
	uint32_t frame_bytes;    /* of the content, in every frame but the last: whole blocks */
	uint64_t stream_bytes;   /* of all frames: the file is BUNDLE_STREAM_OFFSET longer */
	uint64_t unpacked_bytes; /* (data_blocks + hash_blocks) * 4096 */
	uint8_t base_root_hash[SLOT_DIGEST_BYTES]; /* delta: of the image whose root is the base */
	uint64_t base_bytes;                       /* delta: of that root; else 0 */
	/* Of all frames. Names the bundle, for whoever goes on with it; proves nothing. */
	uint8_t stream_sha256[SLOT_DIGEST_BYTES];
	uint8_t reserved[3984]; /* zero */
};

/* What a zstd frame begins with: `range_count` struct bundle_range follow. */
struct bundle_frame {
	uint32_t packed_bytes; /* of the zstd frame behind the ranges */
	uint32_t range_count;  /* delta: BUNDLE_RANGES_MAX at most; else 0 */
};

/* Blocks of the base's root: BUNDLE_PREFIX_BYTES_MAX at most in all ranges of a frame. */
struct bundle_range {
	uint32_t block; /* the first */
	uint32_t count;
};

_Static_assert(sizeof(struct bundle_head) == BUNDLE_HEAD_BYTES, "bundle head layout is frozen");
_Static_assert(sizeof(struct bundle_frame) == 8, "bundle frame layout is frozen");
_Static_assert(sizeof(struct bundle_range) == 8, "bundle range layout is frozen");

/*
 * Is the head well formed, and does it fit the (checked, not yet verified) slot header? 0 or
 * -EBADMSG with `*reason` a constant text; -EPROTONOSUPPORT: another version.
 */
int bundle_head_check(const struct bundle_head *head, const struct slot_header *header,
		      const char **reason);

/* Content of the frame that begins at the content's byte `at`; 0 at the end. */
uint32_t bundle_frame_content(const struct bundle_head *head, uint64_t at);

/* May this be the frame of so much content? 0 or -EBADMSG with a constant `*reason`. */
int bundle_frame_check(const struct bundle_head *head, const struct bundle_frame *frame,
		       uint32_t content_bytes, const char **reason);

/* Do the ranges lie in the base? Their bytes go to `*prefix_bytes`. 0, -EBADMSG. */
int bundle_ranges_check(const struct bundle_head *head, const struct bundle_range *ranges,
			uint32_t count, uint32_t *prefix_bytes, const char **reason);

/* Fill magic, version, CRC, last. */
void bundle_head_seal(struct bundle_head *head);

#endif
