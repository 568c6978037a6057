/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/last.h"

#include <errno.h>
#include <string.h>

#include "rootfs-spec/crc32.h"
#include "svc/control.h"

/* Names of processes, which anybody chooses, are in it: nothing of it moves a terminal's cursor. */
static void copy_text(char *to, size_t size, const char *text)
{
	memset(to, 0, size);
	for (size_t i = 0; i + 1 < size && text[i] != '\0'; i++)
		to[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
}

void last_step(struct last *last, const char *name, uint64_t start_ns, uint64_t end_ns, int error)
{
	struct last_step *step;

	if (last->step_count >= LAST_STEPS)
		return;
	step = &last->steps[last->step_count++];
	*step = (struct last_step){.start_ns = start_ns, .end_ns = end_ns, .error = error};
	copy_text(step->name, sizeof(step->name), name);
}

void last_note(struct last *last, const char *text)
{
	if (last->note_count >= LAST_NOTES) {
		last->notes_lost++;
		return;
	}
	copy_text(last->notes[last->note_count++], LAST_NOTE_BYTES, text);
}

/* Of the record with its own field zero. */
static uint32_t checksum(const struct last *last)
{
	return crc32_without(last, sizeof(*last), offsetof(struct last, crc32));
}

void last_seal(struct last *last, const struct last *newest)
{
	memcpy(last->magic, LAST_MAGIC, sizeof(last->magic));
	last->version = LAST_VERSION;
	last->sequence = newest ? newest->sequence + 1 : 1;
	last->crc32 = checksum(last);
}

void last_judged(struct last *last, enum last_cause cause, bool watchdog_reset)
{
	last->cause = cause;
	last->reset_by_watchdog = watchdog_reset;
	last->crc32 = checksum(last);
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool texts_end(const struct last *last)
{
	for (uint32_t i = 0; i < LAST_STEPS; i++)
		if (!ends(last->steps[i].name, LAST_STEP_NAME_BYTES))
			return false;
	for (uint32_t i = 0; i < LAST_NOTES; i++)
		if (!ends(last->notes[i], LAST_NOTE_BYTES))
			return false;
	return ends(last->boot_id, sizeof(last->boot_id)) &&
	       ends(last->image_version, sizeof(last->image_version));
}

int last_check(const struct last *last)
{
	if (memcmp(last->magic, LAST_MAGIC, sizeof(last->magic)) != 0 ||
	    last->version != LAST_VERSION || last->crc32 != checksum(last))
		return -EBADMSG;
	if (last->state < LAST_RUNNING || last->state > LAST_ENDED ||
	    last->action > CONTROL_KEXEC || last->by >= LAST_BY_COUNT || last->slot > 1 ||
	    last->cause >= LAST_CAUSE_COUNT || last->step_count > LAST_STEPS ||
	    last->note_count > LAST_NOTES || !texts_end(last))
		return -EBADMSG;
	return 0;
}

const struct last *last_newest(const struct last *records, size_t count)
{
	const struct last *newest = NULL;

	for (size_t i = 0; i < count; i++)
		if (last_check(&records[i]) == 0 &&
		    (!newest || records[i].sequence > newest->sequence))
			newest = &records[i];
	return newest;
}

enum last_cause last_judge(const struct last *last, bool watchdog_reset, bool panic)
{
	if (!last)
		return LAST_CAUSE_NONE;
	if (last->state == LAST_ENDED)
		return LAST_CAUSE_ORDERLY;
	/* A panic is followed by a reset of the watchdog's when the kernel hangs in it: that is why. */
	if (panic)
		return LAST_CAUSE_PANIC;
	if (watchdog_reset)
		return LAST_CAUSE_WATCHDOG;
	return last->state == LAST_ENDING ? LAST_CAUSE_SHUTDOWN : LAST_CAUSE_LOST;
}

const char *last_cause_text(uint32_t cause)
{
	static const char *const texts[LAST_CAUSE_COUNT] = {
		[LAST_CAUSE_NONE] = "no earlier boot is known",
		[LAST_CAUSE_ORDERLY] = "orderly",
		[LAST_CAUSE_WATCHDOG] = "reset by the watchdog",
		[LAST_CAUSE_PANIC] = "the kernel panicked",
		[LAST_CAUSE_SHUTDOWN] = "lost during its shutdown",
		[LAST_CAUSE_LOST] = "lost: power cut, reset, or a crash without a trace",
	};

	return cause < LAST_CAUSE_COUNT ? texts[cause] : "?";
}

const char *last_by_text(uint32_t by)
{
	static const char *const texts[LAST_BY_COUNT] = {
		[LAST_BY_NOBODY] = "nobody",        [LAST_BY_CONTROL] = "keelctl",
		[LAST_BY_SIGNAL] = "a signal",      [LAST_BY_BUTTON] = "the power button",
		[LAST_BY_GATE] = "the health gate", [LAST_BY_BOOT] = "a boot that failed",
	};

	return by < LAST_BY_COUNT ? texts[by] : "?";
}
