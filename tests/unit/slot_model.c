/* SPDX-License-Identifier: Apache-2.0 */
/* keelson-test: timeout=600 */
/*
 * The slot policy over time: from every combination of what both slots may say, every sequence of
 * boots, crashes, verdicts, orderly reboots, installations, rejections, decay of a disk and power
 * cuts between any two writes, DEPTH steps deep. A state that was seen is not looked at again, so
 * all sequences are covered. docs/slots.md has the invariants in prose, under their names here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "init/slot.h"

#define DEPTH 16
#define TRIES 3u
#define IMAGES 4u /* 0: nothing or half an image; 1, 2: good ones; 3: never healthy */
#define BAD_IMAGE 3u
#define BOOTS_TO_HEAL 12
#define BOOTS_TO_YIELD (2 * (int)TRIES + 2)

static const uint8_t epoch_of[IMAGES] = {0, 0, 1, 1};

struct state {
	struct gpt_slot_bits bits[SLOT_COUNT];
	uint8_t image[SLOT_COUNT];
	bool decayed[SLOT_COUNT]; /* the tree's root block is not the signed one any more */
	uint8_t rejected;         /* images, a bit each */
	uint8_t epoch;            /* the highest that was blessed */
	int running;              /* -1: off */
	bool burned;
	bool blessed;
};

#define CODE_BITS 28u

static uint8_t seen[1u << CODE_BITS >> 3];
static uint32_t *frontier, *next_frontier;
static size_t frontier_count, next_count, next_room;
static uint64_t states, steps;

static uint32_t encode(const struct state *state)
{
	uint32_t code = 0;

	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		code = code << 4 | state->bits[i].priority;
		code = code << 2 | state->bits[i].tries;
		code = code << 1 | state->bits[i].successful;
		code = code << 2 | state->image[i];
		code = code << 1 | state->decayed[i];
	}
	code = code << 1 | state->epoch;
	code = code << 3 | (uint32_t)state->rejected >> 1;
	code = code << 2 | (uint32_t)(state->running + 1);
	code = code << 1 | state->burned;
	return code << 1 | state->blessed;
}

static void decode(uint32_t code, struct state *state)
{
	state->blessed = code & 1;
	state->burned = code >> 1 & 1;
	state->running = (int)(code >> 2 & 3) - 1;
	state->rejected = (uint8_t)((code >> 4 & 7) << 1);
	state->epoch = code >> 7 & 1;
	code >>= 8;
	for (uint32_t i = SLOT_COUNT; i-- > 0; code >>= 10) {
		state->decayed[i] = code & 1;
		state->image[i] = code >> 1 & 3;
		state->bits[i].successful = code >> 3 & 1;
		state->bits[i].tries = code >> 4 & 3;
		state->bits[i].priority = code >> 6 & 15;
	}
}

static void look(const struct state *state, struct slot_view views[SLOT_COUNT])
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		uint8_t image = state->image[i];

		views[i] = (struct slot_view){
			.bits = state->bits[i],
			.verdict = image == 0                       ? SLOT_UNSIGNED
				   : state->decayed[i]              ? SLOT_UNSOUND
				   : epoch_of[image] < state->epoch ? SLOT_OUTDATED
								    : SLOT_SOUND,
			.rejected = image && state->rejected >> image & 1,
			.twin = image && image == state->image[1 - i],
		};
	}
}

static bool sound(const struct state *state, uint32_t slot)
{
	return state->image[slot] != 0 && !state->decayed[slot] &&
	       epoch_of[state->image[slot]] >= state->epoch;
}

static bool accepted(const struct state *state, uint32_t slot)
{
	return sound(state, slot) && !(state->rejected >> state->image[slot] & 1);
}

static bool armed(const struct state *state, uint32_t slot)
{
	return accepted(state, slot) && state->bits[slot].priority;
}

static bool bootable(const struct state *state, uint32_t slot)
{
	return armed(state, slot) && state->bits[slot].tries;
}

static bool proven(const struct state *state, uint32_t slot)
{
	return bootable(state, slot) && state->bits[slot].successful;
}

static bool healthy(const struct state *state, uint32_t slot)
{
	return sound(state, slot) && state->image[slot] != BAD_IMAGE;
}

