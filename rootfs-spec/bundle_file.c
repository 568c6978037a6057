// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/bundle_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs-spec/bundle_stream.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/sha256.h"
#include "rootfs-spec/sizes.h"
#include "rootfs-spec/verity_check.h"

int bundle_file_open(struct bundle_file *bundle, const char *path)
{
	struct bytes start = {0};
	const char *reason;
	int64_t size = file_size(path);
	int error;

	*bundle = (struct bundle_file){.path = path};
	if (size < 0)
		return (int)size;
	if (size < (int64_t)BUNDLE_STREAM_OFFSET)
		return report_refusal("%s is no bundle: it is too short", path);
	error = file_read_part(path, 0, BUNDLE_STREAM_OFFSET, &start);
	if (error == 0) {
		memcpy(&bundle->block, start.data, sizeof(bundle->block));
		memcpy(&bundle->head, start.data + BUNDLE_HEAD_OFFSET, sizeof(bundle->head));
	}
	bytes_free(&start);
	if (error == 0)
		error = slot_header_block_check(&bundle->block, path);
	if (error < 0)
		return error;
	if (bundle_head_check(&bundle->head, &bundle->block.header, &reason) < 0)
		return report_refusal("%s: %s", path, reason);
	if ((uint64_t)size != BUNDLE_STREAM_OFFSET + bundle->head.stream_bytes)
		return report_refusal("%s: its stream is %s than its head says", path,
				      (uint64_t)size < BUNDLE_STREAM_OFFSET +
							       bundle->head.stream_bytes
					      ? "shorter"
					      : "longer");
	return 0;
}

/* ---- unpacking ---- */

struct unpacking {
	const struct bundle_file *bundle;
	int fd;
	int base;
	struct bundle_stream stream;
	struct verity_check check;
	struct sha256 packed;
};

static int open_base(struct unpacking *unpacking, const struct image_dir *base)
{
	const struct bundle_file *bundle = unpacking->bundle;

	if (bundle->head.kind != BUNDLE_DELTA)
		return 0;
	if (base == NULL)
		return report_refusal("%s is a delta: --delta-from names its base", bundle->path);
	if (memcmp(bundle->head.base_root_hash, base->block.header.root_hash, SHA256_BYTES) != 0)
		return report_refusal("%s is a delta against another image than %s", bundle->path,
				      base->path);
	unpacking->base = open(base->root, O_RDONLY | O_CLOEXEC);
	return unpacking->base < 0 ? report_errno(errno, "open %s", base->root) : 0;
}

static int tell(const struct unpacking *unpacking, int error)
{
	const char *path = unpacking->bundle->path;

	if (error == -ENODATA)
		return report_refusal("%s: unpack: it is cut off", path);
	if (error == -EBADMSG)
		return report_refusal("%s: unpack: %s", path, unpacking->stream.fault);
	return error < 0 ? report_errno(-error, "unpack %s", path) : 0;
}

/* Frame by frame, as a node does it. What is wrong with the content is told at the end. */
static int unpack(struct unpacking *unpacking)
{
	struct bundle_stream *stream = &unpacking->stream;
	const void *bytes;
	size_t size = 1;
	int error = bundle_stream_open(unpacking->fd, stream);

	if (error == 0)
		error = bundle_stream_begin(stream, unpacking->base);
	while (error == 0) {
		error = bundle_stream_next(stream, &bytes, &size);
		if (error < 0 || size == 0)
			break;
		if (verity_check_add(&unpacking->check, bytes, size) < 0)
			return -EBADMSG;
	}
	if (error == 0)
		error = bundle_stream_end(stream);
	return tell(unpacking, error);
}

static int hash_portion(void *context, const void *bytes, size_t size)
{
	sha256_add(context, bytes, size);
	return 0;
}

static int check_stream_name(struct unpacking *unpacking)
{
	const struct bundle_file *bundle = unpacking->bundle;
	uint8_t digest[SHA256_BYTES];
	int error;

	sha256_begin(&unpacking->packed);
	error = file_stream(bundle->path, BUNDLE_STREAM_OFFSET, bundle->head.stream_bytes,
			    hash_portion, &unpacking->packed);
	if (error < 0)
		return error;
	sha256_end(&unpacking->packed, digest);
	if (memcmp(digest, bundle->head.stream_sha256, sizeof(digest)) != 0)
		return report_refusal("%s: its frames are not those that its head names",
				      bundle->path);
	return 0;
}

int bundle_file_check(const struct bundle_file *bundle, const struct image_dir *base)
{
	struct unpacking *unpacking = calloc(1, sizeof(*unpacking));
	const char *fault;
	int error;

	if (unpacking == NULL)
		return report_errno(ENOMEM, "unpack %s", bundle->path);
	unpacking->bundle = bundle;
	unpacking->base = -1;
	unpacking->fd = open(bundle->path, O_RDONLY | O_CLOEXEC);
	verity_check_begin(&unpacking->check, &bundle->block.header);
	error = unpacking->fd < 0 ? report_errno(errno, "open %s", bundle->path)
				  : open_base(unpacking, base);
	if (error == 0)
		error = unpack(unpacking);
	if (verity_check_end(&unpacking->check, &fault) < 0 && (error == 0 || error == -EBADMSG))
		error = report_refusal("%s: %s", bundle->path, fault);
	if (error == 0)
		error = check_stream_name(unpacking);
	bundle_stream_close(&unpacking->stream);
	if (unpacking->base >= 0)
		close(unpacking->base);
	if (unpacking->fd >= 0)
		close(unpacking->fd);
	free(unpacking);
	return error;
}

/* ---- telling ---- */

void bundle_file_print(const struct bundle_file *bundle, struct pool *pool, struct bytes *out)
{
	const struct slot_header *header = &bundle->block.header;
	const struct bundle_head *head = &bundle->head;
	char root_hash[SHA256_TEXT_BYTES];
	char base[SHA256_TEXT_BYTES];
	char key[SHA256_TEXT_BYTES];

	sha256_text(header->root_hash, root_hash);
	sha256_text(head->base_root_hash, base);
	sha256_text(header->key_id, key);
	bytes_printf(out, "image      %s %s\n", (const char *)header->name,
		     (const char *)header->image_version);
	bytes_printf(out, "machine    %u\nepoch      %llu\nroot hash  %s\n", header->machine,
		     (unsigned long long)header->security_epoch, root_hash);
	bytes_printf(out, "key        %s\n", key);
	bytes_printf(out, "kind       %s\n", head->kind == BUNDLE_DELTA ? "delta" : "full");
	if (head->kind == BUNDLE_DELTA)
		bytes_printf(out, "base       %s\n", base);
	bytes_printf(out, "unpacked   %s\n", sizes_text(pool, head->unpacked_bytes));
	bytes_printf(out, "stream     %s\n", sizes_text(pool, head->stream_bytes));
	bytes_printf(out, "frames     %llu of %s\n",
		     (unsigned long long)((head->unpacked_bytes + head->frame_bytes - 1) /
					  head->frame_bytes),
		     sizes_text(pool, head->frame_bytes));
}
