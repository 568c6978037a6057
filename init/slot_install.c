/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl slot install: proofs, then writing, in the order that slot.h gives. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "init/labels.h"
#include "init/marks.h"
#include "init/slot_history.h"
#include "init/reboot_required.h"
#include "init/slot_fill.h"
#include "mount/sys.h"
#include "mount/verity.h"
#include "svc/show.h"

#if defined(__x86_64__)
#define THIS_MACHINE 62u /* EM_X86_64 */
#elif defined(__aarch64__)
#define THIS_MACHINE 183u /* EM_AARCH64 */
#endif

/* ---- what is proven before a byte is written ---- */

static int open_bundle(struct installation *install, int fd)
{
	int error = bundle_stream_open(fd, &install->stream);

	memcpy(&install->block.header, &install->stream.header, sizeof(install->block.header));
	memcpy(install->block.signature, install->stream.signature,
	       sizeof(install->block.signature));
	if (error == -ENODATA)
		return slot_tell(SLOT_EXIT_CUT_OFF, "%s: cut off", install->options->path);
	if (error == -EBADMSG || error == -EPROTONOSUPPORT)
		return slot_tell(SLOT_EXIT_NO_BUNDLE, "%s: no bundle that can be installed: %s",
				 install->options->path, install->stream.fault);
	return error ? slot_tell(SLOT_EXIT_FAILED, "%s: read: %s", install->options->path,
				 strerror(-error))
		     : 0;
}

static int check_signature(struct installation *install)
{
	struct slot_header_block *block = &install->block;
	struct iovec part = {.iov_base = &block->header, .iov_len = sizeof(block->header)};
	uint8_t digest[HASH_BYTES];
	int error = hash_sha256(install->node->hash, &part, 1, digest);

	if (error)
		return slot_tell(SLOT_EXIT_FAILED, "hash the header: %s", strerror(-error));
	error = keyring_verify(&install->node->keyring, block->header.key_id, digest,
			       block->signature, block->header.signature_bytes);
	if (error == -ENOKEY)
		return slot_tell(SLOT_EXIT_UNSIGNED,
				 "%s: signed by a key that this node does not trust",
				 install->options->path);
	return error ? slot_tell(SLOT_EXIT_UNSIGNED, "%s: its signature is not right: %s",
				 install->options->path, strerror(-error))
		     : 0;
}

static uint64_t highest_epoch(const struct slot_node *node)
{
	uint64_t epoch = 0;

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		const struct slot_marks *marks = slot_examination_marks(&node->examinations[i]);

		if (marks && marks->security_epoch > epoch)
			epoch = marks->security_epoch;
	}
	return epoch;
}

static bool is_rejected(const struct slot_node *node, const struct slot_header *header)
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		if (slot_marks_rejects(slot_examination_marks(&node->examinations[i]),
				       header->root_hash))
			return true;
	return false;
}

static int check_image(struct installation *install)
{
	const struct slot_node *node = install->node;
	const struct slot_header *header = &install->block.header;
	const struct slot_parts *parts = &node->disk.slots.slot[install->slot];
	const char *path = install->options->path;
	const char *reason = "";

	if (header->machine != THIS_MACHINE)
		return slot_tell(SLOT_EXIT_ARCHITECTURE,
				 "%s: for another architecture (ELF machine %u, this is %u)", path,
				 header->machine, THIS_MACHINE);
	if (header->security_epoch < highest_epoch(node))
		return slot_tell(SLOT_EXIT_OUTDATED,
				 "%s: its security epoch %llu is below %llu, which ran here", path,
				 (unsigned long long)header->security_epoch,
				 (unsigned long long)highest_epoch(node));
	if (verity_check_sizes(header, parts->root.size_bytes, parts->hash.size_bytes, &reason))
		return slot_tell(SLOT_EXIT_TOO_LARGE,
				 "%s: does not fit slot %c: %s (%llu bytes of root, %llu there)",
				 path, slot_letter(install->slot), reason,
				 (unsigned long long)header->data_blocks * VERITY_BLOCK_BYTES,
				 (unsigned long long)parts->root.size_bytes);
	if (install->stream.head.kind == BUNDLE_DELTA &&
	    memcmp(install->stream.head.base_root_hash, node->status.root_hash,
		   SLOT_DIGEST_BYTES) != 0)
		return slot_tell(SLOT_EXIT_DELTA,
				 "%s: a delta against another image than the one that runs", path);
	return 0;
}