static void put_bits(struct state *state, const struct gpt_slot_bits bits[SLOT_COUNT])
{
	state->bits[0] = bits[0];
	state->bits[1] = bits[1];
}

/* A choice and its write. -1: nothing is booted. */
static int start(struct state *state, int forced)
{
	struct slot_view views[SLOT_COUNT];
	struct slot_choice choice;

	look(state, views);
	choice = slot_choose(views, forced);
	put_bits(state, choice.bits);
	if (choice.boot >= 0)
		state->burned = choice.bits[choice.boot].tries < views[choice.boot].bits.tries;
	state->running = choice.boot;
	state->blessed = false;
	return choice.boot;
}

/* ---- the invariants ---- */

/* heals: a healthy image that nobody gave up or rejected ends up blessed, and stays. */
static void check_heals(const struct state *at)
{
	struct state state = *at;
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;

	if (!(healthy(&state, 0) && armed(&state, 0)) && !(healthy(&state, 1) && armed(&state, 1)))
		return;
	for (int boot = 0; boot < BOOTS_TO_HEAL; boot++) {
		int slot = start(&state, -1);

		assert_true(slot >= 0);
		if (!healthy(&state, (uint32_t)slot))
			continue;
		look(&state, views);
		change = slot_bless(views, (uint32_t)slot, TRIES);
		assert_false(change.refused);
		put_bits(&state, change.bits);
		look(&state, views);
		change = slot_refill(views, (uint32_t)slot, TRIES);
		assert_false(change.refused);
		put_bits(&state, change.bits);
		assert_int_equal(start(&state, -1), slot);
		return;
	}
	fail_msg("a healthy slot is never blessed");
}

/*
 * yields: a slot that dies soon after each of its blessings, however good it was, ends in the other
 * one, if that can be booted.
 */
static void check_yields(const struct state *at)
{
	struct state state = *at;
	struct slot_view views[SLOT_COUNT];
	int first = -1;

	if (!bootable(at, 0) || !bootable(at, 1) || !healthy(at, 0) || !healthy(at, 1))
		return;
	for (int boot = 0; boot < BOOTS_TO_YIELD; boot++) {
		int slot = start(&state, -1);

		if (first < 0)
			first = slot;
		/* Its epoch takes the way back. */
		if (slot != first || epoch_of[state.image[slot]] > epoch_of[state.image[1 - slot]])
			return;
		look(&state, views);
		put_bits(&state, slot_bless(views, (uint32_t)slot, TRIES).bits);
	}
	fail_msg("a slot that dies late again and again never yields");
}

/* What holds of every disk, whatever was cut: checked when it is switched on. */
static void check_boot(const struct state *before, int forced)
{
	struct state after = *before;
	int slot = start(&after, forced);
	uint32_t chosen = (uint32_t)slot, other = 1 - (uint32_t)slot;

	/* boots: if there is a sound slot, one is booted; sound: and no other ever is. */
	assert_int_equal(slot >= 0, sound(before, 0) || sound(before, 1));
	if (slot < 0) {
		assert_memory_equal(after.bits, before->bits, sizeof(after.bits));
		return;
	}
	assert_true(sound(before, chosen));
	/* counted: the try is gone before the slot is used. */
	assert_int_equal(after.bits[chosen].tries,
			 before->bits[chosen].tries ? before->bits[chosen].tries - 1 : 0);
	/* quiet: a boot changes nothing else, but for a turn in the last resort. */
	assert_int_equal(after.bits[chosen].priority, before->bits[chosen].priority);
	assert_int_equal(after.bits[chosen].successful, before->bits[chosen].successful);
	assert_int_equal(after.bits[other].priority, before->bits[other].priority);
	assert_int_equal(after.bits[other].successful, before->bits[other].successful);
	if (after.bits[other].tries != before->bits[other].tries) {
		assert_int_equal(before->bits[other].tries, 0);
		assert_int_equal(after.bits[other].tries, 1);
		assert_true(sound(before, other) && !bootable(before, 0) && !bootable(before, 1));
	}
	if (forced == slot)
		return;
	/* best: a bootable slot goes before every other, and the highest priority first. */
	if (bootable(before, 0) || bootable(before, 1)) {
		assert_true(bootable(before, chosen));
		assert_true(!bootable(before, other) ||
			    before->bits[chosen].priority >= before->bits[other].priority);
	}
	/* rejected: not while there is another sound slot. */
	if (!accepted(before, chosen))
		assert_false(accepted(before, other));
}

