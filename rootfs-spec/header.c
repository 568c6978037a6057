// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/header.h"

#include "rootfs-spec/report.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#error "which ELF machine is this?"
#endif

/* The field stays NUL-terminated: the reader insists on it. */
static int put_text(uint8_t *field, size_t size, const char *text)
{
	size_t length = strlen(text);

	if (length >= size)
		return -ENAMETOOLONG;
	memcpy(field, text, length);
	return 0;
}

int header_fill(const struct header_facts *facts, const struct signer *signer,
		struct slot_header *header)
{
	const struct verity_tree *tree = facts->tree;

	*header = (struct slot_header){
		.version = SLOT_HEADER_VERSION,
		.size_bytes = SLOT_HEADER_BYTES,
		.signature_bytes = signer->certificate.signature_bytes,
		.machine = MACHINE,
		.security_epoch = facts->security_epoch,
		.data_blocks = tree->data_blocks,
		.hash_offset_blocks = 1,
		.hash_blocks = tree->hash_blocks,
		.salt_bytes = sizeof(tree->salt),
		.block_bytes = VERITY_BLOCK_BYTES,
		.kernel_bytes = facts->kernel_bytes,
	};
	memcpy(header->magic, SLOT_HEADER_MAGIC, sizeof(header->magic));
	memcpy(header->build_id, facts->build_id, sizeof(header->build_id));
	memcpy(header->key_id, signer->certificate.id, sizeof(header->key_id));
	memcpy(header->key_name, signer->certificate.name, sizeof(header->key_name));
	memcpy(header->root_hash, tree->root_hash, sizeof(header->root_hash));
	memcpy(header->salt, tree->salt, sizeof(header->salt));
	memcpy(header->kernel_sha256, facts->kernel_sha256, sizeof(header->kernel_sha256));
	if (put_text(header->name, sizeof(header->name), facts->name) < 0 ||
	    put_text(header->image_version, sizeof(header->image_version), facts->version) < 0 ||
	    put_text(header->root_type, sizeof(header->root_type), facts->root_type) < 0)
		return -ENAMETOOLONG;
	return 0;
}

int header_make(const struct header_facts *facts, const struct signer *signer,
		struct bytes *partition)
{
	struct slot_header header;
	const char *reason = NULL;
	int error;

	if (header_fill(facts, signer, &header) < 0)
		return report_refusal("slot header: name '%s' or version '%s' is longer than %zu "
				      "bytes",
				      facts->name, facts->version, sizeof(header.name) - 1);
	if (slot_header_check(&header, &reason) < 0)
		return report_refusal("slot header: %s", reason);
	bytes_add(partition, &header, sizeof(header));
	error = sign(signer, &header, sizeof(header), partition);
	if (error == 0)
		bytes_zero(partition, SLOT_MARKS_OFFSET - partition->size);
	return error;
}
