// SPDX-License-Identifier: Apache-2.0
#include "rootfs-spec/disk.h"

#include "rootfs-spec/files.h"
#include "rootfs-spec/gpt_types.h"
#include "rootfs-spec/identity.h"
#include "rootfs-spec/report.h"
#include "rootfs-spec/verity_tree.h"

#define SECTOR_BYTES 512u
#define MIB (1ull << 20)
/* sfdisk's own alignment; the first MiB holds the primary table, the last one the backup. */
#define ALIGNMENT MIB
#define SLOT_BYTES_MIN (128 * MIB)
#define HEADER_BYTES MIB

#if defined(__aarch64__)
#define TYPE_ROOT GPT_TYPE_ROOT_ARM64_TEXT
#define TYPE_VERITY GPT_TYPE_VERITY_ARM64_TEXT
#else
#define TYPE_ROOT GPT_TYPE_ROOT_X86_64_TEXT
#define TYPE_VERITY GPT_TYPE_VERITY_X86_64_TEXT
#endif

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static struct disk_partition *place(const struct disk *disk, struct disk_layout *layout,
				    const char *name, const char *type, uint64_t size,
				    const char *content)
{
	struct disk_partition *partition = &layout->partitions[layout->count++];

	*partition = (struct disk_partition){.name = name,
					     .type = type,
					     .offset_bytes = layout->size_bytes,
					     .size_bytes = round_up(size, ALIGNMENT),
					     .content = content};
	identity_uuid(disk->build_id, name, partition->uuid);
	layout->size_bytes += partition->size_bytes;
	return partition;
}

static void place_slot(const struct disk *disk, struct disk_layout *layout,
		       const char *const names[3], uint64_t size, uint32_t priority)
{
	struct disk_partition *root = place(disk, layout, names[0], TYPE_ROOT, size, disk->root);

	root->priority = priority;
	root->tries = priority > 0 ? disk->tries : 0;
	place(disk, layout, names[1], TYPE_VERITY,
	      verity_tree_bytes(root->size_bytes / VERITY_BLOCK_BYTES), disk->verity);
	place(disk, layout, names[2], GPT_TYPE_HEADER_TEXT, HEADER_BYTES, disk->header);
}

int disk_plan(const struct disk *disk, struct disk_layout *layout)
{
	static const char *const slot_a[] = {GPT_NAME_ROOT_A, GPT_NAME_VERITY_A, GPT_NAME_HEADER_A};
	static const char *const slot_b[] = {GPT_NAME_ROOT_B, GPT_NAME_VERITY_B, GPT_NAME_HEADER_B};
	int64_t root_bytes = file_size(disk->root);
	uint64_t slot_bytes = disk->slot_bytes;

	if (root_bytes < 0)
		return (int)root_bytes;
	/* Room for an image of twice the size: updates grow. */
	if (slot_bytes == 0)
		slot_bytes = round_up(2 * (uint64_t)root_bytes, 16 * MIB);
	if (disk->slot_bytes == 0 && slot_bytes < SLOT_BYTES_MIN)
		slot_bytes = SLOT_BYTES_MIN;
	if ((uint64_t)root_bytes > slot_bytes)
		return report_refusal("the root image of %lld MiB does not fit a slot of %llu MiB "
				      "(`slots.size`)",
				      (long long)root_bytes / (long long)MIB,
				      (unsigned long long)(slot_bytes / MIB));
	*layout = (struct disk_layout){.size_bytes = ALIGNMENT};
	if (disk->esp_bytes > 0)
		place(disk, layout, GPT_NAME_ESP, GPT_TYPE_ESP_TEXT, disk->esp_bytes, NULL);
	place_slot(disk, layout, slot_a, slot_bytes, 2);
	place_slot(disk, layout, slot_b, slot_bytes, disk->fill_both ? 1 : 0);
	for (size_t i = layout->count - 3; i < layout->count && !disk->fill_both; i++) {
		layout->partitions[i].content = NULL;
		layout->partitions[i].empty = true;
	}
	place(disk, layout, GPT_NAME_STATE, GPT_TYPE_STATE_TEXT,
	      disk->state_bytes > 0 ? disk->state_bytes : 256 * MIB, NULL);
	layout->size_bytes += ALIGNMENT;
	return 0;
}

/* Attribute bits by number, as sfdisk's `attrs` wants them. */
static void script_attributes(struct bytes *script, const struct disk_partition *partition)
{
	uint64_t bits = (uint64_t)partition->priority << GPT_ATTRIBUTE_PRIORITY_SHIFT |
			(uint64_t)partition->tries << GPT_ATTRIBUTE_TRIES_SHIFT;
	const char *gap = "";

	if (bits == 0)
		return;
	bytes_text(script, ", attrs=\"");
	for (unsigned int bit = 48; bit < 64; bit++) {
		if ((bits >> bit & 1) == 0)
			continue;
		bytes_printf(script, "%sGUID:%u", gap, bit);
		gap = " ";
	}
	bytes_text(script, "\"");
}

void disk_script(const struct disk *disk, const struct disk_layout *layout, struct bytes *script)
{
	char uuid[UUID_TEXT_BYTES];

	identity_uuid(disk->build_id, "disk", uuid);
	bytes_printf(script, "label: gpt\nlabel-id: %s\nunit: sectors\nsector-size: %u\n", uuid,
		     SECTOR_BYTES);
	for (size_t i = 0; i < layout->count; i++) {
		const struct disk_partition *partition = &layout->partitions[i];

		bytes_printf(script, "start=%llu, size=%llu, type=%s, uuid=%s, name=\"%s\"",
			     (unsigned long long)(partition->offset_bytes / SECTOR_BYTES),
			     (unsigned long long)(partition->size_bytes / SECTOR_BYTES),
			     partition->type, partition->uuid, partition->name);
		script_attributes(script, partition);
		bytes_text(script, "\n");
	}
}
