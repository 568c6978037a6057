// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/image_dir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rootfs-spec/report.h"
#include "rootfs-spec/verity_check.h"
#include "rootfs-spec/verity_tree.h"

int slot_header_block_check(const union slot_header_block *block, const char *name)
{
	const char *reason;

	if (slot_header_check(&block->header, &reason) < 0)
		return report_refusal("%s: slot header: %s", name, reason);
	for (size_t i = sizeof(block->header) + block->header.signature_bytes;
	     i < sizeof(block->bytes); i++)
		if (block->bytes[i] != 0)
			return report_refusal("%s: bytes behind the signature are in use", name);
	return 0;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

int slot_header_block_verify(const union slot_header_block *block, const struct trust *trust,
			     const char *name)
{
	const struct slot_header *header = &block->header;
	const uint8_t *signature = block->bytes + sizeof(*header);
	const struct certificate *certificate = trust_find(trust, header->key_id);
	int error;

	if (is_zero(signature, header->signature_bytes))
		return report_refusal("%s is not signed yet: `keelson sign` does that", name);
	if (certificate == NULL)
		return report_refusal("%s is signed with a key that is not trusted (%s)", name,
				      header->key_name[0] != 0 ? (const char *)header->key_name
							       : "no name");
	error = header->signature_bytes == certificate->signature_bytes
			? certificate_verify(certificate, header, sizeof(*header), signature,
					     header->signature_bytes)
			: -EKEYREJECTED;
	if (error == -EKEYREJECTED)
		return report_refusal("%s: the signature is wrong", name);
	return error;
}

static struct slot_header without_key(const struct slot_header *header)
{
	struct slot_header copy = *header;

	copy.signature_bytes = 0;
	memset(copy.key_id, 0, sizeof(copy.key_id));
	memset(copy.key_name, 0, sizeof(copy.key_name));
	return copy;
}

bool slot_header_same_image(const struct slot_header *one, const struct slot_header *other)
{
	struct slot_header a = without_key(one);
	struct slot_header b = without_key(other);

	return memcmp(&a, &b, sizeof(a)) == 0;
}

static int read_header(struct image_dir *image, const char *path)
{
	struct bytes content = {0};
	int error = file_read(path, &content);

	if (error == 0 && content.size != sizeof(image->block))
		error = report_refusal("%s is not %zu bytes long", path, sizeof(image->block));
	if (error == 0)
		memcpy(&image->block, content.data, sizeof(image->block));
	bytes_free(&content);
	return error < 0 ? error : slot_header_block_check(&image->block, path);
}

static int check_size(const char *path, uint64_t blocks)
{
	int64_t size = file_exists(path) ? file_size(path) : -ENOENT;

	if (size == -ENOENT)
		return report_refusal("%s is missing", path);
	if (size >= 0 && (uint64_t)size != blocks * VERITY_BLOCK_BYTES)
		return report_refusal("%s is not as large as header.bin says: files of two builds?",
				      path);
	return size < 0 ? (int)size : 0;
}

int image_dir_open(struct image_dir *image, struct pool *pool, const char *path)
{
	const struct slot_header *header = &image->block.header;
	int error;

	*image = (struct image_dir){.path = path};
	if (!file_exists(pool_printf(pool, "%s/manifest.json", path)) ||
	    !file_exists(pool_printf(pool, "%s/header.bin", path)))
		return report_refusal("%s is no image: `keelson build SPEC -o DIR` makes one",
				      path);
	error = read_header(image, pool_printf(pool, "%s/header.bin", path));
	if (error < 0)
		return error;
	image->root = pool_printf(pool, "%s/root.%s", path, (const char *)header->root_type);
	image->tree = pool_printf(pool, "%s/root.verity", path);
	error = check_size(image->root, header->data_blocks);
	return error < 0 ? error : check_size(image->tree, header->hash_blocks);
}

int image_dir_trust(const struct image_dir *image, struct pool *pool, struct trust *trust)
{
	int error = 0;

	for (unsigned int i = 0; i < PLAN_MAX_KEYS && error == 0; i++) {
		const char *path = pool_printf(pool, "%s/trusted-%u.der", image->path, i);

		if (!file_exists(path))
			break;
		error = trust_add(trust, path);
	}
	if (error == 0 && trust->count == 0)
		return report_refusal("%s/trusted-0.der is missing", image->path);
	return error;
}

static int check_file(const struct image_dir *image, struct pool *pool, const char *name,
		      const char *digest)
{
	const char *path = pool_printf(pool, "%s/%s", image->path, name);
	uint8_t bytes[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	int error = sha256_file(path, bytes);

	if (error < 0)
		return report_errno(-error, "read %s", path);
	sha256_text(bytes, text);
	if (strcmp(text, digest) != 0)
		return report_refusal("%s is not the file that the manifest lists", path);
	return 0;
}

/* The list is the manifest's last part, a line for each file (manifest.c). */
int image_dir_check_files(const struct image_dir *image, struct pool *pool)
{
	struct bytes text = {0};
	const char *path = pool_printf(pool, "%s/manifest.json", image->path);
	char name[64], digest[SHA256_TEXT_BYTES];
	unsigned int count = 0;
	int error = file_read(path, &text);
	char *line = error == 0 ? strstr((char *)text.data, "\n  \"files\": [\n") : NULL;

	line = line != NULL ? strchr(line + 1, '\n') : NULL;
	while (line != NULL && error == 0 &&
	       sscanf(line,
		      " {\"name\": \"%63[a-z0-9.-]\", \"bytes\": %*u, \"sha256\": \"%64[0-9a-f]",
		      name, digest) == 2) {
		error = check_file(image, pool, name, digest);
		line = strchr(line + 1, '\n');
		count++;
	}
	if (error == 0 && count < 3)
		error = report_refusal("%s lists no files", path);
	bytes_free(&text);
	return error;
}

int image_dir_stream(const struct image_dir *image, file_sink sink, void *context)
{
	const struct slot_header *header = &image->block.header;
	int error = file_stream(image->root, 0, header->data_blocks * VERITY_BLOCK_BYTES, sink,
				context);

	return error < 0 ? error
			 : file_stream(image->tree, 0, header->hash_blocks * VERITY_BLOCK_BYTES,
				       sink, context);
}

/* What is wrong is told at the end. */
static int check_portion(void *context, const void *bytes, size_t size)
{
	return verity_check_add(context, bytes, size);
}

int image_dir_check(const struct image_dir *image)
{
	struct verity_check check;
	const char *fault;
	int error;

	verity_check_begin(&check, &image->block.header);
	error = image_dir_stream(image, check_portion, &check);
	if (verity_check_end(&check, &fault) < 0 && (error == 0 || error == -EBADMSG))
		return report_refusal("%s: %s", image->path, fault);
	return error;
}
