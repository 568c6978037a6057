/* SPDX-License-Identifier: Apache-2.0 */
#include "init/handover.h"

#include <errno.h>
#include <string.h>

#include "rootfs-spec/crc32.h"
#include "svc/format.h"

#define FILE_MODE 0100400u
#define ALIGNMENT 4u

/* The CRC as if its own field were zero. */
static uint32_t handover_crc(const struct handover *handover)
{
	return crc32_without(handover, sizeof(*handover), offsetof(struct handover, crc32));
}

void handover_seal(struct handover *handover)
{
	memcpy(handover->magic, HANDOVER_MAGIC, sizeof(handover->magic));
	handover->version = HANDOVER_VERSION;
	handover->size_bytes = sizeof(*handover);
	handover->crc32 = handover_crc(handover);
}

int handover_check(const struct handover *handover, size_t size)
{
	/* What follows the version may differ in another version: look at no more than that. */
	if (size < offsetof(struct handover, crc32) ||
	    memcmp(handover->magic, HANDOVER_MAGIC, sizeof(handover->magic)) != 0)
		return -EBADMSG;
	if (handover->version != HANDOVER_VERSION)
		return -EPROTONOSUPPORT;
	if (size != sizeof(*handover) || handover->size_bytes != sizeof(*handover) ||
	    handover->crc32 != handover_crc(handover) || handover->slot > 1 ||
	    handover->release[sizeof(handover->release) - 1] != '\0')
		return -EBADMSG;
	return 0;
}

static size_t put_zeros(char *archive, size_t at, size_t count)
{
	memset(archive + at, 0, count);
	return at + count;
}

static size_t padding(uint64_t length)
{
	return (size_t)(-length % ALIGNMENT);
}

/* One entry in the "newc" form: a head of hexadecimal numbers, the name, the content, padded. */
static size_t put_entry(char *archive, size_t at, const char *name, unsigned int mode,
			const void *content, size_t size)
{
	size_t name_bytes = strlen(name) + 1;
	size_t begin = at;

	at += format_text(archive + at, HANDOVER_ARCHIVE_BYTES - at,
			  "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 0u, mode,
			  0u, 0u, 1u, 0u, (unsigned int)size, 0u, 0u, 0u, 0u,
			  (unsigned int)name_bytes, 0u);
	memcpy(archive + at, name, name_bytes);
	at = put_zeros(archive, at + name_bytes, padding(at + name_bytes - begin));
	if (size)
		memcpy(archive + at, content, size);
	return put_zeros(archive, at + size, padding(size));
}

size_t handover_phases(const struct timeline *timeline, uint64_t now_ns,
		       struct timeline_event phases[HANDOVER_PHASES_MAX])
{
	size_t count = 0;

	for (uint32_t i = 0; i < timeline->count; i++) {
		if (timeline->events[i].kind != TIMELINE_PHASE)
			continue;
		if (count == HANDOVER_PHASES_MAX) {
			count--;
			memmove(&phases[0], &phases[1], count * sizeof(phases[0]));
		}
		phases[count] = timeline->events[i];
		if (phases[count].end_ns == 0)
			phases[count].end_ns = now_ns;
		count++;
	}
	return count;
}

void handover_note_phases(struct timeline *timeline, const struct timeline_event *phases,
			  size_t count)
{
	char name[TIMELINE_NAME_BYTES];

	for (size_t i = 0; i < count && i < HANDOVER_PHASES_MAX; i++) {
		uint32_t event;

		format_text(name, sizeof(name), "%.*s", (int)sizeof(name) - 1, phases[i].name);
		event = timeline_begin(timeline, TIMELINE_BOOTSTRAP, name, phases[i].start_ns);
		timeline_end(timeline, event, phases[i].end_ns, phases[i].error);
	}
}

size_t handover_archive(char archive[HANDOVER_ARCHIVE_BYTES], uint64_t initramfs_bytes,
			const struct handover *handover, const struct timeline_event *phases,
			size_t count)
{
	size_t at = put_zeros(archive, 0, padding(initramfs_bytes));

	at = put_entry(archive, at, &HANDOVER_PATH[1], FILE_MODE, handover, sizeof(*handover));
	at = put_entry(archive, at, &HANDOVER_PHASES_PATH[1], FILE_MODE, phases,
		       count * sizeof(phases[0]));
	return put_entry(archive, at, "TRAILER!!!", 0, NULL, 0);
}
