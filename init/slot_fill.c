/* SPDX-License-Identifier: Apache-2.0 */
#include "init/slot_fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "mount/sys.h"
#include "svc/show.h"

#define TELL_PERCENT 10u

/* ---- where it goes on ---- */

/* Is this entry about the bundle that is given, and may a frame of it begin there? */
static bool goes_on(const struct install_journal *journal, const struct bundle_stream *stream)
{
	const struct bundle_head *head = &stream->head;

	return memcmp(journal->root_hash, stream->header.root_hash, SLOT_DIGEST_BYTES) == 0 &&
	       memcmp(journal->stream_sha256, head->stream_sha256, SLOT_DIGEST_BYTES) == 0 &&
	       journal->content_bytes > 0 && journal->content_bytes <= head->unpacked_bytes &&
	       (journal->content_bytes % head->frame_bytes == 0 ||
		journal->content_bytes == head->unpacked_bytes) &&
	       journal->bundle_offset > BUNDLE_STREAM_OFFSET &&
	       journal->bundle_offset <= BUNDLE_STREAM_OFFSET + head->stream_bytes;
}

/* An entry of nothing, or of the beginning of what is given. */
static void begin_anew(struct install_journal *journal, const struct bundle_stream *stream)
{
	*journal = (struct install_journal){.sequence = journal->sequence,
					    .bundle_offset = BUNDLE_STREAM_OFFSET};
	if (!stream)
		return;
	memcpy(journal->root_hash, stream->header.root_hash, SLOT_DIGEST_BYTES);
	memcpy(journal->stream_sha256, stream->head.stream_sha256, SLOT_DIGEST_BYTES);
}

int slot_fill_look(struct installation *install)
{
	const struct install_options *options = install->options;
	int error = install_journal_read(install->target.header, &install->journal);

	if (error)
		return slot_tell(SLOT_EXIT_FAILED, "%s: read the journal: %s",
				 install->target.header, strerror(-error));
	if (!goes_on(&install->journal, &install->stream))
		begin_anew(&install->journal, &install->stream);
	if (options->from && options->from != install->journal.bundle_offset)
		return slot_tell(SLOT_EXIT_ELSEWHERE, "%s: it goes on at byte %llu, not at %llu",
				 options->path, (unsigned long long)install->journal.bundle_offset,
				 (unsigned long long)options->from);
	return 0;
}

void slot_fill_tell_next(const struct installation *install)
{
	const struct install_journal *journal = &install->journal;

	if (!install->options->json) {
		if (install->options->next)
			printf("%llu\n", (unsigned long long)journal->bundle_offset);
		return;
	}
	fputs("{", stdout);
	show_json_field(stdout, true, "event", "next");
	show_json_number(stdout, false, "offset", journal->bundle_offset);
	show_json_number(stdout, false, "bytes", journal->content_bytes);
	show_json_number(stdout, false, "total", install->stream.head.unpacked_bytes);
	fputs("}\n", stdout);
	fflush(stdout);
}

static int write_journal(struct installation *install)
{
	int error = install_journal_write(install->target.header, &install->journal);

	return error ? slot_tell(SLOT_EXIT_FAILED, "%s: write the journal: %s",
				 install->target.header, strerror(-error))
		     : 0;
}

int slot_fill_begin(struct installation *install)
{
	const struct install_journal *journal = &install->journal;

	slot_fill_tell_next(install);
	if (journal->content_bytes == 0)
		return write_journal(install);
	if (!install->options->json)
		fprintf(stderr, "slot %c: goes on after %llu MiB\n", slot_letter(install->slot),
			(unsigned long long)(journal->content_bytes >> 20));
	return 0;
}

/* ---- writing ---- */

static void written(void *context, uint64_t bytes, uint64_t total)
{
	struct installation *install = context;
	unsigned percent = (unsigned)(bytes * 100 / total);

	if (percent < install->told + TELL_PERCENT && bytes < total)
		return;
	install->told = percent;
	if (!install->options->json) {
		fprintf(stderr, "slot %c: %3u %% of %llu MiB written\n", slot_letter(install->slot),
			percent, (unsigned long long)(total >> 20));
		return;
	}
	fputs("{", stdout);
	show_json_field(stdout, true, "event", "written");
	show_json_number(stdout, false, "bytes", bytes);
	show_json_number(stdout, false, "total", total);
	fputs("}\n", stdout);
	fflush(stdout);
}

