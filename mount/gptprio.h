/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Flatcar's boot loader would choose: GRUB's gptprio.next over the attribute bits that keelson's
 * slots have, too. For disks of other systems (a Flatcar disk has two partitions of
 * GPT_TYPE_FLATCAR_USR), read and compared, never booted: what such a partition holds is bound to
 * its kernel, not to a signed header. Pure.
 *
 * How it differs from init/slot.h. It looks at numbers only, not at what a partition holds. A
 * successful partition is tried without tries left, for ever; a slot of keelson's burns a try at
 * every boot and yields after its last. It has no last resort: without a partition to try the loader
 * stops at its menu. The same in both: priority 0 is not tried, the highest priority first, of equal
 * ones the lowest entry, and a try is burned before use, also of a successful one (vboot, ChromeOS's
 * loader, burns none of those).
 */
#ifndef KEELSON_GPTPRIO_H
#define KEELSON_GPTPRIO_H

#include "mount/gpt.h"

#define GPT_TYPE_FLATCAR_USR GPT_GUID(0x5dfbf5f4, 0x2848, 0x4bac, 0xaa5e, 0x0d9a20b745a6ull)
#define GPT_TYPE_CHROMEOS_KERNEL GPT_GUID(0xfe3a2a5d, 0x4f32, 0x41a7, 0xb725, 0xaccc3285a309ull)

/*
 * The index of the entry of this type that is tried next, with the attributes that are written before
 * it is; or -ENOENT.
 */
int gptprio_next(const struct gpt *gpt, const uint8_t type[GPT_GUID_BYTES], uint64_t *attributes);

#endif
