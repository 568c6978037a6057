/* SPDX-License-Identifier: Apache-2.0 */
#include "init/last_words.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "init/files.h"
#include "init/kept.h"
#include "init/node.h"
#include "init/slot_history.h"
#include "init/watchdog.h"
#include "mount/child.h"
#include "mount/devices.h"
#include "mount/directory.h"
#include "mount/disk.h"
#include "mount/gpt_io.h"
#include "mount/slots.h"
#include "mount/sys.h"
#include "svc/format.h"
#include "svc/log.h"

#define COPIES 2u
#define LOCK_NS 500000000ull
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define PSTORE "/sys/fs/pstore"

static int64_t wall_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

void last_words_fill(struct last *last)
{
	uint64_t now_ns = clock_boottime_ns();

	last->ended_ns = now_ns;
	last->ended_s = wall_s();
	last->booted_s = last->ended_s;
	if (node.world)
		last->booted_s -=
			(int64_t)((now_ns - kept_in(node.world)->services_ns) / 1000000000u);
	if (file_read(BOOT_ID, last->boot_id, sizeof(last->boot_id)) == 37)
		last->boot_id[36] = '\0'; /* the newline */
	if (node.plan.system)
		format_text(last->image_version, sizeof(last->image_version), "%s",
			    plan_string(&node.plan, node.plan.system->image_version));
	if (node.record) {
		last->slot = node.record->slot;
		last->blessed = node.record->successful != 0 ||
				(node.world && node.world->blessed_ns != 0);
	}
}

void last_words_crashes(struct last *last)
{
	char text[LAST_NOTE_BYTES];

	if (!node.world || node.world->crashes == 0)
		return;
	format_text(text, sizeof(text), "PID 1 crashed: %u in this boot, last by signal %d",
		    node.world->crashes, node.world->crash_signal);
	last_note(last, text);
}

/* ---- in a child ---- */

static int open_header(const char *device, int flags)
{
	char path[DEVICE_PATH_BYTES];
	int error = device_path(device, path);
	int fd = error ? error : open(path, flags | O_CLOEXEC);

	return fd < 0 && !error ? -errno : fd;
}

/* Only children touch it: none of its pages becomes PID 1's. */
static struct disk disk;

/* Both copies of both slots, which are where the table says; what cannot be read is no record. */
static void read_records(struct last records[SLOT_COUNT][COPIES])
{
	bool known = disk_reread(node.record->disk, node.record->disk_guid, &disk) == 0;

	memset(records, 0, SLOT_COUNT * COPIES * sizeof(records[0][0]));
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		struct device device;
		bool ours = i == node.record->slot;

		if (!ours && (!known || !disk.slots.slot[i].present ||
			      devices_partition(node.record->disk, disk.slots.slot[i].header.number,
						&device) != 0))
			continue;
		cleanup_fd fd = open_header(ours ? node.record->header_device : device.name,
					    O_RDONLY);

		if (fd >= 0)
			(void)disk_read(fd, records[i], COPIES * LAST_BYTES, LAST_OFFSET);
	}
}

/* Over the older of this slot's two copies: a power cut leaves the newer one. */
static int write_record(struct last *last, const struct last records[SLOT_COUNT][COPIES])
{
	const struct last *own = records[node.record->slot];
	uint64_t copy = last_newest(own, COPIES) == &own[0] ? 1 : 0;
	cleanup_fd fd = open_header(node.record->header_device, O_RDWR);
	int error;

	if (fd < 0)
		return fd;
	last_seal(last, last_newest(records[0], SLOT_COUNT * COPIES));
	error = disk_write(fd, last, sizeof(*last), LAST_OFFSET + copy * LAST_BYTES);
	if (error)
		return error;
	return fsync(fd) < 0 ? -errno : 0;
}

/* Asked by PID 1: its children have the device's descriptor no more (child_keeps). */
static bool reset_by_watchdog;