/* Does the slot hold it already, and may it be written at all? */
static int check_place(struct installation *install)
{
	const struct slot_node *node = install->node;
	const struct slot_header *header = &install->block.header;
	const struct slot_view *view = &node->views[install->slot];

	/* Into a slot that cannot be booted the image that runs may go: it is the way back then. */
	if (memcmp(header->root_hash, node->status.root_hash, SLOT_DIGEST_BYTES) == 0 &&
	    slot_is_bootable(node->views, install->slot))
		return slot_tell(SLOT_EXIT_ALREADY, "%s: this image runs already, in slot %c",
				 install->options->path, slot_letter(node->status.booted));
	if (slot_is_bootable(node->views, install->slot) &&
	    slot_is_next(node->views, install->slot) &&
	    memcmp(header->root_hash, node->examinations[install->slot].block.header.root_hash,
		   SLOT_DIGEST_BYTES) == 0)
		return slot_tell(SLOT_EXIT_ALREADY, "%s: slot %c holds this image and boots next",
				 install->options->path, slot_letter(install->slot));
	install->rejected = is_rejected(node, header);
	if (install->rejected && !install->options->force)
		return slot_tell(SLOT_EXIT_REJECTED,
				 "%s: this image was rejected before: it ran here and was never "
				 "healthy, or somebody said so; --force installs it all the same, "
				 "and the node then tries it at its next boot",
				 install->options->path);
	if (view->verdict == SLOT_ABSENT)
		return slot_tell(SLOT_EXIT_NEEDED, "there is no slot %c",
				 slot_letter(install->slot));
	return 0;
}

/* ---- what is written ---- */

/* Numbers to zero, then the header: from here on nothing boots this slot. */
static int begin(struct installation *install)
{
	struct slot_node *node = install->node;
	cleanup_fd lock = slot_node_lock(node);
	struct slot_change change;
	int error;

	if (lock < 0)
		return SLOT_EXIT_FAILED;
	error = slot_node_look(node);
	if (error)
		return error;
	change = slot_install_begin(node->views, install->slot, (int)node->status.booted,
				    install->options->force);
	if (change.refused)
		return slot_tell(SLOT_EXIT_NEEDED,
				 "slot %c is kept, as the way back: slot %c, which runs, is not "
				 "proven (not blessed yet, rejected, or out of tries); --force "
				 "writes over it if slot %c can boot at all",
				 slot_letter(install->slot), slot_letter(node->status.booted),
				 slot_letter(node->status.booted));
	error = slot_node_write(node, &change);
	if (error)
		return error;
	error = install_unsign(&install->target);
	if (error)
		return slot_tell(SLOT_EXIT_FAILED, "%s: clear the header: %s",
				 install->target.header, strerror(-error));
	slot_node_note(node, SLOT_EVENT_INSTALLING, install->slot);
	error = marks_forget(install->header_device);
	return error ? slot_tell(SLOT_EXIT_FAILED, "%s: marks: %s", install->target.header,
				 strerror(-error))
		     : slot_fill_begin(install);
}

/* An operator installs it all the same: off both lists. */
static int accept_again(struct installation *install)
{
	struct slot_node *node = install->node;

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		struct install_target target;
		char device[DEVICE_NAME_BYTES];
		int error = node->disk.slots.slot[i].present
				    ? slot_node_target(node, i, &target, device)
				    : -ENOENT;

		if (error == -ENOENT)
			continue;
		if (!error)
			error = marks_accept(device, install->block.header.root_hash);
		if (error)
			return slot_tell(SLOT_EXIT_FAILED, "slot %c: marks: %s", slot_letter(i),
					 strerror(-error));
	}
	return 0;
}

