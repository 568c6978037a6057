/* SPDX-License-Identifier: Apache-2.0 */
#include "init/slot_history.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mount/gpt_io.h"
#include "mount/sys.h"
#include "rootfs-spec/crc32.h"

#define MAGIC "KEELHIST"
#define VERSION 1u

const char *slot_event_name(uint32_t kind)
{
	static const char *const names[SLOT_EVENT_COUNT] = {
		[SLOT_EVENT_BOOTED] = "booted",         [SLOT_EVENT_BLESSED] = "blessed",
		[SLOT_EVENT_FAILED] = "failed",         [SLOT_EVENT_GIVEN_UP] = "given-up",
		[SLOT_EVENT_SUSPECTED] = "suspected",   [SLOT_EVENT_REJECTED] = "rejected",
		[SLOT_EVENT_INSTALLING] = "installing", [SLOT_EVENT_INSTALLED] = "installed",
		[SLOT_EVENT_SWITCHED] = "switched",     [SLOT_EVENT_RETRIED] = "retried",
	};

	return kind < SLOT_EVENT_COUNT && names[kind] ? names[kind] : "?";
}

static uint32_t checksum(const struct slot_event *event)
{
	return crc32_without(event, sizeof(*event), offsetof(struct slot_event, crc32));
}

static bool is_whole(const struct slot_event *event)
{
	return memcmp(event->magic, MAGIC, sizeof(event->magic)) == 0 &&
	       event->version == VERSION && event->crc32 == checksum(event) &&
	       event->slot < SLOT_COUNT && memchr(event->image_version, '\0', 64) &&
	       memchr(event->detail, '\0', sizeof(event->detail));
}

uint32_t slot_history_order(struct slot_event events[SLOT_HISTORY_EVENTS])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < SLOT_HISTORY_EVENTS; i++) {
		struct slot_event event = events[i];
		uint32_t at = count;

		if (!is_whole(&event))
			continue;
		for (; at > 0 && events[at - 1].sequence > event.sequence; at--)
			events[at] = events[at - 1];
		events[at] = event;
		count++;
	}
	return count;
}

static int open_ring(const struct disk *disk, int flags)
{
	const struct slot_parts *parts = &disk->slots.slot[disk->slots.slot[0].present ? 0 : 1];
	struct device device;
	char path[DEVICE_PATH_BYTES];
	int error;

	if (!parts->present)
		return -ENODEV;
	if (parts->header.size_bytes <
	    SLOT_HISTORY_OFFSET + SLOT_HISTORY_EVENTS * sizeof(struct slot_event))
		return -ENOSPC;
	error = devices_partition(disk->device.name, parts->header.number, &device);
	if (!error)
		error = device_path(device.name, path);
	if (error)
		return error;
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int slot_history_read(const struct disk *disk, struct slot_event events[SLOT_HISTORY_EVENTS])
{
	cleanup_fd fd = open_ring(disk, O_RDONLY);
	int error = fd < 0 ? fd
			   : disk_read(fd, events, SLOT_HISTORY_EVENTS * sizeof(*events),
				       SLOT_HISTORY_OFFSET);

	return error ? error : (int)slot_history_order(events);
}

int slot_history_add(const struct disk *disk, struct slot_event *event)
{
	struct slot_event events[SLOT_HISTORY_EVENTS]; /* 32 KiB, of a child's or a program's stack */
	cleanup_fd fd = open_ring(disk, O_RDWR);
	struct timespec now;
	uint32_t count;
	int error;

	if (fd < 0)
		return fd;
	error = disk_read(fd, events, sizeof(events), SLOT_HISTORY_OFFSET);
	if (error)
		return error;
	count = slot_history_order(events);
	clock_gettime(CLOCK_REALTIME, &now);
	memcpy(event->magic, MAGIC, sizeof(event->magic));
	event->version = VERSION;
	event->sequence = count ? events[count - 1].sequence + 1 : 0;
	event->wall_s = now.tv_sec;
	event->crc32 = checksum(event);
	error = disk_write(fd, event, sizeof(*event),
			   SLOT_HISTORY_OFFSET +
				   event->sequence % SLOT_HISTORY_EVENTS * sizeof(*event));
	if (error)
		return error;
	return fsync(fd) < 0 ? -errno : 0;
}
