/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cut_install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "init/labels.h"
#include "init/plan_map.h"
#include "init/reboot_required.h"
#include "init/slot_node.h"
#include "rootfs-spec/bundle.h"
#include "svc/client.h"

#define CONTENT_BYTES_MAX (256u << 10)

static uint8_t content[CONTENT_BYTES_MAX];
static uint8_t file[2 * CONTENT_BYTES_MAX];

static void refuse(const char *what)
{
	fprintf(stderr, "cut install: %s\n", what);
	abort();
}

/* ---- what is played ---- */

void reboot_required(const struct slot_header *header)
{
	(void)header;
}

int keyring_open(struct keyring *keyring)
{
	(void)keyring;
	return 0;
}

int keyring_trust(struct keyring *keyring, int hash, const char *path)
{
	(void)keyring;
	(void)hash;
	(void)path;
	return 0;
}

/* PID 1 does not answer. */
int client_ask(const char *path, const struct control_request *request, client_packet *packet,
	       void *context)
{
	(void)path;
	(void)request;
	(void)packet;
	(void)context;
	return -ENOTCONN;
}

int labels_note(const char *path, const char *key)
{
	(void)path;
	(void)key;
	return 0;
}

int plan_map(const char *path, enum plan_kind kind, struct plan *plan)
{
	(void)path;
	(void)kind;
	(void)plan;
	return -ENOENT; /* nobody asks: cut_install() says what PID 1 would */
}

/* ---- the bundle ---- */

static size_t put_frames(const struct cut_bundle *bundle, struct bundle_head *head)
{
	size_t at = BUNDLE_STREAM_OFFSET, end = 0;
	uint32_t frame_bytes = head->frame_bytes;
	uint32_t frames = 0;

	for (uint64_t from = 0; from < head->unpacked_bytes; from += frame_bytes) {
		struct bundle_frame frame = {0};
		size_t packed = ZSTD_compress(file + at + sizeof(frame),
					      sizeof(file) - at - sizeof(frame), content + from,
					      bundle_frame_content(head, from), 1);

		if (ZSTD_isError(packed))
			refuse("pack");
		frame.packed_bytes = (uint32_t)packed;
		memcpy(file + at, &frame, sizeof(frame));
		at += sizeof(frame) + packed;
		if (++frames == bundle->frames)
			end = at;
	}
	head->stream_bytes = at - BUNDLE_STREAM_OFFSET;
	return end ? end : at;
}

static int make_file(const struct cut_bundle *bundle)
{
	const struct slot_header *header = &bundle->block->header;
	size_t root_bytes = header->data_blocks * BUNDLE_BLOCK_BYTES;
	size_t tree_bytes = header->hash_blocks * BUNDLE_BLOCK_BYTES;
	struct bundle_head head = {.kind = BUNDLE_FULL,
				   .frame_bytes = bundle->frame_blocks * BUNDLE_BLOCK_BYTES,
				   .unpacked_bytes = root_bytes + tree_bytes};
	int fd = memfd_create("bundle", MFD_CLOEXEC);
	size_t size;

	if (fd < 0 || root_bytes + tree_bytes > sizeof(content))
		refuse("memory");
	memcpy(content, bundle->root, root_bytes);
	memcpy(content + root_bytes, bundle->tree, tree_bytes);
	size = put_frames(bundle, &head);
	memcpy(head.stream_sha256, header->root_hash, sizeof(head.stream_sha256));
	bundle_head_seal(&head);
	memcpy(file, bundle->block, sizeof(*bundle->block));
	memcpy(file + BUNDLE_HEAD_OFFSET, &head, sizeof(head));
	if (write(fd, file, size) != (ssize_t)size)
		refuse("write the bundle");
	return fd;
}

/* The same, made once. */
static int file_of(const struct cut_bundle *bundle)
{
	static struct {
		uint8_t root_hash[SLOT_DIGEST_BYTES];
		uint32_t frame_blocks;
		uint32_t frames;
		int fd;
	} made[8];
	const struct slot_header *header = &bundle->block->header;
	size_t i = 0;

	while (i < 8 && made[i].frame_blocks &&
	       (made[i].frame_blocks != bundle->frame_blocks || made[i].frames != bundle->frames ||
		memcmp(made[i].root_hash, header->root_hash, sizeof(made[i].root_hash)) != 0))
		i++;
	if (i == 8)
		refuse("too many bundles");
	if (!made[i].frame_blocks) {
		memcpy(made[i].root_hash, header->root_hash, sizeof(made[i].root_hash));
		made[i].frame_blocks = bundle->frame_blocks;
		made[i].frames = bundle->frames;
		made[i].fd = make_file(bundle);
	}
	return made[i].fd;
}

/* ---- the installer ---- */

int cut_install(const struct cut_bundle *bundle, const struct record *running)
{
	static const struct plan_system system = {.tries = 3};
	static struct slot_node node;
	struct install_options options = {0};
	char path[32];
	int quiet[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int status;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_of(bundle));
	options.path = path;
	memset(&node, 0, sizeof(node));
	node.hash = -1;
	node.plan.system = &system;
	node.status.booted = running->slot;
	node.status.entry = running->entry;
	memcpy(node.status.disk, running->disk, sizeof(running->disk));
	memcpy(node.status.disk_guid, running->disk_guid, sizeof(node.status.disk_guid));
	memcpy(node.status.root_hash, running->header.root_hash, sizeof(node.status.root_hash));
	fflush(stdout);
	dup2(nowhere, STDOUT_FILENO);
	dup2(nowhere, STDERR_FILENO);
	status = slot_install(&node, &options);
	fflush(stdout);
	dup2(quiet[0], STDOUT_FILENO);
	dup2(quiet[1], STDERR_FILENO);
	close(quiet[0]);
	close(quiet[1]);
	close(nowhere);
	return status;
}
