/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which partitions make which slot. A slot is three entries that follow each other in the table:
 * root data, hash tree, header (rootfs-spec/slot_header.h), each of its type (gpt_types.h) for this
 * machine's architecture. The first such triple is slot a, the second slot b; names are for people.
 * Tying the three by their place means that a root can never meet another root's tree.
 *
 * A triple whose partitions overlap any other partition is not a slot. Pure.
 */
#ifndef KEELSON_SLOTS_H
#define KEELSON_SLOTS_H

#include "mount/gpt.h"

#define SLOT_COUNT 2u

struct slot_part {
	uint32_t number; /* partition number as the kernel counts: entry index + 1 */
	uint64_t size_bytes;
};

struct slot_parts {
	bool present;
	uint32_t entry; /* index of the root's GPT entry; tree and header follow */
	struct slot_part root;
	struct slot_part hash;
	struct slot_part header;
	uint8_t root_guid[GPT_GUID_BYTES];
	struct gpt_slot_bits bits; /* as read */
};

struct slot_table {
	struct slot_parts slot[SLOT_COUNT];
	uint32_t count; /* triples on the disk; more than two: the rest is not keelson's business */
};

/* What was found out about a slot's content, from worse to better. */
enum slot_verdict {
	SLOT_ABSENT = 0, /* no such slot on this disk */
	SLOT_UNREADABLE, /* header, tree or root block could not be read */
	SLOT_UNSIGNED, /* no well-formed header, no trusted key, or a signature that is not right */
	SLOT_UNSOUND, /* the tree's root block does not match the signed root hash, or sizes do not */
	SLOT_OUTDATED, /* its security epoch is below the highest that was blessed on this disk */
	SLOT_SOUND     /* signed, and its root block is the signed one */
};

/* The verdict in a word or two, for messages. */
const char *slot_verdict_text(enum slot_verdict verdict);

/* Find the slots of a table. Cannot fail: no slot is a count of 0. */
void slots_find(const struct gpt *gpt, struct slot_table *table);

/* Put `bits` into the table in memory for the slot `parts`; 0, or -ENOENT when it is absent. */
int slots_set_bits(struct gpt *gpt, const struct slot_parts *parts, struct gpt_slot_bits bits);

/* 'a' or 'b'. */
static inline char slot_letter(uint32_t slot)
{
	return (char)('a' + slot);
}

#endif
