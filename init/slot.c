/* SPDX-License-Identifier: Apache-2.0 */
#include "init/slot.h"

#include <string.h>

/* The groups of the last resort, in the order in which they are looked at. */
enum group { GROUP_ARMED, GROUP_PRIORITY_ZERO, GROUP_REJECTED, GROUP_NEVER };

#define REJECTED_BIT 0x80u
#define TWIN_BIT 0x40u
#define GUILTY_BIT 0x20u
#define VERDICT_MASK 0x1fu
#define BITS_PER_SLOT 8u

static bool is_sound(const struct slot_view *view)
{
	return view->verdict == SLOT_SOUND;
}

static bool is_bootable(const struct slot_view *view)
{
	return is_sound(view) && !view->rejected && view->bits.priority && view->bits.tries;
}

/* It boots, if only as the last resort. */
static bool is_armed(const struct slot_view *view)
{
	return is_sound(view) && !view->rejected && view->bits.priority;
}

bool slot_is_bootable(const struct slot_view views[SLOT_COUNT], uint32_t slot)
{
	return slot < SLOT_COUNT && is_bootable(&views[slot]);
}

bool slot_is_proven(const struct slot_view views[SLOT_COUNT], uint32_t slot)
{
	return slot < SLOT_COUNT && is_bootable(&views[slot]) && views[slot].bits.successful;
}

static enum group group_of(const struct slot_view *view)
{
	if (!is_sound(view))
		return GROUP_NEVER;
	if (view->rejected)
		return GROUP_REJECTED;
	return view->bits.priority ? GROUP_ARMED : GROUP_PRIORITY_ZERO;
}

static bool same_bits(struct gpt_slot_bits a, struct gpt_slot_bits b)
{
	return a.priority == b.priority && a.tries == b.tries && a.successful == b.successful;
}

static bool differ(const struct slot_view views[SLOT_COUNT],
		   const struct gpt_slot_bits bits[SLOT_COUNT])
{
	return !same_bits(views[0].bits, bits[0]) || !same_bits(views[1].bits, bits[1]);
}

static bool are_twins(const struct slot_examination examinations[SLOT_COUNT])
{
	return examinations[0].header_verified && examinations[1].header_verified &&
	       memcmp(examinations[0].block.header.root_hash,
		      examinations[1].block.header.root_hash, SLOT_DIGEST_BYTES) == 0;
}

void slot_judge(const struct slot_table *table,
		const struct slot_examination examinations[SLOT_COUNT],
		struct slot_view views[SLOT_COUNT])
{
	const struct slot_marks *marks[SLOT_COUNT];
	uint64_t epoch = 0;

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		marks[i] = slot_examination_marks(&examinations[i]);
		if (marks[i] && marks[i]->security_epoch > epoch)
			epoch = marks[i]->security_epoch;
	}
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		const struct slot_header *header = &examinations[i].block.header;

		views[i] = (struct slot_view){.verdict = SLOT_ABSENT};
		if (!table->slot[i].present)
			continue;
		views[i].bits = table->slot[i].bits;
		views[i].verdict = examinations[i].verdict;
		if (!examinations[i].header_verified)
			continue;
		views[i].twin = table->slot[1 - i].present && are_twins(examinations);
		views[i].rejected = slot_marks_rejects(marks[0], header->root_hash) ||
				    slot_marks_rejects(marks[1], header->root_hash);
		views[i].guilty = (marks[i] && marks[i]->reason != SLOT_REASON_NONE) ||
				  slot_marks_suspects(marks[0], header->root_hash) ||
				  slot_marks_suspects(marks[1], header->root_hash);
		if (views[i].verdict == SLOT_SOUND && header->security_epoch < epoch)
			views[i].verdict = SLOT_OUTDATED;
	}
}

const char *slot_why_text(enum slot_why why)
{
	static const char *const text[] = {
		[SLOT_WHY_NONE_SOUND] = "no slot is signed and sound",
		[SLOT_WHY_FORCED] = "named on the command line",
		[SLOT_WHY_PRIORITY] = "best bootable slot",
		[SLOT_WHY_OUT_OF_TRIES] = "last resort, out of tries",
		[SLOT_WHY_PRIORITY_ZERO] = "last resort, priority 0",
		[SLOT_WHY_REJECTED] = "last resort, rejected",
	};

	return (unsigned int)why < sizeof(text) / sizeof(text[0]) ? text[why] : "?";
}

static int best_bootable(const struct slot_view views[SLOT_COUNT])
{
	bool a = is_bootable(&views[0]);
	bool b = is_bootable(&views[1]);

	if (a && b)
		return views[1].bits.priority > views[0].bits.priority ? 1 : 0;
	return a ? 0 : b ? 1 : -1;
}

/* Both slots are in the same group: more tries, then priority, then slot a. */
static int first_of_group(const struct slot_view views[SLOT_COUNT])
{
	if (views[0].bits.tries != views[1].bits.tries)
		return views[1].bits.tries > views[0].bits.tries ? 1 : 0;
	return views[1].bits.priority > views[0].bits.priority ? 1 : 0;
}

