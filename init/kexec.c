/* SPDX-License-Identifier: Apache-2.0 */
#include "init/kexec.h"

#include <errno.h>
#include <string.h>

#include "init/cmdline.h"

enum kexec_verdict kexec_decide(const struct slot_header *slot, const struct plan *boot_plan,
				const char *running_release, uint32_t kexecs)
{
	const struct plan_system *running = boot_plan->system;
	const char *release = plan_string(boot_plan, running->kernel_release);

	if (slot->kernel_bytes == 0)
		return KEXEC_RIGHT;
	if (strcmp(release, running_release) == 0 &&
	    memcmp(slot->kernel_sha256, running->kernel_sha256, SLOT_DIGEST_BYTES) == 0)
		return KEXEC_RIGHT;
	return kexecs > 0 ? KEXEC_AGAIN : KEXEC_NEEDED;
}

bool kexec_fits(const struct handover *handover, const uint8_t disk_guid[GPT_GUID_BYTES],
		const struct slot_view views[SLOT_COUNT],
		const struct slot_examination examinations[SLOT_COUNT])
{
	uint32_t slot = handover->slot;

	return memcmp(handover->disk_guid, disk_guid, GPT_GUID_BYTES) == 0 &&
	       views[slot].verdict == SLOT_SOUND &&
	       memcmp(handover->root_hash, examinations[slot].block.header.root_hash,
		      SLOT_DIGEST_BYTES) == 0;
}

/* ---- the command line ---- */

struct line {
	char *text;
	size_t length;
	bool full;
};

static void append(struct line *line, const char *word, size_t length)
{
	size_t gap = line->length > 0;

	if (line->length + gap + length >= KEXEC_CMDLINE_BYTES) {
		line->full = true;
		return;
	}
	if (gap)
		line->text[line->length++] = ' ';
	memcpy(line->text + line->length, word, length);
	line->length += length;
}

/* How often `word` is among the words of `text` before `end` (NULL: all of them). */
static unsigned int times(const char *text, const char *end, const char *word, size_t length)
{
	unsigned int count = 0;
	size_t n;

	for (const char *at = text; (n = cmdline_word(&at)) > 0 && at != end; at += n)
		count += n == length && memcmp(at, word, length) == 0;
	return count;
}

static bool is_separator(const char *word, size_t length)
{
	return length == 2 && memcmp(word, "--", 2) == 0;
}

int kexec_cmdline(char text[KEXEC_CMDLINE_BYTES], const char *present, const char *running,
		  const char *slot)
{
	struct line line = {.text = text};
	bool for_init = false; /* behind "--" */
	size_t n;

	for (const char *at = slot; (n = cmdline_word(&at)) > 0; at += n)
		append(&line, at, n);
	for (const char *at = present; (n = cmdline_word(&at)) > 0; at += n) {
		for_init = for_init || is_separator(at, n);
		if (for_init || times(present, at, at, n) >= times(running, NULL, at, n))
			append(&line, at, n);
	}
	text[line.length] = '\0';
	return line.full ? -E2BIG : 0;
}