static int next_frame(void *context, const void **bytes, size_t *size, uint64_t *bundle_offset)
{
	struct installation *install = context;
	int error = bundle_stream_next(&install->stream, bytes, size);

	*bundle_offset = install->stream.offset;
	return error;
}

/*
 * The root that runs, past its verity device and past the page cache: a block of it that is damaged
 * makes the new root wrong, which is noticed, and would end the machine if it were read as the root.
 */
static int open_base(const struct installation *install)
{
	struct install_target running;
	char device[DEVICE_NAME_BYTES];
	uint32_t slot = install->node->status.booted;
	int error = slot_node_target(install->node, slot, &running, device);
	int fd = error ? -1 : open(running.root, O_RDONLY | O_CLOEXEC | O_DIRECT);

	if (!error && fd < 0)
		error = -errno;
	if (error)
		(void)slot_tell(SLOT_EXIT_FAILED, "slot %c: open its root: %s", slot_letter(slot),
				strerror(-error));
	return fd;
}

static int find_frame(struct installation *install, int base)
{
	struct bundle_stream *stream = &install->stream;
	const struct install_journal *journal = &install->journal;
	int error = bundle_stream_begin(stream, base);

	if (error)
		return error;
	return install->options->from
		       ? bundle_stream_jump(stream, journal->content_bytes, journal->bundle_offset)
		       : bundle_stream_skip(stream, journal->content_bytes);
}

static int tell_failure(struct installation *install, const char *step, int error)
{
	const char *path = install->options->path;
	char letter = slot_letter(install->slot);

	if (error == -ENODATA || error == -EBADMSG)
		slot_fill_tell_next(install);
	if (error == -ENODATA)
		return slot_tell(SLOT_EXIT_CUT_OFF,
				 "%s: cut off; slot %c is not bootable; given again, it goes on at "
				 "byte %llu",
				 path, letter, (unsigned long long)install->journal.bundle_offset);
	if (error == -EBADMSG)
		return slot_tell(SLOT_EXIT_NO_BUNDLE, "%s: damaged: %s; slot %c is not bootable",
				 path, install->stream.fault, letter);
	return slot_tell(SLOT_EXIT_FAILED, "slot %c: %s: %s", letter, step, strerror(-error));
}

int slot_fill(struct installation *install)
{
	const struct install_source source = {next_frame, written, install};
	bool delta = install->stream.head.kind == BUNDLE_DELTA;
	cleanup_fd base = delta ? open_base(install) : -1;
	const char *step = "find where it goes on";
	int error;

	if (delta && base < 0)
		return SLOT_EXIT_FAILED;
	install->told = (unsigned)(install->journal.content_bytes * 100 /
				   install->stream.head.unpacked_bytes);
	error = find_frame(install, base);
	if (!error)
		error = install_content(&install->target, &install->block.header, &source,
					&install->journal, &step);
	if (!error)
		error = bundle_stream_end(&install->stream);
	bundle_stream_close(&install->stream);
	return error ? tell_failure(install, step, error) : 0;
}

/* ---- in the end ---- */

int slot_fill_verify(struct installation *install)
{
	char letter = slot_letter(install->slot);
	const char *step = "";
	int error = install_verify(&install->target, &install->block.header, install->buffer,
				   &step);

	if (error == -EIO) {
		begin_anew(&install->journal, NULL);
		(void)write_journal(install);
		return slot_tell(SLOT_EXIT_NO_BUNDLE,
				 "slot %c: %s: what was written is not what the header signs: the "
				 "bundle or the disk is damaged",
				 letter, step);
	}
	return error ? slot_tell(SLOT_EXIT_FAILED, "slot %c: %s: %s", letter, step,
				 strerror(-error))
		     : 0;
}

void slot_fill_end(struct installation *install)
{
	begin_anew(&install->journal, NULL);
	(void)write_journal(install);
}
