// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/disk_slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "rootfs-spec/gpt_types.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/run.h"
#include "rootfs-spec/verity_check.h"
#include "rootfs-spec/verity_tree.h"

enum part_kind { PART_OTHER, PART_ROOT, PART_TREE, PART_HEADER };

static enum part_kind kind_of(const char *type)
{
	static const struct {
		const char *type;
		enum part_kind kind;
	} kinds[] = {
		{GPT_TYPE_ROOT_X86_64_TEXT, PART_ROOT},   {GPT_TYPE_ROOT_ARM64_TEXT, PART_ROOT},
		{GPT_TYPE_VERITY_X86_64_TEXT, PART_TREE}, {GPT_TYPE_VERITY_ARM64_TEXT, PART_TREE},
		{GPT_TYPE_HEADER_TEXT, PART_HEADER},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcasecmp(type, kinds[i].type) == 0)
			return kinds[i].kind;
	return PART_OTHER;
}

struct scan {
	struct disk_slots *slots;
	struct disk_slot slot;
	enum part_kind last;
};

/* Three that follow each other are a slot (docs/slots.md). */
static void take_part(struct scan *scan, enum part_kind kind, struct disk_part part)
{
	bool follows = kind == PART_ROOT || (kind != PART_OTHER && kind == scan->last + 1);

	scan->last = follows ? kind : PART_OTHER;
	if (!follows)
		return;
	if (kind == PART_ROOT)
		scan->slot.root = part;
	else if (kind == PART_TREE)
		scan->slot.tree = part;
	else
		scan->slot.header = part;
	if (kind == PART_HEADER && scan->slots->count < 2)
		scan->slots->list[scan->slots->count++] = scan->slot;
}

static void take_line(struct scan *scan, const char *line, uint64_t sector_bytes)
{
	unsigned long long start, size;
	const char *fields = strstr(line, " : start=");
	char type[40];

	if (fields == NULL || sscanf(fields, " : start= %llu, size= %llu, type=%39[0-9A-Fa-f-]",
				     &start, &size, type) != 3)
		return;
	take_part(scan, kind_of(type),
		  (struct disk_part){start * sector_bytes, size * sector_bytes});
}

int disk_slots_read(const char *path, struct disk_slots *slots)
{
	const char *argv[] = {"sfdisk", "--dump", path, NULL};
	struct bytes output = {0};
	struct run call = {.step = "read the partition table", .argv = argv, .output = &output};
	struct scan scan = {.slots = slots};
	unsigned int sector_bytes = 512;
	int error = run(&call);
	char *text = (char *)output.data;

	*slots = (struct disk_slots){0};
	while (error == 0 && text != NULL) {
		char *line = strsep(&text, "\n");

		sscanf(line, "sector-size: %u", &sector_bytes);
		take_line(&scan, line, sector_bytes);
	}
	bytes_free(&output);
	if (error == 0 && slots->count == 0)
		return report_refusal("%s has no slot", path);
	return error;
}

static int read_block(const char *path, const struct disk_slot *slot,
		      union slot_header_block *block)
{
	struct bytes content = {0};
	int error = slot->header.size_bytes < sizeof(*block)
			    ? report_refusal("%s: a header partition is too small", path)
			    : file_read_part(path, slot->header.offset_bytes, sizeof(*block),
					     &content);

	if (error == 0)
		memcpy(block, content.data, sizeof(*block));
	bytes_free(&content);
	return error;
}

static bool is_empty(const union slot_header_block *block)
{
	for (size_t i = 0; i < sizeof(block->bytes); i++)
		if (block->bytes[i] != 0)
			return false;
	return true;
}

int disk_slot_header(const char *path, const struct disk_slot *slot, const char *name,
		     union slot_header_block *block, bool *empty)
{
	int error = read_block(path, slot, block);

	*empty = error == 0 && is_empty(block);
	return error < 0 || *empty ? error : slot_header_block_check(block, name);
}

static int check_portion(void *context, const void *bytes, size_t size)
{
	return verity_check_add(context, bytes, size);
}

int disk_slot_check(const char *path, const struct disk_slot *slot, const char *name,
		    const union slot_header_block *block, const struct trust *trust)
{
	const struct slot_header *header = &block->header;
	uint64_t root_bytes = header->data_blocks * VERITY_BLOCK_BYTES;
	uint64_t tree_bytes = header->hash_blocks * VERITY_BLOCK_BYTES;
	struct verity_check check;
	const char *fault;
	int error = slot_header_block_verify(block, trust, name);

	if (error < 0)
		return error;
	if (root_bytes > slot->root.size_bytes || tree_bytes > slot->tree.size_bytes)
		return report_refusal("%s: the image is larger than its partitions", name);
	verity_check_begin(&check, header);
	error = file_stream(path, slot->root.offset_bytes, root_bytes, check_portion, &check);
	if (error == 0)
		error = file_stream(path, slot->tree.offset_bytes, tree_bytes, check_portion,
				    &check);
	if (verity_check_end(&check, &fault) < 0 && (error == 0 || error == -EBADMSG))
		return report_refusal("%s: %s", name, fault);
	return error;
}

int disk_slots_sign(const char *path, const union slot_header_block *block)
{
	struct disk_slots slots;
	int error = disk_slots_read(path, &slots);

	for (size_t i = 0; i < slots.count && error == 0; i++) {
		union slot_header_block old;

		error = read_block(path, &slots.list[i], &old);
		if (error == 0 && slot_header_same_image(&old.header, &block->header))
			error = file_write_part(path, slots.list[i].header.offset_bytes, block,
						sizeof(*block));
	}
	return error;
}