static bool risked; /* this write was made with `force` */

static bool good(const struct state *state, uint32_t slot)
{
	return accepted(state, slot) && state->bits[slot].successful;
}

/* kept: no write takes away the last slot of a kind, each kind better than the next. */
static void check_write(const struct state *before, const struct state *after)
{
	bool was, is;

	was = sound(before, 0) || sound(before, 1);
	is = sound(after, 0) || sound(after, 1);
	assert_true(is || !was);
	was = accepted(before, 0) || accepted(before, 1);
	is = accepted(after, 0) || accepted(after, 1);
	assert_true(is || !was);
	was = armed(before, 0) || armed(before, 1);
	is = armed(after, 0) || armed(after, 1);
	/* A last resort that proved itself: its priority is the next write. */
	is |= after->running >= 0 && accepted(after, (uint32_t)after->running);
	assert_true(is || !was);
	/* proven: unless somebody took the risk, some good slot is left. */
	was = good(before, 0) || good(before, 1);
	is = good(after, 0) || good(after, 1);
	assert_true(is || !was || risked);
}

/* ---- steps ---- */

static void reach(const struct state *state)
{
	uint32_t code = encode(state);

	steps++;
	if (seen[code >> 3] >> (code & 7) & 1)
		return;
	seen[code >> 3] |= (uint8_t)(1 << (code & 7));
	states++;
	if (next_count == next_room) {
		next_room = next_room ? 2 * next_room : 1u << 20;
		next_frontier = realloc(next_frontier, next_room * sizeof(*next_frontier));
		assert_non_null(next_frontier);
	}
	next_frontier[next_count++] = code;
}

static void reach_off(struct state state)
{
	state.running = -1;
	state.burned = state.blessed = false;
	reach(&state);
}

/* One write: it may be the last before the power fails. */
static void wrote(const struct state *before, const struct state *after)
{
	check_write(before, after);
	reach_off(*after);
}

static void switch_on(const struct state *state)
{
	check_heals(state);
	check_yields(state);
	for (int forced = -1; forced <= 1; forced++) {
		struct state after = *state;

		check_boot(state, forced);
		if (start(&after, forced) < 0)
			continue;
		reach_off(after);
		reach(&after);
	}
}

/* Marks that reject first, then the table, then the epoch. */
static bool apply(struct state *state, const struct slot_change *change)
{
	struct state before = *state;

	if (change->refused)
		return false;
	if (change->reject >= 0) {
		/* innocent: never the image that runs. */
		if (state->running >= 0 && change->reject != state->running)
			assert_int_not_equal(state->image[change->reject],
					     state->image[state->running]);
		state->rejected |= (uint8_t)(1u << state->image[change->reject]);
		wrote(&before, state);
		before = *state;
	}
	put_bits(state, change->bits);
	wrote(&before, state);
	if (change->raise_epoch && epoch_of[state->image[state->running]] > state->epoch) {
		before = *state;
		state->epoch = epoch_of[state->image[state->running]];
		wrote(&before, state);
	}
	return true;
}

static void bless(struct state state, bool guilty)
{
	const struct state was = state;
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;
	uint32_t running = (uint32_t)state.running;

	look(&state, views);
	/* What the marks of the other one say may be anything. */
	views[1 - running].guilty = guilty;
	change = slot_bless(views, running, TRIES);
	assert_int_equal(change.refused, !accepted(&state, running));
	/* milder: an image is not rejected for nothing but lost tries; but it is not forgotten. */
	assert_true(change.reject < 0 || guilty);
	assert_true(change.suspect < 0 || !guilty);
	if (!apply(&state, &change))
		return;
	state.blessed = true;
	reach(&state);
	/* good: what was blessed first has full tries; later it gets them back by a refill only. */
	assert_int_equal(state.bits[running].successful, 1);
	assert_int_equal(state.bits[running].tries,
			 was.bits[running].successful ? was.bits[running].tries : TRIES);
	assert_true(state.bits[running].priority > 0);
	if (state.bits[1 - running].priority != was.bits[1 - running].priority)
		assert_int_equal(was.bits[1 - running].tries, 0);
	/* given up: what ran out of tries is neither tried nor called good any more. */
	if (state.bits[1 - running].tries == 0)
		assert_true(state.bits[1 - running].priority == 0 &&
			    (state.bits[1 - running].successful == 0 ||
			     !was.bits[1 - running].priority));
	check_boot(&state, -1);
}

