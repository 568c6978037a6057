/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slot policy: which slot is booted and what is written when. Pure: numbers in, numbers out.
 * docs/slots.md describes the disk; this page owns the rules. slot_reject() and slot_install_*() have
 * no caller on the node yet: they are here because the disk's layout has to serve them.
 *
 * A slot has three numbers in its root's GPT entry: priority (0: never), tries, successful. Its
 * content has a verdict (mount/slots.h), and its root hash may be on a list of rejected images. A
 * *sound* slot is signed by a trusted key and its tree's root block is the signed one.
 *
 * Choosing
 *   1. Only a sound slot is ever booted: no number, no word and no lack of a better one changes that.
 *   2. `keelson.slot=` boots that slot if it is sound, whatever its numbers: somebody stands at the
 *      console. Not sound: the word is ignored with a message, the rules below go on.
 *   3. A *bootable* slot is sound, not rejected, and has a priority and a try. The highest priority
 *      wins, then slot a.
 *   4. Last resort, when none is bootable. Sound slots in this order: out of tries; priority 0;
 *      rejected. Only the first of these groups that has a slot is looked at. In it the slot with
 *      more tries wins, then priority, then slot a, and the other sound slot of the same group
 *      gets a try if it has none: so two slots out of tries take turns, one try per boot, and
 *      neither can keep the other from ever running.
 *   5. No sound slot: nothing is booted.
 *
 * Burning. The try is gone before the slot is used: the choice says what to write first, and the
 * table is on the disk, flushed, before the slot's root is even mounted. That holds for a slot that
 * was blessed before, too. So whatever happens next, a panic, a hang, a cut, is counted, and an
 * image whose disk rots away under it yields after `tries` boots like any other. A slot at 0 stays
 * at 0. If neither copy of the table can be written the slot is booted all the same, and loudly: a
 * disk that cannot be written cannot have been updated either, and a node that refuses to boot
 * because of it helps nobody.
 *
 * Blessing. The health condition held for its period: successful, tries full again, priority at
 * least 1. The same write gives up on the other slot if that one ran out of tries and so lost the
 * boot to this one: its priority becomes 0, it is no longer successful. If it never was successful
 * its image is bad and its root hash is rejected, so no updater installs it again in a loop; if it
 * was, or if it is the very image that just proved itself, its disk is the suspect and the same
 * image may be installed afresh. Not before: until the
 * blessing the other slot may be needed. A rejected slot that runs as the last resort is never
 * blessed.
 *
 * Failing. A health condition that does not hold by its deadline, a critical service that failed:
 * the reason is noted in the slot's marks and the machine reboots; the burned try is the verdict. A
 * reboot or poweroff that somebody asked for before there was a verdict gives the try back
 * (slot_refund), unless the slot had been given up before.
 *
 * Rejecting (by an operator, or at a blessing): root hash into the marks, flushed, then priority 0.
 * A cut in between leaves a slot on the list with a priority, and the list wins. The last slot that
 * could boot cannot be rejected, nor the image that both slots hold.
 *
 * Installing: numbers to zero, flushed; header zeroed, flushed; root and tree written, flushed, read
 * back and verified; header written, flushed; numbers armed above the other slot's. A half-written
 * slot therefore has no header, is not signed and is not booted even as the last resort. The slot
 * that runs, and the only one that could boot, cannot be installed over.
 *
 * The security epoch in the marks rises to the blessed slot's after its blessing; a slot of a lower
 * epoch is not sound any more (SLOT_OUTDATED). Marks are not signed: all they can do is refuse.
 *
 * Order of writes. Marks that reject: before the table. Epoch: after the table. Each write alone
 * leaves a disk that boots.
 */
#ifndef KEELSON_SLOT_H
#define KEELSON_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "mount/slot_verify.h"
#include "mount/slots.h"

struct slot_view {
	struct gpt_slot_bits bits;
	enum slot_verdict verdict;
	bool rejected;
	bool twin; /* the other slot's verified header has the same root hash */
};

/*
 * From what was read to what the policy needs: bits from the table, verdict and rejection from both
 * slots' examinations and marks. A slot that the table does not have is SLOT_ABSENT.
 */
void slot_judge(const struct slot_table *table,
		const struct slot_examination examinations[SLOT_COUNT],
		struct slot_view views[SLOT_COUNT]);

enum slot_why {
	SLOT_WHY_NONE_SOUND = 0, /* nothing to boot */
	SLOT_WHY_FORCED,         /* keelson.slot= */
	SLOT_WHY_PRIORITY,       /* the best bootable slot */
	SLOT_WHY_OUT_OF_TRIES,   /* last resort: every sound slot is out of tries */
	SLOT_WHY_PRIORITY_ZERO,  /* last resort: only slots that were never armed or given up */
	SLOT_WHY_REJECTED        /* last resort: only rejected ones */
};

const char *slot_why_text(enum slot_why why);

struct slot_choice {
	int boot; /* 0: a, 1: b, -1: none */
	enum slot_why why;
	bool last_resort;
	bool word_refused; /* keelson.slot= named a slot that is not sound */
	bool write; /* `bits` differ from the disk's and must be there before the slot is used */
	struct gpt_slot_bits bits[SLOT_COUNT];
};

/* `forced`: 0 or 1 from keelson.slot=, -1: not given. */
struct slot_choice slot_choose(const struct slot_view views[SLOT_COUNT], int forced);

/* What to write: first the marks of slot `reject`, then the table, then the epoch. */
struct slot_change {
	bool refused; /* not allowed by the rules; nothing to write */
	bool write;   /* the table: `bits` */
	struct gpt_slot_bits bits[SLOT_COUNT];
	int reject;       /* add this slot's root hash to its own marks; -1: none */
	bool raise_epoch; /* then raise the epoch in the running slot's marks to its header's */
};

/* The health condition of slot `running` held. `tries`: what a good slot starts the next boot with. */
struct slot_change slot_bless(const struct slot_view views[SLOT_COUNT], uint32_t running,
			      uint32_t tries);

/* An operator rejects `slot`. Refused when no other slot could boot. */
struct slot_change slot_reject(const struct slot_view views[SLOT_COUNT], uint32_t slot);

/*
 * An orderly reboot before a verdict: give `running` the try back that this boot burned, so that it
 * has `tries_left` + 1; nothing when the table no longer says `tries_left` or `burned` is false.
 */
struct slot_change slot_refund(const struct slot_view views[SLOT_COUNT], uint32_t running,
			       uint32_t tries_left, bool burned);

/* Before and after writing an image to `slot` while `running` runs (-1: no slot does). */
struct slot_change slot_install_begin(const struct slot_view views[SLOT_COUNT], uint32_t slot,
				      int running);
struct slot_change slot_install_end(const struct slot_view views[SLOT_COUNT], uint32_t slot,
				    uint32_t tries);

/*
 * The verdicts and rejections of both slots in one number, for the boot record's other_state, and
 * back; bits are read afresh from the table.
 */
uint32_t slot_views_pack(const struct slot_view views[SLOT_COUNT]);
void slot_views_unpack(uint32_t packed, struct slot_view views[SLOT_COUNT]);

#endif
