/* SPDX-License-Identifier: Apache-2.0 */
/* keelctl slot bootstrap: the running image's kernel and initramfs onto the ESP (esp.h). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/esp.h"
#include "init/slot_change.h"
#include "mount/sys.h"
#include "rootfs-spec/boot_entry.h"
#include "rootfs-spec/gpt_types.h"
#include "svc/log.h"

#define ESP_TARGET "/run/keelson/esp"
#define GIVE_UP_S 300u /* a disk that hangs must not keep this program for ever */

static int report(const char *object, const char *step, int error)
{
	log_error("bootstrap: %s: %s: %s", object, step, log_errno(error));
	return SLOT_EXIT_FAILED;
}

/* The number of the disk's EFI system partition, 0: it has none. */
static uint32_t find_esp(const struct gpt *gpt)
{
	static const uint8_t type[GPT_GUID_BYTES] = GPT_TYPE_ESP;
	struct gpt_entry entry;

	for (uint32_t i = 0; i < gpt->header.entry_count; i++)
		if (gpt_entry(gpt, i, &entry) == 0 && gpt_guid_equal(entry.type, type))
			return i + 1;
	return 0;
}

static int digest_file(int hash, const char *path, uint8_t digest[HASH_BYTES])
{
	cleanup_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	struct iovec part;
	struct stat st;
	int error;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	part.iov_len = (size_t)st.st_size;
	part.iov_base = mmap(NULL, part.iov_len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (part.iov_base == MAP_FAILED)
		return -errno;
	error = hash_sha256(hash, &part, 1, digest);
	munmap(part.iov_base, part.iov_len);
	return error;
}

/* Mounted for this process only: its end unmounts it, whatever that is. */
static int mount_esp(const char *path)
{
	if (mkdir(ESP_TARGET, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(path, ESP_TARGET, "vfat", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME,
		  "umask=0077,errors=remount-ro") < 0)
		return -errno;
	return open(ESP_TARGET, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int replace(int esp, const struct slot_header *header, const uint8_t digest[HASH_BYTES])
{
	cleanup_fd root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct esp_image image = {.root = root,
					.name = (const char *)header->name,
					.version = (const char *)header->image_version,
					.kernel_sha256 = header->kernel_sha256,
					.initramfs_sha256 = digest};
	char step[ESP_STEP_BYTES] = "";
	int result = root < 0 ? -errno : esp_replace(esp, &image, step);

	switch (result) {
	case ESP_REPLACED:
		log_notice("bootstrap: replaced: the loader starts the kernel and the initramfs of "
			   "image %s now",
			   image.version);
		return SLOT_EXIT_OK;
	case ESP_ALREADY: log_info("bootstrap: is that of this image"); return SLOT_EXIT_OK;
	case ESP_FOREIGN:
		log_warning("bootstrap: the ESP has no %s: left alone", BOOT_ENTRY_PATH);
		return SLOT_EXIT_OK;
	default: return report("ESP", step, result);
	}
}

static int with_esp(const struct slot_node *node, uint32_t number, const uint8_t digest[HASH_BYTES])
{
	const struct slot_header *header = &node->examinations[node->status.booted].block.header;
	struct device device;
	char path[DEVICE_PATH_BYTES];
	cleanup_fd lock = -1;
	cleanup_fd esp = -1;
	int error = devices_partition(node->disk.device.name, number, &device);

	if (!error)
		error = device_path(device.name, path);
	if (error)
		return report("ESP", "find its partition", error);
	/* Of the partition: the disk's lock is not held while megabytes are written. */
	lock = open(path, O_RDONLY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return report(path, "lock", -errno);
	esp = mount_esp(path);
	return esp < 0 ? report(path, "mount", esp) : replace(esp, header, digest);
}

int slot_bootstrap(struct slot_node *node, const struct change_options *options)
{
	const struct slot_examination *running = &node->examinations[node->status.booted];
	uint8_t digest[HASH_BYTES];
	uint32_t number;
	int status;
	int error;

	(void)options;
	alarm(GIVE_UP_S);
	status = slot_node_look(node);
	if (status)
		return status;
	if (!node->status.blessed || !running->header_verified)
		return slot_tell(SLOT_EXIT_FAILED, "bootstrap: this boot is not blessed yet");
	number = find_esp(&node->disk.gpt);
	if (number == 0 || running->block.header.kernel_bytes == 0) {
		log_info("bootstrap: %s", number ? "this image has no kernel"
						 : "this disk has no ESP: nothing to replace");
		return SLOT_EXIT_OK;
	}
	error = digest_file(node->hash, SLOT_INITRAMFS_PATH, digest);
	if (error)
		return report(SLOT_INITRAMFS_PATH, "hash", error);
	return with_esp(node, number, digest);
}
