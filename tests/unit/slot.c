/* SPDX-License-Identifier: Apache-2.0 */
/* The slot policy: a table of the cases people think of, then every case there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "init/slot.h"

#define VIEW(p, t, s, v, r)                                                                      \
	{                                                                                        \
		.bits = {.priority = (p), .tries = (t), .successful = (s)}, .verdict = SLOT_##v, \
		.rejected = (r)                                                                  \
	}
#define BITS(p, t, s)                                            \
	{                                                        \
		.priority = (p), .tries = (t), .successful = (s) \
	}

/* A row is a case. */
/* clang-format off */
static const struct choice_case {
	const char *name;
	struct slot_view views[2];
	int forced;
	int boot;
	enum slot_why why;
	struct gpt_slot_bits after[2];
} choice_cases[] = {
	{"a fresh image burns a try of a",
	 {VIEW(2, 3, 0, SOUND, 0), VIEW(0, 0, 0, UNSIGNED, 0)}, -1,
	 0, SLOT_WHY_PRIORITY, {BITS(2, 2, 0), BITS(0, 0, 0)}},
	{"an update with the higher priority goes first",
	 {VIEW(2, 3, 1, SOUND, 0), VIEW(3, 3, 0, SOUND, 0)}, -1,
	 1, SLOT_WHY_PRIORITY, {BITS(2, 3, 1), BITS(3, 2, 0)}},
	{"equal priorities: slot a",
	 {VIEW(2, 1, 0, SOUND, 0), VIEW(2, 3, 1, SOUND, 0)}, -1,
	 0, SLOT_WHY_PRIORITY, {BITS(2, 0, 0), BITS(2, 3, 1)}},
	{"a good slot burns a try like any other",
	 {VIEW(1, 3, 1, SOUND, 0), VIEW(0, 0, 0, ABSENT, 0)}, -1,
	 0, SLOT_WHY_PRIORITY, {BITS(1, 2, 1), BITS(0, 0, 0)}},
	{"an update out of tries yields",
	 {VIEW(2, 3, 1, SOUND, 0), VIEW(3, 0, 0, SOUND, 0)}, -1,
	 0, SLOT_WHY_PRIORITY, {BITS(2, 2, 1), BITS(3, 0, 0)}},
	{"a good slot out of tries yields too",
	 {VIEW(3, 0, 1, SOUND, 0), VIEW(2, 3, 1, SOUND, 0)}, -1,
	 1, SLOT_WHY_PRIORITY, {BITS(3, 0, 1), BITS(2, 2, 1)}},
	{"an unsigned slot is passed over whatever its priority",
	 {VIEW(1, 1, 0, SOUND, 0), VIEW(15, 15, 1, UNSIGNED, 0)}, -1,
	 0, SLOT_WHY_PRIORITY, {BITS(1, 0, 0), BITS(15, 15, 1)}},
	{"a rejected slot is passed over though its priority was not yet written",
	 {VIEW(1, 1, 1, SOUND, 0), VIEW(3, 3, 0, SOUND, 1)}, -1,
	 0, SLOT_WHY_PRIORITY, {BITS(1, 0, 1), BITS(3, 3, 0)}},
	{"an image of a lower security epoch is not a fallback",
	 {VIEW(2, 3, 1, OUTDATED, 0), VIEW(3, 0, 0, SOUND, 0)}, -1,
	 1, SLOT_WHY_OUT_OF_TRIES, {BITS(2, 3, 1), BITS(3, 0, 0)}},
	{"last resort: out of tries, alone",
	 {VIEW(3, 0, 0, SOUND, 0), VIEW(0, 0, 0, ABSENT, 0)}, -1,
	 0, SLOT_WHY_OUT_OF_TRIES, {BITS(3, 0, 0), BITS(0, 0, 0)}},
	{"last resort: two slots out of tries take turns",
	 {VIEW(2, 0, 1, SOUND, 0), VIEW(3, 0, 0, SOUND, 0)}, -1,
	 1, SLOT_WHY_OUT_OF_TRIES, {BITS(2, 1, 1), BITS(3, 0, 0)}},
	{"last resort: out of tries before priority 0",
	 {VIEW(0, 3, 1, SOUND, 0), VIEW(1, 0, 0, SOUND, 0)}, -1,
	 1, SLOT_WHY_OUT_OF_TRIES, {BITS(0, 3, 1), BITS(1, 0, 0)}},
	{"last resort: priority 0 before rejected",
	 {VIEW(5, 5, 1, SOUND, 1), VIEW(0, 0, 0, SOUND, 0)}, -1,
	 1, SLOT_WHY_PRIORITY_ZERO, {BITS(5, 5, 1), BITS(0, 0, 0)}},
	{"last resort: a rejected slot rather than none",
	 {VIEW(0, 0, 0, SOUND, 1), VIEW(3, 3, 1, UNSOUND, 0)}, -1,
	 0, SLOT_WHY_REJECTED, {BITS(0, 0, 0), BITS(3, 3, 1)}},
	{"nothing sound: nothing is booted",
	 {VIEW(3, 3, 1, UNSOUND, 0), VIEW(3, 3, 1, UNREADABLE, 0)}, -1,
	 -1, SLOT_WHY_NONE_SOUND, {BITS(3, 3, 1), BITS(3, 3, 1)}},
	{"the word beats priority and burns",
	 {VIEW(3, 3, 1, SOUND, 0), VIEW(1, 2, 0, SOUND, 0)}, 1,
	 1, SLOT_WHY_FORCED, {BITS(3, 3, 1), BITS(1, 1, 0)}},
	{"the word boots a rejected slot",
	 {VIEW(3, 3, 1, SOUND, 0), VIEW(0, 0, 0, SOUND, 1)}, 1,
	 1, SLOT_WHY_FORCED, {BITS(3, 3, 1), BITS(0, 0, 0)}},
	{"the word does not boot an unsound slot",
	 {VIEW(3, 3, 1, SOUND, 0), VIEW(4, 3, 1, UNSOUND, 0)}, 1,
	 0, SLOT_WHY_PRIORITY, {BITS(3, 2, 1), BITS(4, 3, 1)}},
};
/* clang-format on */

