/* SPDX-License-Identifier: Apache-2.0 */
#include "init/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/cmdline.h"
#include "init/files.h"
#include "init/marks.h"
#include "init/modules.h"
#include "init/phase.h"
#include "init/plan_map.h"
#include "init/power.h"
#include "init/record.h"
#include "init/rescue.h"
#include "init/slot.h"
#include "init/switchroot.h"
#include "init/watchdog.h"
#include "mount/apply.h"
#include "mount/devmapper.h"
#include "mount/disk.h"
#include "mount/sys.h"
#include "mount/verity.h"
#include "svc/format.h"
#include "svc/log.h"

#define DISK_WAIT_NS 10000000000ull
#define OTHER_DISK_WAIT_NS 3000000000ull /* when the first one has nothing to boot */
#define NEW_ROOT "/root"
#define INIT_PATH "/sbin/init"
#define DM_NAME "keelson-root"

/* All of it goes with the initramfs: exec gives the slot's PID 1 fresh memory. */
static struct {
	struct record *record; /* mapped memfd */
	int record_fd;
	struct cmdline words;
	struct plan plan;
	struct keyring keyring;
	int hash; /* AF_ALG socket */
	struct disk disk;
	struct disks_passed foreign; /* with slots that nobody trusted signed */
	struct slot_examination examinations[SLOT_COUNT];
	struct slot_view views[SLOT_COUNT];
} boot;

struct timeline *initramfs_timeline;

/* ---- kernel ---- */