static void choose_last_resort(const struct slot_view views[SLOT_COUNT], struct slot_choice *choice)
{
	static const enum slot_why why[] = {
		[GROUP_ARMED] = SLOT_WHY_OUT_OF_TRIES,
		[GROUP_PRIORITY_ZERO] = SLOT_WHY_PRIORITY_ZERO,
		[GROUP_REJECTED] = SLOT_WHY_REJECTED,
	};
	enum group groups[SLOT_COUNT] = {group_of(&views[0]), group_of(&views[1])};
	int boot = groups[1] < groups[0] ? 1 : 0;

	if (groups[boot] == GROUP_NEVER)
		return;
	if (groups[0] == groups[1]) {
		boot = first_of_group(views);
		/* Taking turns: the other one is the first choice of the next boot. */
		if (choice->bits[1 - boot].tries == 0)
			choice->bits[1 - boot].tries = 1;
	}
	choice->boot = boot;
	choice->why = why[groups[boot]];
	choice->last_resort = true;
}

struct slot_choice slot_choose(const struct slot_view views[SLOT_COUNT], int forced)
{
	struct slot_choice choice = {
		.boot = -1,
		.why = SLOT_WHY_NONE_SOUND,
		.bits = {views[0].bits, views[1].bits},
	};

	if (forced == 0 || forced == 1) {
		if (is_sound(&views[forced])) {
			choice.boot = forced;
			choice.why = SLOT_WHY_FORCED;
		} else {
			choice.word_refused = true;
		}
	}
	if (choice.boot < 0) {
		choice.boot = best_bootable(views);
		choice.why = choice.boot < 0 ? SLOT_WHY_NONE_SOUND : SLOT_WHY_PRIORITY;
	}
	if (choice.boot < 0)
		choose_last_resort(views, &choice);
	if (choice.boot >= 0 && choice.bits[choice.boot].tries)
		choice.bits[choice.boot].tries--;
	choice.write = differ(views, choice.bits);
	return choice;
}

/* A change that writes nothing yet. */
static struct slot_change unchanged(const struct slot_view views[SLOT_COUNT])
{
	return (struct slot_change){
		.bits = {views[0].bits, views[1].bits},
		.reject = -1,
		.suspect = -1,
	};
}

static struct slot_change refused(const struct slot_view views[SLOT_COUNT])
{
	struct slot_change change = unchanged(views);

	change.refused = true;
	return change;
}

static uint8_t limited_tries(uint32_t tries)
{
	if (tries == 0)
		return 1;
	return tries > GPT_ATTRIBUTE_TRIES_MAX ? GPT_ATTRIBUTE_TRIES_MAX : (uint8_t)tries;
}

struct slot_change slot_bless(const struct slot_view views[SLOT_COUNT], uint32_t running,
			      uint32_t tries)
{
	struct slot_change change = unchanged(views);
	uint32_t other = 1 - running;

	if (running >= SLOT_COUNT || !is_sound(&views[running]) || views[running].rejected)
		return refused(views);
	/* A good slot gets them back from slot_refill() only. */
	if (!views[running].bits.successful)
		change.bits[running].tries = limited_tries(tries);
	change.bits[running].successful = 1;
	if (change.bits[running].priority == 0)
		change.bits[running].priority = 1;
	change.raise_epoch = true;

	if (views[other].verdict != SLOT_ABSENT && views[other].bits.priority &&
	    views[other].bits.tries == 0) {
		if (is_sound(&views[other]) && !views[other].bits.successful &&
		    !views[other].rejected && !views[other].twin)
			*(views[other].guilty ? &change.reject : &change.suspect) = (int)other;
		change.bits[other].priority = 0;
		change.bits[other].successful = 0;
	}
	change.write = differ(views, change.bits);
	return change;
}

struct slot_change slot_refill(const struct slot_view views[SLOT_COUNT], uint32_t running,
			       uint32_t tries)
{
	struct slot_change change = unchanged(views);

	if (running >= SLOT_COUNT || !is_armed(&views[running]) || !views[running].bits.successful)
		return refused(views);
	change.bits[running].tries = limited_tries(tries);
	change.write = differ(views, change.bits);
	return change;
}

/* May `slot` be taken out of service: does the other one boot, and is it known to be good? */
static bool is_dispensable(const struct slot_view views[SLOT_COUNT], uint32_t slot, bool force)
{
	return slot_is_proven(views, 1 - slot) || (force && is_armed(&views[1 - slot]));
}

struct slot_change slot_reject(const struct slot_view views[SLOT_COUNT], uint32_t slot, bool force)
{
	struct slot_change change = unchanged(views);