static void choices_are_as_the_rules_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(choice_cases) / sizeof(choice_cases[0]); i++) {
		const struct choice_case *expected = &choice_cases[i];
		struct slot_choice choice = slot_choose(expected->views, expected->forced);

		if (choice.boot != expected->boot || choice.why != expected->why ||
		    memcmp(choice.bits, expected->after, sizeof(choice.bits)) != 0)
			fail_msg("%s: boots %d (%s)", expected->name, choice.boot,
				 slot_why_text(choice.why));
	}
}

/* ---- every case ---- */

static const uint8_t some_numbers[] = {0, 1, 2, 15};

#define NUMBERS (sizeof(some_numbers) / sizeof(some_numbers[0]))
#define VERDICTS (SLOT_SOUND + 1)
#define VIEWS (NUMBERS * NUMBERS * 2 * VERDICTS * 2)

static struct slot_view view_number(uint32_t n)
{
	struct slot_view view = {0};

	view.bits.priority = some_numbers[n % NUMBERS];
	n /= NUMBERS;
	view.bits.tries = some_numbers[n % NUMBERS];
	n /= NUMBERS;
	view.bits.successful = n % 2;
	n /= 2;
	view.verdict = (enum slot_verdict)(n % VERDICTS);
	n /= VERDICTS;
	view.rejected = n % 2;
	return view;
}

static bool sound(const struct slot_view *view)
{
	return view->verdict == SLOT_SOUND;
}

static bool bootable(const struct slot_view *view)
{
	return sound(view) && !view->rejected && view->bits.priority && view->bits.tries;
}

