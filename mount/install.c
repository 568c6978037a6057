/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/install.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <unistd.h>

#include "mount/devmapper.h"
#include "mount/gpt_io.h"
#include "mount/sys.h"
#include "mount/verity.h"

#define DM_NAME "keelson-install"

static int write_header(const struct install_target *target, const struct slot_header_block *block)
{
	cleanup_fd fd = open(target->header, O_RDWR | O_CLOEXEC);
	int error = fd < 0 ? -errno : disk_write(fd, block, sizeof(*block), 0);

	if (error)
		return error;
	return fsync(fd) < 0 ? -errno : 0;
}

int install_unsign(const struct install_target *target)
{
	static const struct slot_header_block nothing;

	return write_header(target, &nothing);
}

int install_sign(const struct install_target *target, const struct slot_header_block *block)
{
	return write_header(target, block);
}

struct writing {
	const struct install_source *source;
	struct install_journal *journal;
	const struct install_target *target;
	int fds[2];        /* root and tree */
	bool dirty[2];     /* written since the last flush */
	uint64_t sizes[2]; /* of the content in each */
	uint64_t at;       /* of the content */
	uint64_t bundle_offset;
	const char *step;
};

/*
 * Nobody waits for the disk before a flush: it writes one portion while the next is unpacked. An error
 * of a write that is told here is not told again by fsync(2): file_fdatawait_range() of mm/filemap.c.
 */
static int start_writing(int fd, uint64_t offset, size_t size)
{
	if (sync_file_range(fd, (off_t)offset, (off_t)size, SYNC_FILE_RANGE_WRITE) < 0)
		return -errno;
	/* ... and not more than one: what waits for the disk is memory. */
	if (offset >= size && sync_file_range(fd, (off_t)(offset - size), (off_t)size,
					      SYNC_FILE_RANGE_WAIT_BEFORE) < 0)
		return -errno;
	return 0;
}

static int write_portion(struct writing *writing, const void *bytes, size_t size)
{
	const uint8_t *from = bytes;
	uint64_t start = 0;

	writing->step = "write";
	if (size > writing->sizes[0] + writing->sizes[1] - writing->at)
		return -EBADMSG;
	for (int i = 0; i < 2 && size > 0; start += writing->sizes[i++]) {
		uint64_t offset = writing->at - start;
		size_t part = size;
		int error;

		if (writing->at >= start + writing->sizes[i])
			continue;
		if (part > writing->sizes[i] - offset)
			part = (size_t)(writing->sizes[i] - offset);
		writing->dirty[i] = true;
		error = disk_write(writing->fds[i], from, part, offset);
		if (!error)
			error = start_writing(writing->fds[i], offset, part);
		if (error)
			return error;
		from += part;
		size -= part;
		writing->at += part;
	}
	return 0;
}

/* What was written is on the disk; then the journal says so. */
static int note(struct writing *writing)
{
	if (writing->journal->content_bytes == writing->at)
		return 0;
	writing->step = "flush";
	for (int i = 0; i < 2; i++) {
		if (writing->dirty[i] && fsync(writing->fds[i]) < 0)
			return -errno;
		writing->dirty[i] = false;
	}
	writing->step = "journal";
	writing->journal->content_bytes = writing->at;
	writing->journal->bundle_offset = writing->bundle_offset;
	return install_journal_write(writing->target->header, writing->journal);
}

static int write_all(struct writing *writing)
{
	const struct install_source *source = writing->source;
	uint64_t total = writing->sizes[0] + writing->sizes[1];
	unsigned int portions = 0;
	int error = 0;

	while (writing->at < total && !error) {
		const void *bytes;
		size_t size;
		uint64_t next;

		error = source->next(source->context, &bytes, &size, &next);
		if (!error && size == 0)
			error = -ENODATA;
		if (error) {
			(void)note(writing);
			writing->step = "unpack";
			return error;
		}
		error = write_portion(writing, bytes, size);
		if (error)
			break;
		writing->bundle_offset = next;
		if (++portions % INSTALL_JOURNAL_PORTIONS == 0 || writing->at == total)
			error = note(writing);
		if (!error && source->written)
			source->written(source->context, writing->at, total);
	}
	return error;
}

/* Only hints: what is read back is read past the page cache (O_DIRECT). */
static void forget_pages(int fd)
{
	(void)sys_ioctl(fd, BLKFLSBUF, NULL);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

int install_content(const struct install_target *target, const struct slot_header *header,
		    const struct install_source *source, struct install_journal *journal,
		    const char **step)
{
	cleanup_fd root = open(target->root, O_RDWR | O_CLOEXEC);
	cleanup_fd hash = open(target->hash, O_RDWR | O_CLOEXEC);
	struct writing writing = {
		.source = source,
		.journal = journal,
		.target = target,
		.fds = {root, hash},
		.sizes = {header->data_blocks * VERITY_BLOCK_BYTES,
			  header->hash_blocks * VERITY_BLOCK_BYTES},
		.at = journal->content_bytes,
		.bundle_offset = journal->bundle_offset,
		.step = "open for writing",
	};
	int error = root < 0 || hash < 0 ? -errno : write_all(&writing);

	*step = writing.step;
	if (error)
		return error;
	forget_pages(root);
	forget_pages(hash);
	return 0;
}

static int read_all(const char *path, uint64_t size, void *buffer)
{
	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);

	return fd < 0 ? -errno : read_back(fd, size, buffer);
}

int install_verify(const struct install_target *target, const struct slot_header *header,
		   void *buffer, const char **step)
{
	char table[VERITY_TABLE_BYTES];
	char path[DM_PATH_BYTES];
	int error = verity_table(header, target->root, target->hash, false, table);

	*step = "verity table";
	if (error < 0)
		return error;
	/* An installer that was killed may have left its own. */
	(void)dm_remove(DM_NAME);
	error = dm_create_verity(DM_NAME, header->data_blocks * (VERITY_BLOCK_BYTES / 512), table,
				 path, step);
	if (error)
		return error;
	*step = "read back";
	error = read_all(path, header->data_blocks * VERITY_BLOCK_BYTES, buffer);
	(void)dm_remove(DM_NAME);
	return error;
}
