/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/slots.h"

#include <errno.h>

#if defined(__x86_64__)
#define TYPE_ROOT GPT_TYPE_ROOT_X86_64
#define TYPE_VERITY GPT_TYPE_VERITY_X86_64
#elif defined(__aarch64__)
#define TYPE_ROOT GPT_TYPE_ROOT_ARM64
#define TYPE_VERITY GPT_TYPE_VERITY_ARM64
#else
#error "no partition types for this architecture"
#endif

#define TRIPLE 3u

static const uint8_t types[TRIPLE][GPT_GUID_BYTES] = {TYPE_ROOT, TYPE_VERITY, GPT_TYPE_HEADER};

const char *slot_verdict_text(enum slot_verdict verdict)
{
	static const char *const text[] = {
		[SLOT_ABSENT] = "absent",     [SLOT_UNREADABLE] = "unreadable",
		[SLOT_UNSIGNED] = "unsigned", [SLOT_UNSOUND] = "unsound",
		[SLOT_OUTDATED] = "outdated", [SLOT_SOUND] = "sound",
	};

	return (unsigned int)verdict < sizeof(text) / sizeof(text[0]) ? text[verdict] : "?";
}

/*
 * Is there anything but `index` itself on the sectors of entry `index`? An entry that reaches out of
 * the usable area (-ERANGE) counts: the kernel shows it all the same.
 */
static bool is_overlapped(const struct gpt *gpt, uint32_t index, const struct gpt_entry *entry)
{
	struct gpt_entry other;

	for (uint32_t i = 0; i < gpt->header.entry_count; i++)
		if (i != index && gpt_entry(gpt, i, &other) != -ENOENT &&
		    gpt_entries_overlap(entry, &other))
			return true;
	return false;
}

static bool is_triple(const struct gpt *gpt, uint32_t first, struct gpt_entry entries[TRIPLE])
{
	for (uint32_t i = 0; i < TRIPLE; i++)
		if (gpt_entry(gpt, first + i, &entries[i]) != 0 ||
		    !gpt_guid_equal(entries[i].type, types[i]))
			return false;
	for (uint32_t i = 0; i < TRIPLE; i++)
		if (is_overlapped(gpt, first + i, &entries[i]))
			return false;
	return true;
}

static struct slot_part part(const struct gpt *gpt, uint32_t index, const struct gpt_entry *entry)
{
	return (struct slot_part){
		.number = index + 1,
		.size_bytes = (entry->last_lba - entry->first_lba + 1) * gpt->sector_bytes,
	};
}

void slots_find(const struct gpt *gpt, struct slot_table *table)
{
	struct gpt_entry entries[TRIPLE];
	uint32_t i = 0;

	*table = (struct slot_table){0};
	while (i < gpt->header.entry_count) {
		if (!is_triple(gpt, i, entries)) {
			i++;
			continue;
		}
		if (table->count < SLOT_COUNT) {
			struct slot_parts *slot = &table->slot[table->count];

			slot->present = true;
			slot->entry = i;
			slot->root = part(gpt, i, &entries[0]);
			slot->hash = part(gpt, i + 1, &entries[1]);
			slot->header = part(gpt, i + 2, &entries[2]);
			for (uint32_t byte = 0; byte < GPT_GUID_BYTES; byte++)
				slot->root_guid[byte] = entries[0].guid[byte];
			slot->bits = gpt_slot_bits(entries[0].attributes);
		}
		table->count++;
		i += TRIPLE;
	}
}

int slots_set_bits(struct gpt *gpt, const struct slot_parts *parts, struct gpt_slot_bits bits)
{
	struct gpt_entry entry;
	int error = parts->present ? gpt_entry(gpt, parts->entry, &entry) : -ENOENT;

	if (error)
		return error;
	return gpt_set_attributes(gpt, parts->entry, gpt_with_slot_bits(entry.attributes, bits));
}