static void check_choice(const struct slot_view views[2], int forced)
{
	struct slot_choice choice = slot_choose(views, forced);
	bool any = sound(&views[0]) || sound(&views[1]);
	bool any_bootable = bootable(&views[0]) || bootable(&views[1]);
	bool obeyed = forced >= 0 && sound(&views[forced]);

	assert_int_equal(choice.boot >= 0, any);
	assert_int_equal(choice.word_refused, forced >= 0 && !obeyed);
	assert_int_equal(choice.why == SLOT_WHY_FORCED, obeyed);
	if (choice.boot < 0) {
		assert_int_equal(choice.why, SLOT_WHY_NONE_SOUND);
		assert_false(choice.write);
		return;
	}

	const struct slot_view *chosen = &views[choice.boot];
	const struct slot_view *other = &views[1 - choice.boot];
	struct gpt_slot_bits after = choice.bits[choice.boot];
	struct gpt_slot_bits other_after = choice.bits[1 - choice.boot];

	assert_true(sound(chosen));
	/* The try is gone; a slot without one stays without. */
	assert_int_equal(after.tries, chosen->bits.tries ? chosen->bits.tries - 1 : 0);
	assert_int_equal(after.priority, chosen->bits.priority);
	assert_int_equal(after.successful, chosen->bits.successful);
	assert_int_equal(choice.write,
			 memcmp(&after, &chosen->bits, sizeof(after)) != 0 ||
				 memcmp(&other_after, &other->bits, sizeof(after)) != 0);
	/* The other slot is not touched, but for the turn it may get in the last resort. */
	assert_int_equal(other_after.priority, other->bits.priority);
	assert_int_equal(other_after.successful, other->bits.successful);
	if (other_after.tries != other->bits.tries) {
		assert_true(choice.last_resort && sound(other));
		assert_int_equal(other->bits.tries, 0);
		assert_int_equal(other_after.tries, 1);
	}
	if (obeyed) {
		assert_int_equal(choice.boot, forced);
		assert_false(choice.last_resort);
		return;
	}
	/* The last resort is the last; before it the best priority counts. */
	assert_int_equal(choice.last_resort, !any_bootable);
	if (any_bootable) {
		assert_true(bootable(chosen));
		assert_true(!bootable(other) || chosen->bits.priority >= other->bits.priority);
		return;
	}
	if (chosen->rejected)
		assert_true(!sound(other) || other->rejected);
	else if (chosen->bits.priority == 0)
		assert_true(!sound(other) || other->rejected || other->bits.priority == 0);
}

static void every_choice_keeps_the_invariants(void **state)
{
	struct slot_view views[2];

	(void)state;
	for (uint32_t a = 0; a < VIEWS; a++) {
		views[0] = view_number(a);
		for (uint32_t b = 0; b < VIEWS; b++) {
			views[1] = view_number(b);
			for (int forced = -1; forced <= 1; forced++)
				check_choice(views, forced);
		}
	}
}

/* Could the disk be booted, by a slot that nobody rejected, after `bits` are on it? */
static bool some_slot_boots(const struct slot_view views[2], const struct gpt_slot_bits bits[2],
			    int rejected)
{
	struct slot_view after[2] = {views[0], views[1]};

	for (int i = 0; i < 2; i++) {
		after[i].bits = bits[i];
		after[i].rejected |= i == rejected || (rejected >= 0 && views[i].twin);
	}

	struct slot_choice choice = slot_choose(after, -1);

	return choice.boot >= 0 && !after[choice.boot].rejected;
}

static void every_blessing_leaves_a_good_slot(void **state)
{
	struct slot_view views[2];

	(void)state;
	for (uint32_t n = 0; n < VIEWS * VIEWS * 8; n++) {
		uint32_t running = n & 1;
		const struct slot_view *other = &views[1 - running];
		struct slot_change change;

		views[0] = view_number(n / 8 % VIEWS);
		views[1] = view_number(n / 8 / VIEWS);
		views[0].twin = views[1].twin = n >> 1 & 1;
		views[1 - running].guilty = n >> 2 & 1;
		change = slot_bless(views, running, 3);
		if (!sound(&views[running]) || views[running].rejected) {
			assert_true(change.refused && !change.write && change.reject < 0 &&
				    !change.raise_epoch);
			continue;
		}
		assert_false(change.refused);
		assert_true(change.raise_epoch);
		assert_int_equal(change.bits[running].successful, 1);
		/* Full the first time; then a refill fills them. */
		assert_int_equal(change.bits[running].tries,
				 views[running].bits.successful ? views[running].bits.tries : 3);
		assert_true(change.bits[running].priority >= 1);
		assert_true(change.bits[running].priority >= views[running].bits.priority);
		assert_true(some_slot_boots(views, change.bits, change.reject));
		/* Only a slot that lost all its tries is given up, only a bad image is rejected. */
		if (memcmp(&change.bits[1 - running], &other->bits, sizeof(other->bits)) != 0) {
			assert_int_equal(other->bits.tries, 0);
			assert_int_equal(change.bits[1 - running].priority, 0);
			assert_int_equal(change.bits[1 - running].successful, 0);
		}
		if (change.reject >= 0) {
			assert_int_equal(change.reject, 1 - (int)running);
			assert_true(sound(other) && !other->bits.successful && !other->bits.tries &&
				    other->bits.priority && other->guilty);
		}
		if (change.suspect >= 0) {
			assert_int_equal(change.suspect, 1 - (int)running);
			assert_true(!other->guilty && change.reject < 0 && !other->bits.tries);
		}
		/* Blessing twice changes nothing more. */
		views[0].bits = change.bits[0];
		views[1].bits = change.bits[1];
		assert_false(slot_bless(views, running, 3).write);
	}
}

