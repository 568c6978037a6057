// SPDX-License-Identifier: Apache-2.0
/* Making a bundle: one pass over root and tree, checked against the header, packed frame by frame. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "rootfs-spec/bundle_delta.h"
#include "rootfs-spec/bundle_file.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/sha256.h"
#include "rootfs-spec/verity_check.h"

#define LEVEL 19

struct packing {
	const char *path; /* for messages */
	int fd;
	ZSTD_CCtx *context;
	struct verity_check check;
	struct bundle_head *head;
	struct delta_index base; /* of a delta */
	struct bytes content;    /* of the frame that fills up */
	uint64_t packed_content; /* in the frames behind it */
	struct sha256 stream;
	struct bytes packed;
	uint8_t prefix[BUNDLE_PREFIX_BYTES_MAX];
	struct bundle_range ranges[BUNDLE_RANGES_MAX];
};

static int write_at(const struct packing *packing, const void *bytes, size_t size, uint64_t offset)
{
	const uint8_t *from = bytes;

	while (size > 0) {
		ssize_t n = pwrite(packing->fd, from, size, (off_t)offset);

		if (n < 0)
			return report_errno(errno, "write %s", packing->path);
		from += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* The smallest window that reaches over so many bytes; 64 KiB at least. */
static int window_log(uint64_t bytes)
{
	int log = 16;

	while (log < 31 && 1ull << log < bytes)
		log++;
	return log;
}

static size_t gather_prefix(struct packing *packing, uint32_t count)
{
	size_t size = 0;

	for (uint32_t i = 0; i < count; i++) {
		size_t part = (size_t)packing->ranges[i].count * BUNDLE_BLOCK_BYTES;

		memcpy(packing->prefix + size,
		       packing->base.base + (size_t)packing->ranges[i].block * BUNDLE_BLOCK_BYTES,
		       part);
		size += part;
	}
	return size;
}

/* zstd(1) calls it --patch-from: long-distance matching finds what moved. */
static size_t set_up(struct packing *packing, size_t prefix_bytes)
{
	const struct {
		ZSTD_cParameter name;
		int value;
	} parameters[] = {
		{ZSTD_c_compressionLevel, LEVEL},
		{ZSTD_c_windowLog, window_log(packing->content.size + prefix_bytes)},
		{ZSTD_c_checksumFlag, 1},
		{ZSTD_c_contentSizeFlag, 1},
		{ZSTD_c_enableLongDistanceMatching, prefix_bytes > 0},
	};
	size_t status = ZSTD_CCtx_reset(packing->context, ZSTD_reset_session_and_parameters);

	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		if (!ZSTD_isError(status))
			status = ZSTD_CCtx_setParameter(packing->context, parameters[i].name,
							parameters[i].value);
	if (!ZSTD_isError(status) && prefix_bytes)
		status = ZSTD_CCtx_refPrefix(packing->context, packing->prefix, prefix_bytes);
	return status;
}

static int put(struct packing *packing, const void *bytes, size_t size)
{
	int error = write_at(packing, bytes, size,
			     BUNDLE_STREAM_OFFSET + packing->head->stream_bytes);

	sha256_add(&packing->stream, bytes, size);
	packing->head->stream_bytes += size;
	return error;
}

/* The content that has come together is a frame. */
static int pack_frame(struct packing *packing)
{
	struct bundle_frame frame = {0};
	size_t prefix_bytes, status;
	int error;

	if (packing->head->kind == BUNDLE_DELTA)
		frame.range_count =
			delta_choose(&packing->base, packing->content.data, packing->content.size,
				     packing->packed_content / BUNDLE_BLOCK_BYTES, packing->ranges);
	prefix_bytes = gather_prefix(packing, frame.range_count);
	packing->packed.size = 0;
	bytes_zero(&packing->packed, ZSTD_compressBound(packing->content.size));
	status = set_up(packing, prefix_bytes);
	if (!ZSTD_isError(status))
		status = ZSTD_compress2(packing->context, packing->packed.data,
					packing->packed.size, packing->content.data,
					packing->content.size);
	if (ZSTD_isError(status))
		return report_refusal("%s: pack: %s", packing->path, ZSTD_getErrorName(status));
	frame.packed_bytes = (uint32_t)status;
	error = put(packing, &frame, sizeof(frame));
	if (error == 0)
		error = put(packing, packing->ranges,
			    frame.range_count * sizeof(packing->ranges[0]));
	if (error == 0)
		error = put(packing, packing->packed.data, frame.packed_bytes);
	packing->packed_content += packing->content.size;
	packing->content.size = 0;
	return error;
}

static int pack_portion(void *context, const void *bytes, size_t size)
{
	struct packing *packing = context;
	const uint8_t *from = bytes;
	int error = 0;

	if (verity_check_add(&packing->check, bytes, size) < 0)
		return -EBADMSG;
	while (size > 0 && error == 0) {
		size_t room = packing->head->frame_bytes - packing->content.size;
		size_t part = size < room ? size : room;

		bytes_add(&packing->content, from, part);
		from += part;
		size -= part;
		if (packing->content.size == packing->head->frame_bytes)
			error = pack_frame(packing);
	}
	return error;
}

static int pack(struct packing *packing, const struct image_dir *image)
{
	struct bundle_head *head = packing->head;
	const char *fault;
	int error;

	sha256_begin(&packing->stream);
	verity_check_begin(&packing->check, &image->block.header);
	error = image_dir_stream(image, pack_portion, packing);
	if (verity_check_end(&packing->check, &fault) < 0 && (error == 0 || error == -EBADMSG))
		return report_refusal("%s: %s", image->path, fault);
	if (error == 0 && packing->content.size > 0)
		error = pack_frame(packing);
	if (error < 0)
		return error;
	sha256_end(&packing->stream, head->stream_sha256);
	bundle_head_seal(head);
	error = write_at(packing, &image->block, sizeof(image->block), 0);
	return error < 0 ? error : write_at(packing, head, sizeof(*head), BUNDLE_HEAD_OFFSET);
}

static int describe(const struct image_dir *image, const struct image_dir *base,
		    struct bundle_head *head)
{
	const struct slot_header *header = &image->block.header;
	const struct slot_header *from = base != NULL ? &base->block.header : NULL;

	*head = (struct bundle_head){.kind = BUNDLE_FULL,
				     .frame_bytes = BUNDLE_FRAME_BYTES_MAX,
				     .unpacked_bytes = (header->data_blocks + header->hash_blocks) *
						       BUNDLE_BLOCK_BYTES};
	if (base == NULL)
		return 0;
	if (memcmp(header->root_hash, from->root_hash, sizeof(from->root_hash)) == 0)
		return report_refusal("%s and %s are the same image", image->path, base->path);
	head->kind = BUNDLE_DELTA;
	head->base_bytes = from->data_blocks * BUNDLE_BLOCK_BYTES;
	memcpy(head->base_root_hash, from->root_hash, sizeof(head->base_root_hash));
	return 0;
}

static int read_base(struct packing *packing, struct pool *pool, const struct image_dir *base,
		     struct bytes *content)
{
	int error = file_read(base->root, content);

	if (error == 0)
		delta_index(&packing->base, pool, content->data, content->size);
	return error;
}

static int make(const struct image_dir *image, const struct image_dir *base, const char *path,
		struct bundle_head *head)
{
	struct pool pool = {0};
	struct packing *packing = pool_alloc(&pool, sizeof(*packing));
	struct bytes content = {0};
	int error = 0;

	packing->path = path;
	packing->head = head;
	packing->context = ZSTD_createCCtx();
	packing->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (packing->fd < 0 || packing->context == NULL)
		error = report_errno(packing->fd < 0 ? errno : ENOMEM, "make %s", path);
	if (error == 0 && base != NULL)
		error = read_base(packing, &pool, base, &content);
	if (error == 0)
		error = pack(packing, image);
	if (packing->fd >= 0 && close(packing->fd) < 0 && error == 0)
		error = report_errno(errno, "write %s", path);
	ZSTD_freeCCtx(packing->context);
	bytes_free(&content);
	bytes_free(&packing->content);
	bytes_free(&packing->packed);
	pool_free(&pool);
	return error;
}

int bundle_file_make(const struct image_dir *image, const struct image_dir *base, const char *path,
		     struct bundle_head *head)
{
	char temporary[PATH_MAX];
	struct bundle_file made;
	struct stat status;
	int error = describe(image, base, head);

	if (error == 0 && stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		error = report_refusal("%s is no regular file: a bundle's head is written last",
				       path);
	if (error == 0 && base != NULL)
		error = image_dir_check(base);
	if (error < 0)
		return error;
	if (snprintf(temporary, sizeof(temporary), "%s.new%d", path, (int)getpid()) >=
	    (int)sizeof(temporary))
		return report_errno(ENAMETOOLONG, "write %s", path);
	error = make(image, base, temporary, head);
	if (error == 0)
		error = bundle_file_open(&made, temporary);
	if (error == 0)
		error = bundle_file_check(&made, base);
	if (error == 0)
		error = file_rename(temporary, path);
	if (error < 0)
		unlink(temporary);
	return error;
}
