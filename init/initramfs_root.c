/* SPDX-License-Identifier: Apache-2.0 */
#include "init/initramfs.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "init/initramfs_state.h"
#include "init/kexec.h"
#include "init/marks.h"
#include "init/own_kernel.h"
#include "init/phase.h"
#include "mount/apply.h"
#include "mount/devmapper.h"
#include "mount/sys.h"
#include "mount/verity.h"
#include "svc/format.h"
#include "svc/log.h"

#define DM_NAME "keelson-root"

/* What was done with it, for the timeline: keelctl analyze. */
static void stamp(const char *done, uint32_t slot)
{
	char text[16];

	format_text(text, sizeof(text), "%s %c", done, slot_letter(slot));
	timeline_point(initramfs_timeline, TIMELINE_SLOT, text, 0, clock_boottime_ns());
}

static void burn(const struct slot_choice *choice)
{
	const char *step = "";
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
	/* The other copy, which is newer now, carries the change. */
	if (boot.disk.gpt.primary_fault)
		log_warning("disk: %s: primary partition table: %s", boot.disk.device.name,
			    boot.disk.gpt.primary_fault);
	if (boot.disk.gpt.backup_fault)
		log_warning("disk: %s: backup partition table: %s", boot.disk.device.name,
			    boot.disk.gpt.backup_fault);
	/* In the last resort the only thing written may be the other slot's turn. */
	burned = choice->bits[choice->boot].tries < boot.views[choice->boot].bits.tries;
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		boot.views[i].bits = choice->bits[i];
	if (burned)
		stamp("burned", (uint32_t)choice->boot);
}

/* The names of the slot's partitions, for this boot and the next program. */
static int name_devices(uint32_t slot, struct device *root, struct device *hash)
{
	const struct slot_parts *parts = &boot.disk.slots.slot[slot];
	struct record *record = boot.record;
	struct device header;
	char path[DEVICE_PATH_BYTES];
	int error = initramfs_partition(parts->root.number, root, path);

	if (!error)
		error = initramfs_partition(parts->hash.number, hash, path);
	if (!error)
		error = initramfs_partition(parts->header.number, &header, path);
	if (error)
		return error;
	memcpy(record->root_device, root->name, sizeof(record->root_device));
	memcpy(record->hash_device, hash->name, sizeof(record->hash_device));
	memcpy(record->header_device, header.name, sizeof(record->header_device));
	return 0;
}

/* 0 or negative errno, told: as long as it is there no other root gets its name. */
static int remove_device(void)
{
	int error = dm_remove(DM_NAME);

	if (error)
		log_error("%s: remove: %s", DM_NAME, log_errno(error));
	return error;
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
	stamp("opened", slot);
	*step = "mount";
	if (mkdir(INITRAMFS_NEW_ROOT, 0755) < 0 && errno != EEXIST)
		error = -errno;
	if (!error)
		error = mount_filesystem((const char *)header->root_type, path, INITRAMFS_NEW_ROOT,
					 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, NULL, step);
	if (error && remove_device())
		boot.stuck = true;
	return error;
}

static void fill_record(const struct slot_choice *choice, const struct gpt_slot_bits *before)
{
	uint32_t slot = (uint32_t)choice->boot;
	struct record *record = boot.record;

	record->slot = slot;
	record->tries_left = boot.views[slot].bits.tries;
	record->burned = boot.handed ? boot.handed->burned
				     : boot.views[slot].bits.tries < before->tries;
	record->successful = boot.views[slot].bits.successful;
	record->forced = boot.handed ? boot.handed->forced : choice->why == SLOT_WHY_FORCED;
	record->last_resort = boot.handed ? boot.handed->last_resort : choice->last_resort;
	memcpy(record->disk, boot.disk.device.name, sizeof(record->disk));
	memcpy(record->disk_guid, boot.disk.gpt.header.disk_guid, sizeof(record->disk_guid));
	record->sector_bytes = boot.disk.gpt.sector_bytes;
	record->entry = boot.disk.slots.slot[slot].entry;
	record->header = boot.examinations[slot].block.header;
	record->other_state = slot_views_pack(boot.views);
	record->trace = boot.words.trace;
	record->log_level = boot.words.log_level > 0 ? (uint32_t)boot.words.log_level : 0;
	memcpy(record->boot_build_id, boot.plan.header->build_id, sizeof(record->boot_build_id));
}