static void rejecting_and_installing_never_take_the_last_slot(void **state)
{
	struct slot_view views[2];

	(void)state;
	for (uint32_t n = 0; n < VIEWS * VIEWS * 4; n++) {
		uint32_t slot = n & 1;
		struct slot_change change;

		views[0] = view_number(n / 4 % VIEWS);
		views[1] = view_number(n / 4 / VIEWS);
		views[0].twin = views[1].twin = n >> 1 & 1;
		change = slot_reject(views, slot, n >> 1 & 1);
		if (!change.refused) {
			assert_true(some_slot_boots(views, change.bits, (int)slot));
			assert_true((n >> 1 & 1) || slot_is_proven(views, 1 - slot));
			assert_int_equal(change.bits[slot].priority, 0);
		}
		change = slot_install_begin(views, slot, 1 - (int)slot, false);
		if (!change.refused && sound(&views[slot]))
			assert_true(bootable(&views[1 - slot]) && views[1 - slot].bits.successful);
		if (!change.refused)
			assert_int_equal(change.bits[slot].priority + change.bits[slot].tries +
						 change.bits[slot].successful,
					 0);
		assert_true(slot_install_begin(views, slot, (int)slot, true).refused);
		change = slot_install_end(views, slot, 3);
		assert_int_equal(change.refused, !sound(&views[slot]) || views[slot].rejected);
		if (!change.refused) {
			assert_true(change.bits[slot].priority > change.bits[1 - slot].priority);
			assert_int_equal(change.bits[slot].tries, 3);
			assert_int_equal(change.bits[slot].successful, 0);
			/* It is tried first, and while it is not good the other one is kept. */
			views[slot].bits = change.bits[slot];
			views[1 - slot].bits = change.bits[1 - slot];
			assert_int_equal(slot_choose(views, -1).boot, (int)slot);
		}
	}
}

/* ---- the rules that an operator meets ---- */

static void while_an_update_is_on_trial_the_way_back_is_not_touched(void **state)
{
	/* b runs and was never healthy; a is what ran before. */
	struct slot_view views[2] = {VIEW(1, 3, 1, SOUND, 0), VIEW(2, 2, 0, SOUND, 0)};
	struct slot_change steps[2];

	(void)state;
	assert_true(slot_install_begin(views, 0, 1, false).refused);
	assert_true(slot_reject(views, 0, false).refused);
	assert_true(slot_retry(views, 0, 3, false).refused);
	/* Somebody takes the risk: a goes, b is known to start at least. */
	assert_false(slot_install_begin(views, 0, 1, true).refused);
	/* The other direction is what the trial is for. */
	assert_false(slot_reject(views, 1, false).refused);
	assert_true(slot_rollback(views, 1, 3, false, steps));
	views[1].bits.successful = 1;
	assert_false(slot_install_begin(views, 0, 1, false).refused);
	/* An empty or damaged slot may be filled at any time: nothing is lost. */
	views[1].bits.successful = 0;
	views[0].verdict = SLOT_UNSOUND;
	assert_false(slot_install_begin(views, 0, 1, false).refused);
}