/* refunded: boot and an orderly reboot cost nothing. */
static void reboot(struct state state)
{
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;
	uint32_t running = (uint32_t)state.running;
	uint8_t tries = state.bits[running].tries;

	look(&state, views);
	change = slot_refund(views, running, tries, state.burned);
	assert_int_equal(change.refused, !state.burned);
	if (change.refused)
		return;
	assert_int_equal(change.bits[running].tries, tries + 1);
	state.burned = false;
	apply(&state, &change);
}

/* A long healthy time, and an orderly end after a blessing. */
static void refill(struct state state)
{
	uint32_t running = (uint32_t)state.running;
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;

	look(&state, views);
	change = slot_refill(views, running, TRIES);
	assert_int_equal(change.refused,
			 !armed(&state, running) || !state.bits[running].successful);
	if (!apply(&state, &change))
		return;
	reach(&state);
	assert_int_equal(state.bits[running].tries, TRIES);
	assert_int_equal(state.bits[running].successful, 1);
}

/* The other one may be lost: it is proven, or somebody said so and it boots at least. */
static bool spare(const struct state *state, uint32_t slot, bool force)
{
	return proven(state, 1 - slot) || (force && armed(state, 1 - slot));
}

static void reject(struct state state, uint32_t slot, bool force)
{
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;

	look(&state, views);
	change = slot_reject(views, slot, force);
	assert_int_equal(change.refused, !sound(&state, slot) || !spare(&state, slot, force) ||
						 state.image[slot] == state.image[1 - slot]);
	if (apply(&state, &change))
		reach(&state);
}

static void switch_to(struct state state, uint32_t slot)
{
	struct state before = state;
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;

	look(&state, views);
	change = slot_switch(views, slot, TRIES);
	assert_int_equal(change.refused, !accepted(&state, slot));
	if (!apply(&state, &change))
		return;
	reach(&state);
	/* switched: it boots next, and the other one stays what it was. */
	assert_true(bootable(&state, slot));
	assert_int_equal(state.bits[1 - slot].tries, before.bits[1 - slot].tries);
	assert_int_equal(state.bits[1 - slot].successful, before.bits[1 - slot].successful);
	assert_int_equal(state.bits[slot].successful, before.bits[slot].successful);
	assert_int_equal(start(&state, -1), slot);
}

static void roll_back(struct state state, bool force)
{
	uint32_t running = (uint32_t)state.running, other = 1 - running;
	struct slot_view views[SLOT_COUNT];
	struct slot_change writes[2];
	bool allowed;

	look(&state, views);
	allowed = slot_rollback(views, running, TRIES, force, writes);
	if (!force)
		assert_true(!allowed || proven(&state, other));
	if (!allowed)
		return;
	for (int i = 0; i < 2; i++)
		assert_true(apply(&state, &writes[i]));
	reach(&state);
	assert_false(accepted(&state, running));
	assert_int_equal(start(&state, -1), other);
}

static void retry(struct state state, uint32_t slot, bool force)
{
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;

	look(&state, views);
	change = slot_retry(views, slot, TRIES, force);
	assert_int_equal(change.refused, !armed(&state, slot) || !spare(&state, slot, force));
	if (apply(&state, &change))
		reach(&state);
}