static int mount_kernel_filesystems(void)
{
	static const struct {
		const char *type;
		const char *target;
		uint64_t attributes;
	} mounts[] = {
		{"proc", "/proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
		{"sysfs", "/sys", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
		{"devtmpfs", "/dev", MOUNT_ATTR_NOSUID},
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const char *step = "make directory";
		int error = 0;

		if (mkdir(mounts[i].target, 0755) < 0 && errno != EEXIST)
			error = -errno;
		if (!error)
			error = mount_filesystem(mounts[i].type, mounts[i].type, mounts[i].target,
						 mounts[i].attributes, NULL, &step);
		if (error)
			return fault(mounts[i].target, step, error);
	}
	return 0;
}

static int make_record(void)
{
	boot.record_fd = memfd_create("keelson-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (boot.record_fd < 0 || ftruncate(boot.record_fd, sizeof(*boot.record)) < 0)
		return fault("boot record", "memfd", -errno);
	boot.record = mmap(NULL, sizeof(*boot.record), PROT_READ | PROT_WRITE, MAP_SHARED,
			   boot.record_fd, 0);
	if (boot.record == MAP_FAILED)
		return fault("boot record", "map", -errno);
	initramfs_timeline = &boot.record->timeline;
	return 0;
}

/* By default the kernel hangs on a panic and lives on after an oops: a node does neither. */
static void set_kernel(void)
{
	static const char *const settings[][2] = {
		{"/proc/sys/kernel/panic", "10"},
		{"/proc/sys/kernel/panic_on_oops", "1"},
		/* Else ten lines in five seconds; the newline is wanted here and only here. */
		{"/proc/sys/kernel/printk_devkmsg", "on\n"},
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		int error = file_write(settings[i][0], settings[i][1]);

		/* printk_devkmsg is locked when the command line set it. */
		if (error && error != -EINVAL)
			log_error("%s: write: %s", settings[i][0], log_errno(error));
	}
}

int initramfs_kernel(void)
{
	int error = mount_kernel_filesystems();
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		log_open(fd, 1);
	if (error)
		return error;
	set_kernel();
	cmdline_read(&boot.words);
	return make_record();
}

/* ---- plan, modules, watchdog, disk ---- */

int initramfs_plan(void)
{
	return plan_map(PLAN_BOOT_PATH, PLAN_KIND_BOOT, &boot.plan);
}

int initramfs_modules(void)
{
	/* Logged; whether it was indispensable shows when the disk or the root is missing. */
	(void)modules_load(&boot.plan, initramfs_timeline);
	return 0;
}

int initramfs_watchdog(void)
{
	int fd = watchdog_arm();

	if (fd < 0 && fd != -ENOENT)
		log_warning("watchdog: arm: %s", log_errno(fd));
	return 0;
}

/* Find the next disk with slots, and tell what was wrong with its table. */
static int find_disk(uint64_t wait_ns)
{
	int error = disk_find(&boot.foreign, clock_boottime_ns() + wait_ns, &boot.disk);

	if (error)
		return error;
	if (boot.disk.mended)
		log_error("disk: %s: primary partition table: %s; mended from the backup",
			  boot.disk.device.name, boot.disk.mended);
	if (boot.disk.gpt.from_backup)
		log_error("disk: %s: primary partition table: %s; using the backup",
			  boot.disk.device.name, boot.disk.gpt.primary_fault);
	return 0;
}

int initramfs_disk(void)
{
	int error = find_disk(DISK_WAIT_NS);

	return error ? fault("disk", "find one with slots", error) : 0;
}

/* ---- slots ---- */

static int trust_keys(void)
{
	struct plan_list keys = boot.plan.system->keys;
	int error = keyring_open(&boot.keyring);

	if (error)
		return fault("keyring", "open", error);
	for (uint32_t i = 0; i < keys.count; i++) {
		const char *path = plan_list_string(&boot.plan, keys, i);

		error = keyring_trust(&boot.keyring, boot.hash, path);
		if (error)
			(void)fault(path, "trust", error);
	}
	return boot.keyring.count > 0 ? 0 : fault("keyring", "no trusted key", -ENOKEY);
}

static int partition_path(uint32_t number, struct device *device, char path[DEVICE_PATH_BYTES])
{
	int error = devices_partition(boot.disk.device.name, number, device);

	return error ? error : device_path(device->name, path);
}

static void examine(uint32_t slot)
{
	const struct slot_parts *parts = &boot.disk.slots.slot[slot];
	struct slot_examination *examination = &boot.examinations[slot];
	char hash_path[DEVICE_PATH_BYTES];
	char header_path[DEVICE_PATH_BYTES];
	struct device device;

	if (!parts->present)
		return;
	if (partition_path(parts->hash.number, &device, hash_path) ||
	    partition_path(parts->header.number, &device, header_path)) {
		examination->verdict = SLOT_UNREADABLE;
		examination->step = "find its partitions";
	} else {
		slot_examine(parts, hash_path, header_path, &boot.keyring, boot.hash, examination);
	}
	if (examination->verdict != SLOT_SOUND)
		log_error("slot %c: %s: %s%s%s", slot_letter(slot),
			  slot_verdict_text(examination->verdict),
			  examination->step ? examination->step : "",
			  examination->error ? ": " : "",
			  examination->error ? log_errno(examination->error) : "");
}

static void examine_slots(void)
{
	memset(boot.examinations, 0, sizeof(boot.examinations));
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		examine(i);
	slot_judge(&boot.disk.slots, boot.examinations, boot.views);
}

/*
 * Is the disk somebody else's: a stick that was forgotten, another installation? Only then is there
 * another one to look for. A disk that is this node's and damaged must not make it boot an old copy.
 */
static bool is_foreign(void)
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		if (boot.examinations[i].verdict != SLOT_ABSENT &&
		    boot.examinations[i].verdict != SLOT_UNSIGNED)
			return false;
	return true;
}

int initramfs_slots(void)
{
	int error;

	boot.hash = hash_open();
	if (boot.hash < 0)
		return fault("hash", "open", boot.hash);
	error = trust_keys();
	if (error)
		return error;
	examine_slots();
	while (is_foreign() && boot.foreign.count < DISKS_PASSED_MAX) {
		log_error("disk: %s: no slot is signed by a trusted key: looking for another disk",
			  boot.disk.device.name);
		memcpy(boot.foreign.names[boot.foreign.count++], boot.disk.device.name,
		       sizeof(boot.foreign.names[0]));
		/* Without another the views stay as they are: nothing to boot. */
		if (find_disk(OTHER_DISK_WAIT_NS) != 0)
			break;
		examine_slots();
	}
	return 0;
}

/* ---- root ---- */

static void burn(const struct slot_choice *choice)
{
	const char *step = "";
	char text[16];
	bool burned;
	int error;

	if (!choice->write)
		return;
	error = disk_write_bits(&boot.disk, choice->bits, &step);
	if (error) {
		/* slot.h, Burning: better a node without a counted try than no node. */
		log_error("disk: %s: burn a try: %s: %s", boot.disk.device.name, step,
			  log_errno(error));
		return;
	}
	if (boot.disk.gpt.backup_fault)
		log_warning("disk: %s: backup partition table: %s", boot.disk.device.name,
			    boot.disk.gpt.backup_fault);
	/* In the last resort the only thing written may be the other slot's turn. */
	burned = choice->bits[choice->boot].tries < boot.views[choice->boot].bits.tries;
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		boot.views[i].bits = choice->bits[i];
	if (!burned)
		return;
	format_text(text, sizeof(text), "burned %c", slot_letter((uint32_t)choice->boot));
	timeline_point(initramfs_timeline, TIMELINE_SLOT, text, 0, clock_boottime_ns());
}

/* The names of the slot's partitions, for this boot and the next program. */
static int name_devices(uint32_t slot, struct device *root, struct device *hash)
{
	const struct slot_parts *parts = &boot.disk.slots.slot[slot];
	struct record *record = boot.record;
	struct device header;
	char path[DEVICE_PATH_BYTES];
	int error = partition_path(parts->root.number, root, path);

	if (!error)
		error = partition_path(parts->hash.number, hash, path);
	if (!error)
		error = partition_path(parts->header.number, &header, path);
	if (error)
		return error;
	memcpy(record->root_device, root->name, sizeof(record->root_device));
	memcpy(record->hash_device, hash->name, sizeof(record->hash_device));
	memcpy(record->header_device, header.name, sizeof(record->header_device));
	return 0;
}

static int mount_root(uint32_t slot, const char **step)
{
	const struct slot_header *header = &boot.examinations[slot].block.header;
	struct device root, hash;
	char data_number[32], hash_number[32];
	char table[VERITY_TABLE_BYTES];
	char path[DM_PATH_BYTES];
	int error;

	*step = "find its partitions";
	error = name_devices(slot, &root, &hash);
	if (error)
		return error;
	format_text(data_number, sizeof(data_number), "%u:%u", root.major, root.minor);
	format_text(hash_number, sizeof(hash_number), "%u:%u", hash.major, hash.minor);
	*step = "verity table";
	error = verity_table(header, data_number, hash_number, true, table);
	if (error < 0)
		return error;
	error = dm_create_verity(DM_NAME, header->data_blocks * (VERITY_BLOCK_BYTES / 512), table,
				 path, step);
	if (error)
		return error;
	*step = "mount";
	if (mkdir(NEW_ROOT, 0755) < 0 && errno != EEXIST)
		error = -errno;
	if (!error)
		error = mount_filesystem((const char *)header->root_type, path, NEW_ROOT,
					 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, NULL, step);
	if (error)
		(void)dm_remove(DM_NAME);
	return error;
}

static void fill_record(const struct slot_choice *choice, const struct gpt_slot_bits *before)
{
	uint32_t slot = (uint32_t)choice->boot;
	struct record *record = boot.record;

	record->slot = slot;
	record->tries_left = boot.views[slot].bits.tries;
	record->burned = boot.views[slot].bits.tries < before->tries;
	record->successful = boot.views[slot].bits.successful;
	record->forced = choice->why == SLOT_WHY_FORCED;
	record->last_resort = choice->last_resort;
	memcpy(record->disk, boot.disk.device.name, sizeof(record->disk));
	memcpy(record->disk_guid, boot.disk.gpt.header.disk_guid, sizeof(record->disk_guid));
	record->sector_bytes = boot.disk.gpt.sector_bytes;
	record->entry = boot.disk.slots.slot[slot].entry;
	record->header = boot.examinations[slot].block.header;
	record->other_state = slot_views_pack(boot.views);
	record->trace = boot.words.trace;
	record->log_level = boot.words.log_level > 0 ? (uint32_t)boot.words.log_level : 0;
}

/* One slot, from its try to its mounted root. What fails here is the slot's own fault. */
static int enter_slot(const struct slot_choice *choice)
{
	uint32_t slot = (uint32_t)choice->boot;
	struct gpt_slot_bits before = boot.views[slot].bits;
	const char *step = "";
	char object[16];
	int error;

	burn(choice);
	log_notice("slot %c: chosen: %s, %u tries left", slot_letter(slot),
		   slot_why_text(choice->why), boot.views[slot].bits.tries);
	/* The name that a slot tried before this one may have left there. */
	*boot.record->header_device = '\0';
	error = mount_root(slot, &step);
	if (!error) {
		fill_record(choice, &before);
		return 0;
	}
	format_text(object, sizeof(object), "slot %c", slot_letter(slot));
	(void)fault(object, step, error);
	if (*boot.record->header_device != '\0')
		marks_note_failure_timed(boot.record->header_device, SLOT_REASON_BOOT,
					 fault_text());
	boot.views[slot].verdict = SLOT_UNSOUND;
	return error;
}

int initramfs_root(void)
{
	for (;;) {
		struct slot_choice choice = slot_choose(boot.views, boot.words.slot);

		if (choice.word_refused)
			log_error("command line: keelson.slot=%c: that slot is not sound",
				  slot_letter((uint32_t)boot.words.slot));
		if (choice.boot < 0)
			return fault("slots", slot_why_text(choice.why), -ENOMEDIUM);
		/* Every failure takes one slot out: this ends. */
		if (enter_slot(&choice) == 0)
			return 0;
	}
}

/* ---- switch root ---- */

/* No writable mapping may be left when the memfd is sealed against writing (memfd_create(2)). */
static int seal_record(void)
{
	struct timeline *timeline = initramfs_timeline;

	timeline_end(timeline, timeline->count - 1, clock_boottime_ns(), 0);
	record_seal(boot.record);
	initramfs_timeline = NULL;
	munmap(boot.record, sizeof(*boot.record));
	if (fcntl(boot.record_fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0 ||
	    fcntl(boot.record_fd, F_SETFD, 0) < 0)
		return -errno;
	return 0;
}

int initramfs_switch(void)
{
	static char program[] = INIT_PATH;
	char record[32], watchdog[32];
	char *argv[] = {program, record, NULL, NULL};
	const char *step;
	int error = switch_root(NEW_ROOT, &step);

	if (error)
		return fault("switch root", step, error);
	error = seal_record();
	if (error)
		return fault("boot record", "seal", error);
	format_text(record, sizeof(record), "--record=%d", boot.record_fd);
	if (watchdog_fd() >= 0 && fcntl(watchdog_fd(), F_SETFD, 0) == 0) {
		format_text(watchdog, sizeof(watchdog), "--watchdog=%d", watchdog_fd());
		argv[2] = watchdog;
	}
	execve(INIT_PATH, argv, environ);
	return fault(INIT_PATH, "exec", -errno);
}

void initramfs_failed(void)
{
	if (boot.plan.system && (boot.plan.system->flags & PLAN_SYSTEM_RESCUE))
		rescue_shell();
	power_reboot_now("boot failed");
}