static void rolling_back_arms_the_other_slot_and_rejects_this_one(void **state)
{
	struct slot_view views[2] = {VIEW(1, 1, 1, SOUND, 0), VIEW(2, 3, 1, SOUND, 0)};
	struct slot_change steps[2];

	(void)state;
	assert_true(slot_rollback(views, 1, 3, false, steps));
	assert_int_equal(steps[0].bits[0].priority, 3);
	assert_int_equal(steps[0].bits[0].tries, 3);
	assert_int_equal(steps[1].reject, 1);
	assert_int_equal(steps[1].bits[1].priority, 0);
	assert_int_equal(steps[1].bits[0].priority, 3);
	views[0].bits.successful = 0;
	assert_false(slot_rollback(views, 1, 3, false, steps));
	assert_true(slot_rollback(views, 1, 3, true, steps));
	views[0].rejected = true;
	assert_false(slot_rollback(views, 1, 3, true, steps));
	views[0].rejected = false;
	views[0].twin = views[1].twin = true;
	assert_false(slot_rollback(views, 1, 3, true, steps));
}

static void a_switch_arms_a_slot_above_the_other_and_a_retry_unproves_it(void **state)
{
	struct slot_view views[2] = {VIEW(15, 3, 1, SOUND, 0), VIEW(0, 0, 0, SOUND, 0)};
	struct slot_change change = slot_switch(views, 1, 3);

	(void)state;
	assert_int_equal(change.bits[1].priority, 15);
	assert_int_equal(change.bits[0].priority, 14);
	assert_int_equal(change.bits[1].tries, 3);
	assert_false(slot_switch(views, 0, 3).write);
	views[1].verdict = SLOT_UNSIGNED;
	assert_true(slot_switch(views, 1, 3).refused);
	views[1] = (struct slot_view)VIEW(1, 3, 1, SOUND, 0);
	change = slot_retry(views, 0, 3, false);
	assert_int_equal(change.bits[0].successful, 0);
	assert_int_equal(change.bits[0].tries, 3);
	assert_int_equal(change.bits[0].priority, 15);
}

/* A block that is bad and read late: healthy each time, and dead soon after. */
static void a_good_slot_that_dies_late_each_time_yields(void **state)
{
	struct slot_view views[2] = {VIEW(2, 3, 1, SOUND, 0), VIEW(1, 3, 1, SOUND, 0)};

	(void)state;
	for (int boot = 0; boot < 4; boot++) {
		struct slot_choice choice = slot_choose(views, -1);
		struct slot_change change;

		assert_int_equal(choice.boot, boot < 3 ? 0 : 1);
		views[0].bits = choice.bits[0];
		views[1].bits = choice.bits[1];
		change = slot_bless(views, (uint32_t)choice.boot, 3);
		assert_int_equal(change.reject, -1);
		assert_int_equal(change.suspect, -1);
		views[0].bits = change.bits[0];
		views[1].bits = change.bits[1];
	}
	assert_int_equal(views[0].bits.priority, 0);
	/* One boot that lasts, and the count begins anew. */
	views[1].bits.tries = 1;
	assert_int_equal(slot_refill(views, 1, 3).bits[1].tries, 3);
	views[1].bits.successful = 0;
	assert_true(slot_refill(views, 1, 3).refused);
}

static void a_refund_gives_back_only_what_was_burned(void **state)
{
	struct slot_view views[2] = {VIEW(2, 2, 1, SOUND, 0), VIEW(1, 3, 1, SOUND, 0)};
	struct slot_change change = slot_refund(views, 0, 2, true);

	(void)state;
	assert_true(change.write);
	assert_int_equal(change.bits[0].tries, 3);
	assert_int_equal(change.bits[1].tries, 3);
	assert_true(slot_refund(views, 0, 2, false).refused);
	assert_true(slot_refund(views, 0, 1, true).refused);
	views[0].bits.tries = 15;
	assert_true(slot_refund(views, 0, 15, true).refused);
}

/*
 * Boots in a row, every slot either healthy or not for good: whatever the disk said at first, a
 * healthy slot of the best group that can be booted is blessed in the end, and stays.
 */