static void install(struct state state, uint32_t slot, uint8_t image, bool force)
{
	struct slot_view views[SLOT_COUNT];
	struct slot_change change;
	struct state before;

	look(&state, views);
	change = slot_install_begin(views, slot, state.running, force);
	/* spared: not the slot that runs, nor a sound one for another that is not proven. */
	if (slot == (uint32_t)state.running ||
	    (sound(&state, slot) && !spare(&state, slot, force))) {
		assert_true(change.refused);
		return;
	}
	assert_true(apply(&state, &change));
	before = state;
	state.image[slot] = 0;
	state.decayed[slot] = false;
	wrote(&before, &state);
	/* Root and tree say nothing without a header, which is written next. */
	before = state;
	state.image[slot] = image;
	wrote(&before, &state);
	look(&state, views);
	change = slot_install_end(views, slot, TRIES);
	assert_int_equal(change.refused, !accepted(&state, slot));
	if (!apply(&state, &change))
		return;
	reach(&state);
	/* tried: it is what boots next, and the other one is as it was but for its priority. */
	assert_int_equal(start(&state, -1), slot);
	assert_int_equal(state.bits[1 - slot].tries, before.bits[1 - slot].tries);
	assert_int_equal(state.bits[1 - slot].successful, before.bits[1 - slot].successful);
}

static void step(const struct state *state)
{
	/* A disk decays: what of the other slot remains is all there is. */
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		if (sound(state, i) && sound(state, 1 - i)) {
			struct state after = *state;

			after.decayed[i] = true;
			reach_off(after);
		}
	if (state->running < 0) {
		switch_on(state);
		return;
	}
	reach_off(*state); /* a crash, a hang, a cut, a verdict of ill health */
	if (healthy(state, (uint32_t)state->running) && !state->blessed)
		for (int guilty = 0; guilty < 2; guilty++)
			bless(*state, guilty);
	if (state->blessed)
		refill(*state);
	else
		reboot(*state);
	for (int force = 0; force < 2; force++) {
		risked = force;
		roll_back(*state, force);
		for (uint32_t i = 0; i < SLOT_COUNT; i++) {
			reject(*state, i, force);
			retry(*state, i, force);
			if (!force)
				switch_to(*state, i);
			for (uint8_t image = 1; image < IMAGES; image++)
				install(*state, i, image, force);
		}
	}
	risked = false;
}

/* Every combination of what a slot may say; of 16 numbers those that differ in meaning. */
static uint32_t slot_states(struct state *state, uint32_t slot, uint32_t n)
{
	static const uint8_t priorities[] = {0, 1, 2, 15};
	static const uint8_t tries[] = {0, 1, 3};

	state->bits[slot].priority = priorities[n % 4];
	n /= 4;
	state->bits[slot].tries = tries[n % 3];
	n /= 3;
	state->bits[slot].successful = n & 1;
	n /= 2;
	state->image[slot] = (uint8_t)(n % IMAGES);
	state->decayed[slot] = n / IMAGES;
	return 4 * 3 * 2 * IMAGES * 2;
}

static void every_sequence_of_events_keeps_the_invariants(void **unused)
{
	struct state state = {.running = -1};
	uint32_t count = slot_states(&state, 0, 0);

	(void)unused;
	for (uint32_t a = 0; a < count; a++)
		for (uint32_t b = 0; b < count; b++)
			for (uint8_t marks = 0; marks < 16; marks++) {
				slot_states(&state, 0, a);
				slot_states(&state, 1, b);
				state.rejected = marks & 14;
				state.epoch = marks & 1;
				reach_off(state);
			}
	print_message("# %llu combinations\n", (unsigned long long)states);
	for (int depth = 0; depth < DEPTH && next_count; depth++) {
		uint32_t *swap = frontier;

		frontier = next_frontier;
		frontier_count = next_count;
		next_frontier = swap;
		next_count = 0;
		next_room = 0;
		free(next_frontier);
		next_frontier = NULL;
		for (size_t i = 0; i < frontier_count; i++) {
			decode(frontier[i], &state);
			assert_int_equal(encode(&state), frontier[i]);
			step(&state);
		}
		print_message("# depth %d: %llu states, %llu steps\n", depth + 1,
			      (unsigned long long)states, (unsigned long long)steps);
	}
	free(frontier);
	free(next_frontier);
	frontier = next_frontier = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sequence_of_events_keeps_the_invariants),
	};

	return cmocka_run_group_tests_name("slot model", tests, NULL, NULL);
}
