/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slot header: what a slot is, signed. It fills the slot's third partition.
 *
 *     byte 0      struct slot_header (2048 bytes, little-endian): the signed region
 *     byte 2048   RSA signature over it, PKCS#1 v1.5 with SHA-256, signature_bytes long
 *     byte 4096   struct slot_marks, copy 0      unsigned: what happened to this slot
 *     byte 8192   struct slot_marks, copy 1      the copy with a valid CRC and the higher sequence
 *                                                counts; a write goes to the other one
 *     byte 12288  how the last boot of this slot ended, two copies of 4096 bytes (svc/last.h)
 *     byte 65536  how far an installation came, two copies of 4096 bytes (mount/install_journal.h)
 *
 * A slot is three partitions that follow each other in the GPT: root data, hash tree, header, so
 * that a root can never be paired with another root's tree. Nothing in the header is believed
 * before its signature verified; nothing in the marks is trusted for more than refusing a slot.
 */
#ifndef KEELSON_SLOT_HEADER_H
#define KEELSON_SLOT_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_HEADER_MAGIC "KEELSLOT"
#define SLOT_HEADER_VERSION 1u
#define SLOT_HEADER_BYTES 2048u
#define SLOT_HEADER_SIGNATURE_MAX 2048u
#define SLOT_MARKS_MAGIC "KEELMARK"
#define SLOT_MARKS_OFFSET 4096u
#define SLOT_MARKS_BYTES 4096u
#define SLOT_MARKS_REJECTED_MAX 32u
#define SLOT_DIGEST_BYTES 32u
#define SLOT_KEY_NAME_BYTES 64u
#define SLOT_KERNEL_PATH "/usr/lib/keelson/vmlinuz" /* the slot's kernel, inside its root */

struct slot_header {
	uint8_t magic[8];
	uint32_t version;
	uint32_t size_bytes;      /* SLOT_HEADER_BYTES */
	uint32_t signature_bytes; /* 256, 384 or 512 */
	uint32_t machine;         /* ELF e_machine of the image: 62 x86-64, 183 arm64 */
	uint64_t security_epoch;
	uint8_t name[64];                    /* of the image, NUL-padded */
	uint8_t image_version[64];           /* NUL-padded */
	uint8_t build_id[SLOT_DIGEST_BYTES]; /* the node plan's */
	uint8_t key_id[SLOT_DIGEST_BYTES];   /* SHA-256 of the signing certificate, DER */
	uint8_t root_type[16];               /* "erofs" or "squashfs", NUL-padded */
	uint64_t data_blocks;                /* of the root, in blocks of 4096 bytes */
	uint64_t hash_offset_blocks;         /* where the tree starts in the hash partition */
	uint64_t hash_blocks; /* blocks of the hash partition in use, superblock included */
	uint8_t root_hash[SLOT_DIGEST_BYTES]; /* SHA-256 */
	uint8_t salt[SLOT_DIGEST_BYTES];
	uint32_t salt_bytes;  /* 0..32 */
	uint32_t block_bytes; /* 4096 */
	uint64_t kernel_bytes;
	uint8_t kernel_sha256[SLOT_DIGEST_BYTES];
	uint8_t key_name[SLOT_KEY_NAME_BYTES]; /* of the certificate's subject, NUL-padded; or "" */
	uint8_t reserved[1608];                /* zero */
};

enum slot_reason {
	SLOT_REASON_NONE = 0,
	SLOT_REASON_UNHEALTHY = 1, /* the health condition was not met by its deadline */
	SLOT_REASON_CRITICAL = 2,  /* a critical service failed for good */
	SLOT_REASON_REJECTED = 3,  /* by an operator */
	SLOT_REASON_BOOT = 4       /* a step before services failed */
};

/* "unhealthy", ...; "" for none, "?" for a number that is none. */
const char *slot_reason_text(uint32_t reason);

struct slot_marks {
	uint8_t magic[8];
	uint32_t version; /* SLOT_HEADER_VERSION */
	uint32_t crc32;   /* of the 4096 bytes with this field zero */
	uint64_t sequence;
	uint32_t reason; /* enum slot_reason: why the last try of this slot failed */
	uint32_t rejected_count;
	uint64_t security_epoch; /* highest ever blessed on this disk */
	uint8_t detail[256];     /* text for people: object and step, NUL-padded */
	uint8_t rejected[SLOT_MARKS_REJECTED_MAX]
			[SLOT_DIGEST_BYTES]; /* root hashes never to install */
	uint8_t suspect[SLOT_DIGEST_BYTES]; /* of an image that was given up without a reason; or 0 */
	uint8_t reserved[2744];
};

_Static_assert(sizeof(struct slot_header) == SLOT_HEADER_BYTES, "slot header layout is frozen");
_Static_assert(sizeof(struct slot_marks) == SLOT_MARKS_BYTES, "slot marks layout is frozen");

/*
 * Is the signed region well formed: magic, version, sizes, block size, salt, terminated names, a
 * known root type, zero reserved bytes? Says nothing of the signature. 0 or -EBADMSG with `reason`
 * a constant text (may be NULL).
 */
int slot_header_check(const struct slot_header *header, const char **reason);

/* The newer valid copy of two marks, or NULL when neither is valid. */
const struct slot_marks *slot_marks_newest(const struct slot_marks copies[2]);

/* Make `next` the successor of `current` (NULL: the first ever): sequence, magic, CRC. */
void slot_marks_seal(struct slot_marks *next, const struct slot_marks *current);

/* Is this root hash on the list of rejected images? `marks` may be NULL: nothing is. */
bool slot_marks_rejects(const struct slot_marks *marks, const uint8_t root_hash[SLOT_DIGEST_BYTES]);

/* Is it the image that was given up without a reason? */
bool slot_marks_suspects(const struct slot_marks *marks,
			 const uint8_t root_hash[SLOT_DIGEST_BYTES]);

/*
 * Put a root hash on the list, newest last; on it already: nothing. A full list forgets its oldest.
 * slot_marks_accept() takes it off again (an operator installs it all the same).
 */
void slot_marks_reject(struct slot_marks *marks, const uint8_t root_hash[SLOT_DIGEST_BYTES]);
void slot_marks_accept(struct slot_marks *marks, const uint8_t root_hash[SLOT_DIGEST_BYTES]);

#endif