/* Signed again, judged as the next boot will judge it, armed. */
static int end(struct installation *install)
{
	struct slot_node *node = install->node;
	cleanup_fd lock = slot_node_lock(node);
	struct slot_change change;
	int error;

	if (lock < 0)
		return SLOT_EXIT_FAILED;
	error = install_sign(&install->target, &install->block);
	if (error)
		return slot_tell(SLOT_EXIT_FAILED, "%s: write the header: %s",
				 install->target.header, strerror(-error));
	error = install->rejected ? accept_again(install) : 0;
	if (!error)
		error = slot_node_look(node);
	if (error)
		return error;
	change = slot_install_end(node->views, install->slot, node->plan.system->tries);
	if (change.refused)
		return slot_tell(SLOT_EXIT_FAILED, "slot %c: not armed: %s",
				 slot_letter(install->slot),
				 slot_verdict_text(node->views[install->slot].verdict));
	error = slot_node_write(node, &change);
	if (!error)
		slot_node_note(node, SLOT_EVENT_INSTALLED, install->slot);
	return error;
}

static void tell_installed(const struct installation *install)
{
	const struct slot_header *header = &install->block.header;
	const char letter[] = {slot_letter(install->slot), '\0'};

	if (!install->options->json) {
		printf("slot %s: %s %s is installed and boots next\n", letter,
		       (const char *)header->name, (const char *)header->image_version);
		return;
	}
	fputs("{", stdout);
	show_json_field(stdout, true, "event", "installed");
	show_json_field(stdout, false, "slot", letter);
	show_json_field(stdout, false, "image", (const char *)header->name);
	show_json_field(stdout, false, "version", (const char *)header->image_version);
	fputs("}\n", stdout);
}

static int prove(struct installation *install, int fd)
{
	int status = open_bundle(install, fd);

	if (!status)
		status = check_signature(install);
	if (!status)
		status = slot_node_look(install->node);
	if (!status)
		status = check_place(install);
	if (!status)
		status = check_image(install);
	if (!status && slot_node_target(install->node, install->slot, &install->target,
					install->header_device))
		status = slot_tell(SLOT_EXIT_FAILED, "slot %c: its partitions are not there",
				   slot_letter(install->slot));
	return status ? status : slot_fill_look(install);
}

/* A blessing may have been noted between our reading and writing: PID 1 knows. */
static void label_install(const struct slot_node *node)
{
	int error = labels_note(LABELS_PATH, LABELS_REBOOT);

	if (!error && slot_node_blessed(node->socket))
		error = labels_note(LABELS_PATH, LABELS_BLESSED);
	if (error)
		fprintf(stderr, "keelctl: slot: " LABELS_PATH ": %s\n", strerror(-error));
}

int slot_install(struct slot_node *node, const struct install_options *options)
{
	static struct installation install;
	bool piped = strcmp(options->path, "-") == 0;
	cleanup_fd file = -1;
	cleanup_fd alone = slot_node_alone();
	int status;

	install.node = node;
	install.options = options;
	install.slot = 1 - node->status.booted;
	if (alone < 0)
		return -alone;
	if (!piped)
		file = open(options->path, O_RDONLY | O_CLOEXEC);
	if (!piped && file < 0)
		return slot_tell(SLOT_EXIT_FAILED, "%s: open: %s", options->path, strerror(errno));
	status = prove(&install, piped ? STDIN_FILENO : file);
	if (!status && options->next) {
		slot_fill_tell_next(&install);
		return SLOT_EXIT_OK;
	}
	if (!status)
		status = begin(&install);
	if (!status)
		status = slot_fill(&install);
	if (!status)
		status = slot_fill_verify(&install);
	if (!status)
		status = end(&install);
	if (status)
		return status;
	slot_fill_end(&install);
	reboot_required(&install.block.header);
	label_install(node);
	tell_installed(&install);
	return SLOT_EXIT_OK;
}