/*
 * The slot's own fault was found when its root was mounted already. 0 or negative errno, told: a child
 * that hangs in the load of a kernel holds it, and then no other root gets its place or its name.
 */
static int leave_root(void)
{
	int error;

	if (umount2(INITRAMFS_NEW_ROOT, 0) == 0)
		return remove_device();
	error = -errno;
	log_error("%s: unmount: %s", INITRAMFS_NEW_ROOT, log_errno(error));
	return error;
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
	if (!boot.handed)
		log_notice("slot %c: chosen: %s, %u tries left", slot_letter(slot),
			   slot_why_text(choice->why), boot.views[slot].bits.tries);
	/* The name that a slot tried before this one may have left there. */
	*boot.record->header_device = '\0';
	error = mount_root(slot, &step);
	if (!error) {
		fill_record(choice, &before);
		error = own_kernel_enter(&boot.plan, boot.record, INITRAMFS_NEW_ROOT, &step);
		if (!error)
			return 0;
		/* The other slot would lose a try, and be noted, for what this one left behind. */
		boot.stuck = leave_root() != 0 || boot.record->kexecs > 0;
	}
	format_text(object, sizeof(object), "slot %c", slot_letter(slot));
	(void)fault(object, step, error);
	if (*boot.record->header_device != '\0')
		marks_note_failure_timed(&(struct slot_failure){
			.disk = boot.disk.device.name,
			.device = boot.record->header_device,
			.disk_guid = boot.disk.gpt.header.disk_guid,
			.slot = slot,
			.image_version =
				(const char *)boot.examinations[slot].block.header.image_version,
			.reason = SLOT_REASON_BOOT,
			.detail = fault_text(),
		});
	boot.views[slot].verdict = SLOT_UNSOUND;
	return error;
}

/* The slot that the first kernel of this boot chose; its try is burned. */
static bool go_on(struct slot_choice *choice)
{
	const struct handover *handed = boot.handed;
	char letter;

	if (!handed)
		return false;
	letter = slot_letter(handed->slot);
	if (!kexec_fits(handed, boot.disk.gpt.header.disk_guid, boot.views, boot.examinations)) {
		boot.handed = NULL;
		log_error("kexec: slot %c is not what it was: choosing anew", letter);
		return false;
	}
	log_notice("slot %c: goes on under its own kernel, after %llu ms of %s", letter,
		   (unsigned long long)(handed->boot_ns / 1000000), handed->release);
	*choice = (struct slot_choice){.boot = (int)handed->slot};
	for (uint32_t i = 0; i < SLOT_COUNT; i++)
		choice->bits[i] = boot.views[i].bits;
	return true;
}

static int choose(struct slot_choice *choice)
{
	char object[16];

	if (go_on(choice))
		return 0;
	boot.handed = NULL;
	*choice = slot_choose(boot.views, boot.words.slot);
	if (choice->word_refused)
		log_error("command line: keelson.slot=%c: that slot is not sound",
			  slot_letter((uint32_t)boot.words.slot));
	if (choice->boot < 0)
		return fault("slots", slot_why_text(choice->why), -ENOMEDIUM);
	if (own_kernel_serves(&boot.plan, boot.record,
			      &boot.examinations[choice->boot].block.header))
		return 0;
	/* It is not at fault: its try is for a boot that can start its kernel. */
	boot.stuck = true;
	format_text(object, sizeof(object), "slot %c", slot_letter((uint32_t)choice->boot));
	return fault(object, "runs under another kernel than this boot's second one", -EBUSY);
}

int initramfs_root(void)
{
	struct slot_choice choice;

	/* Every failure takes one slot out: this ends. */
	for (;;) {
		int error = choose(&choice);

		if (!error)
			error = enter_slot(&choice);
		if (!error || choice.boot < 0 || boot.stuck)
			return error;
		boot.handed = NULL;
	}
}