static void a_healthy_slot_is_reached_and_stays(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < VIEWS * VIEWS * 4; n++) {
		struct slot_view views[2] = {view_number(n / 4 % VIEWS),
					     view_number(n / 4 / VIEWS)};
		bool healthy[2] = {n & 1, n & 2};
		bool reachable = false;
		int blessed = -1;

		for (int i = 0; i < 2; i++) {
			bool armed = sound(&views[i]) && !views[i].rejected &&
				     views[i].bits.priority;
			bool alone = !sound(&views[1 - i]);

			if (healthy[i] &&
			    (armed || (alone && sound(&views[i]) && !views[i].rejected)))
				reachable = true;
		}
		for (int boot = 0; boot < 40; boot++) {
			struct slot_choice choice = slot_choose(views, -1);

			if (choice.boot < 0)
				break;
			views[0].bits = choice.bits[0];
			views[1].bits = choice.bits[1];
			if (!healthy[choice.boot])
				continue;

			struct slot_change change = slot_bless(views, (uint32_t)choice.boot, 3);

			if (change.refused)
				continue;
			if (change.reject >= 0) {
				assert_false(views[change.reject].twin);
				views[change.reject].rejected = true;
			}
			views[0].bits = change.bits[0];
			views[1].bits = change.bits[1];
			change = slot_refill(views, (uint32_t)choice.boot, 3);
			assert_false(change.refused);
			views[0].bits = change.bits[0];
			views[1].bits = change.bits[1];
			blessed = choice.boot;
		}
		if (reachable)
			assert_true(blessed >= 0);
		if (blessed >= 0) {
			assert_int_equal(views[blessed].bits.successful, 1);
			assert_int_equal(slot_choose(views, -1).boot, blessed);
		}
	}
}

static void verdicts_travel_through_the_record(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < VIEWS; a++) {
		struct slot_view views[2] = {view_number(a), view_number(VIEWS - 1 - a)};
		struct slot_view back[2] = {0};

		views[a % 2].twin = true;
		views[a / 2 % 2].guilty = true;
		slot_views_unpack(slot_views_pack(views), back);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(back[i].verdict, views[i].verdict);
			assert_int_equal(back[i].rejected, views[i].rejected);
			assert_int_equal(back[i].twin, views[i].twin);
			assert_int_equal(back[i].guilty, views[i].guilty);
		}
	}
}

/* ---- judging ---- */

static struct slot_examination examinations[2];
static struct slot_table slots;

static void examine_two_sound_slots(void)
{
	memset(examinations, 0, sizeof(examinations));
	memset(&slots, 0, sizeof(slots));
	slots.count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		slots.slot[i].present = true;
		slots.slot[i].bits = (struct gpt_slot_bits){.priority = (uint8_t)(i + 1)};
		examinations[i].verdict = SLOT_SOUND;
		examinations[i].header_verified = true;
		examinations[i].block.header.security_epoch = 4 + i;
		memset(examinations[i].block.header.root_hash, (int)(0xa0 + i), SLOT_DIGEST_BYTES);
		examinations[i].marks_valid = true;
		slot_marks_seal(&examinations[i].copies[0], NULL);
	}
}

static void a_rejection_counts_in_whichever_slot_it_is_noted(void **state)
{
	struct slot_view views[2];

	(void)state;
	examine_two_sound_slots();
	slot_judge(&slots, examinations, views);
	assert_false(views[0].rejected || views[1].rejected);
	slot_marks_reject(&examinations[0].copies[0], examinations[1].block.header.root_hash);
	slot_marks_seal(&examinations[0].copies[0], NULL);
	slot_judge(&slots, examinations, views);
	assert_false(views[0].rejected);
	assert_true(views[1].rejected);
	assert_int_equal(views[1].bits.priority, 2);
}