	if (slot >= SLOT_COUNT || !is_sound(&views[slot]) || views[slot].twin ||
	    !is_dispensable(views, slot, force))
		return refused(views);
	change.reject = views[slot].rejected ? -1 : (int)slot;
	change.bits[slot] = (struct gpt_slot_bits){0};
	change.write = differ(views, change.bits);
	return change;
}

/* Priority above the other slot's. */
static void arm(struct slot_change *change, uint32_t slot, uint32_t tries)
{
	struct gpt_slot_bits *other = &change->bits[1 - slot];

	if (other->priority == GPT_ATTRIBUTE_PRIORITY_MAX)
		other->priority--;
	change->bits[slot].priority = (uint8_t)(other->priority + 1);
	change->bits[slot].tries = limited_tries(tries);
}

struct slot_change slot_switch(const struct slot_view views[SLOT_COUNT], uint32_t slot,
			       uint32_t tries)
{
	struct slot_change change = unchanged(views);

	if (slot >= SLOT_COUNT || !is_sound(&views[slot]) || views[slot].rejected)
		return refused(views);
	if (is_bootable(&views[slot]) && slot_is_next(views, slot))
		return change;
	arm(&change, slot, tries);
	change.write = differ(views, change.bits);
	return change;
}

bool slot_rollback(const struct slot_view views[SLOT_COUNT], uint32_t running, uint32_t tries,
		   bool force, struct slot_change steps[2])
{
	struct slot_view after[SLOT_COUNT] = {views[0], views[1]};
	uint32_t other = 1 - running;

	if (running >= SLOT_COUNT || (!force && !slot_is_proven(views, other)))
		return false;
	steps[0] = slot_switch(views, other, tries);
	if (steps[0].refused)
		return false;
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		after[i].bits = steps[0].bits[i];
	steps[1] = slot_reject(after, running, force);
	return !steps[1].refused;
}

struct slot_change slot_retry(const struct slot_view views[SLOT_COUNT], uint32_t slot,
			      uint32_t tries, bool force)
{
	struct slot_change change = unchanged(views);

	if (slot >= SLOT_COUNT || !is_armed(&views[slot]) || !is_dispensable(views, slot, force))
		return refused(views);
	change.bits[slot].successful = 0;
	change.bits[slot].tries = limited_tries(tries);
	change.write = differ(views, change.bits);
	return change;
}

struct slot_change slot_refund(const struct slot_view views[SLOT_COUNT], uint32_t running,
			       uint32_t tries_left, bool burned)
{
	struct slot_change change = unchanged(views);

	if (running >= SLOT_COUNT || !burned || views[running].bits.tries != tries_left ||
	    tries_left >= GPT_ATTRIBUTE_TRIES_MAX)
		return refused(views);
	change.bits[running].tries++;
	change.write = true;
	return change;
}

struct slot_change slot_install_begin(const struct slot_view views[SLOT_COUNT], uint32_t slot,
				      int running, bool force)
{
	struct slot_change change = unchanged(views);

	if (slot >= SLOT_COUNT || running == (int)slot || views[slot].verdict == SLOT_ABSENT)
		return refused(views);
	/* A sound image is given up only for another that is known to boot. */
	if (is_sound(&views[slot]) && !is_dispensable(views, slot, force))
		return refused(views);
	change.bits[slot] = (struct gpt_slot_bits){0};
	change.write = differ(views, change.bits);
	return change;
}

struct slot_change slot_install_end(const struct slot_view views[SLOT_COUNT], uint32_t slot,
				    uint32_t tries)
{
	struct slot_change change = unchanged(views);

	if (slot >= SLOT_COUNT || !is_sound(&views[slot]) || views[slot].rejected)
		return refused(views);
	arm(&change, slot, tries);
	change.bits[slot].successful = 0;
	change.write = differ(views, change.bits);
	return change;
}

bool slot_is_next(const struct slot_view views[SLOT_COUNT], uint32_t slot)
{
	return slot < SLOT_COUNT && slot_choose(views, -1).boot == (int)slot;
}

uint32_t slot_views_pack(const struct slot_view views[SLOT_COUNT])
{
	uint32_t packed = 0;

	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		packed |= ((uint32_t)views[i].verdict | (views[i].rejected ? REJECTED_BIT : 0) |
			   (views[i].twin ? TWIN_BIT : 0) | (views[i].guilty ? GUILTY_BIT : 0))
			  << BITS_PER_SLOT * i;
	return packed;
}

void slot_views_unpack(uint32_t packed, struct slot_view views[SLOT_COUNT])
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		uint32_t verdict = packed >> BITS_PER_SLOT * i & VERDICT_MASK;

		views[i].verdict = verdict <= SLOT_SOUND ? (enum slot_verdict)verdict : SLOT_ABSENT;
		views[i].rejected = packed >> BITS_PER_SLOT * i & REJECTED_BIT;
		views[i].twin = packed >> BITS_PER_SLOT * i & TWIN_BIT;
		views[i].guilty = packed >> BITS_PER_SLOT * i & GUILTY_BIT;
	}
}
