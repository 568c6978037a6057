/* SPDX-License-Identifier: Apache-2.0 */
#include "init/initramfs.h"

#include <errno.h>
#include <string.h>

#include "init/initramfs_state.h"
#include "init/phase.h"
#include "svc/log.h"

#define DISK_WAIT_NS 10000000000ull
#define OTHER_DISK_WAIT_NS 3000000000ull /* when the first one has nothing to boot */

/* Find the next disk with slots, and tell what was wrong with its table. */
static int find_disk(uint64_t wait_ns)
{
	int error = disk_find(&boot.foreign, clock_boottime_ns() + wait_ns, &boot.disk);

	if (error)
		return error;
	if (boot.disk.mended)
		log_error("disk: %s: primary partition table: %s; mended from the backup",
			  boot.disk.device.name, boot.disk.mended);
	if (boot.disk.gpt.primary_fault)
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

int initramfs_partition(uint32_t number, struct device *device, char path[DEVICE_PATH_BYTES])
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
	if (initramfs_partition(parts->hash.number, &device, hash_path) ||
	    initramfs_partition(parts->header.number, &device, header_path)) {
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
