/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-install-node DISK BUNDLE: `keelctl slot install --json BUNDLE` on the builder's machine, which
 * need not have device-mapper, AF_ALG or a PID 1 that answers. It links what keelson-slot links; what
 * the kernel of a node does is played:
 *
 *   - the signature is right, and SHA-256 of a header is computed here;
 *   - the verity device is the root's partition: what was written is read back, past the page cache,
 *     but not hashed;
 *   - slot a of DISK, a whole disk by its kernel name, is the one that runs. A loop device will do.
 *
 * So it tells what unpacking and writing costs, and not what proving costs: run says so beside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init/labels.h"
#include "init/reboot_required.h"
#include "init/slot_node.h"
#include "mount/devmapper.h"
#include "mount/gpt_io.h"
#include "mount/sys.h"
#include "rootfs-spec/sha256.h"
#include "svc/client.h"

/* ---- what is played ---- */

int hash_open(void)
{
	return -1;
}

int hash_sha256(int hash, const struct iovec *parts, size_t count, uint8_t digest[HASH_BYTES])
{
	struct sha256 state;

	(void)hash;
	sha256_begin(&state);
	for (size_t i = 0; i < count; i++)
		sha256_add(&state, parts[i].iov_base, parts[i].iov_len);
	sha256_end(&state, digest);
	return 0;
}

int keyring_open(struct keyring *keyring)
{
	(void)keyring;
	return 0;
}

int keyring_trust(struct keyring *keyring, int hash, const char *path)
{
	(void)keyring;
	(void)hash;
	(void)path;
	return 0;
}

int keyring_verify(const struct keyring *keyring, const uint8_t key_id[HASH_BYTES],
		   const uint8_t digest[HASH_BYTES], const void *signature, size_t size)
{
	(void)keyring;
	(void)key_id;
	(void)digest;
	(void)signature;
	(void)size;
	return 0;
}

/* "1 ROOT HASH ...": ROOT. */
int dm_create_verity(const char *name, uint64_t sectors, const char *table,
		     char path[DM_PATH_BYTES], const char **step)
{
	const char *root = strchr(table, ' ') + 1;
	size_t length = strcspn(root, " ");

	(void)name;
	(void)sectors;
	*step = "play a verity device";
	if (length >= DM_PATH_BYTES)
		return -ENAMETOOLONG;
	memcpy(path, root, length);
	path[length] = '\0';
	return 0;
}

int dm_remove(const char *name)
{
	(void)name;
	return 0;
}

int client_ask(const char *path, const struct control_request *request, client_packet *packet,
	       void *context)
{
	(void)path;
	(void)request;
	(void)packet;
	(void)context;
	return -ENOTCONN;
}

int labels_note(const char *path, const char *key)
{
	(void)path;
	(void)key;
	return 0;
}

void reboot_required(const struct slot_header *header)
{
	(void)header;
}

/* ---- mount/devices.h, which passes over loop devices ---- */

static uint64_t size_of(const char *name)
{
	char path[64], text[32] = "";
	cleanup_fd fd = -1;

	snprintf(path, sizeof(path), "/sys/class/block/%s/size", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 ? 512 * strtoull(text, NULL, 10) : 0;
}

int devices_disk(const char *name, struct device *device)
{
	*device = (struct device){.sector_bytes = 512, .size_bytes = size_of(name)};
	snprintf(device->name, sizeof(device->name), "%s", name);
	return device->size_bytes ? 0 : -ENODEV;
}

int devices_disks(struct device *disks, size_t max)
{
	(void)disks;
	(void)max;
	return 0;
}

int devices_partition(const char *disk, uint32_t number, struct device *device)
{
	int length;

	*device = (struct device){.partition = number};
	length = snprintf(device->name, sizeof(device->name), "%sp%u", disk, number);
	device->size_bytes = size_of(device->name);
	return length < (int)sizeof(device->name) && device->size_bytes ? 0 : -ENOENT;
}

int devices_partition_named(const char *disk, const char *name, struct device *device)
{
	(void)disk;
	(void)name;
	(void)device;
	return -ENOENT;
}

int device_path(const char *name, char path[DEVICE_PATH_BYTES])
{
	return snprintf(path, DEVICE_PATH_BYTES, "/dev/%s", name) < (int)DEVICE_PATH_BYTES
		       ? 0
		       : -ENAMETOOLONG;
}

/* ---- the node ---- */

static int fail(const char *step, int error)
{
	fprintf(stderr, "bench-install-node: %s: %s\n", step, strerror(-error));
	return SLOT_EXIT_FAILED;
}

/* What PID 1 would say of a boot of slot a. */
static int describe(struct slot_node *node, const char *disk)
{
	static const struct plan_system system = {.tries = 3};
	static struct slot_header_block block;
	static struct disk found;
	struct install_target running;
	char device[DEVICE_NAME_BYTES], path[DEVICE_PATH_BYTES];
	int error = devices_disk(disk, &found.device);

	if (error)
		return fail("find the disk", error);
	device_path(disk, path);

	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC);

	error = fd < 0 ? -errno : gpt_read(fd, 512, found.device.size_bytes / 512, &found.gpt);
	if (error)
		return fail("read its table", error);
	slots_find(&found.gpt, &found.slots);
	node->disk = found;
	node->hash = -1;
	node->plan.system = &system;
	node->status.booted = 0;
	node->status.entry = found.slots.slot[0].entry;
	snprintf(node->status.disk, sizeof(node->status.disk), "%s", disk);
	memcpy(node->status.disk_guid, found.gpt.header.disk_guid, sizeof(node->status.disk_guid));
	error = slot_node_target(node, 0, &running, device);
	if (error)
		return fail("find slot a", error);

	cleanup_fd header = open(running.header, O_RDONLY | O_CLOEXEC);

	error = header < 0 ? -errno : disk_read(header, &block, sizeof(block), 0);
	if (error)
		return fail("read the header of slot a", error);
	memcpy(node->status.root_hash, block.header.root_hash, sizeof(node->status.root_hash));
	return 0;
}

int main(int argc, char **argv)
{
	static struct slot_node node;
	struct install_options options = {.json = true, .force = true};
	int status;

	if (argc != 3) {
		fputs("usage: bench-install-node DISK BUNDLE\n", stderr);
		return SLOT_EXIT_USAGE;
	}
	options.path = argv[2];
	slot_tell_json(true);
	status = describe(&node, argv[1]);
	return status ? status : slot_install(&node, &options);
}
