/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/gptprio.h"

#include <errno.h>

int gptprio_next(const struct gpt *gpt, const uint8_t type[GPT_GUID_BYTES], uint64_t *attributes)
{
	struct gpt_slot_bits best = {0};
	struct gpt_entry entry;
	int next = -ENOENT;

	for (uint32_t i = 0; i < gpt->header.entry_count; i++) {
		struct gpt_slot_bits bits;

		if (gpt_entry(gpt, i, &entry) != 0 || !gpt_guid_equal(entry.type, type))
			continue;
		bits = gpt_slot_bits(entry.attributes);
		/* The best one begins with priority 0, so a partition of that is never better. */
		if ((bits.tries == 0 && !bits.successful) || bits.priority <= best.priority)
			continue;
		best = bits;
		next = (int)i;
		*attributes = entry.attributes;
	}
	if (best.tries) {
		best.tries--;
		*attributes = gpt_with_slot_bits(*attributes, best);
	}
	return next;
}