/* Did a kernel that died leave its log (Documentation/admin-guide/pstore-blk.rst, ramoops.rst)? */
static bool left_panic(void)
{
	cleanup_fd fd = open(PSTORE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct directory directory = {.fd = fd};
	const char *name;

	while (fd >= 0 && (name = directory_next(&directory)))
		if (strncmp(name, "dmesg-", 6) == 0)
			return true;
	return false;
}

/* Only children touch it: none of its pages becomes PID 1's. */
static struct last found[SLOT_COUNT][COPIES];

/* `boot_id`: this boot's, which an execution of PID 1 before this one may have written. */
static void show(const struct last *newest, const char *boot_id)
{
	static struct last shown;
	enum last_cause cause;
	int error;

	if (!newest || strcmp(newest->boot_id, boot_id) == 0)
		return;
	shown = *newest;
	last_judged(&shown, last_judge(newest, reset_by_watchdog, left_panic()), reset_by_watchdog);
	cause = (enum last_cause)shown.cause;
	if (cause == LAST_CAUSE_ORDERLY)
		log_info("last boot: %s, asked by %s", last_cause_text(cause),
			 last_by_text(shown.by));
	else
		log_warning("last boot: %s", last_cause_text(cause));
	for (uint32_t i = 0; i < shown.note_count; i++)
		log_info("last boot: %s", shown.notes[i]);
	error = file_create(LAST_PATH, &shown, sizeof(shown), 0644, 0, 0);
	if (error)
		log_error("%s: write: %s", LAST_PATH, log_errno(error));
}

/*
 * Two of these children choose the copy to write one after the other. Who holds the lock for longer
 * (an installer, a disk that hangs) does not keep the record from being written.
 */
static int lock_disk(void)
{
	return disk_lock(node.record->disk, clock_boottime_ns() + LOCK_NS);
}

static int tell(const char *what, int error)
{
	if (error)
		log_error("last record: %s: write %s: %s", node.record->header_device, what,
			  log_errno(error));
	return error;
}

static void note_boot(void)
{
	struct slot_event event = {
		.kind = SLOT_EVENT_BOOTED,
		.slot = node.record->slot,
		.tries = node.record->tries_left,
	};
	int error;

	memcpy(event.image_version, node.record->header.image_version, sizeof(event.image_version));
	format_text(event.detail, sizeof(event.detail), "%s",
		    node.record->forced        ? "named on the command line"
		    : node.record->last_resort ? "as the last resort"
					       : "");
	error = slot_history_add(&disk, &event);
	if (error)
		log_warning("slot history: write: %s", log_errno(error));
}

static int write_running(void *argument)
{
	struct last *last = argument;

	cleanup_fd lock = lock_disk();

	read_records(found);
	show(last_newest(found[0], SLOT_COUNT * COPIES), last->boot_id);
	note_boot();
	return tell("that it runs", write_record(last, found));
}

static int write_last(void *argument)
{
	struct last *last = argument;
	cleanup_fd lock = lock_disk();

	read_records(found);
	return tell("its end", write_record(last, found));
}

/* ---- in PID 1 ---- */

/* Begin what nobody waits for: the loop reaps it. The world is not mapped in there. */
static void begin(int (*work)(void *), void *argument)
{
	cleanup_fd pidfd = -1;
	pid_t pid = child_start(work, argument, &pidfd);

	if (pid < 0)
		log_error("last record: fork: %s", log_errno((int)pid));
}

void last_words_running(void)
{
	static struct last last;

	if (!node.record)
		return;
	reset_by_watchdog = watchdog_did_reset() || node.record->watchdog_reset;
	last = (struct last){.state = LAST_RUNNING};
	last_words_fill(&last);
	last_words_crashes(&last);
	begin(write_running, &last);
}

void last_words_ending(const struct last *last)
{
	if (node.record)
		begin(write_last, (void *)(uintptr_t)last);
}

int last_words_ended(struct last *last)
{
	return node.record ? run_timed(write_last, last, LAST_WORDS_NS) : -ENODATA;
}
