/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slot policy: which slot is booted and what is written when. Pure: numbers in, numbers out.
 * docs/slots.md describes the disk; this page owns the rules. PID 1 chooses, burns, blesses, refunds
 * and refills; keelson-slot, which `keelctl slot` runs, does what an operator asks for.
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
 * Blessing. The health condition held for its period: successful, priority at least 1, and the first
 * time tries full. The same write gives up on the other slot if that one ran out of tries and so lost
 * the boot to this one: its priority becomes 0, it is no longer successful. Not before: until the
 * blessing the other slot may be needed. If it never was successful, and its marks hold a reason, its
 * image is bad and its root hash is rejected, so no updater installs it again in a loop. Without a
 * reason (a panic, a hang, but as well three power cuts) the image is *suspected*: given up this time,
 * rejected the second time. If it was successful, or is the very image that just proved itself, its
 * disk is the suspect and the same image may be installed afresh. A rejected slot that runs as the last
 * resort is never blessed.
 *
 * Refilling. A slot that was successful already gets its tries back not when it is healthy but when it
 * has also been so for a while (health.h, HEALTH_STABLE_NS), or ends in an orderly way. So a block that
 * goes bad and is always read after health, a kernel that dies under load, costs a try each time, and
 * when it repeats the slot yields to the other one. Cuts of the power so soon after a boot count, too:
 * `tries` of them in a row, and the node runs the other slot.
 *
 * Failing. A health condition that does not hold by its deadline, a critical service that failed:
 * the reason is noted in the slot's marks and the machine reboots; the burned try is the verdict. A
 * reboot or poweroff that somebody asked for before there was a verdict gives the try back
 * (slot_refund), unless the slot had been given up before.
 *
 * Proven. A slot is *proven* when it is bootable and successful. What takes a sound slot out of
 * service, installing over it or rejecting it, and what calls it unproven again, needs the other one
 * proven: while an update is on trial the way back is not touched. `force` lowers that to a slot that
 * is sound, not rejected and has a priority: it boots, but nobody knows whether it gets healthy.
 *
 * Rejecting (by an operator, or at a blessing): root hash into the marks, flushed, then priority 0.
 * A cut in between leaves a slot on the list with a priority, and the list wins. The image that both
 * slots hold cannot be rejected.
 *
 * Switching arms a slot above the other, tries full. Rolling back is switching to the other slot,
 * which has to be proven, and then rejecting the one that runs. Putting a slot on trial again takes its
 * success away and fills its tries.
 *
 * Installing: numbers to zero, flushed; header zeroed, flushed; the marks forget why the last image
 * failed; root and tree written, flushed, read back and verified; header written, flushed; numbers
 * armed above the other slot's. A half-written slot therefore has no header, is not signed and is not
 * booted even as the last resort. The slot that runs is never installed over.
 *
 * The security epoch in both slots' marks rises to the blessed slot's after its blessing; a slot of a
 * lower epoch is not sound any more (SLOT_OUTDATED), so a higher epoch takes the way back. Marks are not signed: all they can do is refuse.
 *
 * Order of writes. Marks that reject or suspect: before the table. Epoch: after the table. Each write
 * alone leaves a disk that boots.
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
	bool twin;   /* the other slot's verified header has the same root hash */
	bool guilty; /* its marks say why it failed, or the image was suspected before */
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

/* What to write: first the marks of slot `reject` or `suspect`, then the table, then the epoch. */
struct slot_change {
	bool refused; /* not allowed by the rules; nothing to write */
	bool write;   /* the table: `bits` */
	struct gpt_slot_bits bits[SLOT_COUNT];
	int reject;       /* add this slot's root hash to its own marks; -1: none */
	int suspect;      /* note its root hash there as the suspected image; -1: none */
	bool raise_epoch; /* then raise the epoch in both slots' marks to the running one's */
};

/* Is `slot` sound, not rejected, and has it a priority and a try? */
bool slot_is_bootable(const struct slot_view views[SLOT_COUNT], uint32_t slot);

/* Is `slot` a way back that is known to be good: bootable and successful? */
bool slot_is_proven(const struct slot_view views[SLOT_COUNT], uint32_t slot);

/* The health condition of slot `running` held. `tries`: what a good slot starts a boot with. */
struct slot_change slot_bless(const struct slot_view views[SLOT_COUNT], uint32_t running,
			      uint32_t tries);

/* `running`, blessed in this boot, has been healthy for long, or ends in an orderly way: tries full. */
struct slot_change slot_refill(const struct slot_view views[SLOT_COUNT], uint32_t running,
			       uint32_t tries);

/* An operator rejects `slot`. Refused when the other one is not proven (`force`: not armed). */
struct slot_change slot_reject(const struct slot_view views[SLOT_COUNT], uint32_t slot, bool force);

/* An operator wants `slot` to boot next. Refused when it is not sound, or rejected. */
struct slot_change slot_switch(const struct slot_view views[SLOT_COUNT], uint32_t slot,
			       uint32_t tries);

/*
 * An operator wants the other slot back and never again what `running` holds: both writes, to be made
 * one after the other. False: refused, the other slot is not proven (`force`: not sound, or rejected),
 * or both hold one image.
 */
bool slot_rollback(const struct slot_view views[SLOT_COUNT], uint32_t running, uint32_t tries,
		   bool force, struct slot_change steps[2]);

/* An operator puts `slot` on trial again. Refused as a rejection is, and when it is not bootable. */
struct slot_change slot_retry(const struct slot_view views[SLOT_COUNT], uint32_t slot,
			      uint32_t tries, bool force);

/*
 * An orderly reboot before a verdict: give `running` the try back that this boot burned, so that it
 * has `tries_left` + 1; nothing when the table no longer says `tries_left` or `burned` is false.
 */
struct slot_change slot_refund(const struct slot_view views[SLOT_COUNT], uint32_t running,
			       uint32_t tries_left, bool burned);

/*
 * Before and after writing an image to `slot` while `running` runs (-1: no slot does). Refused when
 * what `slot` holds is sound and the other one is not proven (`force`: not armed).
 */
struct slot_change slot_install_begin(const struct slot_view views[SLOT_COUNT], uint32_t slot,
				      int running, bool force);
struct slot_change slot_install_end(const struct slot_view views[SLOT_COUNT], uint32_t slot,
				    uint32_t tries);

/* Does `slot` hold a sound image that will be booted next as things are? */
bool slot_is_next(const struct slot_view views[SLOT_COUNT], uint32_t slot);

/*
 * The verdicts and marks of both slots in one number, for the boot record's other_state, and
 * back; bits are read afresh from the table.
 */
uint32_t slot_views_pack(const struct slot_view views[SLOT_COUNT]);
void slot_views_unpack(uint32_t packed, struct slot_view views[SLOT_COUNT]);

#endif
