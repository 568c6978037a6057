/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/slot_verify.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "mount/sys.h"
#include "mount/verity.h"

#if defined(__x86_64__)
#define THIS_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define THIS_MACHINE EM_AARCH64
#endif

static void conclude(struct slot_examination *examination, enum slot_verdict verdict, int error,
		     const char *step)
{
	examination->verdict = verdict;
	examination->error = error;
	examination->step = step;
}

/* Header, signature and marks: everything in the header partition. True: go on with the tree. */
static bool examine_header(const char *path, const struct keyring *keyring, int hash,
			   struct slot_examination *examination)
{
	struct slot_header_block *block = &examination->block;
	struct iovec part = {.iov_base = &block->header, .iov_len = sizeof(block->header)};
	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t digest[HASH_BYTES];
	const char *reason;
	int error;

	if (fd < 0) {
		conclude(examination, SLOT_UNREADABLE, -errno, "open header partition");
		return false;
	}
	error = slot_header_read(fd, block);
	if (error) {
		conclude(examination, SLOT_UNREADABLE, error, "read header");
		return false;
	}
	/* Marks only ever refuse; without them the slot is judged by its header alone. */
	examination->marks_valid = slot_marks_read(fd, examination->copies) == 0 &&
				   slot_marks_newest(examination->copies);
	error = slot_header_check(&block->header, &reason);
	if (error) {
		conclude(examination, SLOT_UNSIGNED, error, reason);
		return false;
	}
	error = hash_sha256(hash, &part, 1, digest);
	if (error) {
		conclude(examination, SLOT_UNREADABLE, error, "hash header");
		return false;
	}
	error = keyring_verify(keyring, block->header.key_id, digest, block->signature,
			       block->header.signature_bytes);
	if (error) {
		conclude(examination, SLOT_UNSIGNED, error,
			 error == -ENOKEY ? "signed by a key that is not trusted"
					  : "verify signature");
		return false;
	}
	examination->header_verified = true;
	return true;
}

void slot_examine(const struct slot_parts *parts, const char *hash_path, const char *header_path,
		  const struct keyring *keyring, int hash, struct slot_examination *examination)
{
	const struct slot_header *header = &examination->block.header;
	const char *reason = "";
	int error;

	memset(examination, 0, sizeof(*examination));
	if (!parts->present) {
		conclude(examination, SLOT_ABSENT, 0, "find slot");
		return;
	}
	if (!examine_header(header_path, keyring, hash, examination))
		return;
	if (header->machine != THIS_MACHINE) {
		conclude(examination, SLOT_UNSOUND, -ENOEXEC, "image of another architecture");
		return;
	}
	if (verity_check_sizes(header, parts->root.size_bytes, parts->hash.size_bytes, &reason)) {
		conclude(examination, SLOT_UNSOUND, -EBADMSG, reason);
		return;
	}

	cleanup_fd fd = open(hash_path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		conclude(examination, SLOT_UNREADABLE, -errno, "open hash partition");
		return;
	}
	error = verity_check_root(fd, hash, header, &reason);
	if (error)
		conclude(examination, error == -EBADMSG ? SLOT_UNSOUND : SLOT_UNREADABLE, error,
			 reason);
	else
		conclude(examination, SLOT_SOUND, 0, "");
}

const struct slot_marks *slot_examination_marks(const struct slot_examination *examination)
{
	return examination->marks_valid ? slot_marks_newest(examination->copies) : NULL;
}