/* Both slots of a new disk hold one image: a that fails to boot must not cost b its own. */
static void an_image_that_both_slots_hold_is_never_rejected(void **state)
{
	struct slot_view views[2];
	struct slot_change change;

	(void)state;
	examine_two_sound_slots();
	slot_judge(&slots, examinations, views);
	assert_false(views[0].twin || views[1].twin);
	assert_int_equal(slot_bless(views, 1, 3).suspect, 0);
	views[0].guilty = true;
	assert_int_equal(slot_bless(views, 1, 3).reject, 0);
	examinations[1].block.header = examinations[0].block.header;
	slot_judge(&slots, examinations, views);
	assert_true(views[0].twin && views[1].twin);
	change = slot_bless(views, 1, 3);
	assert_int_equal(change.reject, -1);
	assert_int_equal(change.suspect, -1);
	assert_int_equal(change.bits[0].priority, 0);
	views[0].bits = (struct gpt_slot_bits){.priority = 1, .tries = 3};
	views[1].bits = (struct gpt_slot_bits){.priority = 1, .tries = 3};
	assert_true(slot_reject(views, 0, true).refused);
}

static void what_failed_with_a_reason_or_for_the_second_time_is_guilty(void **state)
{
	struct slot_view views[2];

	(void)state;
	examine_two_sound_slots();
	examinations[0].copies[0].reason = SLOT_REASON_UNHEALTHY;
	slot_marks_seal(&examinations[0].copies[0], NULL);
	slot_judge(&slots, examinations, views);
	assert_true(views[0].guilty);
	assert_false(views[1].guilty);
	examine_two_sound_slots();
	memcpy(examinations[0].copies[0].suspect, examinations[1].block.header.root_hash,
	       SLOT_DIGEST_BYTES);
	slot_marks_seal(&examinations[0].copies[0], NULL);
	slot_judge(&slots, examinations, views);
	assert_false(views[0].guilty);
	assert_true(views[1].guilty);
}

static void an_epoch_below_the_highest_blessed_is_outdated(void **state)
{
	struct slot_view views[2];

	(void)state;
	examine_two_sound_slots();
	examinations[1].copies[1] = examinations[1].copies[0];
	examinations[1].copies[1].security_epoch = 5;
	slot_marks_seal(&examinations[1].copies[1], &examinations[1].copies[0]);
	slot_judge(&slots, examinations, views);
	assert_int_equal(views[0].verdict, SLOT_OUTDATED);
	assert_int_equal(views[1].verdict, SLOT_SOUND);
}

static void what_the_table_does_not_have_is_absent(void **state)
{
	struct slot_view views[2];

	(void)state;
	examine_two_sound_slots();
	slots.slot[1].present = false;
	slot_judge(&slots, examinations, views);
	assert_int_equal(views[1].verdict, SLOT_ABSENT);
	assert_int_equal(views[1].bits.priority, 0);
}

static void marks_that_are_damaged_refuse_nothing(void **state)
{
	struct slot_view views[2];

	(void)state;
	examine_two_sound_slots();
	slot_marks_reject(&examinations[0].copies[0], examinations[1].block.header.root_hash);
	examinations[0].marks_valid = false;
	slot_judge(&slots, examinations, views);
	assert_false(views[1].rejected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choices_are_as_the_rules_say),
		cmocka_unit_test(every_choice_keeps_the_invariants),
		cmocka_unit_test(every_blessing_leaves_a_good_slot),
		cmocka_unit_test(rejecting_and_installing_never_take_the_last_slot),
		cmocka_unit_test(while_an_update_is_on_trial_the_way_back_is_not_touched),
		cmocka_unit_test(rolling_back_arms_the_other_slot_and_rejects_this_one),
		cmocka_unit_test(a_switch_arms_a_slot_above_the_other_and_a_retry_unproves_it),
		cmocka_unit_test(a_good_slot_that_dies_late_each_time_yields),
		cmocka_unit_test(a_refund_gives_back_only_what_was_burned),
		cmocka_unit_test(a_healthy_slot_is_reached_and_stays),
		cmocka_unit_test(verdicts_travel_through_the_record),
		cmocka_unit_test(a_rejection_counts_in_whichever_slot_it_is_noted),
		cmocka_unit_test(an_image_that_both_slots_hold_is_never_rejected),
		cmocka_unit_test(what_failed_with_a_reason_or_for_the_second_time_is_guilty),
		cmocka_unit_test(an_epoch_below_the_highest_blessed_is_outdated),
		cmocka_unit_test(what_the_table_does_not_have_is_absent),
		cmocka_unit_test(marks_that_are_damaged_refuse_nothing),
	};

	return cmocka_run_group_tests_name("slot policy", tests, NULL, NULL);
}
