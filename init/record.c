/* SPDX-License-Identifier: Apache-2.0 */
#include "init/record.h"

#include <errno.h>
#include <stddef.h>

#include "rootfs-spec/crc32.h"

/* The CRC of a record as if its crc32 field were zero. */
static uint32_t record_crc(const struct record *record)
{
	return crc32_without(record, sizeof(*record), offsetof(struct record, crc32));
}

/* Is the text in `text` closed within its field? */
static bool terminated(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] == '\0')
			return true;
	return false;
}

void record_seal(struct record *record)
{
	record->magic = RECORD_MAGIC;
	record->version = RECORD_VERSION;
	record->size_bytes = sizeof(*record);
	record->crc32 = record_crc(record);
}

int record_check(const struct record *record, size_t size)
{
	/* What follows the version may differ in another version: look at no more than that. */
	if (size < offsetof(struct record, crc32) || record->magic != RECORD_MAGIC)
		return -EBADMSG;
	if (record->version != RECORD_VERSION || record->size_bytes != sizeof(*record) ||
	    size != sizeof(*record))
		return -EPROTONOSUPPORT;
	if (record->crc32 != record_crc(record) || record->slot > 1 ||
	    record->timeline.count > TIMELINE_EVENTS)
		return -EBADMSG;
	if (!terminated(record->disk, sizeof(record->disk)) ||
	    !terminated(record->root_device, sizeof(record->root_device)) ||
	    !terminated(record->hash_device, sizeof(record->hash_device)) ||
	    !terminated(record->header_device, sizeof(record->header_device)))
		return -EBADMSG;
	return 0;
}
